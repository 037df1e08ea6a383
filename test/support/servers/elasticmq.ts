import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePorts, prepared, ready, startProcess } from '../processes.ts';
import { type AwsServer, testAccount } from './aws-server.ts';

/** SQS as strict as it comes outside AWS: limits, receipts, move tasks. Needs Java; 3 s to start, 1,000 messages/s. */
export async function startElasticMq(): Promise<AwsServer> {
  const folder = await prepared('elasticmq');
  const [port] = await freePorts(1);
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-elasticmq-'));
  const config = path.join(dir, 'elasticmq.conf');
  fs.writeFileSync(
    config,
    `include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
rest-sqs { enabled = true, bind-port = ${port}, bind-hostname = "127.0.0.1", sqs-limits = strict }
rest-stats { enabled = false }
aws { region = "${testAccount.region}", accountId = "${testAccount.accountId}" }
`,
  );
  const server = startProcess({
    name: 'ElasticMQ',
    command: 'java',
    args: [
      '-Xmx256m',
      `-Dconfig.file=${config}`,
      '-cp',
      path.join(folder, 'lib', '*'),
      'org.elasticmq.server.Main',
    ],
    cwd: dir,
  });
  const endpoint = `http://127.0.0.1:${port}`;
  await ready(server, async () => (await fetch(`${endpoint}/?Action=ListQueues`)).ok);
  return {
    ...testAccount,
    endpoint,
    [Symbol.asyncDispose]: async () => {
      await server.kill();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}
