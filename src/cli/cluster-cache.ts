/**
 * What the controller knows of the cluster, kept up to date by reflectors, and which mappings a change is about. A
 * change of a class is about all mappings, one of a namespace about those in it; a report or a Lease says which.
 */
import type { EventSourceMapping } from '../api/mapping.ts';
import { labels } from '../api/meta.ts';
import type { PollerReport } from '../api/report.ts';
import { FleetIndex } from '../fleet/fleet-view.ts';
import type { ApiClient } from '../kube/api-client.ts';
import type { Lease } from '../kube/lease.ts';
import { LiveMembers } from '../kube/live-members.ts';
import type { StoreChange } from '../kube/object-store.ts';
import { Reflector, type ReflectorEvent } from '../kube/reflector.ts';
import { pollerReports } from '../kube/report-store.ts';
import { keyOf, leases, type KubeObject } from '../kube/resource.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { ClassSources } from './class-book.ts';
import { admissionObjects, mappingReflector, type Running, type Scope } from './scope.ts';

export interface ClusterCacheOptions {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: (event: ReflectorEvent) => void;
  /** Where Leases and reports are. */
  readonly namespace: string;
  readonly scope: Scope;
  /** Keys of mappings to be looked at. */
  readonly enqueue: (keys: Iterable<string>) => void;
  readonly onUnreadable: (report: string, message: string) => void;
  readonly onGone: (mapping: EventSourceMapping) => void;
}

export interface ClusterCache extends ClassSources {
  readonly fleet: FleetIndex;
  readonly live: LiveMembers;
  readonly stored: Reflector<EventSourceMapping>;
  readonly reflectors: Readonly<Record<string, Running>>;
  /** True when everything has been listed once. */
  synced(): Promise<boolean>;
}

export function clusterCache(options: ClusterCacheOptions): ClusterCache {
  const { api, clock, random, observe, namespace, scope, enqueue, onUnreadable, onGone } = options;
  const common = { api, clock, random, observe };
  const keys = (chosen: (mapping: EventSourceMapping) => boolean): readonly string[] =>
    stored.list().filter(chosen).map(keyOf);

  const stored: Reflector<EventSourceMapping> = mappingReflector(scope, common, {
    onChange: (change) => {
      enqueue([change.key]);
      if (change.kind === 'updated') return;
      if (change.kind === 'deleted') onGone(change.object);
      // With a quota one that comes or goes changes the lot of its neighbours.
      if (!admission.classes().some(({ spec }) => spec.quotas?.mappings !== undefined)) return;
      enqueue(keys(({ metadata }) => metadata.namespace === change.object.metadata.namespace));
    },
  });
  const admission = admissionObjects(scope, common, {
    classChange: () => enqueue(keys(() => true)),
    namespaceChange: (change) => {
      if (change.kind === 'updated' && sameLabels(change.previous, change.object)) return;
      enqueue(keys(({ metadata }) => metadata.namespace === change.object.metadata.name));
    },
  });
  const fleet = new FleetIndex(enqueue);
  const reports = new Reflector<PollerReport>({
    ...common,
    resource: pollerReports,
    namespaces: [namespace],
    onChange: (change) => takeReport(fleet, change, onUnreadable),
  });
  const members: Reflector<Lease> = new Reflector<Lease>({
    ...common,
    resource: leases,
    namespaces: [namespace],
    labelSelector: labels.pool,
    // It has no Lease of its own among them: a fleet that died as a whole would be silence only.
    silenceMs: 10_000,
    onChange: (change) => live.take(change),
  });
  const live = new LiveMembers({
    clock,
    lastContactMs: () => members.lastContactMs,
    onChange: (list) => {
      fleet.setMembers(list);
      enqueue(keys(({ spec }) => spec.mode === 'Poller'));
    },
  });
  const reflectors = {
    eventsourcemappings: stored,
    ...admission.reflectors,
    pollerreports: reports,
    leases: members,
  };
  return {
    stored,
    fleet,
    live,
    reflectors,
    mappings: () => stored.list(),
    classes: admission.classes,
    namespaceLabels: admission.namespaceLabels,
    synced: async () =>
      (await Promise.all(Object.values(reflectors).map(({ synced }) => synced))).every(Boolean),
  };
}

function takeReport(
  fleet: FleetIndex,
  change: StoreChange<PollerReport>,
  onUnreadable: ClusterCacheOptions['onUnreadable'],
): void {
  if (change.kind === 'deleted') {
    fleet.remove(change.key);
    return;
  }
  const parsed = fleet.put(change.key, change.object.report);
  if (parsed.kind === 'unreadable') onUnreadable(change.key, parsed.message);
}

function sameLabels(left: KubeObject, right: KubeObject): boolean {
  return JSON.stringify(left.metadata.labels ?? {}) === JSON.stringify(right.metadata.labels ?? {});
}
