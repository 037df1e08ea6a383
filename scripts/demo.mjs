/**
 * `npm run demo [-- OPTIONS]`: sets the checkout up and runs `sluice demo`. With `--cluster` the binaries of a control
 * plane are found or built first and their folder is passed on as `KUBELAB_BIN`. Plain JavaScript for Node 20.
 */
import path from 'node:path';
import process from 'node:process';
import { runFile } from './child.mjs';
import { prepareControlPlane } from './prepare-control-plane.mjs';
import { root, runScript, setup } from './setup.mjs';

await runScript(async () => {
  const args = process.argv.slice(2);
  const node = await setup();
  const needsCluster = args.includes('--cluster') && !args.includes('--help');
  const env = needsCluster ? { KUBELAB_BIN: await prepareControlPlane() } : {};
  const file = needsCluster
    ? path.join(root, 'scripts', 'demo-cluster.ts')
    : path.join(root, 'src', 'cli', 'main.ts');
  await runFile(node, file, needsCluster ? args : ['demo', ...args], { env });
  return process.exitCode;
});
