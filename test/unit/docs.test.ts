import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EventSourceMappingSpec, HttpTarget } from '../../src/api/mapping.ts';
import { supported } from '../../src/api/supported.ts';
import { validateText } from '../../src/api/validate.ts';
import { patternProblem } from '../../src/cli/run-files.ts';
import {
  anchorsOf,
  blocksOf,
  findOutput,
  linksOf,
  readPage,
  readPages,
  repository,
  spansOf,
  type Block,
} from '../support/markdown.ts';

const pages = readPages();
const blocks = pages.flatMap(blocksOf);
const exists = (file: string): boolean => fs.existsSync(path.join(repository, file));
const placeOf = ({ page, line }: { readonly page: string; readonly line: number }): string =>
  `${page}:${line}`;

describe('the documentation', () => {
  it('has links that lead somewhere, headings included', () => {
    const anchors = new Map(pages.map((page) => [page.file, anchorsOf(page)]));
    const broken = pages.flatMap(linksOf).flatMap((link) => {
      if (/^[a-z]+:/.test(link.target)) return [];
      const [file = '', anchor] = link.target.split('#');
      const target = file === '' ? link.page : path.posix.join(path.posix.dirname(link.page), file);
      if (!exists(target)) return [`${placeOf(link)}: ${link.target}`];
      return anchor === undefined || anchors.get(target)?.has(anchor) === true
        ? []
        : [`${placeOf(link)}: ${link.target} has no such heading`];
    });
    expect(broken).toEqual([]);
  });

  it('reaches every page from the index', () => {
    const linked = new Set<string>();
    const follow = (file: string): void => {
      if (linked.has(file)) return;
      linked.add(file);
      const page = pages.find((candidate) => candidate.file === file);
      for (const { target } of page === undefined ? [] : linksOf(page)) {
        if (!/^[a-z]+:/.test(target))
          follow(path.posix.join(path.posix.dirname(file), target.split('#')[0] ?? ''));
      }
    };
    follow('docs/README.md');
    const lost = pages
      .map(({ file }) => file)
      .filter((file) => file.startsWith('docs/') && !linked.has(file));
    expect(lost).toEqual([]);
  });

  it('names only files that exist', () => {
    const folders = fs.readdirSync(repository).filter((name) => !name.startsWith('.') && name !== 'dist');
    const missing = pages.flatMap((page) =>
      spansOf(page).flatMap(({ line, text }) => {
        const [file] = /^[\w@.-]+(?:\/[\w@.{}*<>-]+)+\/?$/.exec(text) ?? [];
        if (file === undefined || !folders.includes(file.split('/')[0] ?? '') || /[*{}<>]/.test(file))
          return [];
        return exists(file) ? [] : [`${page.file}:${line}: ${file}`];
      }),
    );
    expect(missing).toEqual([]);
  });

  it('shows no path of a machine', () => {
    const found = pages.flatMap(({ file, text }) =>
      text
        .split('\n')
        .flatMap((line, index) =>
          /(?<![\w.])\/(?:home|root|Users|work|tmp)\//.test(line) ? [`${file}:${index + 1}: ${line}`] : [],
        ),
    );
    expect(found).toEqual([]);
  });

  it('shows only manifests without a problem', () => {
    const problems = blocks
      .filter(({ language, text }) => language === 'yaml' && text.includes('apiVersion: sluice.dev/'))
      .flatMap((block) =>
        validateText(block.text, { patternProblem }).flatMap((document) =>
          document.kind === 'skipped'
            ? []
            : document.problems.map(({ path: at, message }) => `${placeOf(block)}: ${at}: ${message}`),
        ),
      );
    expect(problems).toEqual([]);
  });

  it('shows JSON that is JSON', () => {
    const broken = blocks.filter(({ language }) => language === 'json').filter(({ text }) => !isJson(text));
    expect(broken.map(placeOf)).toEqual([]);
  });

  it('marks each command as run by a test, or says what it needs', () => {
    const unmarked = shellBlocks().filter((block) => !isRun(block) && needs(block) === undefined);
    expect(unmarked.map(placeOf)).toEqual([]);
  });

  it('runs all commands but these', () => {
    const reasons = shellBlocks().flatMap((block) => {
      const reason = isRun(block) ? undefined : needs(block);
      return reason === undefined ? [] : [`${block.page}: ${reason}`];
    });
    expect(reasons.toSorted()).toEqual([
      'README.md: Needs Git, Node 20 or newer with npm; everything else comes through npm',
      'README.md: Needs kind and Docker',
      'README.md: Needs the same, and for its later tiers Go, Java 17 and Python 3.12 or 3.13',
      'docs/how-to/install.md: Needs Docker and a registry',
      'docs/how-to/install.md: Needs a cluster with nodes',
      'docs/how-to/move-a-consumer-from-lambda.md: Needs a cluster',
      'docs/how-to/move-a-consumer-from-lambda.md: Needs an AWS account',
      'docs/how-to/take-over-mappings.md: Needs a checkout with Terraform or OpenTofu',
      "docs/how-to/take-over-mappings.md: Needs a cluster with ACK's Lambda controller or Crossplane's AWS provider",
      'docs/how-to/take-over-mappings.md: Needs an AWS account',
      'docs/how-to/take-over-mappings.md: Needs an AWS account',
      'docs/how-to/troubleshoot.md: Needs a cluster with a mapping in trouble',
      'docs/how-to/uninstall.md: Needs a cluster with Sluice running',
      'docs/how-to/uninstall.md: Needs a cluster with Sluice running',
      'docs/how-to/uninstall.md: Needs a cluster with Sluice running',
      'docs/how-to/uninstall.md: Needs a cluster with a mapping that is stuck, and no controller',
      'docs/how-to/uninstall.md: Needs an AWS account',
      'docs/how-to/use-with-argo-cd-and-flux.md: Needs an Argo CD in the namespace argocd',
      'docs/how-to/use-with-argo-cd-and-flux.md: Needs an Argo CD with an application shop',
      'docs/performance.md: Needs two idle cores and about ten minutes',
      'docs/reference/iam.md: Needs your manifests',
      'docs/tutorials/first-mapping.md: Needs the address of the repository',
    ]);
  });

  it('names every dependency with its licence', () => {
    const manifest = readJson('package.json') as Record<string, Record<string, string>>;
    const rows = readPage('docs/dependencies.md').text.split('\n');
    const wrong = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
      Object.keys(manifest[kind] ?? {}).flatMap((name) => {
        const row = rows.find((line) => line.startsWith('| ') && line.split('|')[1]?.includes(`\`${name}\``));
        if (row === undefined) return [`${name} is not named`];
        // Of the packages of Node only the one for this machine is installed.
        const installed = `node_modules/${name}/package.json`;
        if (!exists(installed)) return [];
        const { license } = readJson(installed) as { license?: string };
        return row.includes(`| ${license} |`) ? [] : [`${name} has the licence ${license}`];
      }),
    );
    expect(wrong).toEqual([]);
  });
});

