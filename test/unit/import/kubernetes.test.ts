import { describe, expect, it } from 'vitest';
import { readKubernetes } from '../../../src/import/kubernetes.ts';
import type { Reading } from '../../../src/import/model.ts';

const read = (text: string, others: readonly string[] = []): Reading =>
  readKubernetes(text, new Map(), [text, ...others]);

const uuid = '14e0db71-5b35-4eb5-b481-8945cf9d10c2';

describe('a mapping of ACK', () => {
  const ack = (
    spec: string,
    annotations = '{}',
    rest = '',
  ): string => `apiVersion: lambda.services.k8s.aws/v1alpha1
kind: EventSourceMapping
metadata: {name: orders, namespace: shop, annotations: ${annotations}}
spec: ${spec}
${rest}`;

  it('is taken over with its namespace, in the spelling of ACK', () => {
    const { mappings, notes } = read(
      ack(
        `{eventSourceARN: "arn:aws:kafka:eu-west-1:123456789012:cluster/c/1", functionName: orders, topics: [t1],
  sourceAccessConfigurations: [{type_: BASIC_AUTH, uRI: s}], startingPositionTimestamp: "2024-01-02T03:04:05Z",
  amazonManagedKafkaEventSourceConfig: {consumerGroupID: g}, filterCriteria: {filters: [{pattern: '{"value": [1]}'}]},
  destinationConfig: {onFailure: {destination: "arn:aws:sqs:eu-west-1:123456789012:d"}}, tags: {a: b}}`,
        `{services.k8s.aws/deletion-policy: retain, services.k8s.aws/region: eu-west-1}`,
        `status: {uuid: ${uuid}}`,
      ),
    );
    expect(notes).toEqual([]);
    expect(mappings).toMatchObject([{ subject: 'orders', namespace: 'shop', uuid, line: 1 }]);
    expect(mappings[0]?.spec).toEqual({
      deletionPolicy: 'Retain',
      eventSourceARN: 'arn:aws:kafka:eu-west-1:123456789012:cluster/c/1',
      functionName: 'orders',
      tags: { a: 'b' },
      topics: ['t1'],
      startingPositionTimestamp: '2024-01-02T03:04:05Z',
      destinationConfig: { onFailure: { destination: 'arn:aws:sqs:eu-west-1:123456789012:d' } },
      filterCriteria: { filters: [{ pattern: '{"value": [1]}' }] },
      sourceAccessConfigurations: [{ type: 'BASIC_AUTH', uri: 's' }],
      amazonManagedKafkaEventSourceConfig: { consumerGroupID: 'g' },
    });
  });

  it('follows its references within the files, and names those that lead out of them', () => {
    const text = ack(
      '{functionRef: {from: {name: fn}}, eventSourceRef: {from: {name: q}}}',
      '{services.k8s.aws/region: eu-west-1}',
    );
    const objects = `apiVersion: lambda.services.k8s.aws/v1alpha1
kind: Function
metadata: {name: fn}
spec: {name: orders-fn}
---
apiVersion: sqs.services.k8s.aws/v1alpha1
kind: Queue
metadata: {name: q}
spec: {queueName: orders}
`;
    expect(read(text, [objects]).mappings[0]?.spec).toEqual({
      aws: { region: 'eu-west-1' },
      eventSourceARN: 'arn:aws:sqs:::orders',
      functionName: 'orders-fn',
    });
    expect(read(text).mappings[0]?.spec).toMatchObject({
      eventSourceARN: 'arn:aws:sqs:::PLACEHOLDER_q',
      functionName: 'PLACEHOLDER_fn',
    });
  });

  it('takes the UUID of an adoption', () => {
    const annotations = `{services.k8s.aws/adoption-fields: '{"uuid": "${uuid}"}'}`;
    expect(read(ack('{functionName: f}', annotations)).mappings[0]?.uuid).toBe(uuid);
  });
});

