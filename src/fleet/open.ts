/**
 * Opens mappings: from a spec and what its class allows to a running queue loop. Whatever cannot work as it is written
 * is refused here with a documented reason that names the field, before anything is taken from the source.
 */
import { completeArn } from '../api/arn.ts';
import { effective, type Effective } from '../api/effective.ts';
import { supported } from '../api/supported.ts';
import { awsIdentity, type AwsIdentity } from '../aws/credentials.ts';
import { compileFilterCriteria } from '../filter/filter-criteria.ts';
import { SluiceError, never } from '../lib/errors.ts';
import { TaskGroup } from '../lib/lifecycle.ts';
import type { Emit } from '../poller/events.ts';
import type { ByteBudget, Matches, QueueFacts } from '../poller/ports.ts';
import { QueuePoller, type QueuePollerSettings } from '../poller/queue-poller.ts';
import { sources, sourceTypeOf, type Encoding } from '../sources/index.ts';
import type { Siblings } from '../sources/sqs/siblings.ts';
import { Occupancy } from '../targets/http/occupancy.ts';
import { openTarget, targetKey, type OpenTarget, type TargetDeps } from './open-target.ts';
import type { Opened, Opener } from './runner.ts';
import { SiblingWatch } from './sibling-watch.ts';
import { warningsOf, type Warning } from './warnings.ts';
import type { Work } from './work.ts';

/** What is known of a mapping that is open, beside its events. */
export interface Insight {
  readonly effective: Effective;
  readonly sourceType: string;
  readonly targetType: string;
  /** Another key is another target, of which nothing is known yet. */
  readonly targetKey: string;
  readonly warnings: readonly Warning[];
  readonly facts: QueueFacts | undefined;
}

export interface OpenerDeps extends TargetDeps {
  readonly budget: ByteBudget;
  readonly newId: () => string;
  /** Part of the external ids with which roles are assumed. */
  readonly clusterID: string;
  readonly concurrencyCeiling: number;
  /** Told when a mapping was opened, and whenever what is known of it may have changed. */
  readonly onInsight: (work: Work, insight: Insight) => void;
  readonly onError: (error: unknown) => void;
}

export function createOpener(deps: OpenerDeps): Opener {
  const siblings = new SiblingWatch(deps);
  const occupancy = new Occupancy();
  return {
    sourceID: sourceArn,
    sourceKey: (work) => sourceKey(sourceArn(work), encodingOf(work), identityOf(deps, work)),
    open: (work, emit, signal) => openMapping({ occupancy, ...deps, siblings }, work, emit, signal),
  };
}

/** What belongs to one spec of an open mapping. */
interface Current extends Plan {
  readonly work: Work;
  readonly target: OpenTarget;
}

