import { expect, test } from 'vitest';
import { createLog } from '../../../src/telemetry/log.ts';

test('a line is one JSON object with time, level, facts, fields and message, and ends in a newline', () => {
  const written: string[] = [];
  const log = createLog('info', (line) => written.push(line), { component: 'poller', member: 'a' });
  log.info('Opened the source', {
    mapping: 'shop/orders',
    batchSize: 10,
    missing: undefined,
    fields: ['a', 'b'],
  });
  log.warn('Two\nlines "quoted"');
  expect(written).toHaveLength(2);
  expect(written.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true);
  const [first, second] = written.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(first).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    component: 'poller',
    member: 'a',
    mapping: 'shop/orders',
    batchSize: 10,
    fields: ['a', 'b'],
    message: 'Opened the source',
  });
  expect(second?.['message']).toBe('Two\nlines "quoted"');
});

test.each([
  { level: 'debug', written: ['debug', 'info', 'warn', 'error'] },
  { level: 'info', written: ['info', 'warn', 'error'] },
  { level: 'warn', written: ['warn', 'error'] },
  { level: 'error', written: ['error'] },
] as const)('the level $level writes $written', ({ level, written }) => {
  const lines: string[] = [];
  const log = createLog(level, (line) => lines.push(line));
  log.debug('a');
  log.info('a');
  log.warn('a');
  log.error('a');
  expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(written);
});
