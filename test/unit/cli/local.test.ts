import { expect, test } from 'vitest';
import { UsageError } from '../../../src/cli/command.ts';
import { parseServices, startLocal } from '../../../src/cli/local.ts';
import { eventually } from '../../support/eventually.ts';
import { keptLog } from '../../support/lines.ts';
import { aPollerMapping } from '../../support/mappings.ts';

test.each([
  ['orders=127.0.0.1:8080', 'orders', '127.0.0.1', 8080],
  ['shop/orders=localhost:80', 'shop/orders', 'localhost', 80],
  ['orders=http://127.0.0.1:8080/', 'orders', '127.0.0.1', 8080],
  ['orders=[::1]:8080', 'orders', '::1', 8080],
])('`--service %s`', (pair, name, address, port) => {
  expect([...parseServices([pair])]).toEqual([[name, { address, port }]]);
});

test.each([
  'orders',
  'orders=',
  'orders=127.0.0.1',
  '=127.0.0.1:80',
  'orders=127.0.0.1:http',
  'orders=127.0.0.1:65536',
])('`--service %s` is refused with what was found', (pair) => {
  expect(() => parseServices([pair])).toThrow(UsageError);
  expect(() => parseServices([pair])).toThrow(`must be NAME=HOST:PORT; found ${JSON.stringify(pair)}`);
});

test('a brake with a value that is not known is warned of, and stops delivery', async () => {
  const { log, lines } = keptLog();
  await using local = await startLocal({
    log,
    env: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_REGION: 'eu-central-1' },
    services: parseServices(['consumer=127.0.0.1:1']),
    accountID: undefined,
    metricsAddress: '127.0.0.1:0',
    bufferBytes: 16 * 1024 * 1024,
    concurrencyCeiling: 1,
  });
  const mapping = aPollerMapping({ metadata: { annotations: { 'sluice.dev/paused': 'yes' } } });
  await local.apply({ mappings: [mapping], content: '', notes: [] }, new AbortController().signal);
  expect(lines).toContainEqual(expect.objectContaining({ level: 'warn', reason: 'PauseValueUnknown' }));
  await eventually(() => local.engine.standings()[0]?.state === 'Paused');
});
