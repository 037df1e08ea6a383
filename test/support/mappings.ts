import type { MappingClass, MappingClassSpec } from '../../src/api/class.ts';
import type { EventSourceMapping, EventSourceMappingSpec } from '../../src/api/mapping.ts';
import { apiVersion, finalizer, type ObjectMeta } from '../../src/api/meta.ts';
import { effective } from '../../src/api/effective.ts';
import type { Facts, Subject } from '../../src/controller/backend.ts';
import { testAccount } from './servers/aws-server.ts';

/** Builders: a test says what matters to it, the rest is an ordinary mapping. */
export const ordersARN = `arn:aws:sqs:${testAccount.region}:${testAccount.accountId}:orders`;

interface Changes {
  readonly metadata?: Partial<ObjectMeta>;
  readonly spec?: Partial<EventSourceMappingSpec>;
  readonly status?: EventSourceMapping['status'];
}

/** A mapping of the queue `orders`, run by AWS unless `spec` says otherwise, as a new object of generation 1. */
export function aMapping(changes: Changes = {}): EventSourceMapping {
  return {
    apiVersion,
    kind: 'EventSourceMapping',
    metadata: {
      namespace: 'shop',
      name: 'orders',
      uid: '5a1c0de0-0000-4000-8000-000000000001',
      resourceVersion: '1',
      generation: 1,
      ...changes.metadata,
    },
    spec: { mode: 'Managed', eventSourceARN: ordersARN, functionName: 'consumer', ...changes.spec },
    status: changes.status ?? { observedGeneration: -1 },
  };
}

/** The same in Poller mode with a Service as target. */
export function aPollerMapping(changes: Changes = {}): EventSourceMapping {
  const mapping = aMapping(changes);
  return {
    ...mapping,
    spec: {
      mode: 'Poller',
      eventSourceARN: ordersARN,
      poller: { target: { http: { service: { name: 'consumer', port: 80 } } } },
      ...changes.spec,
    },
  };
}

/** A mapping that is being deleted and waits for Sluice. */
export function aDeletedMapping(changes: Changes = {}): EventSourceMapping {
  return aMapping({
    ...changes,
    metadata: { finalizers: [finalizer], deletionTimestamp: '2026-01-01T00:00:00Z', ...changes.metadata },
  });
}

/** A class that admits the namespace `shop`. */
export function aClass(spec: MappingClassSpec = {}, name = 'standard', isDefault = true): MappingClass {
  return {
    apiVersion,
    kind: 'MappingClass',
    metadata: { name, ...(isDefault ? { annotations: { 'sluice.dev/is-default-class': 'true' } } : {}) },
    spec: { namespaces: ['shop'], ...spec },
  };
}

/** What a backend is told of an admitted mapping. */
export function subjectOf(mapping: EventSourceMapping): Subject {
  return {
    mapping,
    effective: effective(mapping.spec),
    pool: 'default',
    identity: { kind: 'Installation' },
  };
}

/** Facts of a healthy mapping. */
export function someFacts(changes: Partial<Facts> = {}): Facts {
  return {
    state: 'Enabled',
    mapping: { uuid: 'c0ffee00-0000-4000-8000-000000000001' },
    sourceHealthy: { status: 'Unknown', reason: 'Unknown', message: 'AWS Lambda does not report it' },
    targetHealthy: { status: 'Unknown', reason: 'Unknown', message: 'AWS Lambda does not report it' },
    warnings: [],
    ...changes,
  };
}