/** What the reference says of this version, and specs that ask for it. */
describe('what works in this version', () => {
  const section = readPage('docs/reference/README.md').text.split('## What works')[1] ?? '';
  const [works = '', refused = ''] = (section.split('Not built, and not refused')[0] ?? '').split(
    'Not built. ',
  );
  const queue = { eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:orders' };
  const poller: EventSourceMappingSpec = { mode: 'Poller', ...queue, functionName: 'f' };
  const managed: EventSourceMappingSpec = { mode: 'Managed', ...queue, functionName: 'f' };
  const http = (more: HttpTarget): EventSourceMappingSpec => ({
    mode: 'Poller',
    ...queue,
    poller: { target: { http: { url: 'https://example.com/', ...more } } },
  });
  const arn = (service: string, rest: string): Pick<EventSourceMappingSpec, 'eventSourceARN'> => ({
    eventSourceARN: `arn:aws:${service}:eu-west-1:123456789012:${rest}`,
  });

  it.each<{ readonly words: string; readonly spec: EventSourceMappingSpec }>([
    { words: 'SQS, standard and FIFO, in Poller mode', spec: poller },
    { words: 'standard and FIFO, in Poller mode', spec: { ...poller, ...arn('sqs', 'orders.fifo') } },
    { words: 'HTTP target: Service or URL', spec: http({}) },
    { words: 'formats `Lambda`', spec: http({ format: 'Lambda' }) },
    { words: '`LambdaInvoke`', spec: http({ format: 'LambdaInvoke' }) },
    { words: '`CloudEvents`', spec: http({ format: 'CloudEvents' }) },
    { words: 'every source in Managed mode', spec: managed },
    { words: 'every source in Managed mode', spec: { ...managed, ...arn('rds', 'cluster:docs') } },
    { words: '`replacementPolicy: Recreate`', spec: { ...managed, replacementPolicy: 'Recreate' } },
    { words: 'adoption', spec: { ...managed, adoptionPolicy: 'IfExists' } },
    { words: '`managementPolicy: Observe`', spec: { ...managed, managementPolicy: 'Observe' } },
    {
      words: 'every field of the API',
      spec: {
        ...managed,
        metricsConfig: { metrics: ['EventCount'] },
        kmsKeyARN: 'arn:aws:kms:eu-west-1:1:key/k',
      },
    },
    {
      words: 'also from Secrets',
      spec: http({ headers: { token: { valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } } } }),
    },
    { words: 'a client certificate', spec: http({ tls: { clientCertSecretRef: { name: 'a' } } }) },
    { words: 'hand-over of SQS from Managed to Poller and back', spec: { ...poller, handoverTo: 'Poller' } },
    { words: 'and back', spec: { ...managed, handoverTo: 'Managed' } },
  ])('$words', ({ words, spec }) => {
    expect(works).toContain(words);
    expect(supported(spec)).toEqual([]);
  });

  it.each<{ readonly words: string; readonly spec: EventSourceMappingSpec }>([
    { words: 'Kinesis', spec: { ...poller, ...arn('kinesis', 'stream/clicks') } },
    { words: 'DynamoDB', spec: { ...poller, ...arn('dynamodb', 'table/t/stream/2026-01-01T00:00:00.000') } },
    {
      words: 'MSK',
      spec: { ...poller, ...arn('kafka', 'cluster/c/00000000-0000-0000-0000-000000000000-1') },
    },
    {
      words: 'Amazon MQ',
      spec: { ...poller, ...arn('mq', 'broker:b:b-00000000-0000-0000-0000-000000000000') },
    },
    { words: 'DocumentDB', spec: { ...poller, ...arn('rds', 'cluster:docs') } },
    { words: '`poller.rateLimit`', spec: { ...poller, poller: { rateLimit: { batchesPerSecond: 1 } } } },
    {
      words: '`provisionedPollerConfig`',
      spec: { ...poller, provisionedPollerConfig: { minimumPollers: 2 } },
    },
    { words: '`managementPolicy: Observe` in Poller mode', spec: { ...poller, managementPolicy: 'Observe' } },
  ])('not $words', ({ words, spec }) => {
    expect(refused).toContain(words);
    expect(supported(spec)).not.toEqual([]);
  });
});

