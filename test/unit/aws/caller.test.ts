import { describe, expect, test } from 'vitest';
import { Callers } from '../../../src/aws/caller.ts';
import { AwsClients } from '../../../src/aws/clients.ts';
import { installationIdentity, roleIdentity } from '../../../src/aws/credentials.ts';
import { eventually } from '../../support/eventually.ts';
import { reply, startHttpSink } from '../../support/http-sink.ts';
import { startStsEndpoint } from '../../support/sts-endpoint.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const keys = { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' };
const place = { region: 'eu-west-1', identity: installationIdentity };

function clientsAt(endpoint: string, clock: VirtualClock): AwsClients {
  return new AwsClients({
    version: '0',
    clock,
    region: 'eu-west-1',
    endpoints: { sts: endpoint },
    credentials: async () => keys,
  });
}

describe('as whom AWS is called', () => {
  test('is what STS says, told for each identity as soon as it is known', async () => {
    await using sts = await startStsEndpoint();
    await using clients = clientsAt(sts.url, new VirtualClock());
    const callers = new Callers(clients);
    const role = roleIdentity('arn:aws:iam::111122223333:role/path/reader', 'prod', 'shop');
    expect(callers.arnOf(place)).toBeUndefined();
    await eventually(() => callers.arnOf(place) === 'arn:aws:iam::000000000000:user/AKIDTEST');
    await eventually(
      () =>
        callers.arnOf({ ...place, identity: role }) ===
        'arn:aws:sts::111122223333:assumed-role/path/reader/prod@shop',
    );
    // Nothing is kept open for it.
    await eventually(() => clients.size === 0);
  });

  test('is asked for once an hour, and every five minutes where STS does not say', async () => {
    await using sts = await startHttpSink();
    const clock = new VirtualClock();
    await using clients = clientsAt(sts.url, clock);
    const callers = new Callers(clients);
    sts.answerNext(reply(403, '<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>'));
    sts.answer(() => reply(200, '<GetCallerIdentityResponse><Arn>arn:one</Arn></GetCallerIdentityResponse>'));
    const asked = async (count: number): Promise<void> => {
      callers.arnOf(place);
      callers.arnOf(place);
      await eventually(() => sts.requests.length === count && clients.size === 0);
    };
    await asked(1);
    await clock.advance(299_000);
    await asked(1);
    await clock.advance(1_000);
    await asked(2);
    expect(callers.arnOf(place)).toBe('arn:one');
    await clock.advance(3_599_000);
    await asked(2);
    await clock.advance(1_000);
    await asked(3);
    expect(callers.arnOf(place)).toBe('arn:one');
    const [request] = sts.requests;
    expect(request?.body.toString()).toBe('Action=GetCallerIdentity&Version=2011-06-15');
    expect(request?.headers['authorization']).toContain('/eu-west-1/sts/aws4_request');
  });
});
