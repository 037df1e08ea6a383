/**
 * Opens mappings: from a spec and what its class allows to a running queue loop. Whatever cannot work as it is written
 * is refused here with a documented reason that names the field, before anything is taken from the source.
 */
import { completeArn } from '../api/arn.ts';
import { effective, type Effective } from '../api/effective.ts';
import { supported } from '../api/supported.ts';
import { installationIdentity, roleIdentity, type AwsIdentity } from '../aws/credentials.ts';
import { compileFilterCriteria } from '../filter/filter-criteria.ts';
import { SluiceError, never } from '../lib/errors.ts';
import { TaskGroup } from '../lib/lifecycle.ts';
import type { Emit } from '../poller/events.ts';
import type { ByteBudget, Matches, QueueFacts, Target } from '../poller/ports.ts';
import { QueuePoller, type QueuePollerSettings } from '../poller/queue-poller.ts';
import { sources, sourceTypeOf } from '../sources/index.ts';
import { findSiblings, type Siblings } from '../sources/sqs/siblings.ts';
import { openTarget, type TargetDeps } from './open-target.ts';
import type { Opened, Opener } from './runner.ts';
import { warningsOf, type Warning } from './warnings.ts';
import type { Work } from './work.ts';

/** What is known of a mapping that is open, beside its events. */
export interface Insight {
  readonly effective: Effective;
  readonly sourceType: string;
  readonly targetType: string;
  readonly warnings: readonly Warning[];
  readonly facts: QueueFacts | undefined;
}

export interface OpenerDeps extends TargetDeps {
  readonly budget: ByteBudget;
  readonly newId: () => string;
  /** Part of the external ids with which roles are assumed. */
  readonly clusterID: string;
  readonly concurrencyCeiling: number;
  readonly drainReceiveMs: number;
  /** Told when a mapping was opened, and whenever what is known of it may have changed. */
  readonly onInsight: (work: Work, insight: Insight) => void;
  readonly onError: (error: unknown) => void;
}

/** How often the queue's other readers are looked for. */
const siblingsIntervalMs = 10 * 60_000;

export function createOpener(deps: OpenerDeps): Opener {
  return {
    sourceKey: (work) => JSON.stringify([sourceArn(work), identityOf(deps, work)]),
    open: (work, emit) => openMapping(deps, work, emit),
  };
}

async function openMapping(deps: OpenerDeps, work: Work, emit: Emit): Promise<Opened> {
  const { clients, clock } = deps;
  const stop = new AbortController();
  const tasks = new TaskGroup(deps.onError);
  const identity = identityOf(deps, work);
  const eventSourceARN = sourceArn(work);
  const sourceType = sourceTypeOf({ eventSourceARN });
  if (sourceType === undefined) {
    throw new SluiceError(
      'NotSupported',
      `\`eventSourceARN\`: no source of this release reads ${eventSourceARN}`,
      never,
    );
  }
  let current = { work, ...plan(deps, work) };
  let target: Target = await openTarget(deps, work, current.effective, identity, stop.signal);
  const source = sources[sourceType].openQueue({ eventSourceARN }, { clients, identity });
  let facts: QueueFacts | undefined;
  let siblings: Siblings = { kind: 'unknown', reason: 'Unknown', message: 'not looked for yet' };
  const tell = (): void => {
    const warnings = warningsOf({ ...current, facts, siblings, targetTimeoutMs: target.timeoutMs });
    deps.onInsight(current.work, {
      effective: current.effective,
      sourceType,
      targetType: target.type,
      warnings,
      facts,
    });
  };
  tell();
  const poller = new QueuePoller(
    {
      source,
      target,
      matches: current.matches,
      clock,
      random: deps.random,
      budget: deps.budget,
      emit,
      newId: deps.newId,
      onFacts: (found) => {
        facts = found;
        tell();
      },
    },
    current.settings,
  );
  tasks.run(async () => {
    while (!stop.signal.aborted) {
      using lease = clients.lambda({ region: current.effective.values.aws.region, identity }, 'control');
      const found = await findSiblings(lease.client, eventSourceARN, stop.signal);
      if (stop.signal.aborted) return;
      siblings = found;
      tell();
      // Spread over the fleet: the call shares one budget per account and Region.
      await clock.sleep(siblingsIntervalMs * (0.9 + 0.2 * deps.random()), stop.signal);
    }
  });
  let started = false;
  const start = (): void => {
    if (started) poller.resume();
    else poller.start();
    started = true;
  };
  return {
    sourceKey: JSON.stringify([eventSourceARN, identity]),
    start,
    resume: start,
    pause() {
      if (started) tasks.run(() => poller.pause());
    },
    async reconfigure(next) {
      const planned = plan(deps, next);
      const former = target;
      target = await openTarget(deps, next, planned.effective, identity, stop.signal);
      current = { work: next, ...planned };
      const done = poller.reconfigure({ settings: planned.settings, target, matches: planned.matches });
      tell();
      // The former target is closed when its last call has ended; nobody waits for that.
      tasks.run(async () => {
        await done;
        await former.close();
      });
    },
    async drain(graceMs) {
      stop.abort();
      if (started) await poller.drain(graceMs);
      await target.close();
      await source.close();
      await tasks.drained();
    },
  };
}

