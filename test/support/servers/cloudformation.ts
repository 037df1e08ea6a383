import path from 'node:path';
import { eventually } from '../eventually.ts';
import { prepared, startProcess } from '../processes.ts';
import type { AwsServer } from './aws-server.ts';

/** A template as the object that its JSON is. */
export type Template = Readonly<Record<string, unknown>>;

/** Deploys a template as a stack, and waits until the emulator has made all of it. */
export async function deployStack(server: AwsServer, name: string, template: Template): Promise<void> {
  await query(server, { Action: 'CreateStack', StackName: name, TemplateBody: JSON.stringify(template) });
  await eventually(
    async () => {
      const text = await query(server, { Action: 'DescribeStacks', StackName: name });
      const status = /<StackStatus>(\w+)<\/StackStatus>/.exec(text)?.[1] ?? '';
      if (status !== 'CREATE_COMPLETE') throw new Error(text);
      return true;
    },
    { timeoutMs: 30_000, what: `the stack ${name}` },
  );
}

/**
 * What SAM's own translator makes of a template: CloudFormation. The translator is a part of LocalEmu's environment;
 * it is run as a program, so that only what it says counts.
 */
export async function translateSam(server: AwsServer, template: Template): Promise<Template> {
  const folder = await prepared('localemu');
  const script = [
    'import json, sys, types',
    'from samtranslator.translator.transform import transform',
    'policies = types.SimpleNamespace(load=lambda: {})',
    'print(json.dumps(transform(json.load(sys.stdin), {}, policies)))',
  ].join('\n');
  await using run = startProcess({
    name: 'the translator of SAM',
    command: path.join(folder, 'env', 'bin', 'python'),
    args: ['-c', script],
    env: { AWS_DEFAULT_REGION: server.region },
    input: JSON.stringify(template),
  });
  const { code } = await run.ended;
  if (code !== 0) throw new Error(`SAM refuses the template:\n${run.tail()}`);
  return JSON.parse(run.stdout) as Template;
}

/** A call of CloudFormation's query protocol, which needs no client of its own. */
async function query(server: AwsServer, parameters: Readonly<Record<string, string>>): Promise<string> {
  const credential = `${server.credentials.accessKeyId}/20260101/${server.region}/cloudformation/aws4_request`;
  const response = await fetch(server.endpoint, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=x`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ Version: '2010-05-15', ...parameters }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${parameters['Action']}: ${response.status} ${text}`);
  return text;
}
