/**
 * A live AWS mapping as a backend. It finds its mapping by `find.ts`, never changes one that is another owner's, and
 * tags one that it has adopted before it changes it for the first time.
 *
 * States at AWS: Creating, Enabling, Disabling, Updating, Deleting pass by themselves; Enabled and Disabled stay.
 */
import type { Identity } from '../../api/class-rules.ts';
import type { EventSourceMapping } from '../../api/mapping.ts';
import type {
  Difference,
  ExternalBackend,
  Facts,
  Observation,
  Release,
  ReleasePolicy,
  Subject,
} from '../../controller/backend.ts';
import { backoff, never, SluiceError } from '../../lib/errors.ts';
import {
  ControlError,
  errorOf,
  type Configuration,
  type Freshness,
  type MappingApi,
  type Tags,
} from './client.ts';
import { differencesOf, keysSet, tagsToRemove, tagsToSet } from './drift.ts';
import { arnOf, factsOf } from './facts.ts';
import { areFiltersHidden } from './fields/common.ts';
import { claim, find, type Ours, type Purpose, type Search } from './find.ts';
import { adoptedTag, ownershipOf, ownershipTags, tagsOf } from './ownership.ts';
import { additionalPrefix, createInput, updateInput } from './translate.ts';

export interface AwsBackendOptions {
  readonly clusterID: string;
  /** The API for a namespace's identity in a Region; undefined is the Region of the process. Let go with `using`. */
  readonly api: (
    identity: Identity,
    namespace: string,
    region: string | undefined,
  ) => MappingApi & Disposable;
  /** How soon a settled mapping is looked at for drift. */
  readonly recheckMs: number;
  /** As whom AWS is called, as far as that is known. */
  readonly callerARN?: (
    identity: Identity,
    namespace: string,
    region: string | undefined,
  ) => string | undefined;
}

export class AwsBackend implements ExternalBackend {
  readonly mode = 'Managed';
  readonly recheckMs: number;
  readonly #options: AwsBackendOptions;

  constructor(options: AwsBackendOptions) {
    this.#options = options;
    this.recheckMs = options.recheckMs;
  }

  async observe(subject: Subject, signal: AbortSignal): Promise<Observation> {
    const seen = await this.#observe(subject, 'recent', signal);
    // What was seen in passing is enough to leave a mapping alone, and never to act or to complain.
    const sure = seen.kind === 'drifted' || seen.kind === 'refused';
    return this.#withCaller(subject, sure ? await this.#observe(subject, 'now', signal) : seen);
  }

