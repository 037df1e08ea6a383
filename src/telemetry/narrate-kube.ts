/**
 * What the Kubernetes plumbing did, told as the metrics that client-go and controller-runtime users know, and as log
 * lines where a person may want to know.
 */
import type { RequestEvent } from '../kube/calls.ts';
import type { EventRecorderEvent } from '../kube/event-recorder.ts';
import type { LeaderElectionEvent } from '../kube/leader-election.ts';
import type { MemberLeaseEvent } from '../kube/member-lease.ts';
import type { Reflector, ReflectorEvent } from '../kube/reflector.ts';
import type { KubeObject } from '../kube/resource.ts';
import type { WorkQueueEvent, WorkQueueSnapshot } from '../kube/workqueue.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

export interface KubeNarrator {
  readonly request: (event: RequestEvent) => void;
  readonly reflector: (event: ReflectorEvent) => void;
  readonly member: (event: MemberLeaseEvent) => void;
  readonly election: (event: LeaderElectionEvent) => void;
  readonly queue: (event: WorkQueueEvent) => void;
  readonly recorder: (event: EventRecorderEvent) => void;
}

const dropped = { queueFull: 'queue_full', rateLimited: 'rate_limited', stopped: 'stopped' } as const;

export function narrateKube(deps: { readonly metrics: Metrics; readonly log: Log }): KubeNarrator {
  const { metrics, log } = deps;
  return {
    request({ verb, method, host, code, durationMs }) {
      metrics.inc('rest_client_requests_total', { code, method, host });
      metrics.observe('rest_client_request_duration_seconds', { verb, host }, durationMs / 1000);
    },
    reflector(event) {
      const facts = { resource: event.resource, namespace: event.namespace };
      switch (event.kind) {
        case 'listed':
          log.debug('Listed objects', {
            ...facts,
            cause: event.cause,
            objects: event.objects,
            durationMs: Math.round(event.durationMs),
          });
          return;
        case 'failed':
          log.warn('Could not list or watch', {
            ...facts,
            reason: event.reason,
            detail: event.message,
            delayMs: Math.round(event.delayMs),
          });
          return;
        case 'silent':
          log.debug('Opened a silent watch again', { ...facts, afterMs: event.afterMs });
          return;
        case 'forbidden':
          log.warn('May not read a watched namespace: a Role must allow list and watch', {
            ...facts,
            detail: event.message,
          });
          return;
        case 'permitted':
          log.info('May read a watched namespace now', facts);
          return;
        case 'handlerFailed':
          log.error('A handler of changes failed', { ...facts, detail: event.message });
          return;
      }
    },
    // The log of a member names it in every line.
    member(event) {
      switch (event.kind) {
        case 'announced':
          log.info('Announced this member');
          return;
        case 'renewFailed':
          log.warn('Could not renew the Lease of this member', { detail: event.message });
          return;
        case 'taken':
          log.warn('Another process had taken the Lease of this member', { by: event.by });
          return;
        case 'released':
          log.info('Released the Lease of this member');
          return;
      }
    },
    election(event) {
      switch (event.kind) {
        case 'started':
          metrics.set('leader_election_master_status', { name: event.name }, 1);
          log.info('Leading', { lease: event.name });
          return;
        case 'stopped':
          metrics.set('leader_election_master_status', { name: event.name }, 0);
          log.info('Leading no more', { lease: event.name, reason: event.cause });
          return;
        case 'leaderChanged':
          log.info('Leader changed', { lease: event.name, leader: event.identity });
          return;
        case 'attemptFailed':
          log.warn('Could not take, renew or release the Lease', {
            lease: event.name,
            detail: event.message,
          });
          return;
      }
    },
    recorder(event) {
      const outcome = event.kind === 'dropped' ? dropped[event.cause] : event.kind;
      const written = event.kind === 'written' && event.repeated ? 'repeated' : outcome;
      metrics.inc('sluice_kubernetes_events_total', { outcome: written });
      // The condition holds the fact, so a lost Event is no trouble; that they all are is one.
      if (event.kind === 'failed')
        log.warn('Could not write an Event', { event: event.reason, detail: event.message });
      else if (event.kind === 'dropped')
        log.debug('Dropped an Event', { event: event.reason, cause: outcome });
    },
    queue(event) {
      const labels = { name: event.queue };
      switch (event.kind) {
        case 'added':
          metrics.inc('workqueue_adds_total', labels);
          return;
        case 'started':
          metrics.observe('workqueue_queue_duration_seconds', labels, event.queueMs / 1000);
          return;
        case 'finished':
          metrics.observe('workqueue_work_duration_seconds', labels, event.workMs / 1000);
          return;
        case 'retried':
          metrics.inc('workqueue_retries_total', labels);
          return;
      }
    },
  };
}

/** Reads the gauges of a workqueue at each scrape. */
export function exportWorkQueue(metrics: Metrics, name: string, snapshot: () => WorkQueueSnapshot): void {
  const labels = { name };
  metrics.onCollect('workqueue_depth', (set) => set(labels, snapshot().depth));
  metrics.onCollect('workqueue_unfinished_work_seconds', (set) =>
    set(labels, snapshot().unfinishedWorkMs / 1000),
  );
  metrics.onCollect('workqueue_longest_running_processor_seconds', (set) =>
    set(labels, snapshot().longestRunningMs / 1000),
  );
}

/** Reads the gauges of reflectors, by the name of their resource, at each scrape. */
export function exportReflectors(
  metrics: Metrics,
  reflectors: Readonly<Record<string, Pick<Reflector<KubeObject>, 'stalenessMs' | 'forbidden'>>>,
): void {
  const entries = Object.entries(reflectors);
  metrics.onCollect('sluice_reflector_last_contact_seconds', (set) => {
    for (const [resource, { stalenessMs }] of entries) set({ resource }, Math.max(0, stalenessMs / 1000));
  });
  metrics.onCollect('sluice_reflector_forbidden', (set) => {
    for (const [resource, { forbidden }] of entries)
      for (const namespace of forbidden) set({ resource, namespace }, 1);
  });
}