interface Plan {
  readonly effective: Effective;
  readonly settings: QueuePollerSettings;
  readonly matches: Matches | undefined;
}

/** Everything that follows from the spec alone. Throws when the spec cannot be run. */
function plan(deps: OpenerDeps, work: Work): Plan {
  const { spec } = work.mapping;
  const [gap] = supported(spec);
  if (gap !== undefined) throw new SluiceError('NotSupported', gap.message, never);
  const inForce = effective(spec, { ambient: work.place });
  const { values } = inForce;
  const patterns = (spec.filterCriteria?.filters ?? []).map(({ pattern }) => pattern);
  const compiled = compileFilterCriteria(patterns);
  if (!compiled.ok) {
    const problems = compiled.problems.map(
      ({ index, error }) => `\`filterCriteria.filters[${index}].pattern\`: ${error.message}`,
    );
    throw new SluiceError('InvalidSpec', problems.join('; '), never);
  }
  return {
    effective: inForce,
    matches: patterns.length === 0 ? undefined : compiled.criteria.passes,
    settings: {
      batchSize: values.batchSize,
      windowMs: (values.maximumBatchingWindowInSeconds ?? 0) * 1000,
      maximumConcurrency: values.scalingConfig?.maximumConcurrency,
      reportBatchItemFailures: values.functionResponseTypes?.includes('ReportBatchItemFailures') === true,
      unmatched: values.poller?.unmatched ?? 'Delete',
      maximumHoldMs: (values.poller?.maximumHoldSeconds ?? 900) * 1000,
      concurrencyCeiling: deps.concurrencyCeiling,
      drainReceiveMs: deps.drainReceiveMs,
    },
  };
}

function sourceArn(work: Work): string {
  const text = work.mapping.spec.eventSourceARN;
  if (text === undefined) throw new SluiceError('InvalidSpec', '`eventSourceARN` must be set', never);
  const completion = completeArn(text, work.place);
  if (completion.kind === 'complete') return completion.text;
  if (completion.kind === 'incomplete') {
    throw new SluiceError(
      'IncompleteARN',
      `\`eventSourceARN\` must name ${completion.missing.join(' and ')}, which nothing else gives; found ${text}`,
      never,
    );
  }
  throw new SluiceError('InvalidSpec', `\`eventSourceARN\` must be an ARN, found ${text}`, never);
}

function identityOf(deps: { readonly clusterID: string }, work: Work): AwsIdentity {
  switch (work.identity.kind) {
    case 'Installation':
      return installationIdentity;
    case 'Role':
      return roleIdentity(
        work.identity.roleARN,
        deps.clusterID,
        work.mapping.metadata.namespace ?? 'default',
      );
    case 'ServiceAccount':
      throw new SluiceError(
        'NotSupported',
        "`aws.serviceAccountName`: a tenant's own ServiceAccount is not supported by this release",
        never,
      );
  }
}
