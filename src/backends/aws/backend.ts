/**
 * A live AWS mapping as a backend. It finds its mapping by the UUID of the status, and when that is lost (a crash
 * after the create, a rebuilt cluster) by the ownership tags among all mappings of the source. A mapping that the tags
 * do not give to us is never changed.
 *
 * States at AWS: Creating, Enabling, Disabling, Updating, Deleting pass by themselves; Enabled and Disabled stay.
 */
import { completeArn } from '../../api/arn.ts';
import type { Identity } from '../../api/class-rules.ts';
import type { Effective } from '../../api/effective.ts';
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
import { backoff, SluiceError } from '../../lib/errors.ts';
import { ControlError, errorOf, type Configuration, type MappingApi, type Tags } from './client.ts';
import { differencesOf, keysSet, tagsToRemove, tagsToSet } from './drift.ts';
import { areFiltersHidden } from './fields/common.ts';
import { arnOf, factsOf } from './facts.ts';
import { ownershipOf, ownershipTags, tagsOf } from './ownership.ts';
import { isSameKey } from './natural-key.ts';
import { createInput, updateInput } from './translate.ts';

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
}

interface Ours {
  readonly kind: 'ours';
  readonly configuration: Configuration;
  readonly tags: Tags;
}

/** What was found where the mapping should be. */
type Found = Ours | Extract<Observation, { readonly kind: 'missing' | 'refused' }>;

export class AwsBackend implements ExternalBackend {
  readonly mode = 'Managed';
  readonly recheckMs: number;
  readonly #options: AwsBackendOptions;

  constructor(options: AwsBackendOptions) {
    this.#options = options;
    this.recheckMs = options.recheckMs;
  }

  observe(subject: Subject, signal: AbortSignal): Promise<Observation> {
    return this.#with(subject, async (api) => {
      const found = await this.#find(api, subject, signal);
      switch (found.kind) {
        case 'missing':
        case 'refused':
          return found;
        case 'ours':
          return this.#judge(subject, found);
      }
    });
  }

  create(subject: Subject, signal: AbortSignal): Promise<Facts> {
    const input = createInput(subject.effective, subject.mapping.spec, this.#tags(subject.mapping));
    const marks = { tagKeys: Object.keys(subject.mapping.spec.tags ?? {}).sort() };
    return this.#with(subject, async (api) => factsOf(await api.create(input, signal), marks));
  }

  update(subject: Subject, differences: readonly Difference[], signal: AbortSignal): Promise<Facts> {
    return this.#with(subject, async (api) => {
      // Found again, so that the tags that guard the change are those of now.
      const found = await this.#find(api, subject, signal);
      if (found.kind !== 'ours')
        throw new SluiceError('Progressing', 'The AWS mapping has changed hands', backoff);
      const tags = tagsToSet(differences);
      if (Object.keys(tags).length > 0) await api.tag(arnOf(found.configuration), tags, signal);
      const removed = tagsToRemove(differences);
      if (removed.length > 0) await api.untag(arnOf(found.configuration), removed, signal);
      const marks = { tagKeys: Object.keys(subject.mapping.spec.tags ?? {}).sort() };
      const input = updateInput(differences, subject.mapping.spec);
      if (input === undefined) return factsOf(found.configuration, marks);
      return factsOf(await api.update(found.configuration.UUID ?? '', input, signal), marks);
    });
  }

  release(subject: Omit<Subject, 'pool'>, policy: ReleasePolicy, signal: AbortSignal): Promise<Release> {
    return this.#with(subject, async (api): Promise<Release> => {
      const found = await this.#find(api, subject, signal);
      // Another owner's mapping is none of ours to let go.
      if (found.kind !== 'ours') return { kind: 'gone', uuid: subject.mapping.status?.mapping?.uuid };
      try {
        return await release(api, found.configuration, policy, signal);
      } catch (error) {
        if (!isInUse(error)) throw error;
        return { kind: 'changing', message: 'The AWS mapping is in use by another change' };
      }
    });
  }

  #judge({ mapping, effective }: Subject, { configuration, tags }: Ours): Observation {
    const ours = mapping.status?.mapping?.tagKeys ?? [];
    const facts = factsOf(configuration, {
      tagKeys: keysSet(mapping.spec.tags ?? {}, { observed: tags, ours }),
    });
    if (!isSettled(facts.state))
      return { kind: 'changing', facts, message: `The AWS mapping is ${facts.state}` };
    const differences = [
      ...differencesOf(effective, mapping.spec, configuration, {
        desired: this.#tags(mapping),
        observed: tags,
        ours,
      }),
      ...unseenFilters(mapping, configuration),
    ];
    return differences.length === 0 ? { kind: 'current', facts } : { kind: 'drifted', facts, differences };
  }

  async #find(api: MappingApi, subject: Omit<Subject, 'pool'>, signal: AbortSignal): Promise<Found> {
    const { mapping, effective } = subject;
    const uuid = mapping.status?.mapping?.uuid;
    const known = uuid === undefined ? undefined : await api.get(uuid, signal);
    // On its way out its tags may be gone already, and nobody can take it over any more: it is waited for.
    if (known?.State === 'Deleting') return { kind: 'ours', configuration: known, tags: {} };
    if (known !== undefined) return this.#claim(api, known, mapping, signal);
    let taken: Found | undefined;
    for (const candidate of await candidates(api, effective, signal)) {
      // List may lag behind Get: what is on its way out is in nobody's way.
      if (candidate.State === 'Deleting') continue;
      const claim = await this.#claim(api, candidate, mapping, signal);
      if (claim.kind === 'ours') return claim;
      // On the same source only a mapping that AWS would not have twice is in the way.
      if (isSameKey(effective, mapping.spec, candidate)) taken ??= claim;
    }
    return taken ?? { kind: 'missing' };
  }

  async #claim(
    api: MappingApi,
    configuration: Configuration,
    { metadata }: EventSourceMapping,
    signal: AbortSignal,
  ): Promise<Found> {
    const tags = await api.tags(arnOf(configuration), signal);
    const ownership = ownershipOf(tags, this.#options.clusterID, metadata);
    const uuid = configuration.UUID ?? '';
    switch (ownership.kind) {
      case 'ours':
        return { kind: 'ours', configuration, tags };
      case 'nobody': {
        const message = `The AWS mapping ${uuid} of this source and function has no tags of an owner, so it is not Sluice's to change`;
        return { kind: 'refused', reason: 'Conflict', message };
      }
      case 'foreign': {
        const message = `The AWS mapping ${uuid} belongs to ${ownership.owner}, by its tags`;
        return { kind: 'refused', reason: 'ForeignOwner', message };
      }
    }
  }

  #tags({ metadata, spec }: EventSourceMapping): Tags {
    return { ...spec.tags, ...tagsOf(this.#options.clusterID, metadata) };
  }

  /** Runs `work` with the API of the mapping's place; what it throws is a documented error. */
  async #with<T>(subject: Omit<Subject, 'pool'>, work: (api: MappingApi) => Promise<T>): Promise<T> {
    const { mapping, identity, effective } = subject;
    const region = effective.values.aws.region ?? mapping.status?.mapping?.arn?.split(':')[3];
    try {
      using api = this.#options.api(identity, mapping.metadata.namespace ?? '', region);
      return await work(api);
    } catch (error) {
      throw errorOf(error);
    }
  }
}

