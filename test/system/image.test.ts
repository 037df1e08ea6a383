/**
 * The image and the chart together, as far as it goes without a Docker engine: the steps of the Dockerfile are carried
 * out, and what comes of them is run by a small kubelet in the way that the chart says: with a root that cannot be
 * written to, as another user, with the chart's arguments, environment and volumes, and with its Roles and no other
 * right, on a real API server whose audit log is the witness.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditOf, requestText, type AuditedRequest } from '../support/audit.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { renderChart, type ChartValues, type RenderedObject } from '../support/helm.ts';
import {
  buildImage,
  dockerIgnore,
  imageFolder,
  scriptImage,
  type BuiltImage,
  type Image,
} from '../support/image/image.ts';
import { isolationProblem } from '../support/kubelet/container.ts';
import { Kubelet } from '../support/kubelet/kubelet.ts';
import { PodNetwork } from '../support/kubelet/network.ts';
import type { RunningPod } from '../support/kubelet/running-pod.ts';
import { testNamespace, type TestNamespace } from '../support/kube.ts';
import { startMappingEndpoint, type MappingEndpoint } from '../support/mapping-endpoint.ts';
import { repository } from '../support/markdown.ts';
import { prepared } from '../support/processes.ts';
import { createQueue } from '../support/queues.ts';
import { grantsOf, grantText, uses, type Grant } from '../support/rbac-use.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { testAccount, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { applyCrds } from '../support/shared-control-plane.ts';

const read = (name: string): string => fs.readFileSync(path.join(repository, name), 'utf8');
const esm = (name: string) => ({ resource: 'eventsourcemappings.sluice.dev', name });

let image: BuiltImage;
const images = new DisposableStack();
beforeAll(async () => {
  image = images.use(await buildImage());
});
afterAll(() => images.dispose());

/** Files below a folder, without those of the base image. */
function filesIn(root: string): readonly string[] {
  return fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .toSorted();
}

