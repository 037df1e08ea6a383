import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { kubeDefinitions } from '../../../scripts/lib/chart/kube-shapes.ts';
import { podModels } from '../../../scripts/lib/chart/pod-values.ts';
import { sluiceValues } from '../../../scripts/lib/chart/sluice-values.ts';
import {
  closed,
  defaultsOf,
  text,
  type Fields,
  type JsonSchema,
  type Value,
} from '../../../scripts/lib/chart/value.ts';
import { commands } from '../../../src/cli/commands.ts';
import type { Options } from '../../../src/cli/config.ts';

/** The one description of the values, against what it must agree with: the flags, the file of defaults, the templates. */
const chart = path.resolve(import.meta.dirname, '../../../helm/sluice');
const read = (file: string): string => fs.readFileSync(path.join(chart, file), 'utf8');
const optionsOf = async (name: 'controller' | 'poller'): Promise<Options> =>
  (await commands[name]?.load())?.options ?? {};

function valueAt(where: string): Value {
  let fields: Fields = sluiceValues;
  let found: Value | undefined;
  for (const name of where.split('.')) {
    found = fields[name];
    fields = found?.fields ?? {};
  }
  if (found === undefined) throw new Error(`there is no value ${where}`);
  return found;
}

/** Values without members, with their paths. */
function leaves(fields: Fields, at = ''): readonly { readonly at: string; readonly value: Value }[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    const here = at === '' ? name : `${at}.${name}`;
    return value.fields === undefined ? [{ at: here, value }] : leaves(value.fields, here);
  });
}

describe('values that are flags', () => {
  const numbers = [
    { value: 'controller.workers', command: 'controller', flag: 'workers' },
    { value: 'controller.driftIntervalSeconds', command: 'controller', flag: 'drift-interval-seconds' },
    { value: 'controller.deletionHold.percent', command: 'controller', flag: 'deletion-hold-percent' },
    { value: 'controller.deletionHold.over', command: 'controller', flag: 'deletion-hold-over' },
    { value: 'controller.awsRequestsPerSecond', command: 'controller', flag: 'aws-requests-per-second' },
    {
      value: 'controller.leaderElection.leaseDurationSeconds',
      command: 'controller',
      flag: 'lease-duration-seconds',
    },
    {
      value: 'controller.leaderElection.renewDeadlineSeconds',
      command: 'controller',
      flag: 'renew-deadline-seconds',
    },
    {
      value: 'controller.leaderElection.retryPeriodSeconds',
      command: 'controller',
      flag: 'retry-period-seconds',
    },
    {
      value: 'controller.cloudWatchMetrics.intervalSeconds',
      command: 'controller',
      flag: 'cloudwatch-metrics-interval-seconds',
    },
    { value: 'poller.bufferMib', command: 'poller', flag: 'buffer-mib' },
    { value: 'poller.concurrency', command: 'poller', flag: 'concurrency' },
    { value: 'poller.graceSeconds', command: 'poller', flag: 'grace-seconds' },
    { value: 'poller.drainReceiveSeconds', command: 'poller', flag: 'drain-receive-seconds' },
    { value: 'poller.secretRefreshSeconds', command: 'poller', flag: 'secret-refresh-seconds' },
  ] as const;

  it.each(numbers)('$value has the default and the bounds of --$flag', async ({ value, command, flag }) => {
    const type = (await optionsOf(command))[flag]?.type;
    const { initial, schema } = valueAt(value);
    expect(type?.parse(undefined)).toBe(initial);
    for (const bound of [schema['minimum'], schema['maximum']])
      expect(type?.safeParse(bound).success).toBe(true);
    expect(type?.safeParse(Number(schema['minimum']) - 1).success).toBe(false);
    expect(type?.safeParse(Number(schema['maximum']) + 1).success).toBe(false);
  });

  it.each([
    { value: 'logLevel', command: 'controller', flag: 'log-level' },
    { value: 'poller.awsClient', command: 'poller', flag: 'aws-client' },
  ] as const)('$value has the default and the words of --$flag', async ({ value, command, flag }) => {
    const type = (await optionsOf(command))[flag]?.type;
    const { initial, schema } = valueAt(value);
    expect(type?.parse(undefined)).toBe(initial);
    for (const word of schema['enum'] as readonly string[]) expect(type?.safeParse(word).success).toBe(true);
  });

  it('are all flags of the two processes but those that the chart has no use for', async () => {
    const passed = read('templates/_pod.tpl');
    const flags = { ...(await optionsOf('controller')), ...(await optionsOf('poller')) };
    const left = Object.keys(flags).filter(
      (flag) =>
        !passed.includes(`--${flag}=`) &&
        !passed.includes(`SLUICE_${flag.replaceAll('-', '_').toUpperCase()}`),
    );
    expect(left.toSorted()).toEqual([
      'config',
      // For test clusters.
      'endpoint-address-override',
      'identity',
      'kubeconfig',
      // Two pods without it would both work.
      'leader-elect',
      'metrics-address',
      // That of the pod.
      'namespace',
    ]);
  });
});

