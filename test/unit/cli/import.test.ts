import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/cli/command.ts';
import { importCommand } from '../../../src/cli/import.ts';
import { validateText } from '../../../src/api/validate.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { runCommand } from '../api/run-command.ts';

const template = `Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: orders
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
        Hook: {Type: Api}
`;
const run = (argv: readonly string[], input = '') => runCommand(importCommand, argv, input);

describe('sluice import', () => {
  it('writes manifests to standard output and what must be known to standard error', async () => {
    const { code, out, err } = await run(['sam', '-f', '-', '-n', 'billing'], template);
    expect(code).toBe(0);
    expect(out).toMatch(/^# Written by `sluice import sam` from standard input[.]/);
    expect(validateText(out)).toMatchObject([
      { kind: 'checked', name: 'orders-queue', namespace: 'billing', problems: [] },
    ]);
    expect(err).toBe(
      '-:9: not polled: Orders.Hook: Api events are not polled by Lambda: there is no mapping of them\n' +
        '1 manifests, 0 not imported, 0 placeholders, 1 not polled\n',
    );
  });

  it('ends with 3 when something was left out, and writes the rest', async () => {
    const bad = '        Slip: {Type: SQS, Properties: {Queue: "arn:aws:sqs:::b", Batch: 1}}\n';
    const { code, out, err } = await run(['cfn', '-f', '-'], template + bad);
    expect(code).toBe(3);
    expect(err).toContain('not imported: Orders.Slip: SAM refuses it: property `Batch`');
    expect(validateText(out)).toMatchObject([{ name: 'orders-queue' }]);
  });

  it('gives one List as JSON, also an empty one', async () => {
    const { code, out } = await run(['cfn', '-f', '-', '-o', 'json'], 'Resources: {}');
    expect([code, JSON.parse(out)]).toEqual([0, { apiVersion: 'v1', kind: 'List', items: [] }]);
  });

  it('writes nothing for no mapping', async () => {
    expect(await run(['cfn', '-f', '-'], 'Resources: {}')).toEqual({
      code: 0,
      out: '',
      err: '0 manifests, 0 not imported, 0 placeholders, 0 not polled\n',
    });
  });

  it('keeps names apart over several files, and says of which file a note is', async () => {
    using folder = tempFolder();
    const [first, second] = [folder.write('a.yaml', template), folder.write('b.yaml', template)];
    const { out, err } = await run(['sam', '-f', first, '-f', second]);
    expect(out.match(/name: .*/g)).toEqual(['name: orders-queue', 'name: orders-queue-2']);
    expect(err).toContain(`${second}:9: not polled`);
  });

  it.each<{ argv: readonly string[]; message: RegExp }>([
    { argv: [], message: /what to import must be one of cfn, sam, terraform, ack, crossplane, aws/ },
    { argv: ['pulumi', '-f', '-'], message: /what to import must be one of/ },
    { argv: ['cfn'], message: /`-f` must name a file/ },
    { argv: ['cfn', '-f', 'nowhere.yaml'], message: /cannot read nowhere.yaml/ },
    { argv: ['aws'], message: /one of `--all`, `--function` and `--source` must be set/ },
    { argv: ['aws', '--all', '--function', 'f'], message: /`--all` must stand without/ },
    { argv: ['aws', '--all', '-f', 'x'], message: /`--filename` is not for `sluice import aws`/ },
    { argv: ['cfn', '-f', '-', '--all'], message: /`--all` is only for `sluice import aws`/ },
    { argv: ['cfn', '-f', '-', '--set', 'A'], message: /must be NAME=VALUE/ },
    { argv: ['cfn', '-f', '-', '--adopt', 'Always'], message: /must be one of IfExists, Never/ },
    { argv: ['cfn', '-f', '-', '--dry-run'], message: /unknown flag `--dry-run`/ },
  ])('refuses $argv', async ({ argv, message }) => {
    await expect(run(argv)).rejects.toThrow(message);
    await expect(run(argv)).rejects.toBeInstanceOf(UsageError);
  });

  it('tells a value that was given in vain', async () => {
    const open = template.replace(', Properties: {QueueName: orders}', '');
    const set = ['--set', 'Queue.Arn=arn:aws:sqs:::q', '--set', 'Quue.Arn=x'];
    const { code, out, err } = await run(['sam', '-f', '-', ...set], open);
    expect([code, out]).toEqual([0, expect.stringContaining('eventSourceARN: arn:aws:sqs:::q\n')]);
    expect(err).toMatch(/^note: --set Quue.Arn=… was asked for by nothing in -\n/);
  });

  it('says which file is no template', async () => {
    await expect(run(['cfn', '-f', '-'], 'a: 1')).rejects.toThrow(/^-: this is no CloudFormation template/);
  });
});