async function openMapping(
  deps: OpenerDeps & { readonly siblings: SiblingWatch },
  work: Work,
  emit: Emit,
  signal: AbortSignal,
): Promise<Opened> {
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
  const planned = plan(deps, work, sources[sourceType].dataKey);
  const encoding = encodingOf(work);
  const context = { clients: deps.clients, identity };
  const source = sources[sourceType].openQueue({ eventSourceARN, encoding }, context);
  let current: Current;
  try {
    current = {
      work,
      ...planned,
      target: await openTarget(deps, work, planned.effective, identity, signal),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
  let facts: QueueFacts | undefined;
  let siblings: Siblings = { kind: 'unknown', reason: 'Unknown', message: 'not looked for yet' };
  const tell = (): void => {
    const { target, effective: inForce } = current;
    const targetTimeoutMs = target.declaredTimeoutMs();
    const warnings = warningsOf({ work: current.work, effective: inForce, facts, siblings, targetTimeoutMs });
    const insight: Insight = {
      effective: inForce,
      sourceType,
      targetType: target.type,
      targetKey: targetKey(current.work, inForce),
      warnings,
      facts,
    };
    deps.onInsight(current.work, insight);
  };
  tell();
  const { clock, random, budget, newId } = deps;
  const onFacts = (found: QueueFacts): void => {
    facts = found;
    tell();
  };
  const poller = new QueuePoller(
    { source, target: current.target, matches: current.matches, clock, random, budget, emit, newId, onFacts },
    current.settings,
  );
  const tasks = new TaskGroup(deps.onError);
  const place = { region: current.effective.values.aws.region, identity };
  const unfollow = deps.siblings.follow(place, eventSourceARN, (found) => {
    // One call that failed takes back nothing that was found before.
    if (found.kind === 'known' || siblings.kind === 'unknown') siblings = found;
    tell();
  });
  let ending: Promise<void> | undefined;
  const end = async (drained: Promise<void>): Promise<void> => {
    const unfollowed = unfollow();
    try {
      await drained;
    } finally {
      await Promise.all([current.target.close(), source.close(), tasks.drained(), unfollowed]);
    }
  };
  return {
    sourceKey: sourceKey(eventSourceARN, encoding, identity),
    sourceID: eventSourceARN,
    resume: () => poller.resume(),
    pause: () => tasks.run(() => poller.pause()),
    async reconfigure(next, until) {
      const former = current.target;
      const to = plan(deps, next, sources[sourceType].dataKey);
      // The same target goes on with its connections, and a mapping can be paused while its Secrets cannot be read.
      const keep = targetKey(current.work, current.effective) === targetKey(next, to.effective);
      const target = keep ? former : await openTarget(deps, next, to.effective, identity, until);
      current = { work: next, ...to, target };
      const done = poller.reconfigure({ settings: to.settings, target, matches: to.matches });
      tell();
      if (keep) return;
      // The former target is closed when its last call has ended; nobody waits for that.
      tasks.run(async () => {
        await done;
        await former.close();
      });
    },
    drain(graceMs, receiveMs) {
      const drained = poller.drain(graceMs, receiveMs);
      ending ??= end(drained);
      return ending;
    },
    quiet: () => poller.quiet(),
  };
}

interface Plan {
  readonly effective: Effective;
  readonly settings: QueuePollerSettings;
  readonly matches: Matches | undefined;
}

/** Everything that follows from the spec alone. Throws when the spec cannot be run. */
function plan(deps: OpenerDeps, work: Work, dataKey: string): Plan {
  const { spec } = work.mapping;
  const [gap] = supported(spec);
  if (gap !== undefined) throw new SluiceError('NotSupported', gap.message, never);
  const inForce = effective(spec, { ambient: work.place });
  const { values } = inForce;
  const patterns = (spec.filterCriteria?.filters ?? []).map(({ pattern }) => pattern);
  const compiled = compileFilterCriteria(patterns, dataKey);
  if (!compiled.ok) {
    const problems = compiled.problems.map(
      ({ index, error }) => `\`filterCriteria.filters[${index}].pattern\`: ${error.message}`,
    );
    throw new SluiceError('InvalidSpec', problems.join('; '), never);
  }
  return {
    effective: inForce,
    matches: patterns.length === 0 ? undefined : compiled.criteria.decide,
    settings: {
      batchSize: values.batchSize,
      windowMs: (values.maximumBatchingWindowInSeconds ?? 0) * 1000,
      maximumConcurrency: values.scalingConfig?.maximumConcurrency,
      reportBatchItemFailures: values.functionResponseTypes?.includes('ReportBatchItemFailures') === true,
      unmatched: values.poller?.unmatched ?? 'Delete',
      maximumHoldMs: (values.poller?.maximumHoldSeconds ?? 900) * 1000,
      concurrencyCeiling: deps.concurrencyCeiling,
    },
  };
}

/** What was received for one encoding is never sent in another: sizes and batches are those of the encoding. */
function sourceKey(eventSourceARN: string, encoding: Encoding, identity: AwsIdentity): string {
  return JSON.stringify([eventSourceARN, encoding, identity]);
}

function encodingOf({ mapping }: Work): Encoding {
  return mapping.spec.poller?.target?.http?.format === 'CloudEvents' ? 'CloudEvents' : 'Lambda';
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

function identityOf(deps: { readonly clusterID: string }, { mapping, identity }: Work): AwsIdentity {
  return awsIdentity(identity, deps.clusterID, mapping.metadata.namespace ?? 'default');
}
