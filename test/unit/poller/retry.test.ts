import { describe, expect, test } from 'vitest';
import { after, backoff, never, SluiceError } from '../../../src/lib/errors.ts';
import { brakeDelayMs, sourceDelayMs } from '../../../src/poller/retry.ts';

const least = () => 0;
const most = () => 1;

describe('Retry-After', () => {
  test.for([
    { why: 'is honoured', attempt: 1, asked: 7000, delay: 7000 },
    { why: 'wins over the back-off', attempt: 9, asked: 2000, delay: 2000 },
    { why: 'of nothing still leaves the target alone for a moment', attempt: 1, asked: 0, delay: 100 },
    { why: 'of nothing, again and again, means a second', attempt: 4, asked: 0, delay: 1000 },
    { why: 'of a day is cut to five minutes', attempt: 1, asked: 86_400_000, delay: 300_000 },
    { why: 'in the past is taken as none', attempt: 1, asked: -5000, delay: 100 },
    { why: 'that is no number is ignored', attempt: 2, asked: Number.NaN, delay: 2000 },
  ])('$why', ({ attempt, asked, delay }) => {
    expect(brakeDelayMs(attempt, asked, least)).toBe(delay);
  });

  test('is never undercut by chance', () => {
    expect(brakeDelayMs(1, 5000, most)).toBe(5500);
  });
});

describe('after a failed call to the source', () => {
  const failure = (retry: SluiceError['retry']) => new SluiceError('SourceFailed', '', retry);
  test.for([
    { why: 'the first retry comes soon', error: failure(backoff), attempt: 1, least: 500, most: 250 },
    {
      why: 'later ones as often as an idle queue is polled, or sooner',
      error: failure(backoff),
      attempt: 20,
      least: 20_000,
      most: 10_000,
    },
    {
      why: 'what a person has to mend is tried less often',
      error: failure(never),
      attempt: 1,
      least: 5000,
      most: 3750,
    },
    {
      why: 'and found soon when it is mended',
      error: failure(never),
      attempt: 100,
      least: 20_000,
      most: 15_000,
    },
    {
      why: 'a delay that the error names is kept',
      error: failure(after(3000)),
      attempt: 1,
      least: 3000,
      most: 3000,
    },
    { why: 'an unknown error backs off', error: new Error('?'), attempt: 2, least: 1000, most: 500 },
  ])('$why', (row) => {
    expect(sourceDelayMs(row.error, row.attempt, least)).toBe(row.least);
    expect(sourceDelayMs(row.error, row.attempt, most)).toBe(row.most);
  });
});
