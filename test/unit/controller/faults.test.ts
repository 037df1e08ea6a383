import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { effective } from '../../../src/api/effective.ts';
import type { EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import { ControlError, type UpdateInput } from '../../../src/backends/aws/client.ts';
import { differencesOf } from '../../../src/backends/aws/drift.ts';
import { backoff, SluiceError } from '../../../src/lib/errors.ts';
import { aMapping, ordersARN } from '../../support/mappings.ts';
import { TestReconciler } from '../../support/reconciler.ts';

/**
 * Edits, changes behind the reconciler's back, refusals, lost answers and kills in any order: there are never two AWS
 * mappings of an object, `Ready` never says more than is true, and when the faults end there is one, as desired.
 */
const key = 'shop/orders';

type Step =
  | { readonly kind: 'edit'; readonly spec: Partial<EventSourceMappingSpec> }
  | { readonly kind: 'tamper'; readonly change: UpdateInput | 'off' | 'delete' }
  | { readonly kind: 'pass'; readonly fault: Fault | undefined; readonly settles: boolean };

type Fault =
  /** The n-th call of the pass is refused before it does anything. */
  | { readonly kind: 'refused'; readonly at: number; readonly how: 'throttled' | 'unavailable' | 'in-use' }
  /** The answer of the n-th call is lost after it did its work. */
  | { readonly kind: 'lost'; readonly at: number }
  /** The process dies before the status is stored. */
  | { readonly kind: 'killed' };

const edits: readonly Partial<EventSourceMappingSpec>[] = [
  { batchSize: 3 },
  { batchSize: 7, tags: { team: 'a' } },
  { enabled: false },
  { enabled: true },
  { functionName: 'other' },
  { functionName: 'consumer' },
  { filterCriteria: { filters: [{ pattern: '{"body":{"a":[1]}}' }] } },
  { filterCriteria: {}, tags: {} },
];

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({
    kind: fc.constant('refused' as const),
    at: fc.integer({ min: 1, max: 5 }),
    how: fc.constantFrom('throttled' as const, 'unavailable' as const, 'in-use' as const),
  }),
  fc.record({ kind: fc.constant('lost' as const), at: fc.integer({ min: 1, max: 5 }) }),
  fc.constant({ kind: 'killed' as const }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...edits).map((spec) => ({ kind: 'edit' as const, spec })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom<UpdateInput | 'off' | 'delete'>({ BatchSize: 9 }, 'off', 'delete')
      .map((change) => ({ kind: 'tamper' as const, change })),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      fault: fc.option(fault, { nil: undefined }),
      settles: fc.boolean(),
    }),
  },
);

const refusals = {
  throttled: new SluiceError('AwsThrottled', 'slow down', backoff),
  unavailable: new SluiceError('AwsUnreachable', 'no answer', backoff),
  'in-use': new SluiceError('Progressing', 'in use', backoff),
} as const;

/** The reconciler over an API that fails as it is told. */
class FaultyWorld extends TestReconciler {
  #fault: Fault | undefined;
  #calls = 0;

  constructor() {
    super();
    const { api } = this;
    const names = ['get', 'list', 'create', 'update', 'delete', 'tags', 'tag', 'untag'] as const;
    for (const name of names) {
      const real = Reflect.get(api, name).bind(api) as (...args: unknown[]) => Promise<unknown>;
      Reflect.set(api, name, async (...args: unknown[]) => {
        this.#calls++;
        const current = this.#fault;
        const isNow = current !== undefined && current.kind !== 'killed' && current.at === this.#calls;
        if (isNow && current.kind === 'refused')
          throw new ControlError({ kind: current.how, error: refusals[current.how] });
        const answer = await real(...args);
        if (isNow) throw new ControlError({ kind: 'unavailable', error: refusals.unavailable });
        return answer;
      });
    }
  }

  async passWith(now: Fault | undefined): Promise<void> {
    this.#fault = now;
    this.#calls = 0;
    const write = this.store.writeStatus.bind(this.store);
    if (now?.kind === 'killed') this.store.writeStatus = () => Promise.reject(new Error('killed'));
    try {
      await this.pass();
    } catch (error) {
      if (now?.kind !== 'killed') throw error;
    } finally {
      this.store.writeStatus = write;
      this.#fault = undefined;
    }
  }

  tamper(change: UpdateInput | 'off' | 'delete'): void {
    const [one] = this.api.all;
    const { UUID: uuid = '', State: state } = one?.configuration ?? {};
    if (state !== 'Enabled' && state !== 'Disabled') return;
    if (change === 'delete') this.api.vanish(uuid);
    else if (change === 'off') this.api.tamper(uuid, { State: 'Disabled' });
    else this.api.tamper(uuid, change);
  }

  /** What of the desired configuration is not in force at AWS. */
  wrong(): readonly string[] {
    const mapping = this.store.get(key);
    const [one, ...more] = this.api.all;
    if (mapping === undefined || one === undefined || more.length > 0)
      return [`${this.api.all.length} mappings`];
    const tags = { desired: mapping.spec.tags ?? {}, observed: one.tags, ours: [] };
    return differencesOf(effective(mapping.spec), mapping.spec, one.configuration, tags).map(
      ({ path }) => path,
    );
  }

  isReady(): boolean {
    const { generation } = this.store.get(key)?.metadata ?? {};
    const ready = this.store.get(key)?.status?.conditions?.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' && ready.observedGeneration === generation;
  }
}

it('keeps one mapping through any order of edits and faults, and none after a deletion', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const world = new FaultyWorld();
      world.store.put(aMapping());
      for (const one of steps) {
        if (one.kind === 'edit') world.store.edit(key, one.spec);
        else if (one.kind === 'tamper') world.tamper(one.change);
        else {
          await world.passWith(one.fault);
          // A look that failed says nothing; one that succeeded must not call ready what is not.
          if (one.fault === undefined && world.isReady()) expect(world.wrong()).toEqual([]);
          if (one.settles) world.api.settle();
        }
        expect(world.api.all.length).toBeLessThanOrEqual(1);
      }
      await world.settle();
      expect(world.wrong()).toEqual([]);
      expect(world.isReady()).toBe(true);
      expect(world.api.all[0]?.tags).toMatchObject({ 'sluice.dev/name': 'orders' });

      world.store.delete(key);
      const endings = [...steps.filter((one) => one.kind === 'pass'), ...Array<undefined>(10)];
      for (const one of endings) {
        await world.passWith(one?.fault);
        // The object goes only when AWS has none.
        if (world.store.get(key) === undefined) break;
        if (one?.settles !== false) world.api.settle();
      }
      expect(world.store.get(key)).toBeUndefined();
      expect(world.api.all).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

it('replaces through any faults, with one mapping at a time', async () => {
  const passes = fc.array(fc.tuple(fc.option(fault, { nil: undefined }), fc.boolean()), { maxLength: 15 });
  await fc.assert(
    fc.asyncProperty(passes, async (list) => {
      const world = new FaultyWorld();
      world.store.put(aMapping({ spec: { replacementPolicy: 'Recreate' } }));
      await world.settle();
      world.store.edit(key, { eventSourceARN: `${ordersARN}-2`, batchSize: 4 });
      for (const [now, settles] of list) {
        await world.passWith(now);
        if (settles) world.api.settle();
        expect(world.api.all.length).toBeLessThanOrEqual(1);
      }
      await world.settle();
      expect(world.wrong()).toEqual([]);
      expect(world.api.all).toMatchObject([
        { configuration: { EventSourceArn: `${ordersARN}-2`, BatchSize: 4 } },
      ]);
    }),
    { numRuns: 60 },
  );
});
