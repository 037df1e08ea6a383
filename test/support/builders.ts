/** Small builders: a test names what matters and gets the rest. */
import type { MappingClass, MappingClassSpec } from '../../src/api/class.ts';
import type { EventSourceMapping, EventSourceMappingSpec } from '../../src/api/mapping.ts';
import { apiVersion, type ObjectMeta } from '../../src/api/meta.ts';

/** A Poller mapping of the queue `orders` to the Service `consumer`, but for what is given. */
export function aMapping(
  spec: Partial<EventSourceMappingSpec> = {},
  metadata: Partial<ObjectMeta> = {},
): EventSourceMapping {
  return {
    apiVersion,
    kind: 'EventSourceMapping',
    metadata: { name: 'orders', namespace: 'shop', ...metadata },
    spec: {
      mode: 'Poller',
      eventSourceARN: 'arn:aws:sqs:eu-west-1:000000000000:orders',
      poller: { target: { http: { service: { name: 'consumer', port: 80 } } } },
      ...spec,
    },
  };
}

/** A class that admits the namespace `shop` to everything, but for what is given. */
export function aClass(spec: MappingClassSpec = {}, metadata: Partial<ObjectMeta> = {}): MappingClass {
  return {
    apiVersion,
    kind: 'MappingClass',
    metadata: { name: 'standard', ...metadata },
    spec: { namespaces: ['shop'], ...spec },
  };
}
