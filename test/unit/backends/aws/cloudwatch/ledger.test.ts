import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../../../src/backends/aws/cloudwatch/ledger.ts';

const minute = (index: number, value: number) => ({ atMs: index * 60_000, value });
const never = (): boolean => false;

describe('what is counted of a metric', () => {
  it('is what a minute has more than before', () => {
    const ledger = new Ledger(0);
    expect(ledger.growth('a', [minute(1, 3), minute(2, 4)])).toBe(7);
    expect(ledger.growth('a', [minute(1, 3), minute(2, 9), minute(3, 1)])).toBe(6);
    expect(ledger.growth('a', [minute(1, 3), minute(2, 9), minute(3, 1)])).toBe(0);
    expect(ledger.growth('b', [minute(1, 3)])).toBe(3);
  });

  it('never goes back, and leaves out what is no sum', () => {
    const ledger = new Ledger(0);
    ledger.growth('a', [minute(1, 5)]);
    const odd = [minute(1, 2), minute(2, -4), minute(3, Number.NaN), minute(4, 0)];
    expect(ledger.growth('a', odd)).toBe(0);
    expect(ledger.growth('a', [minute(1, 6)])).toBe(1);
  });

  it('is nothing of before the begin, and nothing of closed minutes', () => {
    const ledger = new Ledger(120_000);
    expect(ledger.growth('a', [minute(1, 100), minute(2, 5), minute(3, 6)])).toBe(11);
    ledger.close('a', 180_000);
    expect(ledger.growth('a', [minute(2, 50), minute(3, 7)])).toBe(1);
    // An earlier end of the window opens nothing again.
    ledger.close('a', 60_000);
    expect(ledger.growth('a', [minute(2, 50)])).toBe(0);
  });

  it('is remembered of a metric that is asked for no more, as long as its minutes may be read again', () => {
    const ledger = new Ledger(0);
    ledger.growth('a', [minute(5, 4)]);
    ledger.forget(never, 5 * 60_000);
    expect(ledger.growth('a', [minute(5, 4)])).toBe(0);
    ledger.forget(never, 6 * 60_000);
    expect(ledger.size).toBe(0);
    ledger.growth('b', [minute(1, 1)]);
    ledger.forget((key) => key === 'b', 6 * 60_000);
    expect(ledger.size).toBe(1);
  });

  it('is the greatest sum of each minute, however late and often data points come', () => {
    const reads = fc.array(fc.array(fc.record({ at: fc.nat(9), value: fc.nat(50) }), { maxLength: 6 }));
    fc.assert(
      fc.property(reads, (rounds) => {
        const ledger = new Ledger(0);
        const greatest = new Map<number, number>();
        let total = 0;
        for (const round of rounds) {
          total += ledger.growth(
            'a',
            round.map(({ at, value }) => minute(at, value)),
          );
          for (const { at, value } of round) greatest.set(at, Math.max(value, greatest.get(at) ?? 0));
        }
        expect(total).toBe([...greatest.values()].reduce((sum, value) => sum + value, 0));
      }),
    );
  });
});
