import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExactNumber, readJson, readJsonMembers, readNumber } from '../../../src/lib/json.ts';

function value(text: string): unknown {
  const result = readJson(text);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

/** What the text is to `JSON.parse`, or undefined. */
function parse(text: string): unknown {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** As plain data: `Map`s as objects, numbers as doubles. */
function plain(found: unknown): unknown {
  if (found instanceof ExactNumber) return Number(found.text);
  if (Array.isArray(found)) return found.map(plain);
  if (found instanceof Map)
    return Object.fromEntries([...found].map(([name, member]) => [name as string, plain(member)]));
  return found;
}

const mutated = fc
  .tuple(
    fc.json(),
    fc.nat(200),
    fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '0', '-', '.', 'e', '\\', ' ', '\n', 't'),
  )
  .map(([text, at, piece]) => text.slice(0, at) + piece + text.slice(at + 1));

test('accepts what JSON.parse accepts, with the same value', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), mutated), (text) => {
      const result = readJsonMembers(text);
      const expected = parse(text);
      expect(result.ok ? { value: plain(result.value) } : undefined).toEqual(expected);
      expect(readJson(text).ok).toBe(expected !== undefined);
    }),
    { numRuns: 5_000 },
  );
});

describe('a number is a double when its digits are the double’s own', () => {
  const cases: readonly { text: string; exact: boolean }[] = [
    { text: '0', exact: false },
    { text: '-0.0', exact: false },
    { text: '300.0', exact: false },
    { text: '3.0e2', exact: false },
    { text: '0.1', exact: false },
    { text: '1E+2', exact: false },
    { text: '123456789012345', exact: false },
    { text: '9007199254740992', exact: false },
    { text: '27.807807921694092', exact: false },
    { text: '1e308', exact: false },
    { text: '9007199254740993', exact: true },
    { text: '0.1000000000000000055511151231257827', exact: true },
    { text: '12345678901234567890', exact: true },
    { text: '1e400', exact: true },
    { text: '1e-400', exact: true },
    { text: '-1e99999999999999999999', exact: true },
  ];
  test.each(cases)('$text', ({ text, exact }) => {
    expect(readNumber(text)).toEqual(exact ? new ExactNumber(text) : Number(text));
    // The fast way through JSON.parse must not let one slip.
    expect(value(`{"n":${text}}`)).toEqual({ n: exact ? new ExactNumber(text) : Number(text) });
    expect(value(text)).toEqual(exact ? new ExactNumber(text) : Number(text));
    expect(value(`[1,\n\t${text}]`)).toEqual([1, exact ? new ExactNumber(text) : Number(text)]);
    for (let before = 0; before < 40; before++)
      expect(value(`["${'a'.repeat(before)}",${text}]`)).toEqual([
        'a'.repeat(before),
        exact ? new ExactNumber(text) : Number(text),
      ]);
  });
});

test('an error says where it is', () => {
  expect(readJson('{\n  "a": 1,\n  "b" 2\n}')).toEqual({
    ok: false,
    error: { message: '`2` where `:` must stand', offset: 18, line: 3, column: 7 },
  });
});

test('__proto__ is a member, and the last of two members with one name wins', () => {
  for (const read of [readJson, readJsonMembers]) {
    const result = read('{"__proto__":{"n":12345678901234567890},"a":1,"a":2}');
    if (!result.ok) throw new Error(result.error.message);
    const members = result.value instanceof Map ? Object.fromEntries(result.value) : (result.value as object);
    expect(Object.keys(members)).toEqual(['__proto__', 'a']);
    expect((members as { a: unknown }).a).toBe(2);
  }
});

test('nesting of any depth is read', () => {
  const depth = 200_000;
  expect(readJson('['.repeat(depth) + '12345678901234567890' + ']'.repeat(depth)).ok).toBe(true);
  expect(readJson('[12345678901234567890,' + '['.repeat(depth)).ok).toBe(false);
});
