import { GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bodyHash, signable, signingTime, Sigv4Signer } from '../../../src/aws/sigv4.ts';
import { reply, startHttpSink } from '../../support/http-sink.ts';

const emptyHash = bodyHash('');
const example = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};

interface Request {
  readonly method?: string;
  readonly path?: string;
}

function signatureOf({ method = 'GET', path = '/' }: Request): string | undefined {
  const signer = new Sigv4Signer({ region: 'us-east-1', service: 'service' });
  const request = signable(method, path, [['host', 'example.amazonaws.com']]);
  const headers = signer.sign(example, '20150830T123600Z', request, emptyHash);
  return /Signature=([0-9a-f]{64})$/.exec(headers.at(-1) ?? '')?.[1];
}

describe('a signature', () => {
  // The published test suite of Signature Version 4, 2015-08-30.
  test.each<[string, Request, string]>([
    ['get-vanilla', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', { method: 'POST' }, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    ['get-slash', { path: '//' }, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'get-relative',
      { path: '/example/..' },
      '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    ],
  ])('of the published case %s is the published one', (_name, request, signature) => {
    expect(signatureOf(request)).toBe(signature);
  });

  test('depends on the day, the Region, the service and the secret, also when one signer makes them all', () => {
    const request = signable('POST', '/', [['host', 'h']]);
    const signer = new Sigv4Signer({ region: 'us-east-1', service: 'sqs' });
    const times = ['20260101T000000Z', '20260102T000000Z', '20260101T000000Z'];
    const sign = (by: Sigv4Signer, identity = example, time = times[0] ?? ''): string | undefined =>
      by.sign(identity, time, request, emptyHash).at(-1);
    const [first, second, third] = times.map((time) => sign(signer, example, time));
    expect(second).not.toBe(first);
    expect(third).toBe(first);
    const other = { ...example, secretAccessKey: 'other' };
    expect(sign(signer, other)).not.toBe(first);
    for (const scope of [
      { region: 'us-east-2', service: 'sqs' },
      { region: 'us-east-1', service: 'sns' },
    ]) {
      expect(sign(new Sigv4Signer(scope))).not.toBe(first);
    }
  });

  test('is the one that the SDK makes, whatever the path, the token and the body', async () => {
    await using sink = await startHttpSink({ answer: reply(200, { QueueUrl: 'u' }) });
    const paths = ['', '/base', "/a b/ü/(x)'*!", '/a//b/./c/../d', '/%41%2F'];
    const segment = fc.constantFrom(...paths);
    await fc.assert(
      fc.asyncProperty(segment, fc.string({ unit: 'binary' }), fc.boolean(), async (path, name, hasToken) => {
        const credentials = { ...example, ...(hasToken ? { sessionToken: 'long+token/=='.repeat(30) } : {}) };
        const sqs = new SQSClient({ endpoint: sink.url + path, region: 'eu-west-1', credentials });
        await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
        sqs.destroy();
        const request = sink.requests.at(-1);
        if (request === undefined) throw new Error('nothing was sent');
        const authorization = request.headers.authorization ?? '';
        const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(';') ?? [];
        const form = signable(
          request.method,
          request.path,
          names.flatMap((each) =>
            each === 'x-amz-date' ? [] : [[each, String(request.headers[each])] as const],
          ),
        );
        const time = String(request.headers['x-amz-date']);
        const again = new Sigv4Signer({ region: 'eu-west-1', service: 'sqs' }).sign(
          credentials,
          time,
          form,
          bodyHash(request.body),
        );
        expect(again.at(-1)).toBe(authorization);
        expect(again[again.indexOf('x-amz-date') + 1]).toBe(time);
      }),
      { numRuns: 50 },
    );
  });
});

test('the time of a signature is in UTC, to the second', () => {
  expect(signingTime(Date.UTC(2026, 10, 1, 23, 5, 9, 999))).toBe('20261101T230509Z');
});
