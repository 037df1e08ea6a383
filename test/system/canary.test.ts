import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { eventually } from '../support/eventually.ts';
import { reply, startHttpSink, type SinkAnswer, type SinkRequest } from '../support/http-sink.ts';
import { functionError, startLambdaEndpoint } from '../support/lambda-endpoint.ts';
import { createQueue } from '../support/queues.ts';
import { awsEnvironment, queueArn, type AwsServer } from '../support/servers/aws-server.ts';
import { startFauxqs } from '../support/servers/fauxqs.ts';
import { startSluice, type Sluice } from '../support/sluice.ts';
import { tempFolder } from '../support/temp-folder.ts';

/**
 * Canaries: words that stand for secrets and payloads are planted wherever they can come by, everything goes wrong
 * that can, and nothing that the process writes may hold one of them, at the most talkative log level.
 */
const canaries = {
  secretKey: 'canary-of-the-secret-key-1f0c',
  sessionToken: 'canary-of-the-session-token-2b7d',
  header: 'canary-of-a-fixed-header-3e91',
  signature: 'canary-of-a-signed-url-4c55',
  password: 'canary-of-a-password-5d02',
  body: 'canary-of-a-message-body-6a8e',
  attribute: 'canary-of-a-message-attribute-77f3',
  answer: 'canary-of-an-answer-8b16',
} as const;

let aws: AwsServer;
beforeAll(async () => {
  aws = await startFauxqs();
});
afterAll(async () => {
  await aws[Symbol.asyncDispose]();
});

const secrets = {
  AWS_SECRET_ACCESS_KEY: canaries.secretKey,
  AWS_SESSION_TOKEN: canaries.sessionToken,
};

function mapping(name: string, eventSourceARN: string, spec: object): string {
  return stringify({
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EventSourceMapping',
    metadata: { name },
    spec: { mode: 'Poller', eventSourceARN, ...spec },
  });
}

const toUrl = (url: string, headers: object = { 'x-api-key': { value: canaries.header } }) => ({
  poller: { target: { http: { url, headers, timeoutSeconds: 1 } } },
});

/** Everything that the process lets out, as it stands and as base64. */
function leaksIn(texts: Readonly<Record<string, string>>): string[] {
  return Object.entries(canaries).flatMap(([name, canary]) =>
    Object.entries(texts).flatMap(([where, text]) => {
      const forms = [canary, Buffer.from(canary).toString('base64').slice(0, -4), encodeURIComponent(canary)];
      const found = forms.find((form) => text.includes(form));
      if (found === undefined) return [];
      const at = text.indexOf(found);
      return [`${name} in ${where}: …${text.slice(Math.max(0, at - 200), at + 60)}…`];
    }),
  );
}

async function lettersOut(sluice: Sluice, folder: string): Promise<Readonly<Record<string, string>>> {
  const metrics = await (await fetch(await sluice.metricsUrl())).text();
  const state = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
  await sluice.process.stop();
  return { stdout: sluice.process.stdout, stderr: sluice.process.stderr, metrics, state };
}

/** Targets that tell all they were told, and a word of their own. */
const echo = (request: SinkRequest): string =>
  `${canaries.answer} ${request.path} ${request.body} ${JSON.stringify(request.headers)}`;
const answers: Readonly<Record<string, (request: SinkRequest) => SinkAnswer>> = {
  error: (request) => reply(500, { errorMessage: echo(request), errorType: canaries.answer }),
  rejected: (request) => reply(400, echo(request), { 'content-type': 'text/html' }),
  throttled: (request) => reply(429, echo(request), { 'retry-after': canaries.answer }),
  refused: (request) =>
    reply(401, echo(request), { 'www-authenticate': `Bearer error="${canaries.answer}"` }),
  redirect: () => reply(302, '', { location: `https://example.com/?X-Amz-Signature=${canaries.answer}` }),
  'function-error': (request) => reply(200, echo(request), { 'x-amz-function-error': 'Unhandled' }),
  'no-json': (request) =>
    reply(200, `{"batchItemFailures": ${echo(request)}`, { 'content-type': 'application/json' }),
  'wrong-shape': () => reply(200, { batchItemFailures: canaries.answer }),
  'unknown-item': () => reply(200, { batchItemFailures: [{ itemIdentifier: canaries.answer }] }),
  garbage: () => ({ kind: 'garbage' }),
  truncated: () => ({ kind: 'truncated' }),
  hang: () => ({ kind: 'hang' }),
};