describe('the image', () => {
  it('holds one bundled file, its licences, and nothing to build or install with', () => {
    expect(filesIn(path.join(image.root, 'app'))).toEqual([
      'LICENSE',
      'dist/THIRD-PARTY-LICENSES.txt',
      'dist/cli/sluice.mjs',
      'dist/cli/sluice.mjs.map',
      'package.json',
    ]);
    // No step of the last stage starts a program: there is no shell that could.
    expect(image.stage.steps.filter(({ kind }) => kind === 'run')).toEqual([]);
  });

  it('is a distroless Node of the version that is developed on, of another user than root', () => {
    const [major = ''] = process.versions.node.split('.');
    expect(image.stage.base).toBe(`gcr.io/distroless/nodejs${major}-debian13:nonroot`);
    expect(image.stage.labels['org.opencontainers.image.base.name']).toBe(image.stage.base);
    expect(read('Dockerfile')).toContain(`FROM --platform=$BUILDPLATFORM node:${major}-`);
    // Kubernetes can judge numbers alone (`runAsNonRoot`).
    expect(image.config.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const { version, license } = JSON.parse(read('package.json')) as Record<string, string>;
    expect(image.stage.labels).toMatchObject({
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': license,
    });
  });

  it('starts with the command alone, and with the options of Node that it is measured with', () => {
    const [node, bundle = '', ...rest] = image.config.entrypoint;
    expect([node, ...rest]).toEqual(['/nodejs/bin/node']);
    const run = (...args: readonly string[]): string =>
      execFileSync(process.execPath, [path.join(image.root, bundle), ...args], {
        cwd: path.join(image.root, image.config.workdir),
        env: image.config.env,
      }).toString();
    expect(run('version')).toBe(
      `sluice ${JSON.parse(read('package.json')).version}, Node ${process.version}\n`,
    );
    expect(run(...image.config.cmd)).toContain('Usage: sluice');
  });

  it('is built from what .dockerignore lets through', () => {
    const ignored = dockerIgnore(read('.dockerignore'));
    const sent = ['package.json', 'src/cli/main.ts', 'scripts/build.mjs', 'LICENSE'];
    const kept = [
      '.git/HEAD',
      'node_modules/zod/package.json',
      'test/system/image.test.ts',
      '.sluice/x',
      'README.md',
    ];
    expect(sent.filter(ignored)).toEqual([]);
    expect(kept.filter((file) => !ignored(file))).toEqual([]);
  });

  it.skipIf(isAbsent('hadolint'))('has a Dockerfile that hadolint finds nothing in', async () => {
    const hadolint = path.join(await prepared('hadolint'), 'env', 'bin', 'hadolint');
    const found = execFileSync(hadolint, ['--no-fail', '--format', 'json', 'Dockerfile'], {
      cwd: repository,
    });
    expect(JSON.parse(found.toString())).toEqual([]);
  });
});

/** Answers everything with success, and logs what it was sent. */
const consumer = `
import http from 'node:http';
http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString('utf8');
  console.log(JSON.stringify({ path: request.url, token: request.headers['x-token'], body }));
  response.end('{}');
}).listen(8080);
process.on('SIGTERM', () => process.exit(0));
`;

/** Rights that the scenario below does not use: when they are used, and which test does. */
const seldom: Readonly<Record<string, string>> = {
  'patch events.events.k8s.io':
    'an Event that repeats within six minutes; test/cluster/kube/api-client.test.ts',
  'get pollerreports.sluice.dev':
    'a look each 10 s whether it is still there; test/cluster/kube/report-store.test.ts',
};

/** A controller and pollers, as the chart makes them. */
interface Installed {
  readonly objects: readonly RenderedObject[];
  readonly controllers: readonly RunningPod[];
  readonly pollers: readonly RunningPod[];
}

const problem = isolationProblem();
if (problem !== undefined) console.warn(`SKIPPED: pods from the image. ${problem}`);

describe.skipIf(problem !== undefined || isAbsent('helm'))(
  'the pods of the chart, run from the image',
  () => {
    let controlPlane: ControlPlane;
    let aws: AwsServer;
    let lambda: MappingEndpoint;
    let kubelet: Kubelet;
    const servers = new AsyncDisposableStack();
    beforeAll(async () => {
      // Of its own: a controller for the whole cluster would meet those of other tests.
      controlPlane = servers.use(await startControlPlane({ controllerManager: true }));
      await applyCrds(controlPlane);
      aws = servers.use(await startFauxqs());
      lambda = servers.use(await startMappingEndpoint());
      const network = servers.use(await PodNetwork.start());
      const port = (url: string): number => Number(new URL(url).port);
      await network.announce(port(aws.endpoint), { port: 80, names: ['aws.test'] });
      await network.announce(port(lambda.endpoint), { port: 80, names: ['lambda.test'] });
      const folder = servers.use(imageFolder());
      const { version } = JSON.parse(read('package.json')) as { readonly version: string };
      const pulled: Readonly<Record<string, Image>> = {
        [`sluice:${version}`]: image,
        consumer: await scriptImage(folder.path, consumer),
      };
      kubelet = servers.use(await Kubelet.start({ controlPlane, network, images: pulled }));
    });
    afterAll(() => servers.disposeAsync());

    const component = 'app.kubernetes.io/component';

    function valuesFor(scope: string, tenant: TestNamespace): ChartValues {
      const identity = { type: 'Secret', secretName: 'aws' };
      const replicas = scope === 'namespaces' ? { replicas: 1 } : {};
      return {
        clusterID: 'test',
        scope,
        ...(scope === 'namespaces' ? { watchNamespaces: [tenant.name] } : {}),
        classes: {
          standard: {
            default: true,
            spec:
              scope === 'namespaces'
                ? { namespaces: [tenant.name] }
                : { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': tenant.name } } },
          },
        },
        aws: { region: aws.region, endpointURL: 'http://aws.test' },
        crds: { install: false },
        controller: {
          identity,
          ...replicas,
          driftIntervalSeconds: 1,
          extraEnv: [{ name: 'AWS_ENDPOINT_URL_LAMBDA', value: 'http://lambda.test' }],
        },
        poller: {
          identity,
          ...replicas,
          drainReceiveSeconds: 1,
          secretAccess: [{ namespace: tenant.name, names: ['orders-token'] }],
        },
      };
    }

    /** Applies the chart and waits until its pods are ready. */
    async function install(system: TestNamespace, tenant: TestNamespace, scope: string): Promise<Installed> {
      const options = { namespace: system.name };
      const objects = await renderChart(valuesFor(scope, tenant), options);
      const { accessKeyId: id, secretAccessKey: key } = aws.credentials;
      await system.apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'aws' },
        stringData: { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key },
      });
      kubelet.serve(system.name);
      const applied = await controlPlane.kubectl(['apply', '-f', '-'], { input: textOf(objects) });
      if (applied.code !== 0) throw new Error(applied.stderr);
      // Two are the chart's default.
      const count = scope === 'namespaces' ? 1 : 2;
      const controllers = await kubelet.ready(component, 'controller', count);
      const pollers = await kubelet.ready(component, 'poller', count);
      const args = [
        '-n',
        system.name,
        'wait',
        '--for=condition=Available',
        '--timeout=60s',
        'deployment',
        '--all',
      ];
      expect((await controlPlane.kubectl(args)).code).toBe(0);
      return { objects, controllers, pollers };
    }

    /** A consumer in a pod behind a Service, and a Secret for a header. Gives the pod. */
    async function prepareTenant(tenant: TestNamespace): Promise<RunningPod> {
      kubelet.serve(tenant.name);
      const app = { app: tenant.name };
      const container = {
        name: 'consumer',
        image: 'consumer',
        ports: [{ name: 'http', containerPort: 8080 }],
        readinessProbe: { httpGet: { path: '/', port: 'http' } },
      };
      await tenant.apply([
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'orders-token' },
          stringData: { token: tenant.name },
        },
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'orders' },
          spec: { selector: app, ports: [{ port: 80, targetPort: 'http' }] },
        },
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'orders' },
          spec: {
            selector: { matchLabels: app },
            template: { metadata: { labels: app }, spec: { containers: [container] } },
          },
        },
      ]);
      const [pod] = await kubelet.ready('app', tenant.name, 1);
      if (pod === undefined) throw new Error('there is no consumer');
      return pod;
    }

    async function checkDelivery(tenant: TestNamespace, target: RunningPod): Promise<void> {
      const queue = await createQueue(aws);
      const mapping = (where: string) => ({
        apiVersion: 'sluice.dev/v1alpha1',
        kind: 'EventSourceMapping',
        metadata: { name: 'orders' },
        spec: {
          mode: 'Poller',
          eventSourceARN: queue.arn,
          poller: {
            target: {
              http: {
                service: { name: 'orders', port: 80, path: where },
                headers: {
                  'x-token': { valueFrom: { secretKeyRef: { name: 'orders-token', key: 'token' } } },
                },
              },
            },
          },
        },
      });
      const delivered = (body: string, where: string): Promise<boolean> =>
        eventually(
          () =>
            target.lines.some(
              (line) =>
                line['path'] === where &&
                line['token'] === tenant.name &&
                String(line['body']).includes(body),
            ),
          { timeoutMs: 60_000, what: `delivery of ${body} to ${where}` },
        );
      await tenant.apply(mapping('/one'));
      await queue.send([`${queue.name}-first`]);
      await delivered(`${queue.name}-first`, '/one');
      await tenant.waitForCondition(esm('orders'), { type: 'Ready', reason: 'Serving' });
      await tenant.apply(mapping('/two'));
      await tenant.waitForCondition(esm('orders'), { type: 'Ready', reason: 'Serving' });
      await queue.send([`${queue.name}-second`]);
      await delivered(`${queue.name}-second`, '/two');
      await tenant.delete(esm('orders'));
      await tenant.waitForAbsence(esm('orders'));
      await eventually(() => queue.isEmpty());
    }

    /** A live AWS mapping comes, follows an edit, and goes. */
    async function checkLiveMapping(tenant: TestNamespace): Promise<void> {
      const mapping = (batchSize: number) => ({
        apiVersion: 'sluice.dev/v1alpha1',
        kind: 'EventSourceMapping',
        metadata: { name: 'live' },
        spec: {
          mode: 'Managed',
          eventSourceARN: `arn:aws:sqs:${testAccount.region}:${testAccount.accountId}:${tenant.name}`,
          functionName: 'orders',
          batchSize,
        },
      });
      const atAws = () => {
        lambda.api.settle();
        return lambda.api.all.find(
          ({ configuration }) => configuration.EventSourceArn?.endsWith(tenant.name) === true,
        );
      };
      const wait = { timeoutMs: 60_000, intervalMs: 200 };
      await tenant.apply(mapping(10));
      await eventually(() => atAws()?.configuration.State === 'Enabled', {
        ...wait,
        what: 'the AWS mapping',
      });
      await tenant.waitForCondition(esm('live'), { type: 'Ready' });
      expect((await tenant.get(esm('live')))?.metadata.finalizers).toHaveLength(1);
      await tenant.apply(mapping(5));
      await eventually(() => atAws()?.configuration.BatchSize === 5, { ...wait, what: 'the edit at AWS' });
      await tenant.delete(esm('live'));
      await eventually(() => atAws() === undefined, { ...wait, what: 'the end of the AWS mapping' });
      await tenant.waitForAbsence(esm('live'));
    }

    /** What the kernel says of the process, since options of a launcher prove nothing. */
    function checkConfinement({ container, name, address }: RunningPod): void {
      const of = (file: string): string => fs.readFileSync(`/proc/${container.pid}/${file}`, 'utf8');
      const status = new Map(
        of('status')
          .split('\n')
          .map((line) => line.split(/:\s+/, 2) as [string, string]),
      );
      expect(status.get('Uid')?.split('\t')).toEqual(Array(4).fill('65532'));
      expect(status.get('Gid')?.split('\t')).toEqual(Array(4).fill('65532'));
      expect(status.get('Groups')).toBe('');
      expect(status.get('NoNewPrivs')).toBe('1');
      for (const set of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb'])
        expect(Number.parseInt(status.get(set) ?? '', 16)).toBe(0);
      expect(status.get('NSpid')?.split('\t').at(-1)).toBe('1');
      const variables = of('environ')
        .split('\0')
        .map((variable) => variable.split('=')[0]);
      expect(variables).not.toContain('HOME');
      expect(variables).toContain('KUBERNETES_SERVICE_HOST');
      // Nothing of a disk can be written to; what the chart mounts is for reading, too.
      const writable = of('mountinfo')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(' '))
        .filter(([, , , , , options = '']) => options.split(',').includes('rw'))
        .map(([, , , , place = '']) => place);
      expect(writable.toSorted()).toEqual([
        '/dev',
        '/dev/null',
        '/dev/random',
        '/dev/urandom',
        '/dev/zero',
        '/proc',
      ]);
      expect(name).toContain('sluice');
      expect(address).toMatch(/^10\.244\./);
    }

    /** Waits until every grant was used that is not known to be used seldom, and gives all requests so far. */
    async function allUsed(grants: readonly Grant[], namespace: string): Promise<readonly AuditedRequest[]> {
      return eventually(
        () => {
          const requests = auditOf(controlPlane, namespace);
          const idle = grants.filter((grant) => !requests.some((request) => uses(request, grant)));
          const missing = new Set(idle.map(grantText)).difference(new Set(Object.keys(seldom)));
          if (missing.size > 0) throw new Error(`nobody used ${[...missing].join(', ')}`);
          return requests;
        },
        { timeoutMs: 30_000, intervalMs: 250, what: 'the use of every right' },
      );
    }

    function textOf(objects: readonly RenderedObject[]): string {
      return objects.map((object) => JSON.stringify(object)).join('\n---\n');
    }

    it.each([
      { scope: 'cluster', why: 'ClusterRoles and MappingClass objects' },
      { scope: 'namespaces', why: 'Roles alone, and classes from a ConfigMap' },
    ])(
      'deliver, follow edits and end in order, with no right too few or too many: scope $scope',
      async ({ scope }) => {
        await using system = await testNamespace(controlPlane);
        await using tenant = await testNamespace(controlPlane);
        const [{ objects, controllers, pollers }, target] = await Promise.all([
          install(system, tenant, scope),
          prepareTenant(tenant),
        ]);
        for (const pod of [...controllers, ...pollers]) {
          checkConfinement(pod);
          expect((await pod.get('/metrics')).text).toContain('sluice_build_info');
        }
        await Promise.all([checkDelivery(tenant, target), checkLiveMapping(tenant)]);
        expect(kubelet.problems()).toEqual([]);
        const grants = grantsOf(objects);
        expect(grants.length).toBeGreaterThan(20);
        // Leases are renewed every few seconds; what is deleted, is at the end.
        await allUsed(
          grants.filter(({ verb }) => verb !== 'delete'),
          system.name,
        );

        const removed = await controlPlane.kubectl(['delete', '--wait=false', '-f', '-'], {
          // Their rights are needed until the end.
          input: textOf(objects.filter(({ kind }) => kind === 'Deployment')),
        });
        expect(removed.stderr).toBe('');
        const ends = await Promise.all(
          [...controllers, ...pollers].map(({ container }) => container.process.ended),
        );
        expect(ends).toEqual(ends.map(() => ({ code: 0, signal: null })));
        const left = await controlPlane.kubectl([
          '-n',
          system.name,
          'get',
          'leases,pollerreports',
          '-o',
          'name',
        ]);
        expect(left.stdout.trim()).toBe('lease.coordination.k8s.io/sluice-controller');

        const requests = await allUsed(grants, system.name);
        expect(requests.filter(({ code }) => code === 403).map(requestText)).toEqual([]);
        const granted = new Set(grants.map(grantText));
        expect(Object.keys(seldom).filter((text) => !granted.has(text))).toEqual([]);
        if (scope === 'namespaces') {
          expect(objects.filter(({ kind }) => kind.startsWith('Cluster') || kind === 'MappingClass')).toEqual(
            [],
          );
          expect(requests.filter(({ namespace }) => namespace === '').map(requestText)).toEqual([]);
        }
        await controlPlane.kubectl(['delete', '--wait=false', '--ignore-not-found', '-f', '-'], {
          input: textOf(objects),
        });
      },
    );
  },
);
