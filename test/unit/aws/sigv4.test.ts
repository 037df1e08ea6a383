import { GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bodyHash, signingTime, Sigv4Signer, type Signable } from '../../../src/aws/sigv4.ts';
import { reply, startHttpSink } from '../../support/http-sink.ts';

const emptyHash = bodyHash('');
const example = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};

function signatureOf(request: Partial<Signable>): string | undefined {
  const signer = new Sigv4Signer({ region: 'us-east-1', service: 'service' });
  const headers = [
    ['host', 'example.amazonaws.com'],
    ['x-amz-date', '20150830T123600Z'],
  ] as const;
  const authorization = signer.authorization(example, '20150830T123600Z', {
    method: 'GET',
    path: '/',
    headers,
    bodyHash: emptyHash,
    ...request,
  });
  return /Signature=([0-9a-f]{64})$/.exec(authorization)?.[1];
}

describe('a signature', () => {
  // The published test suite of Signature Version 4, 2015-08-30.
  test.each<[string, Partial<Signable>, string]>([
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
    const request = { method: 'POST', path: '/', headers: [['host', 'h']] as const, bodyHash: emptyHash };
    const signer = new Sigv4Signer({ region: 'us-east-1', service: 'sqs' });
    const times = ['20260101T000000Z', '20260102T000000Z', '20260101T000000Z'];
    const [first, second, third] = times.map((time) => signer.authorization(example, time, request));
    expect(second).not.toBe(first);
    expect(third).toBe(first);
    const other = { ...example, secretAccessKey: 'other' };
    expect(signer.authorization(other, '20260101T000000Z', request)).not.toBe(first);
    for (const scope of [
      { region: 'us-east-2', service: 'sqs' },
      { region: 'us-east-1', service: 'sns' },
    ]) {
      expect(new Sigv4Signer(scope).authorization(example, '20260101T000000Z', request)).not.toBe(first);
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
        const again = new Sigv4Signer({ region: 'eu-west-1', service: 'sqs' }).authorization(
          credentials,
          String(request.headers['x-amz-date']),
          {
            method: request.method,
            path: request.path,
            headers: names.map((each) => [each, String(request.headers[each])]),
            bodyHash: bodyHash(request.body),
          },
        );
        expect(again).toBe(authorization);
      }),
      { numRuns: 50 },
    );
  });
});

test('the time of a signature is in UTC, to the second', () => {
  expect(signingTime(Date.UTC(2026, 10, 1, 23, 5, 9, 999))).toBe('20261101T230509Z');
});
