/**
 * As much of the AWS CLI as the documentation uses, by its own rule: services, operations and options are the names of
 * the API in kebab-case. `aws SERVICE OPERATION --option VALUE`, `aws SERVICE wait STATE`, `fileb://FILE`, and
 * `--query MEMBER --output text`; other answers are JSON. Endpoint, Region and credentials are those of the environment.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as lambda from '@aws-sdk/client-lambda';
import * as sqs from '@aws-sdk/client-sqs';

interface Client {
  send(command: unknown): Promise<Readonly<Record<string, unknown>>>;
}
type Waiter = (
  how: { readonly client: Client; readonly maxWaitTime: number },
  input: object,
) => Promise<unknown>;

const services: Readonly<
  Record<string, { readonly names: Readonly<Record<string, unknown>>; readonly client: () => Client }>
> = {
  lambda: { names: { ...lambda }, client: () => new lambda.LambdaClient({}) },
  sqs: { names: { ...sqs }, client: () => new sqs.SQSClient({}) },
};
/** Options that take several values, and one as a list too. */
const lists = new Set(['attribute-names']);

const pascal = (name: string): string =>
  name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The options of a command line, each with the values behind it. */
function optionsOf(args: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const { tokens } = parseArgs({ args: [...args], strict: false, allowPositionals: true, tokens: true });
  const options = new Map<string, string[]>();
  let last: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option') {
      last = token.value === undefined ? [] : [token.value];
      options.set(token.name, last);
    } else if (token.kind === 'positional') last.push(token.value);
  }
  return options;
}

const valueOf = (name: string, values: readonly string[]): unknown => {
  if (lists.has(name)) return values;
  const [value = ''] = values;
  return value.startsWith('fileb://') ? readFileSync(value.slice('fileb://'.length)) : value;
};

async function main(argv: readonly string[]): Promise<string> {
  const [service = '', first = '', ...rest] = argv;
  const api = services[service];
  if (api === undefined) throw new Error(`the service ${service} is not known here`);
  const [operation, args] = first === 'wait' ? [rest[0] ?? '', rest.slice(1)] : [first, rest];
  const options = optionsOf(args);
  const input = Object.fromEntries(
    [...options]
      .filter(([name]) => name !== 'query' && name !== 'output')
      .map(([name, values]) => [pascal(name), valueOf(name, values)]),
  );
  const client = api.client();
  if (first === 'wait') {
    const wait = api.names[`waitUntil${pascal(operation)}`] as Waiter | undefined;
    if (wait === undefined) throw new Error(`there is no waiter ${operation}`);
    await wait({ client, maxWaitTime: 60 }, input);
    return '';
  }
  const Command = api.names[`${pascal(operation)}Command`] as (new (input: object) => unknown) | undefined;
  if (Command === undefined) throw new Error(`there is no operation ${operation}`);
  const { $metadata: _, ...answer } = await client.send(new Command(input));
  const [query] = options.get('query') ?? [];
  return query === undefined ? `${JSON.stringify(answer, null, 4)}\n` : `${String(answer[query])}\n`;
}

process.stdout.write(await main(process.argv.slice(2)));