describe('nothing that the process writes holds a secret or a payload', () => {
  it('when targets and functions fail and tell all they know', { timeout: 120_000 }, async () => {
    using folder = tempFolder();
    await using lambda = await startLambdaEndpoint();
    lambda.answer((request) =>
      functionError({ errorMessage: echo(request), errorType: 'Error', trace: [canaries.answer] }),
    );
    await using sink = await startHttpSink({
      answer: (request) => answers[/^\/([a-z-]+)/.exec(request.path)?.[1] ?? '']?.(request) ?? reply(200),
    });
    const names = [...Object.keys(answers), 'delivered', 'function'];
    const documents: string[] = [];
    for (const name of names) {
      const queue = await createQueue(aws, { visibilitySeconds: 60 });
      await queue.send([JSON.stringify({ card: canaries.body })], {
        attributes: { token: { DataType: 'String', StringValue: canaries.attribute } },
      });
      const url = `${sink.url}/${name}?X-Amz-Signature=${canaries.signature}`;
      const target = name === 'function' ? { functionName: 'orders', poller: {} } : toUrl(url);
      documents.push(
        mapping(name, queue.arn, { functionResponseTypes: ['ReportBatchItemFailures'], ...target }),
      );
    }
    const file = folder.write('mappings.yaml', documents.join('---\n'));
    const env = { ...awsEnvironment(aws), ...secrets, AWS_ENDPOINT_URL_LAMBDA: lambda.url };
    await using run = startSluice(
      ['run', '-f', file, '--state-dir', `${folder.path}/state`, '--log-level', 'debug'],
      env,
    );
    const troubles = new Set(['Invocation failed', 'Target reported failed records', 'Delivered a batch']);
    await eventually(
      () => {
        const told = new Set(
          run.lines.filter((line) => troubles.has(String(line['message']))).map((line) => line['mapping']),
        );
        const missing = names.filter((name) => !told.has(`default/${name}`));
        if (missing.length > 0) throw new Error(`nothing is told of ${missing.join(', ')}`);
        return true;
      },
      { timeoutMs: 60_000 },
    );
    // They were planted: everything was there to be told.
    const arrived = sink.requests.map((request) => echo(request)).join('\n');
    for (const word of ['header', 'signature', 'body', 'attribute'] as const)
      expect(arrived).toContain(canaries[word]);
    expect(lambda.requests.map(echo).join('\n')).toContain(canaries.sessionToken);

    // Edits that go wrong in the line of a secret.
    const queue = queueArn('edited');
    const edits = {
      'no YAML': `spec: [\n  { value: ${canaries.header}, "x: y }\n`,
      'a password in the URL': mapping(
        'edited',
        queue,
        toUrl(`http://user:${canaries.password}@127.0.0.1:1/`),
      ),
      'a password in a URL that is none': mapping(
        'edited',
        queue,
        toUrl(`htp://user:${canaries.password}@[/?sig=${canaries.signature}`),
      ),
      'a header that is none': mapping(
        'edited',
        queue,
        toUrl('http://127.0.0.1:1/', { 'x-api-key': { value: `${canaries.header}\u0000` } }),
      ),
      'a header of another type': mapping(
        'edited',
        queue,
        toUrl('http://127.0.0.1:1/', { 'x-api-key': canaries.header }),
      ),
      'a header that is reserved': mapping(
        'edited',
        queue,
        toUrl('http://127.0.0.1:1/', {
          authorization: { value: canaries.header },
          host: { value: canaries.header },
        }),
      ),
    };
    for (const [index, [why, text]] of Object.entries(edits).entries()) {
      const before = run.lines.length;
      // Another line in each, since equal complaints are told once.
      folder.write('mappings.yaml', `${'\n'.repeat(index)}${text}`);
      await eventually(
        () =>
          run.lines
            .slice(before)
            .some(
              ({ level, message }) =>
                level === 'error' ||
                message === 'Could not run a mapping' ||
                message === 'Took changed manifests over',
            ),
        { timeoutMs: 20_000, what: why },
      );
    }
    // The file itself holds them, and is the user's own.
    folder.write('mappings.yaml', '');
    expect(leaksIn(await lettersOut(run, folder.path))).toEqual([]);
  });

  it(
    'when AWS refuses the credentials and repeats the request in its answer',
    { timeout: 120_000 },
    async () => {
      const said: string[] = [];
      const canonical = (request: SinkRequest): string => {
        const told = `The Canonical String for this request should have been 'POST / ${JSON.stringify(request.headers)} ${request.body}'`;
        said.push(told);
        return told;
      };
      const refusals: readonly ((request: SinkRequest) => SinkAnswer)[] = [
        (request) => awsError('InvalidSignatureException', 403, canonical(request)),
        (request) => awsError('SignatureDoesNotMatch', 403, canonical(request)),
        (request) =>
          awsError('InvalidClientTokenId', 403, `The security token ${canonical(request)} is invalid`),
        (request) => awsError('ExpiredToken', 403, canonical(request)),
        (request) => reply(403, `<html>${canonical(request)}</html>`, { 'content-type': 'text/html' }),
        (request) => reply(500, `<html>${canonical(request)}</html>`, { 'content-type': 'text/html' }),
        (request) =>
          reply(200, `{"Attributes": ${canonical(request)}`, {
            'content-type': 'application/x-amz-json-1.0',
          }),
        () => ({ kind: 'garbage' }),
        () => ({ kind: 'reset' }),
      ];
      using folder = tempFolder();
      let turn = 0;
      await using broken = await startHttpSink({
        answer: (request) => refusals[turn++ % refusals.length]?.(request) ?? reply(500),
      });
      // Many, so that each refusal comes soon.
      const arns = [
        'arn:aws:sqs:::partial',
        ...Array.from({ length: 9 }, (_, index) => queueArn(`q${index}`)),
      ];
      const documents = arns.map((arn, index) => mapping(`m${index}`, arn, toUrl('http://127.0.0.1:1/')));
      const file = folder.write('mappings.yaml', documents.join('---\n'));
      const env = { ...awsEnvironment(aws), ...secrets, AWS_ENDPOINT_URL: broken.url };
      await using run = startSluice(
        ['run', '-f', file, '--state-dir', `${folder.path}/state`, '--log-level', 'debug'],
        env,
      );
      await run.logged('Could not read the source', {}, 60_000);
      await eventually(() => turn > 2 * refusals.length, { timeoutMs: 90_000, what: 'each refusal twice' });
      expect(said.join('\n')).toContain(canaries.sessionToken);
      folder.write('mappings.yaml', '');
      expect(leaksIn(await lettersOut(run, folder.path))).toEqual([]);
    },
  );
});

function awsError(code: string, status: number, message: string): SinkAnswer {
  return reply(status, JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message }), {
    'content-type': 'application/x-amz-json-1.0',
  });
}
