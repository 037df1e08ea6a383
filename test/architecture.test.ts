import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

/**
 * The house rules of `src`: which room may import which, which packages belong where, and that time, chance and the
 * environment come in as arguments. They hold for every file, so that a port cannot be bypassed by accident.
 */
interface Room {
  /** Own rooms it may import, besides itself; `room/module` allows that module alone. */
  readonly rooms: readonly string[];
  /** Rooms of which it may import types, and nothing that runs. */
  readonly types?: readonly string[];
  /** Packages it may import, besides Node's own modules. */
  readonly packages?: readonly string[];
}

const aws = ['@aws-sdk/', '@smithy/', '@aws-crypto/'];
const leaf = ['lib', 'api', 'aws', 'poller/ports'];

const house: Readonly<Record<string, Room>> = {
  lib: { rooms: [] },
  api: { rooms: ['lib'], packages: ['zod', 'yaml'] },
  filter: { rooms: ['lib'] },
  aws: { rooms: ['lib', 'api'], packages: [...aws, 'undici'] },
  controller: { rooms: ['lib', 'api'] },
  import: { rooms: ['lib', 'api', 'filter'], packages: ['yaml'] },
  iam: { rooms: ['lib', 'api'], packages: ['yaml'] },
  poller: { rooms: ['lib', 'api', 'filter'] },
  sources: { rooms: leaf, packages: [...aws, 'undici'] },
  targets: { rooms: leaf, packages: [...aws, 'undici'] },
  destinations: { rooms: leaf, packages: [...aws, 'undici'] },
  fleet: {
    // Of `aws` it needs the identity, for which it opens sources and targets.
    rooms: ['lib', 'api', 'poller', 'filter', 'sources', 'targets', 'destinations', 'aws/credentials'],
    types: ['aws'],
    packages: ['zod'],
  },
  kube: {
    rooms: [
      'lib',
      'api',
      'controller/backend',
      'controller/events',
      'controller/store',
      'fleet/ports',
      'poller/ports',
      'telemetry',
    ],
    packages: ['@kubernetes/client-node', 'undici', 'yaml'],
  },
  'backends/aws': { rooms: ['lib', 'api', 'controller/backend', 'aws'], packages: aws },
  'backends/cluster': { rooms: ['lib', 'api', 'controller/backend', 'fleet'] },
  telemetry: {
    rooms: ['lib', 'api'],
    types: ['controller', 'fleet', 'poller', 'kube', 'backends/aws'],
    packages: ['pino', 'prom-client'],
  },
  http: { rooms: ['lib', 'api', 'telemetry', 'poller/ports'], packages: ['prom-client'] },
};