  #withCaller(subject: Subject, observation: Observation): Observation {
    if (!('facts' in observation) || observation.facts === undefined) return observation;
    const namespace = subject.mapping.metadata.namespace ?? '';
    const callerARN = this.#options.callerARN?.(subject.identity, namespace, regionFor(subject));
    return { ...observation, facts: { ...observation.facts, callerARN } };
  }

  async #observe(subject: Subject, freshness: Freshness, signal: AbortSignal): Promise<Observation> {
    const purpose = subject.effective.values.managementPolicy === 'Observe' ? 'observe' : 'manage';
    const look = (region: string | undefined): Promise<Observation> =>
      this.#with(subject, region, async (api) => {
        const found = await find(this.#search(api, subject, purpose, signal, freshness));
        return found.kind === 'ours' ? this.#judge(subject, found, purpose) : found;
      });
    const [here, there] = [regionAt(subject), regionFor(subject)];
    const found = await look(here);
    // The source was moved to another Region, and what was here is gone.
    return found.kind === 'missing' && here !== there ? look(there) : found;
  }

  create(subject: Subject, signal: AbortSignal): Promise<Facts> {
    const { mapping, effective } = subject;
    const input = createInput(effective, mapping.spec, this.#tags(mapping));
    return this.#with(subject, regionFor(subject), async (api) => {
      try {
        return factsOf(await api.create(input, signal), { tagKeys: specKeys(mapping), adopted: false });
      } catch (error) {
        const uuid = conflictOf(error);
        const taken = uuid === undefined ? undefined : await api.get(uuid, signal);
        if (taken === undefined) throw error;
        // Whosever it was, it is in the way for moments only.
        if (taken.State === 'Deleting')
          throw new SluiceError('Progressing', `Waiting until AWS has deleted the mapping ${uuid}`, backoff);
        // The list did not show it yet. It may be our own, made in a pass that was cut off.
        const found = await claim(this.#search(api, subject, 'manage', signal), taken);
        if (found.kind === 'refused') throw new SluiceError(found.reason, found.message, never);
        if (found.kind === 'missing') throw error;
        return factsOf(taken, { tagKeys: specKeys(mapping), adopted: found.adopted });
      }
    });
  }

  update(subject: Subject, differences: readonly Difference[], signal: AbortSignal): Promise<Facts> {
    const { mapping } = subject;
    return this.#with(subject, regionAt(subject), async (api) => {
      // Found again, so that the tags that guard the change are those of now.
      const found = await find(this.#search(api, subject, 'manage', signal, 'just'));
      if (found.kind !== 'ours') throw new SluiceError('Progressing', handsChanged, backoff);
      const arn = arnOf(found.configuration);
      if (!found.claimed) await this.#mark(api, arn, mapping, signal);
      const tags = tagsToSet(differences);
      if (Object.keys(tags).length > 0) await api.tag(arn, tags, signal);
      const removed = tagsToRemove(differences);
      if (removed.length > 0) await api.untag(arn, removed, signal);
      const input = updateInput(differences, mapping.spec);
      const { UUID: uuid = '' } = found.configuration;
      const configuration = input === undefined ? found.configuration : await api.update(uuid, input, signal);
      return factsOf(configuration, { tagKeys: specKeys(mapping), adopted: found.adopted });
    });
  }

  release(
    subject: Omit<Subject, 'pool'>,
    policyFor: (adopted: boolean) => ReleasePolicy,
    signal: AbortSignal,
  ): Promise<Release> {
    return this.#with(subject, regionAt(subject), async (api): Promise<Release> => {
      const found = await find(this.#search(api, subject, 'release', signal, 'recent'));
      const known = subject.mapping.status?.mapping;
      // Another owner's mapping is none of ours to let go.
      if (found.kind === 'refused') return { kind: 'gone', uuid: undefined, policy: 'Retain' };
      if (found.kind === 'missing') {
        const policy = policyFor(known?.adopted === true);
        return { kind: 'gone', uuid: policy === 'Delete' ? known?.uuid : undefined, policy };
      }
      try {
        return await release(api, found, policyFor(found.adopted), signal);
      } catch (error) {
        if (!isInUse(error)) throw error;
        return { kind: 'changing', message: 'The AWS mapping is in use by another change' };
      }
    });
  }

  #judge({ mapping, effective }: Subject, found: Ours, purpose: Purpose): Observation {
    const { configuration, tags, adopted, claimed } = found;
    const specTags = mapping.spec.tags ?? {};
    // Who only looks has set no tag, and removes none.
    const ours = purpose === 'observe' ? [] : (mapping.status?.mapping?.tagKeys ?? []);
    const tagKeys = purpose === 'observe' ? [] : keysSet(specTags, { observed: tags, ours });
    const facts = factsOf(configuration, { tagKeys, adopted });
    if (!isSettled(facts.state))
      return { kind: 'changing', facts, message: `The AWS mapping is ${facts.state}` };
    // An adopted mapping is tagged with its first change, and not for the sake of its tags alone.
    const desired = claimed && purpose === 'manage' ? this.#tags(mapping) : specTags;
    const differences = [
      ...differencesOf(effective, mapping.spec, configuration, { desired, observed: tags, ours }),
      ...(purpose === 'observe' ? [] : unseen(mapping, configuration)),
    ];
    return differences.length === 0
      ? { kind: 'current', facts }
      : { kind: 'drifted', facts, differences, claimed };
  }

  /** Makes an adopted mapping ours for everybody to see. Two that adopt at once find out here. */
  async #mark(
    api: MappingApi,
    arn: string,
    { metadata }: EventSourceMapping,
    signal: AbortSignal,
  ): Promise<void> {
    const { clusterID } = this.#options;
    await api.tag(arn, { ...tagsOf(clusterID, metadata), ...adoptedTag }, signal);
    const ownership = ownershipOf(await api.tags(arn, signal), clusterID, metadata);
    if (ownership.kind !== 'ours') throw new SluiceError('Progressing', handsChanged, backoff);
  }

  #search(
    api: MappingApi,
    subject: Omit<Subject, 'pool'>,
    purpose: Purpose,
    signal: AbortSignal,
    freshness: Freshness = 'now',
  ): Search {
    return { api, clusterID: this.#options.clusterID, subject, purpose, signal, freshness };
  }

  #tags({ metadata, spec }: EventSourceMapping): Tags {
    return { ...spec.tags, ...tagsOf(this.#options.clusterID, metadata) };
  }

  /** Runs `work` with the API of a Region; what it throws is a documented error. */
  async #with<T>(
    { mapping, identity }: Omit<Subject, 'pool'>,
    region: string | undefined,
    work: (api: MappingApi) => Promise<T>,
  ): Promise<T> {
    try {
      using api = this.#options.api(identity, mapping.metadata.namespace ?? '', region);
      return await work(api);
    } catch (error) {
      throw errorOf(error);
    }
  }
}

