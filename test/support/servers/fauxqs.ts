import type { AddressInfo } from 'node:net';
import { buildApp } from 'fauxqs';
import { type AwsServer, testAccount } from './aws-server.ts';

/**
 * SQS, SNS and S3 in this process, up in a fraction of a second: for most tests. Laxer than AWS: a bogus receipt in
 * DeleteMessageBatch succeeds, FIFO deduplication reaches across groups, there are no move tasks and no Lambda.
 */
export async function startFauxqs(): Promise<AwsServer> {
  const app = buildApp({ logger: false, defaultRegion: testAccount.region });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    ...testAccount,
    endpoint: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      // Long polls would hold the close up until their end.
      app.server.closeAllConnections();
      await app.close();
    },
  };
}
