import { describe, expect, test } from 'vitest';
import { startConsumer } from '../../../src/cli/demo/consumer.ts';
import { Ledger } from '../../../src/cli/demo/ledger.ts';
import { plainLine, progress, table, type Row } from '../../../src/cli/demo/view.ts';

const send = (
  ledger: Ledger,
  id: string,
  more: { wanted?: boolean; group?: { name: string; sequence: number } } = {},
) => ledger.sent({ id, wanted: true, sentAtMs: 1000, ...more });

describe('the ledgers of the demo can show what went wrong', () => {
  test('a message that never arrives is missing', () => {
    const ledger = new Ledger();
    send(ledger, 'a');
    send(ledger, 'b');
    ledger.processed('a', 1010);
    expect(ledger.totals()).toMatchObject({ produced: 2, delivered: 1, missing: 1, duplicates: 0 });
  });

  test('a message that the filter had to hold back and did not has leaked', () => {
    const ledger = new Ledger();
    send(ledger, 'a', { wanted: false });
    expect(ledger.totals()).toMatchObject({ filtered: 1, leaked: 0, missing: 0 });
    ledger.processed('a', 1010);
    expect(ledger.totals()).toMatchObject({ filtered: 0, leaked: 1 });
  });

  test('a second success is a duplicate, a success after a refusal a retry', () => {
    const ledger = new Ledger();
    send(ledger, 'a');
    expect(ledger.isFirst('a')).toBe(true);
    ledger.refused('a');
    expect(ledger.isFirst('a')).toBe(false);
    ledger.processed('a', 1010);
    ledger.processed('a', 1020);
    expect(ledger.totals()).toMatchObject({ failed: 1, retried: 1, delivered: 1, duplicates: 1 });
  });

  test('a message of a group before an earlier one is out of order', () => {
    const ledger = new Ledger();
    for (const sequence of [1, 2, 3]) send(ledger, `m${sequence}`, { group: { name: 'g', sequence } });
    for (const id of ['m1', 'm3', 'm2']) ledger.processed(id, 1010);
    expect(ledger.totals().outOfOrder).toBe(1);
  });

  test('latency is from sending to the first success', () => {
    const ledger = new Ledger();
    for (let n = 0; n < 100; n++) {
      send(ledger, `m${n}`);
      ledger.processed(`m${n}`, 1000 + n);
    }
    expect(ledger.totals()).toMatchObject({ p50Ms: 50, p99Ms: 99 });
  });
});

describe('the consumer of the demo', () => {
  const event = (...ids: string[]) =>
    JSON.stringify({ Records: ids.map((id) => ({ messageId: `m-${id}`, body: JSON.stringify({ id }) })) });
  const post = async (url: string, body: string) => {
    const response = await fetch(url, { method: 'POST', body });
    return { status: response.status, body: await response.json() };
  };

  test('names single messages that it refuses, and takes them the next time', async () => {
    const ledger = new Ledger();
    send(ledger, 'a');
    send(ledger, 'b');
    const chances = [0, 0.9];
    const deps = { random: () => chances.shift() ?? 0.9, now: () => 1010 };
    await using consumer = await startConsumer(deps, { '/in': { ledger, refuses: 'messages', share: 0.5 } });
    expect(await post(`${consumer.url}/in`, event('a', 'b'))).toEqual({
      status: 200,
      body: { batchItemFailures: [{ itemIdentifier: 'm-a' }] },
    });
    expect(await post(`${consumer.url}/in`, event('a'))).toEqual({
      status: 200,
      body: { batchItemFailures: [] },
    });
    expect(ledger.totals()).toMatchObject({ delivered: 2, failed: 1, retried: 1 });
  });

  test('refuses a whole batch by its status', async () => {
    const ledger = new Ledger();
    send(ledger, 'a');
    send(ledger, 'b');
    await using consumer = await startConsumer(
      { random: () => 0, now: () => 1010 },
      { '/in': { ledger, refuses: 'batch', share: 0.5 } },
    );
    expect((await post(`${consumer.url}/in`, event('a', 'b'))).status).toBe(500);
    expect((await post(`${consumer.url}/in`, event('a', 'b'))).status).toBe(200);
    expect(ledger.totals()).toMatchObject({ delivered: 2, failed: 2 });
  });

  test('answers what it cannot read, and other paths, with an error', async () => {
    await using consumer = await startConsumer(
      { random: () => 0, now: () => 0 },
      { '/in': { ledger: new Ledger(), refuses: 'batch', share: 0 } },
    );
    expect((await post(`${consumer.url}/in`, '{}')).status).toBe(400);
    expect((await post(`${consumer.url}/out`, '{}')).status).toBe(404);
  });
});

describe('the view of the demo', () => {
  const ledger = new Ledger();
  send(ledger, 'a');
  ledger.processed('a', 1012);
  const row: Row = { mapping: 'orders', totals: ledger.totals(), inFlight: 3, rate: 99.6 };

  test('is a table with a line for each mapping', () => {
    expect(table([row, { ...row, mapping: 'payments' }])).toBe(
      [
        'MAPPING   SENT  FILTERED  DELIVERED  FAILED  RETRIED  WAITING  IN FLIGHT  PER S    P50    P99',
        'orders       1         0          1       0        0        0          3    100  12 ms  12 ms',
        'payments     1         0          1       0        0        0          3    100  12 ms  12 ms',
        '',
      ].join('\n'),
    );
  });

  test('is a plain line where there is no terminal', () => {
    expect(plainLine(2000, 'producing', [row])).toBe(
      '   2 s producing: orders sent=1 filtered=0 delivered=1 failed=0 retried=0 inFlight=3 rate=100/s p50=12ms p99=12ms\n',
    );
  });

  test('shows how much of the time is over, and no more than all', () => {
    expect(progress(5000, 10_000, 'producing')).toBe(
      `[${'#'.repeat(15)}${'.'.repeat(15)}] producing 5/10 s\n`,
    );
    expect(progress(15_000, 10_000, 'draining')).toBe(`[${'#'.repeat(30)}] draining 15/10 s\n`);
  });
});