/** Filters that AWS does not show are sent with each edit: whether it changed them cannot be seen. */
function unseenFilters(
  { metadata, spec, status }: EventSourceMapping,
  configuration: Configuration,
): readonly Difference[] {
  if (!areFiltersHidden(configuration) || status?.mapping?.uuid !== configuration.UUID) return [];
  if (status?.observedGeneration === metadata.generation) return [];
  const patterns = (spec.filterCriteria?.filters ?? []).map(({ pattern }) => pattern);
  const desired = patterns.length === 0 ? undefined : patterns;
  return [{ path: 'filterCriteria.filters', desired, observed: undefined, createOnly: false }];
}

/** Where a mapping that is not known by its UUID may be found. */
async function candidates(
  api: MappingApi,
  { values }: Effective,
  signal: AbortSignal,
): Promise<readonly Configuration[]> {
  const { eventSourceARN: source, functionName } = values;
  if (source === undefined) return functionName === undefined ? [] : api.listByFunction(functionName, signal);
  // Nothing can have been created for an ARN that is not complete.
  return completeArn(source, {}).kind === 'complete' ? api.list(source, signal) : [];
}

/** One step towards letting a mapping of ours go. */
async function release(
  api: MappingApi,
  configuration: Configuration,
  policy: ReleasePolicy,
  signal: AbortSignal,
): Promise<Release> {
  const { UUID: uuid = '', State: state = '' } = configuration;
  const leave = async (): Promise<Release> => {
    await api.untag(arnOf(configuration), Object.values(ownershipTags), signal);
    return { kind: 'gone', uuid };
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
    ? { kind: 'gone', uuid }
    : { kind: 'changing', message: `The AWS mapping ${uuid} is being deleted` };
}

function isSettled(state: string): boolean {
  return state === 'Enabled' || state === 'Disabled';
}

function isInUse(error: unknown): boolean {
  return error instanceof ControlError && error.failure.kind === 'in-use';
}
