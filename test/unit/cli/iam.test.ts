import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { UsageError } from '../../../src/cli/command.ts';
import { iamCommand } from '../../../src/cli/iam.ts';
import { documentOf } from '../../../src/iam/policy.ts';
import { policiesOf } from '../../../src/iam/policies.ts';
import { mappingsOf, validateText } from '../../../src/api/validate.ts';
import { readHcl, type Expression } from '../../../src/import/hcl.ts';
import { blocksOf, readPage } from '../../support/markdown.ts';
import { runCommand } from '../api/run-command.ts';

const text = `apiVersion: sluice.dev/v1alpha1
kind: EventSourceMapping
metadata: {name: orders}
spec: {mode: Managed, eventSourceARN: "arn:aws:sqs:eu-west-1:123456789012:orders", functionName: "orders-\${x}"}
---
apiVersion: sluice.dev/v1alpha1
kind: EventSourceMapping
metadata: {name: polled}
spec: {mode: Poller, eventSourceARN: "arn:aws:sqs:eu-west-1:123456789012:polled", functionName: polled}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
`.replace('orders-${x}', 'orders');
const run = (argv: readonly string[], input = text) => runCommand(iamCommand, ['-f', '-', ...argv], input);
const policies = policiesOf(mappingsOf(validateText(text)), { place: {}, clusterID: 'prod' }).policies;

/** A literal of HCL as plain JSON. */
function plain(expression: Expression): unknown {
  if (expression.kind === 'value') return expression.value;
  if (expression.kind === 'list') return expression.items.map(plain);
  if (expression.kind === 'object')
    return Object.fromEntries(expression.entries.map(([key, value]) => [String(plain(key)), plain(value)]));
  throw new Error(`no literal: ${JSON.stringify(expression)}`);
}

describe('sluice iam', () => {
  it('lists every policy as JSON, named', async () => {
    const { code, out, err } = await run(['--cluster-id', 'prod']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject([
      { name: 'orders-sources', owner: { kind: 'function', name: 'orders' } },
      { name: 'sluice-controller', owner: { kind: 'controller' } },
      { name: 'sluice-poller', owner: { kind: 'poller' } },
    ]);
    expect(err).toMatch(/^note: orders: if the queue has a customer managed key/);
  });

  it.each(['function', 'controller', 'poller'])('gives the bare document for %s', async (whom) => {
    const { out } = await run(['--cluster-id', 'prod', '--for', whom]);
    const policy = policies.find(({ owner }) => owner.kind === whom);
    expect(JSON.parse(out)).toEqual(policy === undefined ? undefined : documentOf(policy));
  });

  it('lets the controller read CloudWatch only where it is to do so, and anything is Managed', async () => {
    const actions = async (...more: readonly string[]): Promise<string> =>
      (await run(['--cluster-id', 'prod', '--for', 'controller', ...more])).out;
    expect(await actions()).not.toContain('cloudwatch:');
    const { Statement: statements } = JSON.parse(await actions('--cloudwatch-metrics')) as {
      Statement: readonly object[];
    };
    expect(statements.at(-1)).toEqual({
      Sid: 'ReadMetrics',
      Effect: 'Allow',
      Action: 'cloudwatch:GetMetricData',
      Resource: '*',
    });
    const polled = text.slice(text.indexOf('---'));
    const { code } = await run(['--for', 'controller', '--cloudwatch-metrics'], polled);
    expect(code).toBe(1);
  });

  it('gives the same as CloudFormation', async () => {
    const { out } = await run(['--cluster-id', 'prod', '-o', 'cloudformation']);
    const { Resources, Outputs } = parse(out) as Readonly<Record<string, Readonly<Record<string, object>>>>;
    expect(Object.keys(Outputs ?? {})).toEqual(['OrdersSources', 'SluiceController', 'SluicePoller']);
    expect(Object.values(Resources ?? {})).toEqual(
      policies.map((policy) => ({
        Type: 'AWS::IAM::ManagedPolicy',
        Properties: { Description: expect.any(String), PolicyDocument: documentOf(policy) },
      })),
    );
  });

  it('gives the same as Terraform', async () => {
    const { out } = await run(['--cluster-id', 'prod', '-o', 'terraform']);
    const documents = readHcl(out).blocks.map(({ type, labels, attributes }) => {
      const policy = attributes.get('policy')?.expression;
      if (policy?.kind !== 'call' || policy.name !== 'jsonencode') throw new Error(JSON.stringify(policy));
      return [type, ...labels, policy.args.map(plain)];
    });
    expect(documents).toEqual(
      policies.map((policy, index) => [
        'resource',
        'aws_iam_policy',
        ['orders-sources', 'sluice-controller', 'sluice-poller'][index],
        [documentOf(policy)],
      ]),
    );
  });

  it('ends with 1 and the place for a manifest that is not valid, and for nothing to write', async () => {
    expect(await run([], text.replace('Managed', 'Manged'))).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^<stdin>:4: .*spec.mode/),
    });
    const polledOnly = text.slice(text.indexOf('---') + 4);
    expect(await run(['--for', 'controller'], polledOnly)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/no mapping needs such a policy\n$/),
    });
  });

  it('needs the cluster’s id for the controller, and only for it', async () => {
    await expect(run([])).rejects.toThrow(UsageError);
    expect(await run(['--for', 'function'])).toMatchObject({ code: 0 });
    expect(await run(['--for', 'poller'])).toMatchObject({ code: 0 });
  });

  it('writes what the page about IAM shows', async () => {
    const blocks = blocksOf(readPage('docs/reference/iam.md'));
    const manifest = blocks.find(
      ({ language, text: body }) => language === 'yaml' && body.includes('EventSourceMapping'),
    );
    const shown = blocks.filter(({ language, words }) => language === 'json' && words.includes('iam'));
    const place = ['--cluster-id', 'prod-eu', '--account-id', '123456789012', '--region', 'eu-west-1'];
    const written = await Promise.all(
      ['poller', 'controller', 'function'].map(async (whom) => {
        const { out } = await run(['--for', whom, ...place], manifest?.text);
        return JSON.parse(out) as unknown;
      }),
    );
    expect(shown.map(({ text: body }) => JSON.parse(body) as unknown)).toEqual(written);
  });
});
