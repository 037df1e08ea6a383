/**
 * What one member is to run: the mappings in Poller mode that their class admits to the member's pool, that this
 * release can run, and that rendezvous hashing gives to this member. Pure: the same objects give the same work.
 *
 * It says nothing about the others: why a mapping is not run is the controller's to tell, by the same rules
 * (`api/class-rules.ts`), so the two cannot disagree for longer than their caches do.
 */
import { completeArn } from '../api/arn.ts';
import { admit, chooseClass, placeOf, type Admitted } from '../api/class-rules.ts';
import type { MappingClass } from '../api/class.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import { finalizer, pauseScope } from '../api/meta.ts';
import { supported } from '../api/supported.ts';
import { ownerOf } from './assignment.ts';
import type { Work } from './work.ts';

/** The objects that the answer depends on, as last seen. */
export interface World {
  /** This member's identity and pool. */
  readonly member: string;
  readonly pool: string;
  /** Identities of the live members of the pool. */
  readonly liveMembers: readonly string[];
  readonly mappings: readonly EventSourceMapping[];
  readonly classes: readonly MappingClass[];
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>;
  /** What the member runs now, by uid: kept as it is while `sluice.dev/paused: reconcile` holds changes back. */
  readonly running: ReadonlyMap<string, Work>;
}

/** The member's work. */
export function workOf(world: World): readonly Work[] {
  const bySource = countSources(world);
  const byNamespace = Map.groupBy(world.mappings, ({ metadata }) => metadata.namespace ?? '');
  const works: Work[] = [];
  for (const mapping of world.mappings) {
    const { uid = '', namespace = '', deletionTimestamp } = mapping.metadata;
    if (mapping.spec.mode !== 'Poller' || deletionTimestamp !== undefined) continue;
    // In Poller mode nothing is kept outside the cluster: with the finalizer AWS has not let go of the source yet.
    if (mapping.metadata.finalizers?.includes(finalizer) === true) continue;
    const admission = admit({
      mapping,
      classes: world.classes,
      namespaceLabels: world.namespaceLabels(namespace),
      siblings: byNamespace.get(namespace) ?? [],
    });
    if (admission.kind === 'denied' || admission.pool !== world.pool) continue;
    if (ownerOf(uid, world.liveMembers) !== world.member) continue;
    const running = world.running.get(uid);
    if (running !== undefined && pauseScope(mapping.metadata) === 'reconcile') works.push(running);
    else if (supported(mapping.spec).length === 0) {
      works.push(workFor(mapping, admission, (bySource.get(sourceOf(mapping, world.classes)) ?? 0) > 1));
    }
  }
  return works;
}

/** The work that an admitted mapping makes. */
export function workFor(mapping: EventSourceMapping, admission: Admitted, sharedSource: boolean): Work {
  return {
    mapping,
    place: placeOf(mapping, admission.class),
    identity: admission.identity,
    allowedURLs: expandAll(admission.class.spec.targets?.allowedURLs ?? [], mapping.metadata.namespace ?? ''),
    allowLoopback: false,
    sharedSource,
    paused: pausedBy(mapping),
  };
}

function pausedBy({ metadata, spec }: EventSourceMapping): Work['paused'] {
  if (pauseScope(metadata) === 'delivery') return 'PausedDelivery';
  return spec.enabled === false ? 'Disabled' : false;
}

function expandAll(patterns: readonly string[], namespace: string): readonly string[] {
  return patterns.map((pattern) => pattern.replaceAll('{namespace}', namespace));
}

/** How many mappings read each source, live AWS mappings included: they compete for the messages of a queue. */
function countSources({ mappings, classes }: World): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const mapping of mappings) {
    if (mapping.metadata.deletionTimestamp !== undefined || mapping.spec.enabled === false) continue;
    const source = sourceOf(mapping, classes);
    counts.set(source, (counts.get(source) ?? 0) + 1);
  }
  return counts;
}

function sourceOf(mapping: EventSourceMapping, classes: readonly MappingClass[]): string {
  const arn = mapping.spec.eventSourceARN ?? '';
  const mappingClass = chooseClass(mapping.spec.className, classes);
  const place = placeOf(mapping, mappingClass.kind === 'denied' ? undefined : mappingClass);
  const completion = completeArn(arn, place);
  return completion.kind === 'complete' ? completion.text : arn;
}
