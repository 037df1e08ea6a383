/** The DNS suffixes of AWS's partitions. */

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