describe('what a block shows of an output', () => {
  const cases = [
    { why: 'equal', wanted: 'a\nb\n', actual: 'a\nb\n', whole: true, part: true },
    { why: 'columns of another width', wanted: 'A  B', actual: 'A      B', whole: true, part: true },
    { why: 'any text within a line', wanted: 'up for … s', actual: 'up for 12 s', whole: true, part: true },
    { why: 'lines passed over', wanted: 'a\n…\nc', actual: 'a\nb\nc', whole: true, part: true },
    { why: 'a line between', wanted: 'a\nc', actual: 'a\nb\nc', whole: false, part: false },
    { why: 'more at the end', wanted: 'a', actual: 'a\nb', whole: false, part: true },
    { why: 'more at the end, passed over', wanted: 'a\n…', actual: 'a\nb', whole: true, part: true },
    { why: 'more at the beginning', wanted: 'b', actual: 'a\nb', whole: false, part: true },
    { why: 'another order', wanted: 'b\na', actual: 'a\nb', whole: false, part: false },
    { why: 'nothing', wanted: 'a', actual: '', whole: false, part: false },
    { why: 'a pattern is no expression', wanted: 'a.c', actual: 'abc', whole: false, part: false },
  ];
  it.each(cases)('$why', ({ wanted, actual, whole, part }) => {
    expect('end' in findOutput(wanted, actual, 'whole')).toBe(whole);
    expect('end' in findOutput(wanted, actual, 'part')).toBe(part);
  });
});

/** Commands for users: CONTRIBUTING is for those who have read the tests. */
function shellBlocks(): readonly Block[] {
  return blocks.filter(({ language, page }) => language === 'sh' && page !== 'CONTRIBUTING.md');
}

function isRun({ words }: Block): boolean {
  return words.includes('run');
}

/** The comment above a command that no test runs. */
function needs({ text }: Block): string | undefined {
  return /^\s*# (Needs .*)$/m.exec(text.split('\n')[0] ?? '')?.[1];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function readJson(file: string): unknown {
  return JSON.parse(fs.readFileSync(path.join(repository, file), 'utf8'));
}
