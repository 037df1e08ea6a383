import { expect, test } from 'vitest';
import { dnsSuffixOf } from '../../../src/aws/partition.ts';

test.each([
  ['aws', 'amazonaws.com'],
  ['aws-cn', 'amazonaws.com.cn'],
  ['aws-us-gov', 'amazonaws.com'],
  ['aws-of-tomorrow', 'amazonaws.com'],
])('partition %s is at %s', (partition, suffix) => {
  expect(dnsSuffixOf(partition)).toBe(suffix);
});
