/** How each candidate is started. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { patterns, type CandidateName, type Case } from './cases.ts';
import { start, type Started } from './processes.ts';

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

export function startCandidate(name: CandidateName, of: Case, place: Place): Started {
  const [queue = ''] = place.queues;
  if (name === 'sluice' || name === 'sluice-sdk') {
    const file = path.join(place.folder, 'mapping.yaml');
    writeFileSync(file, place.queues.map((each) => manifest(each, of, place.endpoint)).join('---\n'));
    const client = name === 'sluice' ? 'signed' : 'sdk';
    // The product's defaults, and where to keep its file.
    const args = ['run', '-f', file, '--state-dir', path.join(place.folder, 'state'), '--aws-client', client];
    return start([...imageFlags(), place.release, ...args], awsEnvironment(place.endpoint));
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
  return start([path.join(here, 'candidates', `${name}.ts`), JSON.stringify(settings)], {});
}

/** The flags of Node that the image runs it with. */
function imageFlags(): string[] {
  const dockerfile = readFileSync(path.join(here, '..', 'Dockerfile'), 'utf8');
  return /NODE_OPTIONS=(\S+)/.exec(dockerfile)?.[1]?.split(' ') ?? [];
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

function manifest(queue: string, of: Case, endpoint: string): string {
  const spec = {
    mode: 'Poller',
    eventSourceARN: `arn:aws:sqs:${region}:000000000000:${queue}`,
    batchSize: of.batch,
    // AWS wants a window for more than ten.
    ...(of.batch > 10 ? { maximumBatchingWindowInSeconds: 1 } : {}),
    ...(of.filtered ? { filterCriteria: { filters: patterns.map((pattern) => ({ pattern })) } } : {}),
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
