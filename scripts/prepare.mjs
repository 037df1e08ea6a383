/**
 * `node scripts/prepare.mjs [--background] NAME`: makes sure that a server of the tests is in the cache and prints its
 * folder, the only line on standard output. Exit code 3: the machine lacks a tool; the message says which and how to
 * get it. With `--background` at low priority, so that what else runs does not wait for it.
 */
import os from 'node:os';
import process from 'node:process';
import { MissingTool } from './prepared.mjs';
import { prepareArgoCdLua } from './prepare-argocd-lua.mjs';
import { prepareControlPlane } from './prepare-control-plane.mjs';
import { prepareHelm, prepareHelm3 } from './prepare-helm.mjs';
import { prepareElasticMq } from './prepare-java.mjs';
import { prepareHadolint, prepareLocalEmu, prepareMiniStack } from './prepare-python.mjs';
import { prepareRie } from './prepare-rie.mjs';
import { runScript, SetupError } from './setup.mjs';

const servers = {
  'aws-lambda-rie': prepareRie,
  'argocd-lua': prepareArgoCdLua,
  'control-plane': prepareControlPlane,
  elasticmq: prepareElasticMq,
  hadolint: prepareHadolint,
  helm: prepareHelm,
  helm3: prepareHelm3,
  localemu: prepareLocalEmu,
  ministack: prepareMiniStack,
};

await runScript(async () => {
  const names = process.argv.slice(2);
  if (names[0] === '--background') {
    names.shift();
    os.setPriority(10);
  }
  const prepare = servers[names[0] ?? ''];
  if (prepare === undefined || names.length > 1) {
    throw new SetupError(`usage: node scripts/prepare.mjs [--background] ${Object.keys(servers).join('|')}`);
  }
  try {
    process.stdout.write(`${await prepare()}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 3;
  }
});
