/**
 * Endpoints other than AWS's own: emulators, VPC endpoints, proxies. The names are those of the SDK's environment, so
 * that what works for the AWS CLI works here.
 */
import { never, SluiceError } from '../lib/errors.ts';

/** Addresses to use instead of AWS's; `all` for every service without its own. */
export interface AwsEndpoints {
  readonly all?: string | undefined;
  readonly sqs?: string | undefined;
  readonly lambda?: string | undefined;
  readonly sts?: string | undefined;
  /** The Resource Groups Tagging API. */
  readonly tagging?: string | undefined;
  /** CloudWatch. */
  readonly monitoring?: string | undefined;
}

export type AwsService = 'sqs' | 'lambda' | 'sts' | 'tagging' | 'monitoring';

/**
 * Reads `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_SQS` and so on, unless `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` is true.
 * Throws `InvalidSpec` for what is no URL, which would otherwise look like a broken server.
 */
export function endpointsFromEnv(env: Readonly<Record<string, string | undefined>>): AwsEndpoints {
  if (env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true') return {};
  const read = (name: string): string | undefined => {
    const value = env[name]?.trim();
    if (value === undefined || value === '') return undefined;
    if (!/^https?:$/.test(URL.parse(value)?.protocol ?? '')) {
      // What holds an @ may hold a password.
      const found = value.includes('@') ? '' : `, found ${value}`;
      throw new SluiceError('InvalidSpec', `\`${name}\` must be an http or https URL${found}`, never);
    }
    return value;
  };
  return {
    all: read('AWS_ENDPOINT_URL'),
    sqs: read('AWS_ENDPOINT_URL_SQS'),
    lambda: read('AWS_ENDPOINT_URL_LAMBDA'),
    sts: read('AWS_ENDPOINT_URL_STS'),
    tagging: read('AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API'),
    monitoring: read('AWS_ENDPOINT_URL_CLOUDWATCH'),
  };
}

/** The address for a service, without a trailing slash, or undefined for AWS's own. */
export function endpointOf(endpoints: AwsEndpoints, service: AwsService): string | undefined {
  return (endpoints[service] ?? endpoints.all)?.replace(/\/+$/, '');
}
