/** What is measured, and by whom. */
export interface Case {
  readonly name: string;
  readonly bytes: number;
  /** Messages in a call of the target. */
  readonly batch: number;
  readonly kind: 'drain' | 'paced' | 'idle';
  readonly target: 'http' | 'throttled' | 'lambda';
  readonly filtered: boolean;
  /** Messages of the warm-up and of the measured wave, for a run that counts. */
  readonly warm: number;
  readonly measured: number;
  readonly candidates: readonly CandidateName[];
}

export type CandidateName = 'sluice' | 'sluice-sdk' | 'bare' | 'sdk' | 'sqs-consumer';

const drain = { kind: 'drain', target: 'http', filtered: false, bytes: 1024, warm: 20_000 } as const;

export const cases: readonly Case[] = [
  {
    ...drain,
    name: 'batch 10',
    batch: 10,
    measured: 100_000,
    candidates: ['sluice', 'bare', 'sqs-consumer', 'sdk', 'sluice-sdk'],
  },
  { ...drain, name: 'batch 1', batch: 1, measured: 40_000, candidates: ['sluice', 'bare', 'sqs-consumer'] },
  { ...drain, name: 'batch 100', batch: 100, measured: 100_000, candidates: ['sluice', 'bare'] },
  {
    ...drain,
    name: '32 KiB, batch 10',
    bytes: 32_768,
    batch: 10,
    warm: 2000,
    measured: 12_000,
    candidates: ['sluice', 'bare', 'sqs-consumer'],
  },
  {
    ...drain,
    name: 'five filters, batch 10',
    batch: 10,
    filtered: true,
    measured: 100_000,
    candidates: ['sluice'],
  },
  {
    ...drain,
    name: 'Lambda Invoke, batch 10',
    batch: 10,
    target: 'lambda',
    measured: 60_000,
    candidates: ['sluice', 'bare'],
  },
  {
    ...drain,
    name: 'throttled target, batch 10',
    batch: 10,
    target: 'throttled',
    warm: 2000,
    measured: 5000,
    candidates: ['sluice'],
  },
  {
    ...drain,
    name: '500 messages a second',
    kind: 'paced',
    batch: 10,
    warm: 2500,
    measured: 5000,
    candidates: ['sluice', 'bare', 'sqs-consumer'],
  },
  {
    ...drain,
    name: '1,000 idle queues',
    kind: 'idle',
    batch: 10,
    warm: 0,
    measured: 0,
    candidates: ['sluice', 'bare', 'sqs-consumer'],
  },
];

/** Patterns as people write them: the last one matches every message of the bench. */
export const patterns: readonly string[] = [
  '{"body":{"customer":{"tier":["platinum"]}}}',
  '{"body":{"total":[{"numeric":[">",100000]}]}}',
  '{"body":{"orderId":[{"prefix":"test-"}]}}',
  '{"body":{"customer":{"country":[{"anything-but":["DE"]}]}}}',
  '{"body":{"items":{"sku":[{"exists":true}]}}}',
];
