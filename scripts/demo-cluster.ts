/**
 * `npm run demo -- --cluster`: starts a real control plane (etcd and kube-apiserver) on this machine, runs
 * `sluice demo --cluster` against it, and takes it down again.
 */
import path from 'node:path';
import { startControlPlane } from '../test/support/control-plane.ts';
import { startProcess } from '../test/support/processes.ts';

const args = process.argv.slice(2);
const quiet = args.includes('--json');
const say = (text: string): void => void (quiet ? process.stderr : process.stdout).write(text);
say('Starting etcd and kube-apiserver\n');
await using controlPlane = await startControlPlane();
say(`API server at ${controlPlane.info.server}\n`);
const demo = startProcess({
  name: 'sluice demo',
  command: process.execPath,
  args: [path.resolve(import.meta.dirname, '../src/cli/main.ts'), 'demo', ...args],
  env: { KUBECONFIG: controlPlane.info.kubeconfig, KUBECTL: path.join(controlPlane.info.bin, 'kubectl') },
  onLine: (line) => void process.stdout.write(`${line}\n`),
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => demo.signal(signal));
const { code } = await demo.ended;
if (code !== 0) process.stderr.write(demo.stderr);
process.exitCode = code ?? 1;
