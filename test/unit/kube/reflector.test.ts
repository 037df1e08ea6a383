import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Reflector, type ReflectorEvent, type ReflectorOptions } from '../../../src/kube/reflector.ts';
import { resource, type KubeObject } from '../../../src/kube/resource.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { FakeKubeApi, fail } from '../../support/fake-kube-api.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

interface Item extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const items = resource({
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
});
const signal = new AbortController().signal;

let clock: VirtualClock;
let api: FakeKubeApi;
let stop: AbortController;
let events: ReflectorEvent[];
let changes: string[];
let reflector: Reflector<Item>;
let running: Promise<void>;

beforeEach(() => {
  clock = new VirtualClock();
  api = new FakeKubeApi(clock);
  stop = new AbortController();
  events = [];
  changes = [];
});

afterEach(async () => {
  stop.abort();
  await clock.runUntil(running);
  if (clock.sleepers > 0 || api.openWatches > 0) throw new Error('something goes on after the end');
});

async function start(options: Partial<ReflectorOptions<Item>> = {}): Promise<void> {
  reflector = new Reflector<Item>({
    api,
    resource: items,
    clock,
    random: seededRandom(1),
    onChange: ({ kind, key }) => changes.push(`${kind} ${key}`),
    observe: (event) => events.push(event),
    ...options,
  });
  running = reflector.run(stop.signal);
  await clock.settle();
}

const create = (name: string, namespace = 'n', labels: Record<string, string> = {}): Promise<Item> =>
  api.create<Item>(items.collection(namespace), { metadata: { name, labels } }, { signal });
const change = (name: string): Promise<Item> =>
  api.patch<Item>(
    items.object('n', name),
    { kind: 'merge', body: { data: { at: String(clock.now()) } } },
    { signal },
  );
const remove = (name: string): Promise<unknown> => api.delete(items.object('n', name), { signal });

function requests(verb: 'list' | 'watch'): FakeKubeApi['requests'] {
  return api.requests.filter((request) => request.verb === verb);
}

function names(): string[] {
  return reflector.list().map(({ metadata }) => metadata.name);
}

describe('the plain way', () => {
  it('lists, then watches from the list on', async () => {
    await create('a');
    await start();
    expect(await reflector.synced).toBe(true);
    expect(changes).toEqual(['added n/a']);
    await create('b');
    await change('a');
    await remove('a');
    await clock.settle();
    expect(changes).toEqual(['added n/a', 'added n/b', 'updated n/a', 'deleted n/a']);
    expect(names()).toEqual(['b']);
    expect(reflector.get('n', 'b')?.metadata.name).toBe('b');
    expect(reflector.get('n', 'a')).toBeUndefined();
  });

  it('asks for bookmarks, and for an end between 240 and 480 s', async () => {
    await start();
    expect(requests('watch')[0]?.query).toMatchObject({ allowWatchBookmarks: true, resourceVersion: '100' });
    const seconds = requests('watch').map(({ query }) => Number(query['timeoutSeconds']));
    expect(seconds).toSatisfy((all: number[]) => all.every((each) => each >= 240 && each <= 480));
  });

  it('lists in pages of 100', async () => {
    for (let index = 0; index < 220; index++) await create(`item-${String(index).padStart(4, '0')}`);
    await start();
    expect(reflector.size).toBe(220);
    expect(requests('list').map(({ query }) => query['limit'])).toEqual([100, 100, 100]);
  });

  it('passes the selectors on to list and watch', async () => {
    await create('a', 'n', { pool: 'x' });
    await create('b', 'n', { pool: 'y' });
    await start({ labelSelector: 'pool=x', fieldSelector: 'metadata.namespace=n' });
    await create('c', 'n', { pool: 'x' });
    await create('d', 'n', { pool: 'y' });
    await clock.settle();
    expect(names()).toEqual(['a', 'c']);
  });

  it('follows each namespace by itself and no other', async () => {
    await create('a', 'one');
    await create('b', 'two');
    await create('c', 'three');
    await start({ namespaces: ['one', 'two', 'one'] });
    expect(await reflector.synced).toBe(true);
    expect(names()).toEqual(['a', 'b']);
    expect(requests('watch').map(({ path }) => path)).toEqual([
      '/api/v1/namespaces/one/configmaps',
      '/api/v1/namespaces/two/configmaps',
    ]);
    expect(reflector.get('two', 'b')?.metadata.name).toBe('b');
    expect(reflector.get('three', 'c')).toBeUndefined();
  });

  it('drops managedFields, or keeps what it is told', async () => {
    await api.create(
      items.collection('n'),
      { metadata: { name: 'a', managedFields: [{}] }, data: { x: '1' } },
      { signal },
    );
    await start();
    expect(reflector.get('n', 'a')).toMatchObject({ data: { x: '1' } });
    expect(reflector.get('n', 'a')?.metadata).not.toHaveProperty('managedFields');
    stop.abort();
    await running;
    stop = new AbortController();
    await start({ transform: ({ metadata }) => ({ metadata }) });
    expect(reflector.get('n', 'a')).not.toHaveProperty('data');
  });

  it('goes on when a handler throws, and says so', async () => {
    await start({
      onChange: () => {
        throw new Error('broken handler');
      },
    });
    await create('a');
    await create('b');
    await clock.settle();
    expect(names()).toEqual(['a', 'b']);
    expect(events.filter(({ kind }) => kind === 'handlerFailed')).toHaveLength(2);
  });
});

