/**
 * Where a service is, as the SDK sees it: custom endpoints from options, environment and profile, FIPS and dual-stack,
 * partitions. The SDK's own rules decide, by a request that is prepared and never sent, so that both clients always
 * call the same place.
 */
import { InvokeCommand, LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda';
import { GetQueueUrlCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';

/** Where requests go. */
export interface ServiceAddress {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path of every request; `/` but for endpoints with one. */
  readonly path: string;
}

/** What a prepared request says of its place. */
interface Prepared {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
}

type Step = (args: { readonly request: Prepared }) => Promise<object>;

/** The address of SQS under a client's configuration. Rejects when the configuration names none. */
export async function sqsAddress(config: SQSClientConfig): Promise<ServiceAddress> {
  // The queue URL is data and decides nothing.
  const client = new SQSClient({ ...config, ...unsigned, useQueueUrlAsEndpoint: false });
  return addressOf(client, () => client.send(new GetQueueUrlCommand({ QueueName: 'any' })));
}

const invokePath = '/2015-03-31/functions/any/invocations';

/** The address of Lambda under a client's configuration. Rejects when the configuration names none. */
export async function lambdaAddress(config: LambdaClientConfig): Promise<ServiceAddress> {
  const client = new LambdaClient({ ...config, ...unsigned });
  const address = await addressOf(client, () => client.send(new InvokeCommand({ FunctionName: 'any' })));
  return { origin: address.origin, path: address.path.replace(invokePath, '') || '/' };
}

/**
 * The address of the Resource Groups Tagging API: the custom one of the configuration, else beside AWS's own of Lambda,
 * which has the same partition, Region and variant. Rejects where Lambda has a custom one, `lambdaEndpoint` or another
 * that the SDK finds: where that is needed there may be no way to another service.
 */
export async function taggingAddress(
  config: LambdaClientConfig,
  lambdaEndpoint?: string,
): Promise<ServiceAddress> {
  if (typeof config.endpoint === 'string') {
    const { origin, pathname } = new URL(config.endpoint);
    return { origin, path: pathname };
  }
  const { origin } = await lambdaAddress(
    lambdaEndpoint === undefined ? config : { ...config, endpoint: lambdaEndpoint },
  );
  if (!/^https:\/\/lambda[.-]/.test(origin)) throw new Error('No address of the Resource Groups Tagging API');
  return { origin: origin.replace('lambda', 'tagging'), path: '/' };
}

/** The address of CloudWatch under a client's configuration. Rejects when the configuration names none. */
export function cloudWatchAddress(config: LambdaClientConfig): Promise<ServiceAddress> {
  return addressLikeLambda(config, 'CloudWatch', 'monitoring');
}

/** The address of STS in the configuration's Region. Rejects when the configuration names none. */
export function stsAddress(config: LambdaClientConfig): Promise<ServiceAddress> {
  return addressLikeLambda(config, 'STS', 'sts');
}

/**
 * The address of a service of which the SDK that Sluice carries has no client. What is configured for the service is
 * looked up by the SDK itself, under that service's id. Otherwise it is AWS's own: that of Lambda, which has the same
 * partition, Region and variant, with the first word of the host that the service's published rules give. They differ in
 * one thing: GovCloud has no such word with `-fips`.
 */
async function addressLikeLambda(
  config: LambdaClientConfig,
  serviceId: string,
  host: string,
): Promise<ServiceAddress> {
  const client = new LambdaClient({ ...config, ...unsigned, serviceId });
  const address = await addressOf(client, () => client.send(new InvokeCommand({ FunctionName: 'any' })));
  if (client.config.isCustomEndpoint === true)
    return { origin: address.origin, path: `${address.path.replace(invokePath, '')}/` };
  const [, fips = '', rest = ''] = /^https:\/\/lambda(-fips)?(\..*)$/.exec(address.origin) ?? [];
  return { origin: `https://${host}${rest.startsWith('.us-gov-') ? '' : fips}${rest}`, path: '/' };
}

/** Nothing is signed; the real ones may need a call. */
const unsigned = { credentials: { accessKeyId: 'none', secretAccessKey: 'none' } };

async function addressOf(
  client: SQSClient | LambdaClient,
  send: () => Promise<unknown>,
): Promise<ServiceAddress> {
  let prepared: Prepared | undefined;
  const stop =
    (): Step =>
    async ({ request }) => {
      prepared = request;
      return { output: { $metadata: {} }, response: {} };
    };
  // The types of a stack follow its service's inputs, which this step does not look at.
  (client.middlewareStack as { add(step: () => Step, at: object): void }).add(stop, {
    step: 'build',
    priority: 'low',
    name: 'sluiceStop',
  });
  await send();
  client.destroy();
  if (prepared === undefined) throw new Error('The SDK prepared no request');
  const { protocol, hostname, port, path } = prepared;
  const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname;
  return { origin: `${protocol}//${host}${port === undefined ? '' : `:${port}`}`, path };
}
