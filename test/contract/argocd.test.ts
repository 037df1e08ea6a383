import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  argoCdEngine,
  type ArgoCdEngine,
  type EngineAnswer,
  type OfferedAction,
} from '../support/argocd-lua.ts';
import { repository } from '../support/markdown.ts';
import { isAbsent } from '../support/servers/absent.ts';

/**
 * `deploy/argocd` as Argo CD reads it: its own two kinds of test files by its own rules, and what those do not ask. The
 * objects are real ones (test/cluster/argocd.test.ts holds that they still are).
 */
const kind = 'sluice.dev/EventSourceMapping';
const tree = path.join(repository, 'deploy/argocd/resource_customizations', kind);
const read = (file: string): string => fs.readFileSync(path.join(tree, file), 'utf8');
const object = (file: string): object => parse(read(file)) as object;

interface HealthTest {
  readonly inputPath: string;
  readonly healthStatus: { readonly status: string; readonly message?: string };
}
interface DiscoveryTest {
  readonly inputPath: string;
  readonly result: readonly OfferedAction[];
}
interface ActionTest {
  readonly action: string;
  readonly inputPath: string;
  readonly expectedOutputPath: string;
}

const { tests: healthTests } = parse(read('health_test.yaml')) as { readonly tests: readonly HealthTest[] };
const { discoveryTests, actionTests } = parse(read('actions/action_test.yaml')) as {
  readonly discoveryTests: readonly DiscoveryTest[];
  readonly actionTests: readonly ActionTest[];
};
const actions = fs
  .readdirSync(path.join(tree, 'actions'))
  .filter((name) => fs.existsSync(path.join(tree, 'actions', name, 'action.lua')));

let engine: ArgoCdEngine;
beforeAll(async () => {
  if (!isAbsent('argocd-lua')) engine = await argoCdEngine();
}, 300_000);

describe.skipIf(isAbsent('argocd-lua'))('the health of a mapping in Argo CD', () => {
  const script = read('health.lua');
  const healthOf = async (value: object): Promise<EngineAnswer> => {
    const [answer] = await engine.ask([{ kind: 'health', script, object: value }]);
    return answer ?? {};
  };

  it.each(healthTests)('$healthStatus.status: $inputPath', async ({ inputPath, healthStatus }) => {
    const request = { kind: 'health', script, object: object(inputPath) } as const;
    // Built into Argo CD a script has all libraries, in argocd-cm only the safe ones.
    const answers = await engine.ask([{ ...request, openLibs: true }, request]);
    expect(answers).toEqual([healthStatus, healthStatus]);
  });

  it('is tested with every captured object, and names of files say what it is', () => {
    const files = fs.readdirSync(path.join(tree, 'testdata')).map((name) => `testdata/${name}`);
    expect(healthTests.map(({ inputPath }) => inputPath).toSorted()).toEqual(files.toSorted());
    for (const { inputPath, healthStatus } of healthTests) {
      expect(inputPath).toMatch(new RegExp(`^testdata/${healthStatus.status.toLowerCase()}-`));
    }
  });

  it('is there whatever member of an object is missing or null', async () => {
    const variants = healthTests.flatMap(({ inputPath }) => {
      const whole = object(inputPath);
      return pathsOf(whole).flatMap((place) => [without(whole, place), withNull(whole, place)]);
    });
    const answers = await engine.ask(variants.map((value) => ({ kind: 'health', script, object: value })));
    expect(answers.length).toBeGreaterThan(1000);
    expect(answers.filter(({ error }) => error !== undefined)).toEqual([]);
    const found = new Set(answers.map(({ status }) => status));
    expect(found).toEqual(new Set(['Degraded', 'Healthy', 'Progressing', 'Suspended']));
  });

  it.each([
    { why: 'nothing is known', value: {} },
    { why: 'a client left the status out', value: { metadata: { generation: 1 } } },
    {
      why: 'an older version of the CRD set no default',
      value: { metadata: { generation: 1 }, status: {} },
    },
    {
      why: 'the controller has seen it and says nothing yet',
      value: { metadata: { generation: 1 }, status: { observedGeneration: 1 } },
    },
    {
      why: 'it is being deleted, whatever it was',
      value: {
        metadata: { generation: 1, deletionTimestamp: '2026-01-01T00:00:00Z' },
        status: { observedGeneration: 1, conditions: [{ type: 'Stalled', status: 'True' }] },
      },
    },
    {
      why: 'what it was ready for is another generation',
      value: {
        metadata: { generation: 3 },
        status: { observedGeneration: 2, conditions: [{ type: 'Ready', status: 'True' }] },
      },
    },
    {
      why: 'it was refused before the edit',
      value: {
        metadata: { generation: 3 },
        status: { observedGeneration: 2, conditions: [{ type: 'Stalled', status: 'True' }] },
      },
    },
    {
      why: 'it is not ready and nobody says why',
      value: {
        metadata: { generation: 1 },
        status: { observedGeneration: 1, conditions: [{ type: 'Ready', status: 'False' }] },
      },
    },
  ])('is Progressing when $why', async ({ value }) => {
    expect(await healthOf(value)).toMatchObject({ status: 'Progressing', message: /./ });
  });

  it('tells what goes wrong beside a ready mapping, and stays Healthy', async () => {
    const trouble = (type: string, status: string) => ({
      type,
      status,
      reason: `${type}Reason`,
      message: 'm',
    });
    const conditions = [
      trouble('Ready', 'True'),
      trouble('SourceHealthy', 'False'),
      trouble('TargetHealthy', 'False'),
      trouble('Drifted', 'True'),
      trouble('Blocked', 'True'),
    ];
    const value = { metadata: { generation: 1 }, status: { observedGeneration: 1, conditions } };
    expect(await healthOf(value)).toEqual({
      status: 'Healthy',
      message:
        'ReadyReason: m; SourceHealthyReason: m; TargetHealthyReason: m; DriftedReason: m; BlockedReason: m',
    });
  });
});

