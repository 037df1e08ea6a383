import { describe, expect, test } from 'vitest';
import { completeArn, functionArn, parseArn, parseFunctionName, partitionOf } from '../../../src/api/arn.ts';

describe('an ARN', () => {
  test.each([
    ['arn:aws:sqs:eu-west-1:000000000000:orders', 'sqs', 'orders', 'a full one'],
    ['arn:aws-cn:sqs:cn-north-1:000000000000:orders', 'sqs', 'orders', 'another partition'],
    ['arn:aws:sqs:::orders', 'sqs', 'orders', 'Region and account left out'],
    ['arn:aws:rds:eu-west-1:000000000000:cluster:a:b', 'rds', 'cluster:a:b', 'colons in the resource'],
  ])('%s is taken apart', (text, service, resource) => {
    expect(parseArn(text)).toMatchObject({ service, resource });
  });

  test.each(['orders', 'arn:aws:sqs', 'arn:aws:sqs:::', 'arn::sqs:::orders', ''])('%j is none', (text) => {
    expect(parseArn(text)).toBeUndefined();
  });

  test.each([
    {
      why: 'what is missing comes from the place',
      text: 'arn:aws:sqs:::orders',
      place: { region: 'eu-west-1', accountID: '1'.repeat(12) },
      want: { kind: 'complete', completed: true, text: `arn:aws:sqs:eu-west-1:${'1'.repeat(12)}:orders` },
    },
    {
      why: 'what the ARN says is never overridden',
      text: 'arn:aws:sqs:us-east-1:000000000000:orders',
      place: { region: 'eu-west-1', accountID: '1'.repeat(12) },
      want: { kind: 'complete', completed: false, text: 'arn:aws:sqs:us-east-1:000000000000:orders' },
    },
    {
      why: 'one part may come from each',
      text: 'arn:aws:sqs::000000000000:orders',
      place: { region: 'eu-west-1' },
      want: { kind: 'complete', text: 'arn:aws:sqs:eu-west-1:000000000000:orders' },
    },
    {
      why: 'what nobody knows is named',
      text: 'arn:aws:sqs:::orders',
      place: {},
      want: { kind: 'incomplete', missing: ['region', 'accountID'] },
    },
    {
      why: 'buckets have neither',
      text: 'arn:aws:s3:::bucket',
      place: {},
      want: { kind: 'complete', completed: false },
    },
    { why: 'another text is no ARN', text: 'orders', place: {}, want: { kind: 'invalid' } },
  ])('completed: $why', ({ text, place, want }) => {
    expect(completeArn(text, place)).toMatchObject(want);
  });

  test.each([
    ['eu-west-1', 'aws'],
    ['cn-north-1', 'aws-cn'],
    ['us-gov-west-1', 'aws-us-gov'],
    ['eusc-de-east-1', 'aws-eusc'],
  ])('the partition of %s is %s', (region, partition) => {
    expect(partitionOf(region)).toBe(partition);
  });
});

describe('a function name', () => {
  test.each([
    ['orders', { name: 'orders' }],
    ['orders:live', { name: 'orders', qualifier: 'live' }],
    ['orders:$LATEST', { name: 'orders', qualifier: '$LATEST' }],
    ['function:orders', { name: 'orders' }],
    ['000000000000:orders', { name: 'orders', accountID: '000000000000' }],
    ['000000000000:function:orders:1', { name: 'orders', qualifier: '1', accountID: '000000000000' }],
    ['arn:aws:lambda:::function:orders', { name: 'orders', partition: 'aws' }],
    [
      'arn:aws:lambda:eu-west-1:000000000000:function:orders:live',
      { name: 'orders', qualifier: 'live', partition: 'aws', region: 'eu-west-1', accountID: '000000000000' },
    ],
  ])('%s is taken apart', (text, want) => {
    expect(parseFunctionName(text)).toEqual(want);
  });

  test.each(['arn:aws:sqs:::orders', 'a:b:c', ''])('%j is none', (text) => {
    expect(parseFunctionName(text)).toBeUndefined();
  });

  test('becomes a full ARN with the qualifier kept, in the partition of the Region', () => {
    const place = { region: 'cn-north-1', accountID: '000000000000' };
    expect(functionArn({ name: 'orders', qualifier: '$LATEST' }, place)).toBe(
      'arn:aws-cn:lambda:cn-north-1:000000000000:function:orders:$LATEST',
    );
    expect(functionArn({ name: 'orders' }, { region: 'cn-north-1' })).toBeUndefined();
  });
});
