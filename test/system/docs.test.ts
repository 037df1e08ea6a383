import path from 'node:path';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { runPage } from '../support/doc-page.ts';
import { blocksOf, readPages } from '../support/markdown.ts';
import { prepared } from '../support/processes.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';

/**
 * What the documentation tells its readers to run, run. The control plane is one of their own, since they install
 * CRDs, rights and classes; pages follow each other on it as a reader would take them.
 */
const laptop = [
  'docs/tutorials/first-mapping.md',
  'docs/how-to/run-without-a-cluster.md',
  'docs/how-to/filter-and-partial-responses.md',
  'docs/how-to/take-over-mappings.md',
];
const cluster = [
  // Takes itself away at its end, but for the CRDs.
  'docs/how-to/install.md',
  'docs/how-to/give-a-namespace-access.md',
  'docs/how-to/pause-and-resume.md',
  'docs/how-to/use-with-argo-cd-and-flux.md',
];
/** Pods that run: quickstart.test.ts. Live mappings that deliver: updates.test.ts. */
const elsewhere = ['README.md', 'docs/how-to/update-without-downtime.md'];

const region = 'eu-west-1';
let aws: AwsServer;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  aws = await startFauxqs();
  env = { ...awsEnvironment(aws), AWS_REGION: region };
  const sqs = new SQSClient({ endpoint: aws.endpoint, region, credentials: { ...aws.credentials } });
  await sqs.send(new CreateQueueCommand({ QueueName: 'orders' }));
  sqs.destroy();
});
afterAll(() => aws[Symbol.asyncDispose]());

const emulatorPort = (): number => Number(new URL(aws.endpoint).port);

it('all pages with commands to run are here', () => {
  const pages = readPages().filter((page) => blocksOf(page).some(({ words }) => words.includes('run')));
  expect(pages.map(({ file }) => file)).toEqual([...laptop, ...cluster, ...elsewhere].toSorted());
});

describe('a reader with nothing but a checkout', () => {
  // The first page starts an emulator itself.
  it.each(laptop.slice(0, 1))('%s', async (page) => {
    expect(await runPage(page, { env: {} })).toBeGreaterThan(0);
  });
  it.each(laptop.slice(1))('%s', async (page) => {
    expect(await runPage(page, { env, emulatorPort: emulatorPort() })).toBeGreaterThan(0);
  });
});

describe('a reader with a cluster', () => {
  let controlPlane: ControlPlane;
  beforeAll(async () => {
    controlPlane = await startControlPlane();
  });
  afterAll(() => controlPlane[Symbol.asyncDispose]());

  it.for(cluster)('%s', async (page, context) => {
    const usesHelm = page === 'docs/how-to/install.md';
    if (usesHelm && isAbsent('helm')) context.skip('Helm is not there');
    const helm = usesHelm ? `${await prepared('helm')}${path.delimiter}` : '';
    const { kubeconfig, bin, dir } = controlPlane.info;
    const compared = await runPage(page, {
      env: {
        ...env,
        KUBECONFIG: kubeconfig,
        KUBECACHEDIR: path.join(dir, 'kubectl-cache'),
        HELM_CACHE_HOME: path.join(dir, 'helm-cache'),
        HELM_CONFIG_HOME: path.join(dir, 'helm-config'),
        HELM_DATA_HOME: path.join(dir, 'helm-data'),
        PATH: `${helm}${bin}${path.delimiter}${process.env['PATH'] ?? ''}`,
      },
      emulatorPort: emulatorPort(),
    });
    expect(compared).toBeGreaterThan(0);
  });
});
