import { expect, test } from 'vitest';
import { endpointOf, endpointsFromEnv } from '../../../src/aws/endpoints.ts';

test("a service's own endpoint goes before the common one", () => {
  const endpoints = endpointsFromEnv({
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1/',
    AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:2/base/',
  });
  expect(endpointOf(endpoints, 'sqs')).toBe('http://127.0.0.1:2/base');
  expect(endpointOf(endpoints, 'lambda')).toBe('http://127.0.0.1:1');
});

test('CloudWatch is called by its name in the environment, and signs by another', () => {
  const endpoints = endpointsFromEnv({
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    AWS_ENDPOINT_URL_CLOUDWATCH: 'http://127.0.0.1:2',
  });
  expect(endpointOf(endpoints, 'monitoring')).toBe('http://127.0.0.1:2');
});

test.each([
  [{}],
  [{ AWS_ENDPOINT_URL: ' ' }],
  [{ AWS_ENDPOINT_URL: 'http://h', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'TRUE' }],
])("%o leaves AWS's own endpoints", (env) => {
  expect(endpointOf(endpointsFromEnv(env), 'sqs')).toBeUndefined();
});

test.each(['nonsense', 'localhost:4566', 'ftp://127.0.0.1', 'http://'])(
  'an endpoint that is no URL is refused by its variable: %s',
  (value) => {
    expect(() => endpointsFromEnv({ AWS_ENDPOINT_URL_SQS: value })).toThrow(
      `\`AWS_ENDPOINT_URL_SQS\` must be an http or https URL, found ${value}`,
    );
  },
);

test('what may hold a password is not shown', () => {
  expect(() => endpointsFromEnv({ AWS_ENDPOINT_URL: 'me:secret@host' })).toThrow(/URL$/);
});
