import { describe, expect, test } from 'vitest';
import { LinkedList, type Linked } from '../../../src/lib/linked-list.ts';

interface Item extends Linked<Item> {
  readonly name: string;
}

const item = (name: string): Item => ({ before: undefined, behind: undefined, list: undefined, name });
const names = (list: LinkedList<Item>): string => [...list].map(({ name }) => name).join('');

describe('a linked list', () => {
  test.each([
    { taken: '', left: 'abcd', why: 'nothing left' },
    { taken: 'a', left: 'bcd', why: 'the first left' },
    { taken: 'd', left: 'abc', why: 'the last left' },
    { taken: 'bc', left: 'ad', why: 'two beside each other left' },
    { taken: 'dcba', left: '', why: 'all left' },
  ])('keeps the order of coming when $why', ({ taken, left }) => {
    const list = new LinkedList<Item>();
    const items = Object.fromEntries('abcd'.split('').map((name) => [name, item(name)]));
    for (const each of Object.values(items)) list.add(each);
    for (const name of taken) list.delete(items[name] ?? item('none'));
    expect(names(list)).toBe(left);
    expect(list.size).toBe(left.length);
    expect(list.first?.name).toBe(left[0]);
    list.add(item('e'));
    expect(names(list)).toBe(`${left}e`);
  });

  test('leaves an element alone that is not in it', () => {
    const [list, other] = [new LinkedList<Item>(), new LinkedList<Item>()];
    const one = item('a');
    other.add(one);
    list.delete(one);
    expect(names(other)).toBe('a');
  });

  test('takes no element that is in a list already', () => {
    const list = new LinkedList<Item>();
    const one = item('a');
    list.add(one);
    expect(() => list.add(one)).toThrow('in a list already');
  });

  test('shows no element whose turn comes after it has left', () => {
    const list = new LinkedList<Item>();
    const items = 'abc'.split('').map(item);
    for (const each of items) list.add(each);
    const seen: string[] = [];
    for (const each of list) {
      seen.push(each.name);
      for (const one of items.slice(0, 2)) list.delete(one);
    }
    expect(seen).toEqual(['a', 'c']);
  });

  test('keeps nothing of an element that has left', () => {
    const list = new LinkedList<Item>();
    const [one, two] = [item('a'), item('b')];
    list.add(one);
    list.add(two);
    list.delete(one);
    expect(one).toEqual({ name: 'a', before: undefined, behind: undefined, list: undefined });
    expect(two.before).toBeUndefined();
  });
});