/** What only `cli` and the real clock may touch, with what takes its place. */
const outside: readonly { readonly pattern: RegExp; readonly instead: string }[] = [
  { pattern: /\bset(Timeout|Interval|Immediate)\s*\(/, instead: '`Clock.sleep`' },
  { pattern: /\bDate\.now\b|\bnew Date\(\s*\)/, instead: '`Clock.now`' },
  { pattern: /\bperformance\.now\b/, instead: '`Clock.monotonic`' },
  { pattern: /\bAbortSignal\.timeout\b/, instead: '`Clock.sleep`' },
  { pattern: /\bMath\.random\b/, instead: 'a `Random`' },
  { pattern: /\bprocess\.(env|argv|exit|stdout|stderr|stdin)\b/, instead: 'an argument from `cli`' },
  { pattern: /\bconsole\./, instead: 'typed events or the log of `telemetry`' },
];

interface Source {
  /** Path below `src`, without the ending. */
  readonly name: string;
  readonly text: string;
}

function roomOf(name: string): string {
  const [first = '', second = ''] = name.split('/');
  return first === 'backends' ? `${first}/${second}` : first;
}

function importsOf(text: string): { readonly specifier: string; readonly onlyTypes: boolean }[] {
  const statements =
    /^(?:import|export)\b([^;'"]*?)from\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
  return [...text.matchAll(statements)].map(([, names = '', from, bare, dynamic]) => ({
    specifier: from ?? bare ?? dynamic ?? '',
    onlyTypes: names.trimStart().startsWith('type '),
  }));
}

function importProblems({ name, text }: Source): string[] {
  const room = roomOf(name);
  const rule = house[room];
  if (room === 'cli') return [];
  if (rule === undefined) return [`${name}: there is no room "${room}"`];
  return importsOf(text).flatMap(({ specifier, onlyTypes }) => {
    if (specifier.startsWith('node:')) return [];
    if (!specifier.startsWith('.')) {
      const allowed = (rule.packages ?? []).some(
        (prefix) => specifier === prefix || specifier.startsWith(prefix),
      );
      return allowed ? [] : [`${name} must not import the package ${specifier}`];
    }
    const target = path.posix.join(path.posix.dirname(name), specifier).replace(/\.ts$/, '');
    const targetRoom = roomOf(target);
    if (targetRoom === room) return sameRoomProblems(name, target);
    const entries = onlyTypes ? [...rule.rooms, ...(rule.types ?? [])] : rule.rooms;
    const allowed = entries.some((entry) => entry === targetRoom || entry === target);
    return allowed ? [] : [`${name} must not import ${target}`];
  });
}

/** Two sources, or two kinds of anything that has folders of its own there, never know each other. */
function sameRoomProblems(name: string, target: string): string[] {
  const [room = '', folder = '', file] = target.split('/');
  if (!['sources', 'destinations'].includes(room) || file === undefined || name === `${room}/index`)
    return [];
  return name.startsWith(`${room}/${folder}/`) ? [] : [`${name} must not import ${target}`];
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

function outsideProblems({ name, text }: Source): string[] {
  if (roomOf(name) === 'cli' || name === 'lib/clock') return [];
  const code = withoutComments(text);
  return outside
    .filter(({ pattern }) => pattern.test(code))
    .map(({ pattern, instead }) => `${name} uses ${pattern.exec(code)?.[0]}; it must take ${instead}`);
}

function shapeProblems({ name, text }: Source): string[] {
  const code = withoutComments(text);
  const problems: string[] = [];
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(path.posix.basename(name)))
    problems.push(`${name} must be kebab-case`);
  if (/^export default\b|^export \{[^}]*\bas default\b/m.test(code))
    problems.push(`${name} must not have a default export`);
  if (/^(export )?let\b/m.test(code)) problems.push(`${name} must not keep state in its module`);
  if (/^export \*/m.test(code)) problems.push(`${name} must not pass on all of another module`);
  return problems;
}

const sourceRoot = path.resolve(import.meta.dirname, '..', 'src');
const sources: readonly Source[] = fs
  .readdirSync(sourceRoot, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({
    name: file.split(path.sep).join('/').replace(/\.ts$/, ''),
    text: fs.readFileSync(path.join(sourceRoot, file), 'utf8'),
  }));

describe('src', () => {
  test('rooms import only what they may', () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.flatMap(importProblems)).toEqual([]);
  });

  test('time, chance and the environment come in as arguments', () => {
    expect(sources.flatMap(outsideProblems)).toEqual([]);
  });

  test('modules have kebab-case names, no default exports, no state of their own', () => {
    expect(sources.flatMap(shapeProblems)).toEqual([]);
  });
});

describe('the rules themselves', () => {
  test.each<{ name: string; text: string; why: string }>([
    { name: 'lib/a', text: "import { x } from '../api/mapping.ts';", why: 'lib imports nothing' },
    {
      name: 'poller/a',
      text: "import type { x } from '../sources/sqs/source.ts';",
      why: 'the engine knows no source',
    },
    {
      name: 'poller/a',
      text: "import { SQSClient } from '@aws-sdk/client-sqs';",
      why: 'the engine knows no vendor',
    },
    {
      name: 'sources/sqs/a',
      text: "import {\n  x,\n} from '../kinesis/record.ts';",
      why: 'sources never know each other',
    },
    { name: 'targets/a', text: "import { x } from '../poller/verdict.ts';", why: 'a port is all it sees' },
    { name: 'backends/aws/a', text: "import { x } from '../cluster/x.ts';", why: 'backends are two rooms' },
    { name: 'fleet/a', text: "const x = await import('../kube/lease.ts');", why: 'dynamic imports count' },
    { name: 'kube/a', text: "export { x } from '../cli/config.ts';", why: 'nothing imports cli' },
    {
      name: 'telemetry/a',
      text: "import { x } from '../kube/events.ts';",
      why: 'types alone are not all of it',
    },
    { name: 'elsewhere/a', text: '', why: 'a new room needs a rule' },
  ])('finds a forbidden import: $why', (source) => {
    expect(importProblems(source)).toHaveLength(1);
  });

  test('accepts what the table allows', () => {
    const text = `import fs from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { eventPattern } from '../filter/pattern.ts';
import { verdict } from './verdict.ts';`;
    expect(importProblems({ name: 'poller/a', text })).toEqual([]);
    expect(
      importProblems({ name: 'telemetry/a', text: "import type { x } from '../kube/events.ts';" }),
    ).toEqual([]);
    expect(importProblems({ name: 'cli/a', text: "import { x } from '../kube/lease.ts';" })).toEqual([]);
    expect(importProblems({ name: 'sources/index', text: "import { x } from './sqs/source.ts';" })).toEqual(
      [],
    );
  });

  test.each([
    'setTimeout(go, 5)',
    'const t = Date.now();',
    'const d = new Date();',
    'Math.random()',
    'process.env.HOME',
    "console.log('x')",
    'AbortSignal.timeout(5)',
  ])('finds %s', (text) => {
    expect(outsideProblems({ name: 'poller/a', text })).toHaveLength(1);
    expect(outsideProblems({ name: 'cli/a', text })).toEqual([]);
    expect(outsideProblems({ name: 'poller/a', text: `// ${text}\n/* ${text} */` })).toEqual([]);
  });

  test.each<{ name: string; text: string }>([
    { name: 'api/CamelCase', text: '' },
    { name: 'api/a', text: 'export default 1;' },
    { name: 'api/a', text: 'let count = 0;' },
    { name: 'api/a', text: "export * from './b.ts';" },
  ])('finds a wrong shape: $name $text', (source) => {
    expect(shapeProblems(source)).toHaveLength(1);
  });
});