/** Where the mapping is to be. */
function regionFor({ mapping, effective }: Omit<Subject, 'pool'>): string | undefined {
  return effective.values.aws.region ?? mapping.status?.mapping?.arn?.split(':')[3];
}

/** Where the mapping is that the status knows: an edit of the source must not lose sight of it. */
function regionAt(subject: Omit<Subject, 'pool'>): string | undefined {
  return subject.mapping.status?.mapping?.arn?.split(':')[3] ?? regionFor(subject);
}

const handsChanged = 'The AWS mapping has changed hands';

/** What AWS does not show, filters and unknown members, is sent with each edit: whether it changed it cannot be seen. */
function unseen(
  { metadata, spec, status }: EventSourceMapping,
  configuration: Configuration,
): readonly Difference[] {
  if (status?.mapping?.uuid !== configuration.UUID || status?.observedGeneration === metadata.generation)
    return [];
  const ofUnseen = (path: string, desired: unknown): Difference => ({
    path,
    desired,
    observed: undefined,
    createOnly: false,
  });
  const patterns = (spec.filterCriteria?.filters ?? []).map(({ pattern }) => pattern);
  return [
    ...(areFiltersHidden(configuration)
      ? [ofUnseen('filterCriteria.filters', patterns.length === 0 ? undefined : patterns)]
      : []),
    ...Object.entries(spec.additionalParameters ?? {})
      .filter(([name]) => Reflect.get(configuration, name) === undefined)
      .map(([name, value]) => ofUnseen(additionalPrefix + name, value)),
  ];
}

/** One step towards letting a mapping of ours go. */
async function release(
  api: MappingApi,
  { configuration, claimed }: Ours,
  policy: ReleasePolicy,
  signal: AbortSignal,
): Promise<Release> {
  const { UUID: uuid = '', State: state = '' } = configuration;
  const leave = async (): Promise<Release> => {
    // Adopted and never changed, it has none of our tags.
    if (claimed) await api.untag(arnOf(configuration), Object.values(ownershipTags), signal);
    return { kind: 'gone', uuid, policy };
  };
  if (policy === 'Retain') return leave();
  if (!isSettled(state)) return { kind: 'changing', message: `The AWS mapping ${uuid} is ${state}` };
  if (policy === 'Disable') {
    if (state === 'Disabled') return leave();
    await api.update(uuid, { Enabled: false }, signal);
    return { kind: 'changing', message: `The AWS mapping ${uuid} is being disabled` };
  }
  const deleting = await api.delete(uuid, signal);
  // Deleting takes time: only NotFound says that it is over.
  return deleting === undefined
    ? { kind: 'gone', uuid, policy }
    : { kind: 'changing', message: `The AWS mapping ${uuid} is being deleted` };
}

function specKeys({ spec }: EventSourceMapping): readonly string[] {
  return Object.keys(spec.tags ?? {}).sort();
}

function isSettled(state: string): boolean {
  return state === 'Enabled' || state === 'Disabled';
}

function isInUse(error: unknown): boolean {
  return error instanceof ControlError && error.failure.kind === 'in-use';
}

/** The UUID of the mapping that is in the way of a create, if AWS named it. */
function conflictOf(error: unknown): string | undefined {
  return error instanceof ControlError && error.failure.kind === 'conflict' ? error.failure.uuid : undefined;
}
