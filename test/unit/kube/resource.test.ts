import { describe, expect, it } from 'vitest';
import {
  events,
  keyOf,
  leases,
  microTime,
  objectKey,
  resource,
  splitKey,
} from '../../../src/kube/resource.ts';

const core = resource({ group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true });
const nodes = resource({ group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false });

describe('paths', () => {
  it.each([
    { path: core.collection(), want: '/api/v1/secrets' },
    { path: core.collection('a'), want: '/api/v1/namespaces/a/secrets' },
    { path: core.object('a', 'b'), want: '/api/v1/namespaces/a/secrets/b' },
    { path: nodes.object(undefined, 'b'), want: '/api/v1/nodes/b' },
    { path: leases.object('a', 'b'), want: '/apis/coordination.k8s.io/v1/namespaces/a/leases/b' },
    { path: events.collection('a'), want: '/apis/events.k8s.io/v1/namespaces/a/events' },
  ])('$want', ({ path, want }) => expect(path).toBe(want));

  it.each([
    { name: '../../nodes/x', path: '/api/v1/namespaces/a/secrets/..%2F..%2Fnodes%2Fx' },
    { name: 'x?watch=true', path: '/api/v1/namespaces/a/secrets/x%3Fwatch%3Dtrue' },
  ])('a hostile name cannot leave its place: $name', ({ name, path }) => {
    expect(core.object('a', name)).toBe(path);
  });

  it.each([
    { call: () => core.object('a', '..'), why: 'a dot segment is resolved by others' },
    { call: () => core.object('a', ''), why: 'it would be the collection' },
    { call: () => core.object(undefined, 'x'), why: 'a namespace is missing' },
    { call: () => nodes.object('a', 'x'), why: 'a namespace is too much' },
  ])('refuses what is no object ($why)', ({ call }) => expect(call).toThrow(RangeError));
});

it.each([
  { namespace: 'a', name: 'b', key: 'a/b' },
  { namespace: undefined, name: 'b', key: 'b' },
])('the key of $namespace $name is $key, and back', ({ namespace, name, key }) => {
  expect(objectKey(namespace, name)).toBe(key);
  expect(keyOf({ metadata: { name, ...(namespace === undefined ? {} : { namespace }) } })).toBe(key);
  expect(splitKey(key)).toEqual({ namespace, name });
});

it('MicroTime has six digits', () => {
  expect(microTime(Date.UTC(2026, 0, 2, 3, 4, 5, 6) + 0.7)).toBe('2026-01-02T03:04:05.006000Z');
});
