import { beforeEach, describe, expect, it } from 'vitest';
import { ObjectStore } from '../../../src/kube/object-store.ts';
import type { KubeObject } from '../../../src/kube/resource.ts';

let changes: string[];
let store: ObjectStore<KubeObject>;

beforeEach(() => {
  changes = [];
  store = new ObjectStore<KubeObject>(({ kind, key, object }) => {
    changes.push(`${kind} ${key} ${object.metadata.resourceVersion}`);
  });
});

const object = (name: string, version: number, uid = name): KubeObject => ({
  metadata: { namespace: 'n', name, uid, resourceVersion: String(version) },
});

function told(): string[] {
  return changes.splice(0);
}

describe('single changes', () => {
  it('are told once', () => {
    store.put(object('a', 1));
    store.put(object('a', 2));
    store.delete(object('a', 3));
    expect(told()).toEqual(['added n/a 1', 'updated n/a 2', 'deleted n/a 3']);
    expect(store.size).toBe(0);
  });

  it('are silent when the version is known', () => {
    store.put(object('a', 1));
    told();
    store.put(object('a', 1));
    expect(told()).toEqual([]);
  });

  it('are silent when what is deleted was not there', () => {
    store.delete(object('a', 1));
    expect(told()).toEqual([]);
  });

  it('tell an object of the same name but another uid as another object', () => {
    store.put(object('a', 1, 'old'));
    told();
    store.put(object('a', 2, 'new'));
    expect(told()).toEqual(['deleted n/a 1', 'added n/a 2']);
  });
});

describe('a whole list', () => {
  it('tells only what differs, deletions included', () => {
    for (const name of ['same', 'changed', 'gone', 'rebuilt']) store.put(object(name, 1));
    told();
    store.replace([object('same', 1), object('changed', 2), object('rebuilt', 3, 'other'), object('new', 4)]);
    expect(told()).toEqual([
      'deleted n/gone 1',
      'updated n/changed 2',
      'deleted n/rebuilt 1',
      'added n/rebuilt 3',
      'added n/new 4',
    ]);
    expect([...store.values()].map(({ metadata }) => metadata.name)).toEqual([
      'same',
      'changed',
      'rebuilt',
      'new',
    ]);
  });

  it('is complete before the first handler is told', () => {
    const seen: number[] = [];
    const counting: ObjectStore<KubeObject> = new ObjectStore<KubeObject>(() => seen.push(counting.size));
    counting.replace([object('a', 1), object('b', 1)]);
    expect(seen).toEqual([2, 2]);
  });
});
