/**
 * The quickstart of the README as a stranger takes it, but for kind and Docker: Helm and kubectl are called as they stand
 * there, on a real API server; the pods that come of it run from the image that the Dockerfile makes, on the emulator
 * that the manifests name.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { runPage } from '../support/doc-page.ts';
import { buildImage, imageFolder, type BuiltImage, type Image } from '../support/image/image.ts';
import { isolationProblem } from '../support/kubelet/container.ts';
import { Kubelet } from '../support/kubelet/kubelet.ts';
import { startLogServer } from '../support/kubelet/log-server.ts';
import { PodNetwork } from '../support/kubelet/network.ts';
import { prepared } from '../support/processes.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { awsEnvironment, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';

const problem = isolationProblem();
if (problem !== undefined) console.warn(`SKIPPED: the quickstart. ${problem}`);

/** What the image of ElasticMQ does, with the Java of this machine. */
async function emulatorImage(folder: string): Promise<Image> {
  const root = fs.mkdtempSync(path.join(folder, 'emulator-'));
  for (const name of ['dev', 'opt', 'proc', 'tmp']) fs.mkdirSync(path.join(root, name));
  const java = fs.realpathSync(execFileSync('which', ['java']).toString().trim());
  const machine = ['/usr', '/lib', '/lib64', '/etc', path.dirname(path.dirname(java))];
  return {
    root,
    mounts: [
      ...machine.filter((name) => fs.existsSync(name)).map((name) => ({ source: name, target: name })),
      { source: path.join(await prepared('elasticmq'), 'lib'), target: '/opt/lib' },
    ].map((mount) => ({ ...mount, readOnly: true })),
    config: {
      env: {},
      user: '0:0',
      workdir: '/',
      entrypoint: [java, '-Xmx128m', '-Dconfig.file=/opt/elasticmq.conf', '-cp', '/opt/lib/*'],
      cmd: ['org.elasticmq.server.Main'],
    },
  };
}

describe.skipIf(problem !== undefined || isAbsent('helm') || isAbsent('elasticmq'))(
  'a reader with kind',
  () => {
    const stack = new AsyncDisposableStack();
    let controlPlane: ControlPlane;
    let kubelet: Kubelet;
    let aws: AwsServer;
    beforeAll(async () => {
      const started = await Promise.all([
        startControlPlane({ controllerManager: true }),
        PodNetwork.start(),
        buildImage(),
        startFauxqs(),
      ]);
      controlPlane = stack.use(started[0]);
      const network = stack.use(started[1]);
      const image: BuiltImage = stack.use(started[2]);
      // The account of the part without a cluster, which names the queue.
      aws = stack.use(started[3]);
      const sqs = new SQSClient({
        endpoint: aws.endpoint,
        region: 'eu-west-1',
        credentials: { ...aws.credentials },
      });
      await sqs.send(new CreateQueueCommand({ QueueName: 'orders' }));
      sqs.destroy();
      const folder = stack.use(imageFolder());
      const images = {
        'sluice:quickstart': image,
        'softwaremill/elasticmq-native:1.7.1': await emulatorImage(folder.path),
      };
      kubelet = stack.use(await Kubelet.start({ controlPlane, network, images }));
      stack.use(await startLogServer(controlPlane, kubelet));
      kubelet.serve('sluice-system');
      kubelet.serve('shop');
    });
    afterAll(() => stack.disposeAsync());
    afterEach(({ task }) => {
      if (task.result?.state !== 'fail') return;
      for (const { name, container } of kubelet.history)
        console.log(`${name}:\n${container.process.tail(10)}`);
    });

    it('README.md', async () => {
      const { kubeconfig, bin, dir } = controlPlane.info;
      const compared = await runPage('README.md', {
        env: {
          ...awsEnvironment(aws),
          KUBECONFIG: kubeconfig,
          KUBECACHEDIR: path.join(dir, 'kubectl-cache'),
          PATH: [bin, await prepared('helm'), process.env['PATH']].join(path.delimiter),
          AWS_REGION: 'eu-west-1',
        },
        emulatorPort: Number(new URL(aws.endpoint).port),
      });
      expect(compared).toBeGreaterThan(4);
      expect(kubelet.problems()).toEqual([]);
    });
  },
);
