import { describe, expect, it } from 'vitest';
import type { EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import { aMapping, ordersARN } from '../../support/mappings.ts';
import { TestReconciler } from '../../support/reconciler.ts';

const keyOf = (index: number): string => `shop/m-${index}`;

/** A world with so many settled mappings. */
async function worldOf(count: number, spec: Partial<EventSourceMappingSpec> = {}): Promise<TestReconciler> {
  const world = new TestReconciler();
  for (let index = 0; index < count; index++) {
    world.store.put(
      aMapping({
        metadata: { name: `m-${index}`, uid: `uid-${index}` },
        spec: { eventSourceARN: `${ordersARN}-${index}`, ...spec },
      }),
    );
    await world.settle(keyOf(index));
  }
  world.api.writes.length = 0;
  return world;
}

async function deleteAll(world: TestReconciler, count: number, from = 0): Promise<void> {
  for (let index = from; index < from + count; index++) world.store.delete(keyOf(index));
  for (let index = from; index < from + count; index++) await world.settle(keyOf(index));
}

const left = (world: TestReconciler): number => world.store.list().length;

describe('deletions at once', () => {
  it.each([
    { why: 'few, although they are all', of: 10, deleted: 10, held: 0 },
    { why: 'many, but a small share', of: 60, deleted: 12, held: 0 },
    { why: 'many, and a large share', of: 50, deleted: 12, held: 12 },
    { why: 'all', of: 15, deleted: 15, held: 15 },
  ])('are held or not: $why ($deleted of $of)', async ({ of, deleted, held }) => {
    const world = await worldOf(of);
    await deleteAll(world, deleted);
    expect(left(world)).toBe(of - deleted + held);
    if (held === 0) return;
    expect(world.api.writes).toEqual([]);
    expect(world.conditions(keyOf(0))).toMatchObject({
      Ready: 'False Deleting',
      Reconciling: 'True DeletionHeld',
    });
  });

  it('count together when they come one after the other within ten minutes, and not later', async () => {
    const world = await worldOf(30);
    await deleteAll(world, 10);
    expect(left(world)).toBe(20);
    await deleteAll(world, 1, 10);
    expect(left(world)).toBe(20);
    await world.clock.advance(600_001);
    await deleteAll(world, 1, 11);
    expect(left(world)).toBe(19);
  });

  it('go on one by one as they are confirmed, and the others stay held', async () => {
    const world = await worldOf(15);
    await deleteAll(world, 15);
    for (const index of [0, 1, 2, 3, 4, 5]) {
      world.store.annotate(keyOf(index), { 'sluice.dev/confirm-deletion': 'true' });
      await world.settle(keyOf(index));
    }
    for (let index = 6; index < 15; index++) await world.settle(keyOf(index));
    expect(left(world)).toBe(9);
    expect(world.conditions(keyOf(14))).toMatchObject({ Reconciling: 'True DeletionHeld' });
  });

  it('that leave the AWS mapping as it is are not held', async () => {
    const world = await worldOf(15, { deletionPolicy: 'Retain' });
    await deleteAll(world, 15);
    expect(left(world)).toBe(0);
    expect(world.api.all).toHaveLength(15);
  });

  it('are finished where they have begun', async () => {
    const world = await worldOf(15);
    world.store.delete(keyOf(0));
    await world.pass(keyOf(0));
    for (let index = 1; index < 15; index++) world.store.delete(keyOf(index));
    world.api.settle();
    await world.pass(keyOf(0));
    expect(world.store.get(keyOf(0))).toBeUndefined();
    await world.pass(keyOf(1));
    expect(world.conditions(keyOf(1))).toMatchObject({ Reconciling: 'True DeletionHeld' });
  });

  it('can be given up while they are held', async () => {
    const world = await worldOf(15);
    await deleteAll(world, 15);
    world.store.annotate(keyOf(0), { 'sluice.dev/force-finalize': 'true' });
    await world.pass(keyOf(0));
    expect(world.store.get(keyOf(0))).toBeUndefined();
    expect(world.api.all).toHaveLength(15);
  });
});
