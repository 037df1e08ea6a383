import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePorts, prepared, ready, startProcess } from '../processes.ts';
import { type AwsServer, testAccount } from './aws-server.ts';

/**
 * Lambda's mapping API with its states, its conflicts and its argument errors, and IAM and STS beside it. Needs
 * Python 3.12 or 3.13; 3 s to start. Without Docker a function ends in state Failed, which its mappings do not mind;
 * use MiniStack to run one. It reads the queues of its mappings itself: never give it one that Sluice reads.
 */
export async function startLocalEmu(options: { readonly enforceIam?: boolean } = {}): Promise<AwsServer> {
  const folder = await prepared('localemu');
  const [port] = await freePorts(1);
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-localemu-'));
  const server = startProcess({
    name: 'LocalEmu',
    command: path.join(folder, 'env', 'bin', 'python'),
    args: ['-m', 'localemu.runtime.main'],
    cwd: dir,
    env: {
      GATEWAY_SERVER: 'hypercorn',
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      DNS_ADDRESS: '0',
      DISABLE_EVENTS: '1',
      SKIP_SSL_CERT_DOWNLOAD: '1',
      // All its files in its own folder, also where it takes the machine for a container.
      OVERRIDE_IN_DOCKER: '0',
      FILESYSTEM_ROOT: dir,
      HOME: dir,
      TMPDIR: dir,
      ...(options.enforceIam === true ? { IAM_ENFORCEMENT: '1' } : {}),
    },
  });
  const endpoint = `http://127.0.0.1:${port}`;
  await ready(server, async () => (await fetch(`${endpoint}/_localemu/health`)).ok, 90_000);
  return {
    ...testAccount,
    endpoint,
    [Symbol.asyncDispose]: async () => {
      await server.kill();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}
