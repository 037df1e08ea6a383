import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { steadyAfter, steadyAt, steadyFrom, type SteadyHealth } from '../../../src/fleet/steady-health.ts';
import type { Health } from '../../../src/poller/health.ts';

const unknown: Health = { status: 'Unknown', reason: 'Unknown', message: '' };
const well: Health = { status: 'True', reason: 'TargetSucceeded', message: '' };
const failing: Health = { status: 'False', reason: 'FunctionError', message: 'The target answered 500' };
const busy: Health = { status: 'False', reason: 'TargetThrottled', message: 'The target answered 429' };
const away: Health = { status: 'False', reason: 'SourceUnreachable', message: 'No answer' };
const missing: Health = { status: 'False', reason: 'QueueNotFound', message: 'No such queue' };

/** Follows health, a value a step, looking at it in between as the reporter does; every change of what is told. */
function follow(
  values: readonly Health[],
  stepMs: number,
): { told: string[]; memory: SteadyHealth; nowMs: number } {
  let nowMs = 0;
  let memory = steadyFrom(unknown, nowMs);
  const told: string[] = [];
  const look = (next: SteadyHealth): void => {
    if (next.told !== memory.told) told.push(`${nowMs} ${next.told.reason}`);
    memory = next;
  };
  for (const value of values) {
    look(steadyAfter(memory, { ...value }, nowMs));
    nowMs += stepMs;
    look(steadyAt(memory, nowMs));
  }
  return { told, memory, nowMs };
}

const alternating = (a: Health, b: Health, count: number): Health[] =>
  Array.from({ length: count }, (_, index) => (index % 2 === 0 ? a : b));

describe('what is told of health', () => {
  test('the first troubles, and their end, are told at once', () => {
    expect(follow([well, failing, well, failing, well], 1000).told).toEqual([
      '0 TargetSucceeded',
      '1000 FunctionError',
      '2000 TargetSucceeded',
      '3000 FunctionError',
      '4000 TargetSucceeded',
    ]);
  });

  test.each([
    { a: well, b: failing, why: 'a consumer that fails every other batch' },
    { a: unknown, b: busy, why: 'an endpoint that comes and goes' },
    { a: busy, b: failing, why: 'two kinds of trouble in turn' },
  ])('an hour of changes each second is told in a few words: $why', ({ a, b }) => {
    const { told } = follow(alternating(a, b, 3600), 1000);
    expect(told.length).toBeLessThan(80);
    const late = told.filter((line) => Number.parseInt(line, 10) > 600_000);
    expect(late.length).toBeLessThan(60);
  });

  test('a consumer that keeps failing now and then is told as failing, without a break', () => {
    const often = Array.from({ length: 3600 }, (_, index) => (index % 20 === 0 ? failing : well));
    const { told, memory } = follow(often, 1000);
    expect(memory.told).toEqual(failing);
    expect(told.length).toBeLessThan(25);
  });

  test('the end of long trouble is told within about a minute, and after a quiet time troubles are new', () => {
    const { memory, nowMs } = follow(alternating(well, failing, 600), 1000);
    const calm = steadyAfter(memory, well, nowMs);
    expect(calm.told).toEqual(failing);
    const better = steadyAt(calm, nowMs + 60_000);
    expect(better.told).toEqual(well);
    const again = steadyAfter(steadyAfter(better, failing, nowMs + 400_000), well, nowMs + 401_000);
    expect(again.told).toEqual(well);
  });

  test('a read that fails in passing is told only when reads go on to fail for ten seconds', () => {
    const read = follow([well], 1000);
    const fails = steadyAfter(read.memory, away, 1000);
    expect(fails.told).toEqual(well);
    expect(steadyAt(fails, 60_000).told, 'the next long poll may take its time').toEqual(well);
    expect(steadyAfter(fails, away, 10_999).told).toEqual(well);
    expect(steadyAfter(fails, away, 11_000).told).toEqual(away);
    expect(follow(alternating(well, away, 1000), 1000).told).toEqual(['0 TargetSucceeded']);
  });

  test('what does not pass by itself, and what never worked, is told at once', () => {
    expect(steadyAfter(follow([well], 1000).memory, missing, 1000).told).toEqual(missing);
    expect(steadyAfter(steadyFrom(unknown, 0), away, 0).told).toEqual(away);
  });

  test('what lasts is told in the end, whatever was before', () => {
    const health = fc.constantFrom(unknown, well, failing, busy, away, missing);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(health, fc.integer({ min: 0, max: 120_000 }))),
        health,
        (history, last) => {
          let nowMs = 0;
          let memory = steadyFrom(unknown, nowMs);
          for (const [value, ms] of history) {
            memory = steadyAt(steadyAfter(memory, value, nowMs), nowMs);
            nowMs += ms;
          }
          memory = steadyAfter(memory, last, nowMs);
          expect(steadyAfter(memory, last, nowMs + 60_000).told).toEqual(last);
        },
      ),
    );
  });
});