describe('after a failure', () => {
  it.each([
    { fault: () => api.endWatches(), waitMs: 4000, lists: 0, why: 'the time-out of the server' },
    { fault: () => api.breakWatches(), waitMs: 4000, lists: 0, why: 'a reset' },
    {
      fault: () => api.injectLine('{"type":"MODIF'),
      waitMs: 4000,
      lists: 1,
      why: 'a line that cannot be read',
    },
    {
      fault: () => api.injectLine('{"type":"ERROR","object":{"kind":"Status","code":410}}'),
      waitMs: 0,
      lists: 1,
      why: '410 as an event: at once',
    },
    {
      fault: () => api.injectLine('{"type":"ERROR","object":{"kind":"Status","code":500}}'),
      waitMs: 4000,
      lists: 0,
      why: '500 as an event',
    },
    {
      fault: () => api.injectLine('{"type":"NEWS","object":{}}'),
      waitMs: 0,
      lists: 0,
      why: 'an unknown type',
    },
  ])('loses nothing and tells nothing twice ($why)', async ({ fault, waitMs, lists }) => {
    await create('kept');
    await create('gone');
    await start();
    changes.length = 0;
    const before = requests('list').length;
    await clock.advance(5000);
    fault();
    await clock.settle();
    await remove('gone');
    await create('new');
    await change('kept');
    await clock.advance(waitMs);
    expect([...changes].sort()).toEqual(['added n/new', 'deleted n/gone', 'updated n/kept']);
    expect(requests('list').length - before).toBe(lists);
  });

  it('resumes from the last version it has seen', async () => {
    await start();
    const { metadata } = await create('a');
    await clock.advance(5000);
    api.breakWatches();
    await clock.advance(4000);
    expect(requests('watch').at(-1)?.query['resourceVersion']).toBe(metadata.resourceVersion);
  });

  it('finds by a new list what was deleted while history was lost', async () => {
    await create('a');
    await create('b');
    await start();
    api.before = ({ verb }) => {
      if (verb === 'watch') throw fail('ConnectionFailed', 0, 'refused');
    };
    api.breakWatches();
    await clock.advance(3000);
    await remove('a');
    api.compact();
    api.before = undefined;
    await clock.advance(5000);
    expect(names()).toEqual(['b']);
    expect(changes).toEqual(['added n/a', 'added n/b', 'deleted n/a']);
  });

  it('starts over without pages when a page token has expired', async () => {
    for (let index = 0; index < 120; index++) await create(`item-${index}`);
    let pages = 0;
    api.before = async ({ verb }) => {
      if (verb !== 'list' || ++pages !== 2) return;
      // Of the first page, and so known from there.
      await remove('item-0');
      api.compact();
    };
    await start();
    expect(await reflector.synced).toBe(true);
    expect(reflector.size).toBe(119);
    expect(reflector.get('n', 'item-0')).toBeUndefined();
    expect(requests('list').map(({ query }) => [query['limit'], query['continue'] !== undefined])).toEqual([
      [100, false],
      [100, true],
      [undefined, false],
    ]);
  });

  it('never waits longer than 4 s by itself, however long the outage', async () => {
    await start();
    api.before = () => {
      throw fail('ConnectionFailed', 0, 'refused');
    };
    api.breakWatches();
    await clock.advance(600_000);
    const waits = events.flatMap((event) => (event.kind === 'failed' ? [event.delayMs] : []));
    expect(waits.length).toBeGreaterThan(100);
    expect(Math.max(...waits)).toBeLessThanOrEqual(4000);
    expect(Math.min(...waits.slice(5)), 'and does not storm').toBeGreaterThanOrEqual(2000);
    api.before = undefined;
    await create('a');
    await clock.advance(5000);
    expect(names()).toEqual(['a']);
  });

  it.each([
    { askedMs: 30_000, atLeastMs: 30_000, atMostMs: 30_500, why: 'as the server asks, and a little apart' },
    { askedMs: 86_400_000, atLeastMs: 120_000, atMostMs: 120_500, why: 'but not for ever' },
  ])('waits $askedMs ms of Retry-After ($why)', async ({ askedMs, atLeastMs, atMostMs }) => {
    await start();
    let first = true;
    api.before = ({ verb }) => {
      if (verb !== 'watch' || !first) return;
      first = false;
      throw fail('TooManyRequests', 429, 'busy', askedMs);
    };
    api.breakWatches();
    // The reset comes first, with a wait of its own.
    await clock.runUntil(() =>
      events.some((event) => event.kind === 'failed' && event.reason === 'TooManyRequests'),
    );
    const asked = events.find((event) => event.kind === 'failed' && event.reason === 'TooManyRequests');
    expect(asked).toMatchObject({
      delayMs: expect.toSatisfy((ms: number) => ms >= atLeastMs && ms <= atMostMs),
    });
    const watches = requests('watch').length;
    await clock.advance(atLeastMs - 1);
    expect(requests('watch')).toHaveLength(watches);
    await clock.advance(1000);
    expect(requests('watch')).toHaveLength(watches + 1);
  });

  it('does not ask in a loop when watches end at once', async () => {
    let watches = 0;
    await start({
      api: {
        list: (path, options) => api.list(path, options),
        watch: () => {
          watches++;
          return Promise.resolve((async function* () {})());
        },
      },
    });
    await clock.advance(60_000);
    expect(watches).toBeGreaterThan(10);
    expect(watches).toBeLessThan(40);
  });

  it('does not ask in a loop when a list says `Expired` at once', async () => {
    api.before = ({ verb }) => {
      if (verb === 'list') throw fail('Expired', 410, 'a server that answers strangely');
    };
    await start();
    await clock.advance(60_000);
    expect(requests('list').length).toBeGreaterThan(10);
    expect(requests('list').length).toBeLessThan(40);
  });

  it('forgets past failures once something comes', async () => {
    await start();
    for (let round = 0; round < 10; round++) {
      await create(`item-${round}`);
      await clock.settle();
      api.breakWatches();
      await clock.settle();
      await clock.advance(500);
    }
    const waits = events.flatMap((event) => (event.kind === 'failed' ? [event.delayMs] : []));
    expect(Math.max(...waits)).toBeLessThanOrEqual(400);
  });

  it('reports a stop before the first list', async () => {
    api.before = () => {
      throw fail('Forbidden', 403, 'no');
    };
    await start();
    await clock.advance(10_000);
    stop.abort();
    await running;
    expect(await reflector.synced).toBe(false);
  });
});

