import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ownerOf, ownersOf } from '../../../src/fleet/assignment.ts';

const pods = (count: number): string[] => Array.from({ length: count }, (_, index) => `poller-${index}`);
const uids = (count: number, salt: string): string[] =>
  Array.from({ length: count }, (_, index) => `${salt}-${index}`);

describe('the owner of a mapping', () => {
  it('is nobody when nobody is live', () => {
    expect(ownerOf('uid', [])).toBeUndefined();
    expect(ownersOf('uid', [], 3)).toEqual([]);
  });

  it('does not depend on the order in which members are listed', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1 }), fc.string(), (members, uid) => {
        expect(ownerOf(uid, members.toReversed())).toBe(ownerOf(uid, members));
        expect(ownerOf(uid, members)).toBe(ownersOf(uid, members, 1)[0]);
      }),
    );
  });

  it('stays when another member leaves, and is the next in line when it leaves itself', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.uuid(), { minLength: 2, maxLength: 12 }), fc.uuid(), (members, uid) => {
        const [owner, next] = ownersOf(uid, members, 2);
        for (const gone of members) {
          const rest = members.filter((member) => member !== gone);
          expect(ownerOf(uid, rest)).toBe(gone === owner ? next : owner);
        }
      }),
    );
  });

  it('changes for at most 12 % of the mappings when an eleventh member joins ten', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 20 }),
        fc.uniqueArray(fc.uuid(), { minLength: 11, maxLength: 11 }),
        (salt, members) => {
          const mappings = uids(5000, salt);
          const moved = mappings.filter(
            (uid) => ownerOf(uid, members) !== ownerOf(uid, members.slice(0, 10)),
          );
          expect(moved.length / mappings.length).toBeLessThanOrEqual(0.12);
          expect(moved.every((uid) => ownerOf(uid, members) === members[10])).toBe(true);
        },
      ),
      { numRuns: 20, seed: 7 },
    );
  });

  it('is spread evenly: no member of ten has more than a fifth above its share', () => {
    for (const mappings of [
      uids(10_000, 'sequential'),
      fc.sample(fc.uuid(), { numRuns: 10_000, seed: 11 }),
    ]) {
      const counts = new Map<string, number>();
      for (const uid of mappings) {
        const owner = ownerOf(uid, pods(10)) ?? '';
        counts.set(owner, (counts.get(owner) ?? 0) + 1);
      }
      expect(counts.size).toBe(10);
      expect(Math.max(...counts.values())).toBeLessThan(1200);
      expect(Math.min(...counts.values())).toBeGreaterThan(800);
    }
  });

  // Versions N-1 and N must agree: if this fails the hash has changed, and a rolling update would run mappings twice.
  it.each([
    ['7d3f2a34-9a55-4f2e-8f6a-0d8f1c2b3a4e', 'poller-1 poller-0 poller-3 poller-2'],
    ['00000000-0000-0000-0000-000000000000', 'poller-1 poller-0 poller-2 poller-3'],
    ['b5bb9d80-14a0-4f9b-1d61-e21e796d78dc', 'poller-1 poller-0 poller-2 poller-3'],
    ['', 'poller-2 poller-1 poller-3 poller-0'],
    ['ünïcode-✓', 'poller-3 poller-1 poller-2 poller-0'],
  ])('keeps its golden value for %s', (uid, order) => {
    expect(ownersOf(uid, pods(4), 4).join(' ')).toBe(order);
  });
});
