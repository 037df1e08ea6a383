/** Planted defects: each changes what a poller is made of, and the simulation has to find each. */
import { OPEN } from '../../src/poller/brake.ts';
import type { ByteBudget, QueueSource, Target } from '../../src/poller/ports.ts';
import type { QueuePollerDeps } from '../../src/poller/queue-poller.ts';
import { QUEUE_RULES, type QueueRules } from '../../src/poller/rules.ts';
import type { Mutant } from './run.ts';
import type { SimRecord } from './sim-queue.ts';

const rule =
  (changed: Partial<QueueRules>) =>
  (deps: QueuePollerDeps): QueuePollerDeps => ({
    ...deps,
    rules: { ...QUEUE_RULES, ...changed },
  });
const source =
  (change: (source: QueueSource) => Partial<QueueSource>) =>
  (deps: QueuePollerDeps): QueuePollerDeps => ({
    ...deps,
    source: { ...deps.source, ...change(deps.source) },
  });
const budget =
  (change: (budget: ByteBudget) => Partial<ByteBudget>) =>
  (deps: QueuePollerDeps): QueuePollerDeps => ({
    ...deps,
    budget: {
      limit: deps.budget.limit,
      get used() {
        return deps.budget.used;
      },
      tryReserve: (bytes) => deps.budget.tryReserve(bytes),
      reserve: (bytes, signal) => deps.budget.reserve(bytes, signal),
      adjust: (delta) => deps.budget.adjust(delta),
      ...change(deps.budget),
    },
  });

export const MUTANTS: readonly (Mutant & { readonly finds: string })[] = [
  {
    name: 'acknowledges a batch whose function failed',
    finds: 'a message is deleted only after success',
    deps: rule({
      judge: (outcome, records, reporting) =>
        outcome.kind === 'failed' ? { kind: 'acknowledged' } : QUEUE_RULES.judge(outcome, records, reporting),
    }),
  },
  {
    name: 'ignores batchItemFailures',
    finds: 'a message is deleted only after success',
    deps: rule({ judge: (outcome, records) => QUEUE_RULES.judge(outcome, records, false) }),
  },
  {
    name: 'takes a response that it cannot read for success',
    finds: 'a message is deleted only after success',
    deps: rule({
      judge: (outcome, records, reporting) => {
        const verdict = QUEUE_RULES.judge(outcome, records, reporting);
        const invalid = verdict.kind === 'left' && verdict.reason === 'ResponseInvalid';
        return invalid ? { kind: 'acknowledged' } : verdict;
      },
    }),
  },
  {
    name: 'deletes before it invokes',
    finds: 'a message is deleted only after success',
    deps: (deps) => ({
      ...deps,
      target: {
        ...deps.target,
        async invoke(invocation, signal) {
          await deps.source.settle(invocation.records as readonly SimRecord[], signal).catch(() => []);
          return deps.target.invoke(invocation, signal);
        },
      } satisfies Target,
    }),
  },
  {
    name: 'deletes a record that the filter matches',
    finds: 'a message is deleted only after success',
    deps: (deps) => ({ ...deps, matches: (value) => deps.matches?.(value) === true && deps.random() < 0.95 }),
  },
  {
    name: 'spends the attempt when the target throttles',
    finds: 'receive counts are spent only on failures',
    deps: rule({
      judge: (outcome, records, reporting) => {
        const verdict = QUEUE_RULES.judge(outcome, records, reporting);
        return verdict.kind === 'held'
          ? { kind: 'left', reason: verdict.reason, message: verdict.message }
          : verdict;
      },
    }),
  },
  {
    name: 'does not brake',
    finds: 'a throttled target is left alone for a while',
    deps: rule({ pull: () => OPEN }),
  },
  {
    name: 'never extends the visibility',
    finds: 'receive counts are spent only on failures',
    deps: rule({ extensionSeconds: () => undefined }),
  },
  {
    name: 'extends beyond the total limit',
    finds: 'visibility keeps its total limit',
    deps: rule({
      extensionSeconds: (visibility, nowMs, visibilityMs) =>
        QUEUE_RULES.extensionSeconds(visibility, nowMs, visibilityMs, Infinity),
    }),
  },
  {
    name: 'starts the next batch of a group too early',
    finds: 'a group is in one batch at a time',
    deps: rule({ nextStartable: (waiting) => waiting[0] }),
  },
  {
    name: 'turns the order of a receive round',
    finds: 'a batch keeps the order of each group',
    deps: rule({ arrangeByLane: (records) => records.toReversed() }),
  },
  {
    name: 'delivers a group past its failed record',
    finds: 'order is kept in each group',
    deps: source((real) => ({
      receive: async (request, signal) =>
        (await real.receive(request, signal)).map((record) => ({ ...record, lane: undefined })),
    })),
    settings: (settings) => ({ ...settings, maximumConcurrency: 1 }),
  },
  {
    name: 'runs one call more than allowed',
    finds: 'concurrency keeps its limit',
    settings: (settings) => ({
      ...settings,
      ...(settings.maximumConcurrency === undefined
        ? {}
        : { maximumConcurrency: settings.maximumConcurrency + 1 }),
    }),
  },
  {
    name: 'grows past the ceiling',
    finds: 'concurrency keeps its limit',
    deps: rule({ grow: (current) => ({ ...current, limit: current.limit + 3 }) }),
  },
  {
    name: 'puts one record too many into a batch',
    finds: 'a batch holds at most batchSize records',
    settings: (settings) => ({ ...settings, batchSize: settings.batchSize + 1 }),
  },
  {
    name: 'forgets the size limit of an event',
    finds: 'an event keeps its size limit',
    settings: (settings) => ({ ...settings, maximumEventBytes: undefined }),
  },
  {
    name: 'does not give bytes back',
    finds: 'all bytes are given back',
    deps: budget((real) => ({ adjust: (delta) => real.adjust(delta < 0 ? Math.ceil(delta / 2) : delta) })),
  },
  {
    name: 'receives without reserving',
    finds: 'bytes in hand are reserved',
    deps: budget((real) => ({
      tryReserve: () => true,
      reserve: async () => {},
      adjust: (delta) => real.adjust(delta > 0 ? 0 : delta),
    })),
  },
  {
    name: 'takes a new idempotency key for every call',
    finds: 'a repeated batch keeps its idempotency key',
    deps: (deps) => ({
      ...deps,
      target: {
        ...deps.target,
        invoke: (invocation, signal) => deps.target.invoke({ ...invocation, id: deps.newId() }, signal),
      } satisfies Target,
    }),
  },
  {
    name: 'keeps messages hidden when it drains',
    finds: 'a drain makes untouched messages visible',
    deps: source((real) => ({
      extend: async (records, seconds, signal) =>
        seconds === 0 ? [] : real.extend(records, seconds, signal),
    })),
  },
  {
    name: 'lets go of a held batch at once',
    finds: 'a held batch is held for maximumHoldMs',
    settings: (settings) => ({ ...settings, maximumHoldMs: 0 }),
  },
  {
    name: 'stops after a failed receive',
    finds: 'everything comes to its end',
    deps: source((real) => ({
      receive: (request, signal) => real.receive(request, signal).catch(() => new Promise<never>(() => {})),
    })),
  },
  {
    name: 'does not try a failed delete again',
    finds: 'a failed delete is tried again',
    deps: source((real) => ({
      settle: (records, signal) =>
        real.settle(records, signal).then(
          () => [],
          () => [],
        ),
    })),
  },
];