describe('namespaces that may not be read', () => {
  const scoped = { namespaces: ['open', 'closed'], skipForbidden: true };
  let closed: Set<string>;
  beforeEach(() => {
    closed = new Set([items.collection('closed')]);
    api.before = ({ verb, path }) => {
      const reads = verb === 'list' || verb === 'watch';
      if (reads && closed.has(path)) throw fail('Forbidden', 403, 'no Role');
    };
  });
  const told = (): readonly string[] =>
    events.flatMap(({ kind, namespace }) =>
      kind === 'listed' || kind === 'silent' ? [] : [`${kind} ${namespace}`],
    );

  it('do not hold up the others', async () => {
    await create('a', 'open');
    await start(scoped);
    expect(await reflector.synced).toBe(true);
    await create('b', 'open');
    await clock.settle();
    expect(names()).toEqual(['a', 'b']);
    expect(reflector.forbidden).toEqual(['closed']);
  });

  it('are told once, asked at growing intervals, and read as soon as a Role allows it', async () => {
    await create('late', 'closed');
    await start(scoped);
    await clock.advance(600_000);
    expect(told()).toEqual(['forbidden closed']);
    const asked = requests('list').filter(({ path }) => path === items.collection('closed')).length;
    expect(asked).toBeGreaterThan(20);
    expect(asked).toBeLessThan(60);
    closed.clear();
    await clock.advance(30_000);
    expect(names()).toEqual(['late']);
    expect(reflector.forbidden).toEqual([]);
    expect(told()).toEqual(['forbidden closed', 'permitted closed']);
  });

  it('make the copy of the others no older', async () => {
    await start(scoped);
    await clock.advance(600_000);
    expect(reflector.stalenessMs).toBeLessThan(45_000);
  });

  it('keep what is known of them when the Role is withdrawn', async () => {
    closed.clear();
    await create('known', 'closed');
    await start(scoped);
    closed.add(items.collection('closed'));
    api.breakWatches();
    await clock.advance(60_000);
    expect(names()).toEqual(['known']);
    expect(changes).toEqual(['added closed/known']);
    expect(told()).toContain('forbidden closed');
    expect(reflector.stalenessMs).toBeGreaterThan(50_000);
    closed.clear();
    await create('more', 'closed');
    await clock.advance(30_000);
    expect(names()).toEqual(['known', 'more']);
    expect(reflector.forbidden).toEqual([]);
  });

  it('leave nothing synced when there are no others', async () => {
    closed.add(items.collection('open'));
    await start(scoped);
    let synced = false;
    void reflector.synced.then((value) => (synced = value));
    await clock.advance(60_000);
    expect(synced).toBe(false);
    closed.delete(items.collection('closed'));
    await clock.advance(30_000);
    expect(synced).toBe(true);
  });

  it('are waited for where every one of them is needed', async () => {
    await start({ ...scoped, skipForbidden: false });
    let synced = false;
    void reflector.synced.then((value) => (synced = value));
    await clock.advance(60_000);
    expect(synced).toBe(false);
    expect(reflector.forbidden).toEqual([]);
    expect(told()).toContain('failed closed');
  });

  it('do not take an answer that never came for one that refuses', async () => {
    api.before = ({ path }) => {
      if (path === items.collection('closed')) throw fail('ConnectionFailed', 0, 'no answer');
    };
    await start(scoped);
    let synced = false;
    void reflector.synced.then((value) => (synced = value));
    await clock.advance(60_000);
    expect(synced).toBe(false);
  });
});