describe('values.yaml', () => {
  it('holds every default', () => {
    expect(parse(read('values.yaml'))).toEqual(defaultsOf(sluiceValues));
  });

  it('says of each value what it means', () => {
    const lines = read('values.yaml').split('\n');
    const silent = lines.filter((line, index) => {
      const isMember = /^ *[A-Za-z]+:/.test(line) && !line.trimStart().startsWith('#');
      const isTold = (lines[index - 1] ?? '').trimStart().startsWith('# ');
      // Members of a default in Kubernetes' own shape are Kubernetes' to explain.
      const indent = line.length - line.trimStart().length;
      return isMember && !isTold && indent < 4 && !/^ {2,}(limits|requests|capabilities)/.test(line);
    });
    expect(silent.map((line) => line.trim().split(':')[0])).toEqual([
      // The default pool.
      'default',
    ]);
  });

  it('has no value that no template reads', () => {
    const templates = fs
      .readdirSync(path.join(chart, 'templates'), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(tpl|yaml|txt)$/.test(file))
      .map((file) => read(path.join('templates', file)))
      .join('\n');
    const dead = leaves(sluiceValues).filter(({ at }) => {
      const name = at.split('.').at(-1) ?? '';
      if (['enabled', 'global'].includes(at)) return false;
      // Probes are gone through by name.
      return !new RegExp(`\\.${name}\\b`).test(templates);
    });
    expect(dead.map(({ at }) => at)).toEqual([]);
  });
});

describe('values.schema.json', () => {
  const schema = JSON.parse(read('values.schema.json')) as JsonSchema;

  it('refuses what it does not know, however deep', () => {
    const open: string[] = [];
    const walk = (node: unknown, at: string): void => {
      if (Array.isArray(node)) node.forEach((item, index) => walk(item, `${at}[${index}]`));
      if (typeof node !== 'object' || node === null || Array.isArray(node)) return;
      const part = node as JsonSchema;
      if (part['type'] === 'object' && part['additionalProperties'] === undefined) open.push(at);
      for (const [name, child] of Object.entries(part)) if (name !== 'default') walk(child, `${at}.${name}`);
    };
    walk(schema, '');
    // What Helm hands to every part of a chart.
    expect(open).toEqual(['.properties.global']);
  });

  it('has a definition for each that it refers to', () => {
    const wanted = [...read('values.schema.json').matchAll(/"#\/definitions\/(\w+)"/g)].map(
      ([, name]) => name,
    );
    expect(new Set(wanted)).toEqual(new Set(Object.keys(kubeDefinitions(podModels))));
  });
});

describe('the builder', () => {
  it('lets an empty default stand beside a pattern', () => {
    const { schema } = text('Words.', '', { pattern: '^a+$' });
    const pattern = new RegExp(String(schema['pattern']));
    expect(['', 'aa', 'b'].map((value) => pattern.test(value))).toEqual([true, true, false]);
  });

  it('closes a group', () => {
    expect(closed({ a: text('Words.', 'b') })).toMatchObject({
      additionalProperties: false,
      properties: { a: { description: 'Words.', default: 'b', type: 'string' } },
    });
  });

  it('refuses a shape that Kubernetes does not have', () => {
    expect(() => kubeDefinitions(['V1Nothing'])).toThrow('has no model V1Nothing');
  });
});
