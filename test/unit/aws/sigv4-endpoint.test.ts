import { LambdaClient } from '@aws-sdk/client-lambda';
import { SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, test } from 'vitest';
import { partitionOf } from '../../../src/api/arn.ts';
import { dnsSuffixOf } from '../../../src/aws/partition.ts';
import { cloudWatchAddress, lambdaAddress, sqsAddress } from '../../../src/aws/sigv4-endpoint.ts';

/** Some Regions of each partition that the SDK knows, old and new. */
const regions: Readonly<Record<string, readonly string[]>> = {
  aws: [
    'us-east-1',
    'us-east-2',
    'us-west-1',
    'us-west-2',
    'ca-central-1',
    'ca-west-1',
    'mx-central-1',
    'sa-east-1',
    'eu-west-1',
    'eu-central-1',
    'eu-central-2',
    'eu-south-2',
    'af-south-1',
    'il-central-1',
    'me-central-1',
    'ap-south-2',
    'ap-southeast-5',
    'ap-northeast-1',
    // One that is not known yet.
    'ap-future-9',
  ],
  'aws-cn': ['cn-north-1', 'cn-northwest-1'],
  'aws-us-gov': ['us-gov-west-1', 'us-gov-east-1'],
  'aws-iso': ['us-iso-east-1', 'us-iso-west-1'],
  'aws-iso-b': ['us-isob-east-1'],
  'aws-iso-e': ['eu-isoe-west-1'],
  'aws-iso-f': ['us-isof-south-1', 'us-isof-east-1'],
  'aws-eusc': ['eusc-de-east-1'],
};
const places = Object.entries(regions).flatMap(([partition, names]) =>
  names.map((region) => ({ partition, region })),
);
const ways = [
  { fips: false, dualstack: false },
  { fips: true, dualstack: false },
  { fips: false, dualstack: true },
  { fips: true, dualstack: true },
];

/** What the SDK's rules give; undefined where they refuse. */
function bySdk(
  region: string,
  fips: boolean,
  dualstack: boolean,
  Client: typeof SQSClient | typeof LambdaClient = SQSClient,
): string | undefined {
  const client = new Client({ region });
  try {
    const place = { Region: region, UseFIPS: fips, UseDualStack: dualstack };
    return client.config.endpointProvider(place).url.origin;
  } catch {
    return undefined;
  } finally {
    client.destroy();
  }
}

describe.each([
  { service: 'SQS', addressOf: sqsAddress, sdk: SQSClient },
  { service: 'Lambda', addressOf: lambdaAddress, sdk: LambdaClient },
])('where $service is called without the SDK', ({ addressOf, sdk }) => {
  test.each(places)(
    "is where the SDK's rules say in $region, with FIPS and dual-stack or not",
    async ({ region }) => {
      for (const { fips, dualstack } of ways) {
        const config = { region, useFipsEndpoint: fips, useDualstackEndpoint: dualstack };
        const address = await addressOf(config).catch(() => undefined);
        expect([config, address?.origin]).toEqual([config, bySdk(region, fips, dualstack, sdk)]);
        if (address !== undefined) expect(address.path).toBe('/');
      }
    },
  );
});

describe('where SQS is called without the SDK', () => {
  test('is told apart by FIPS and dual-stack, so that the comparison means something', () => {
    expect(new Set(ways.map(({ fips, dualstack }) => bySdk('us-east-1', fips, dualstack))).size).toBe(4);
  });

  test.each([
    { endpoint: 'http://127.0.0.1:4566', origin: 'http://127.0.0.1:4566', path: '/' },
    { endpoint: 'https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/a/b', path: '/a/b/' },
    { endpoint: 'http://[::1]:9324', origin: 'http://[::1]:9324', path: '/' },
  ])('is a custom endpoint with its path: $endpoint', async ({ endpoint, path, origin }) => {
    const address = await sqsAddress({ region: 'eu-west-1', endpoint });
    expect(address).toEqual({ origin: origin ?? new URL(endpoint).origin, path });
  });

  test('a custom endpoint goes with neither FIPS nor dual-stack, and the SDK says so', async () => {
    for (const more of [{ useFipsEndpoint: true }, { useDualstackEndpoint: true }]) {
      const config = { region: 'eu-west-1', endpoint: 'http://127.0.0.1:1', ...more };
      await expect(sqsAddress(config)).rejects.toThrow(/custom endpoint (is|are) not supported/);
    }
  });
});

describe('where CloudWatch is called', () => {
  /** By the service's published rules of endpoints, beside Lambda's hosts in the same place. */
  const published = (region: string, fips: boolean, dualstack: boolean): string | undefined => {
    const lambda = bySdk(region, fips, dualstack, LambdaClient);
    const isGovCloud = partitionOf(region) === 'aws-us-gov';
    return lambda?.replace(
      /^https:\/\/lambda(-fips)?/,
      `https://monitoring${fips && !isGovCloud ? '-fips' : ''}`,
    );
  };

  test.each(places)('is where AWS has it in $region, with FIPS and dual-stack or not', async ({ region }) => {
    for (const { fips, dualstack } of ways) {
      const config = { region, useFipsEndpoint: fips, useDualstackEndpoint: dualstack };
      const address = await cloudWatchAddress(config).catch(() => undefined);
      expect([config, address?.origin]).toEqual([config, published(region, fips, dualstack)]);
      if (address !== undefined) expect(address.path).toBe('/');
    }
  });

  test.each([
    {
      region: 'us-east-1',
      fips: false,
      dualstack: false,
      origin: 'https://monitoring.us-east-1.amazonaws.com',
    },
    {
      region: 'us-east-1',
      fips: true,
      dualstack: false,
      origin: 'https://monitoring-fips.us-east-1.amazonaws.com',
    },
    { region: 'eu-west-1', fips: false, dualstack: true, origin: 'https://monitoring.eu-west-1.api.aws' },
    {
      region: 'us-gov-west-1',
      fips: true,
      dualstack: false,
      origin: 'https://monitoring.us-gov-west-1.amazonaws.com',
    },
    {
      region: 'cn-north-1',
      fips: false,
      dualstack: false,
      origin: 'https://monitoring.cn-north-1.amazonaws.com.cn',
    },
  ])('is $origin', async ({ region, fips, dualstack, origin }) => {
    const config = { region, useFipsEndpoint: fips, useDualstackEndpoint: dualstack };
    expect(await cloudWatchAddress(config)).toEqual({ origin, path: '/' });
  });

  test('is a custom endpoint with its path, also one that has the name of Lambda', async () => {
    const endpoint = 'https://lambda.eu-west-1.example/base';
    expect(await cloudWatchAddress({ region: 'eu-west-1', endpoint })).toEqual({
      origin: 'https://lambda.eu-west-1.example',
      path: '/base/',
    });
  });
});

describe('partitions', () => {
  test.each(places)("$region is of $partition, with the SDK's names of hosts", ({ partition, region }) => {
    expect(partitionOf(region)).toBe(partition);
    expect(bySdk(region, false, false)).toBe(`https://sqs.${region}.${dnsSuffixOf(partition)}`);
  });
});