describe('silence', () => {
  it('notices a half-open connection within 45 s and loses nothing', async () => {
    await start();
    await clock.advance(1000);
    api.freezeWatches();
    await create('a');
    await clock.advance(45_000);
    expect(names()).toEqual(['a']);
    expect(requests('list')).toHaveLength(1);
  });

  it('notices it as well when the replacement is frozen too', async () => {
    await start();
    api.freezeWatches();
    await clock.advance(41_000);
    api.freezeWatches();
    await create('a');
    await clock.advance(45_000);
    expect(names()).toEqual(['a']);
  });

  it('needs no new list in an hour without an event, and its version follows the bookmarks', async () => {
    await start();
    for (let minute = 0; minute < 60; minute++) {
      // Other collections are written to, and history is compacted every 5 minutes.
      api.tick();
      await clock.advance(60_000);
      if (minute % 5 === 4) api.compact();
    }
    expect(requests('list')).toHaveLength(1);
    const versions = requests('watch').map(({ query }) => Number(query['resourceVersion']));
    expect(versions.at(-1)).toBeGreaterThanOrEqual(158);
    // The stated price.
    expect(requests('watch').length).toBeLessThanOrEqual(120);
  });

  it('asks for long watches again when something happens', async () => {
    await start();
    await clock.advance(120_000);
    expect(Number(requests('watch').at(-1)?.query['timeoutSeconds'])).toBeLessThan(40);
    await create('a');
    await clock.advance(40_000);
    expect(Number(requests('watch').at(-1)?.query['timeoutSeconds'])).toBeGreaterThanOrEqual(240);
  });

  it('says how old the copy may be', async () => {
    await start();
    await create('a');
    await clock.settle();
    expect(reflector.stalenessMs).toBe(0);
    await clock.advance(30_000);
    expect(reflector.stalenessMs).toBe(30_000);
    api.before = () => {
      throw fail('ConnectionFailed', 0, 'refused');
    };
    api.breakWatches();
    await clock.advance(600_000);
    expect(reflector.stalenessMs).toBe(630_000);
    api.before = undefined;
    await clock.advance(5000);
    expect(reflector.stalenessMs).toBeLessThan(5000);
  });
});
