/** How each candidate is started. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { patterns, type CandidateName, type Case } from './cases.ts';
import { start, type Started } from './processes.ts';

/** Where a Sluice of the bench says what it serves, once it runs. */
export function runFile({ folder, queues: [queue = ''] }: Pick<Place, 'folder' | 'queues'>): string {
  return path.join(folder, `${queue}.state`, 'run.json');
}

export interface Place {
  /** The stub's address. */
  readonly endpoint: string;
  readonly queues: readonly string[];
  /** A folder for files of the run. */
  readonly folder: string;
  /** The bundled release file. */
  readonly release: string;
}

const region = 'eu-west-1';
const here = import.meta.dirname;

/** `flags` are more flags of Node, for who looks closer. */
export function startCandidate(
  name: CandidateName,
  of: Case,
  place: Place,
  flags: readonly string[] = [],
): Started {
  const [queue = ''] = place.queues;
  if (name === 'sluice' || name === 'sluice-sdk' || name === 'unfiltered') {
    const file = path.join(place.folder, `${queue}.yaml`);
    const isFiltered = of.filtered && name !== 'unfiltered';
    writeFileSync(
      file,
      place.queues.map((each) => manifest(each, of, isFiltered, place.endpoint)).join('---\n'),
    );
    const client = name === 'sluice-sdk' ? 'sdk' : 'signed';
    // The product's defaults, and where to keep its file.
    const args = ['run', '-f', file, '--state-dir', path.dirname(runFile(place)), '--aws-client', client];
    return start([...flags, place.release, ...args], {
      ...imageEnvironment(),
      ...awsEnvironment(place.endpoint),
    });
  }
  const settings = {
    endpoint: place.endpoint,
    region,
    queueUrls: place.queues.map((each) => `${place.endpoint}/000000000000/${each}`),
    target: `${place.endpoint}${targetPath(of, queue)}`,
    lanes: of.kind === 'drain' ? 8 : of.kind === 'paced' ? 4 : 1,
    batch: of.batch,
    lambda: of.target === 'lambda',
  };
  return start([...flags, path.join(here, 'candidates', `${name}.ts`), JSON.stringify(settings)], {});
}

/** What the image sets for Node and the C library. */
export function imageEnvironment(): Record<string, string> {
  const dockerfile = readFileSync(path.join(here, '..', 'Dockerfile'), 'utf8');
  const set = dockerfile.matchAll(/\b(NODE_OPTIONS|MALLOC_ARENA_MAX)=(\S+)/g);
  return Object.fromEntries([...set].map(([, name = '', value = '']) => [name, value]));
}

function awsEnvironment(endpoint: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
}

function targetPath(of: Case, queue: string): string {
  if (of.target === 'lambda') return `/2015-03-31/functions/${queue}/invocations`;
  return of.target === 'throttled' ? `/throttled/${queue}` : `/sink/${queue}`;
}

function manifest(queue: string, of: Case, isFiltered: boolean, endpoint: string): string {
  const spec = {
    mode: 'Poller',
    eventSourceARN: `arn:aws:sqs:${region}:000000000000:${queue}`,
    batchSize: of.batch,
    // AWS wants a window for more than ten.
    ...(of.batch > 10 ? { maximumBatchingWindowInSeconds: 1 } : {}),
    ...(isFiltered ? { filterCriteria: { filters: patterns.map((pattern) => ({ pattern })) } } : {}),
    ...(of.target === 'lambda'
      ? { functionName: queue }
      : { poller: { target: { http: { url: `${endpoint}${targetPath(of, queue)}` } } } }),
  };
  const object = {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name: queue },
    spec,
  };
  return `${JSON.stringify(object)}\n`;
}
