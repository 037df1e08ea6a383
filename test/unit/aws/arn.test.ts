import { expect, test } from 'vitest';
import { dnsSuffixOf, parseArn } from '../../../src/aws/arn.ts';

test('an ARN is split at its first five colons', () => {
  expect(parseArn('arn:aws:lambda:eu-west-1:111122223333:function:f:live')).toEqual({
    partition: 'aws',
    service: 'lambda',
    region: 'eu-west-1',
    accountID: '111122223333',
    resource: 'function:f:live',
  });
});

test('Region and account may be empty', () => {
  expect(parseArn('arn:aws:sqs:::orders')).toMatchObject({ region: '', accountID: '', resource: 'orders' });
});

test.each([
  '',
  'orders',
  'arn:aws:sqs:eu-west-1',
  'arn:aws:sqs:eu-west-1:1',
  'arn::sqs:a:b:c',
  'arn:aws:sqs:a:b:',
  'urn:aws:sqs:a:b:c',
])('%o is no ARN', (text) => {
  expect(parseArn(text)).toBeUndefined();
});

test.each([
  ['aws', 'amazonaws.com'],
  ['aws-cn', 'amazonaws.com.cn'],
  ['aws-us-gov', 'amazonaws.com'],
  ['aws-of-tomorrow', 'amazonaws.com'],
])('partition %s is at %s', (partition, suffix) => {
  expect(dnsSuffixOf(partition)).toBe(suffix);
});
