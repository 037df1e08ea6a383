/**
 * ARNs as far as clients and sources need them: parsed once, with the DNS suffix of their partition. Completing
 * partial ARNs is not done here; a caller passes complete ones.
 */

/** `arn:partition:service:region:accountID:resource`. */
export interface Arn {
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly accountID: string;
  readonly resource: string;
}

/** The parts of an ARN, or undefined for text that is none. Region and account may be empty. */
export function parseArn(text: string): Arn | undefined {
  const [prefix, partition, service, region, accountID, ...resource] = text.split(':');
  if (prefix !== 'arn' || partition === undefined || service === undefined) return undefined;
  if (region === undefined || accountID === undefined || resource.length === 0) return undefined;
  const rest = resource.join(':');
  if (partition === '' || service === '' || rest === '') return undefined;
  return { partition, service, region, accountID, resource: rest };
}

const dnsSuffixes: Readonly<Record<string, string>> = {
  aws: 'amazonaws.com',
  'aws-us-gov': 'amazonaws.com',
  'aws-cn': 'amazonaws.com.cn',
  'aws-iso': 'c2s.ic.gov',
  'aws-iso-b': 'sc2s.sgov.gov',
  'aws-iso-e': 'cloud.adc-e.uk',
  'aws-iso-f': 'csp.hci.ic.gov',
  'aws-eusc': 'amazonaws.eu',
};

/** The DNS suffix of a partition's services; that of `aws` for a partition that is not known yet. */
export function dnsSuffixOf(partition: string): string {
  return dnsSuffixes[partition] ?? 'amazonaws.com';
}