describe('a mapping of Crossplane', () => {
  it.each<{ apiVersion: string; forProvider: string; why: string }>([
    {
      apiVersion: 'lambda.aws.upbound.io/v1beta1',
      forProvider: `
    destinationConfig: [{onFailure: [{destinationArn: "arn:aws:sns:eu-west-1:123456789012:f"}]}]
    filterCriteria: [{filter: [{pattern: '{"data": [1]}'}]}]
    scalingConfig: []`,
      why: 'blocks are lists of one',
    },
    {
      apiVersion: 'lambda.aws.upbound.io/v1beta2',
      forProvider: `
    destinationConfig: {onFailure: {destinationArn: "arn:aws:sns:eu-west-1:123456789012:f"}}
    filterCriteria: {filter: [{pattern: '{"data": [1]}'}]}`,
      why: 'blocks are objects',
    },
    {
      apiVersion: 'lambda.aws.m.upbound.io/v1beta1',
      forProvider: `
    destinationConfig: {onFailure: {destinationArn: "arn:aws:sns:eu-west-1:123456789012:f"}}
    filterCriteria: {filter: [{pattern: '{"data": [1]}'}]}`,
      why: 'objects of a namespace',
    },
  ])('$apiVersion: $why', ({ apiVersion, forProvider }) => {
    const { mappings, notes } = read(`apiVersion: ${apiVersion}
kind: EventSourceMapping
metadata: {name: orders, annotations: {crossplane.io/external-name: ${uuid}}}
spec:
  deletionPolicy: Orphan
  providerConfigRef: {name: default}
  initProvider: {batchSize: 7}
  forProvider:
    region: eu-west-1
    eventSourceArn: arn:aws:kinesis:eu-west-1:123456789012:stream/s
    functionNameRef: {name: fn}
    functionNameSelector: {matchLabels: {a: b}}
    startingPosition: LATEST${forProvider}
---
apiVersion: lambda.aws.upbound.io/v1beta1
kind: Function
metadata: {name: fn}
spec: {forProvider: {region: eu-west-1}}
`);
    expect(notes).toEqual([]);
    expect(mappings[0]?.uuid).toBe(uuid);
    expect(mappings[0]?.spec).toEqual({
      deletionPolicy: 'Retain',
      eventSourceARN: 'arn:aws:kinesis:eu-west-1:123456789012:stream/s',
      functionName: 'fn',
      batchSize: 7,
      startingPosition: 'LATEST',
      destinationConfig: { onFailure: { destination: 'arn:aws:sns:eu-west-1:123456789012:f' } },
      filterCriteria: { filters: [{ pattern: '{"data": [1]}' }] },
    });
  });

  it.each<{ spec: string; expected: Readonly<Record<string, unknown>> }>([
    {
      spec: '{managementPolicies: [Observe]}',
      expected: { managementPolicy: 'Observe', deletionPolicy: 'Retain' },
    },
    { spec: '{managementPolicies: [Observe, Create, Update]}', expected: { deletionPolicy: 'Retain' } },
    { spec: "{managementPolicies: ['*']}", expected: {} },
  ])('$spec', ({ spec, expected }) => {
    const text = `apiVersion: lambda.aws.upbound.io/v1beta1\nkind: EventSourceMapping\nmetadata: {name: a}\nspec: ${spec}\n`;
    expect(read(text).mappings[0]?.spec).toEqual(expected);
  });
});

it.each<{ text: string; notes: readonly string[]; mappings: number }>([
  {
    text: 'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: lambda.services.k8s.aws/v1alpha1, kind: EventSourceMapping, metadata: {name: a}, spec: {}}\n- {apiVersion: lambda.services.k8s.aws/v1alpha1, kind: EventSourceMapping, metadata: {name: b}, spec: {}}',
    notes: [],
    mappings: 2,
  },
  {
    text: 'apiVersion: apiextensions.crossplane.io/v1\nkind: Composition\nmetadata: {name: a}',
    notes: ['info'],
    mappings: 0,
  },
  {
    text: 'apiVersion: example.com/v1\nkind: EventSourceMapping\nmetadata: {name: a}',
    notes: ['refused'],
    mappings: 0,
  },
  {
    text: 'apiVersion: sluice.dev/v1alpha1\nkind: EventSourceMapping\nmetadata: {name: a}',
    notes: ['info'],
    mappings: 0,
  },
  { text: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}', notes: [], mappings: 0 },
])('$text', ({ text, notes, mappings }) => {
  const reading = read(text);
  expect(reading.notes.map(({ kind }) => kind)).toEqual(notes);
  expect(reading.mappings).toHaveLength(mappings);
});
