import { expect, test } from 'vitest';
import { UsageError } from '../../../src/cli/command.ts';
import { parseServices } from '../../../src/cli/local.ts';

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
