import { expect, it } from 'vitest';
import { AwsClients } from '../../src/aws/clients.ts';
import { installationIdentity } from '../../src/aws/credentials.ts';
import { tagIndex } from '../../src/backends/aws/tag-index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { isAbsent } from '../support/servers/absent.ts';
import { startMiniStack } from '../support/servers/ministack.ts';

// Its index has no mappings, as those of all emulators at hand: what is shown is that the question is understood.
it.skipIf(isAbsent('ministack'))(
  'the index of tags is asked in words that MiniStack understands',
  async () => {
    await using server = await startMiniStack();
    const { endpoint, region, credentials } = server;
    await using clients = new AwsClients({
      version: '1.2.3',
      clock: systemClock,
      endpoints: { all: endpoint },
      credentials: async () => credentials,
    });
    const calls: string[] = [];
    const { client } = clients.signedTagging({ region, identity: installationIdentity });
    const index = tagIndex(client, 'prod', ({ code }) => calls.push(code));
    expect(await index(undefined, new AbortController().signal)).toEqual({
      tags: new Map(),
      next: undefined,
    });
    expect(calls).toEqual(['OK']);
  },
);