describe.skipIf(isAbsent('argocd-lua'))('the actions of a mapping in Argo CD', () => {
  const discovery = read('actions/discovery.lua');

  it.each(discoveryTests)('are offered to $inputPath', async ({ inputPath, result }) => {
    const offered = await engine.offered(discovery, object(`actions/${inputPath}`));
    const wanted = result.map(({ disabled, ...rest }) => (disabled === true ? { ...rest, disabled } : rest));
    expect(offered).toEqual(wanted.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
    // Each has its script, and each script is offered.
    expect(offered.map(({ name }) => name)).toEqual(actions.toSorted());
  });

  it.each([
    {
      why: 'there are no annotations at all',
      metadata: {},
      enabled: ['pause', 'pause-delivery', 'reconcile'],
    },
    {
      why: 'the value lets go',
      metadata: { annotations: { 'sluice.dev/paused': 'false' } },
      enabled: ['pause', 'pause-delivery', 'reconcile'],
    },
    {
      why: 'an empty value lets go too',
      metadata: { annotations: { 'sluice.dev/paused': '' } },
      enabled: ['pause', 'pause-delivery', 'reconcile'],
    },
    {
      why: 'an unknown value brakes fully',
      metadata: { annotations: { 'sluice.dev/paused': 'yes' } },
      enabled: ['resume'],
    },
  ])('are $enabled when $why', async ({ metadata, enabled }) => {
    const offered = await engine.offered(discovery, { metadata });
    expect(offered.filter(({ disabled }) => disabled !== true).map(({ name }) => name)).toEqual(enabled);
  });

  it.each(actionTests)('$action: $inputPath → $expectedOutputPath', async (test) => {
    const source = object(`actions/${test.inputPath}`);
    const script = read(`actions/${test.action}/action.lua`);
    const [answer] = await engine.ask([{ kind: 'action', script, object: source }]);
    expect(answer?.error).toBeUndefined();
    const [impact, ...others] = answer?.impacts ?? [];
    expect(others).toEqual([]);
    expect(impact?.operation).toBe('patch');
    expect(withFixedTime(impact?.resource)).toEqual(object(`actions/${test.expectedOutputPath}`));
    // Nothing but an annotation reaches the API server.
    const annotations = expect.any(Object) as unknown;
    expect(answer?.patch).toEqual({ metadata: { annotations } });
  });

  it('each have a test', () => {
    expect([...new Set(actionTests.map(({ action }) => action))].toSorted()).toEqual(actions.toSorted());
  });
});

describe.skipIf(isAbsent('argocd-lua'))('argocd-cm.yaml', () => {
  const { data } = parse(fs.readFileSync(path.join(repository, 'deploy/argocd/argocd-cm.yaml'), 'utf8')) as {
    readonly data: Readonly<Record<string, string>>;
  };
  const key = (what: string, name: string): string => data[`resource.customizations.${what}.${name}`] ?? '';
  const mapping = 'sluice.dev_EventSourceMapping';

  it('holds the same scripts, as Argo CD reads them', () => {
    expect(key('health', mapping)).toBe(read('health.lua'));
    expect(parse(key('actions', mapping))).toEqual({
      'discovery.lua': read('actions/discovery.lua'),
      definitions: expect.arrayContaining(
        actions.map((name) => ({ name, 'action.lua': read(`actions/${name}/action.lua`) })),
      ) as unknown,
    });
  });

  it.each([
    { status: {}, health: { status: 'Progressing' } },
    { status: { health: { status: 'Healthy' } }, health: { status: 'Healthy' } },
    {
      status: { health: { status: 'Degraded', message: 'why' } },
      health: { status: 'Degraded', message: 'why' },
    },
  ])('gives an Application the health that it shows: $health.status', async ({ status, health }) => {
    const script = key('health', 'argoproj.io_Application');
    expect(await engine.ask([{ kind: 'health', script, object: { status } }])).toEqual([health]);
  });
});

describe.skipIf(isAbsent('argocd-lua'))('the engine of these tests', () => {
  const health = async (script: string): Promise<EngineAnswer> => {
    const [answer] = await engine.ask([{ kind: 'health', script, object: {} }]);
    return answer ?? {};
  };

  it('ends a script that runs for a second', async () => {
    expect((await health('while true do end')).error).toContain('deadline exceeded');
  });

  it.each(['io.open("/etc/passwd")', 'os.exit(1)', 'string.rep("x", 3)', 'math.floor(1.5)', 'require("io")'])(
    'keeps %s from a script of argocd-cm',
    async (expression) => {
      expect((await health(`local x = ${expression} return { status = "Healthy" }`)).error).toBeDefined();
    },
  );

  it.each([
    { script: 'return { status = "Fine" }', answer: { status: 'Unknown' } },
    { script: 'return "Healthy"', answer: { error: /not string/ } },
    { script: 'return nil', answer: {} },
    { script: 'return {}', answer: {} },
  ])('reads what a script returns as Argo CD does: $script', async ({ script, answer }) => {
    const found = await health(script);
    expect(found).toMatchObject(
      answer.error === undefined ? answer : { error: expect.stringMatching(answer.error) as unknown },
    );
    expect(found.status).toBe('status' in answer ? answer.status : undefined);
  });
});

/** Argo CD's own tests do not compare the time of a click either. */
function withFixedTime(resource: object | undefined): unknown {
  return JSON.parse(
    JSON.stringify(resource).replaceAll(
      /"sluice\.dev\/requestedAt":"[^"]*"/g,
      '"sluice.dev/requestedAt":"0001-01-01T00:00:00Z"',
    ),
  );
}

type Place = readonly (string | number)[];

/** Every path below a value, but for what the script has no reason to look at. */
function pathsOf(value: unknown, at: Place = []): readonly Place[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    if (key === 'spec' || key === 'effective') return [];
    const place = [...at, Array.isArray(value) ? Number(key) : key];
    return [place, ...pathsOf(child, place)];
  });
}

function without(whole: object, place: Place): object {
  return changed(whole, place, (parent, key) => {
    if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else Reflect.deleteProperty(parent, key);
  });
}

function withNull(whole: object, place: Place): object {
  return changed(whole, place, (parent, key) => Reflect.set(parent, key, null));
}

function changed(
  whole: object,
  place: Place,
  change: (parent: object, key: string | number) => unknown,
): object {
  const copy = structuredClone(whole);
  const parent = place.slice(0, -1).reduce<unknown>((node, key) => Reflect.get(node as object, key), copy);
  change(parent as object, place.at(-1) ?? '');
  return copy;
}
