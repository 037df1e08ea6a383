import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePorts, prepared, ready, startProcess } from '../processes.ts';
import { type AwsServer, testAccount } from './aws-server.ts';

/**
 * Many services, and Lambda functions in Node and Python that really run, without Docker. Needs Python 3.10 to 3.13;
 * starts in half a second. Lax about mappings: they are enabled at once and may be made twice. It reads the queues
 * of its mappings itself, so it shows what AWS would do; never give it one that Sluice reads.
 */
export async function startMiniStack(): Promise<AwsServer> {
  const folder = await prepared('ministack');
  const [port] = await freePorts(1);
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-ministack-'));
  const server = startProcess({
    name: 'MiniStack',
    command: path.join(folder, 'env', 'bin', 'ministack'),
    args: [],
    cwd: dir,
    env: {
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      IOT_MTLS_ENABLED: '0',
      LAMBDA_EXECUTOR: 'local',
      HOME: dir,
      TMPDIR: dir,
    },
  });
  const endpoint = `http://127.0.0.1:${port}`;
  await ready(server, async () => (await fetch(`${endpoint}/_ministack/health`)).ok);
  return {
    ...testAccount,
    endpoint,
    [Symbol.asyncDispose]: async () => {
      await server.kill();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}
