/** What is measured, and by whom. */
export interface Case {
  readonly name: string;
  readonly bytes: number;
  /** Messages in a call of the target. */
  readonly batch: number;
  readonly kind: 'drain' | 'paced' | 'idle';
  readonly target: 'http' | 'throttled' | 'lambda';
  readonly filtered: boolean;
  /** Queues beside one another; 0 = one. */
  readonly queues: number;
  /** Messages of the warm-up and of a wave, for a fast candidate. */
  readonly warm: number;
  readonly measured: number;
  /** Processes for each run, and the waves that each is measured in, where one tells too little. */
  readonly processes: number;
  readonly waves: number;
  readonly candidates: readonly CandidateName[];
  /** Whether Sluice is asked, again and again, for the bytes that it holds: asking costs what other cases measure. */
  readonly asksBuffer?: true;
}

/** Whoever drains the queue; `unfiltered` is Sluice without the filters of the case. */
export type CandidateName = 'sluice' | 'sluice-sdk' | 'unfiltered' | 'bare' | 'sdk' | 'sqs-consumer';

export const candidateNames: readonly CandidateName[] = [
  'sluice',
  'bare',
  'sqs-consumer',
  'sdk',
  'sluice-sdk',
  'unfiltered',
];

const drain = {
  kind: 'drain',
  target: 'http',
  filtered: false,
  bytes: 1024,
  queues: 0,
  batch: 10,
  // Until its code is compiled as well as it will be, which takes a process some seconds.
  warm: 80_000,
  measured: 40_000,
  processes: 1,
  waves: 1,
} as const;

export const cases: readonly Case[] = [
  {
    ...drain,
    name: 'batch 10',
    candidates: ['sluice', 'bare', 'sqs-consumer', 'sdk', 'sluice-sdk'],
  },
  {
    ...drain,
    name: 'batch 1',
    batch: 1,
    // Until there are as many calls at once as under a lasting backlog: five more each second, as Lambda has it.
    warm: 150_000,
    measured: 20_000,
    waves: 2,
    candidates: ['sluice', 'bare', 'sqs-consumer'],
  },
  { ...drain, name: 'batch 100', batch: 100, candidates: ['sluice', 'bare'] },
  {
    ...drain,
    name: '32 KiB',
    bytes: 32_768,
    warm: 12_000,
    measured: 4000,
    waves: 2,
    candidates: ['sluice', 'bare', 'sqs-consumer'],
  },
  {
    ...drain,
    name: 'five filters',
    filtered: true,
    processes: 2,
    waves: 2,
    candidates: ['sluice', 'unfiltered'],
  },
  { ...drain, name: 'Lambda Invoke', target: 'lambda', candidates: ['sluice', 'bare'] },
  {
    ...drain,
    name: '6 MB batches',
    bytes: 570_000,
    warm: 200,
    measured: 200,
    candidates: ['sluice', 'bare'],
    asksBuffer: true,
  },
  {
    ...drain,
    name: 'throttled target',
    target: 'throttled',
    warm: 2000,
    measured: 4000,
    candidates: ['sluice'],
  },
  {
    ...drain,
    name: '500 messages a second',
    kind: 'paced',
    // Until its code is compiled, that is what a process is slow by; one message at a time that takes many.
    warm: 40_000,
    measured: 2500,
    candidates: ['sluice', 'bare', 'sqs-consumer'],
  },
  {
    ...drain,
    name: '1,000 idle queues',
    kind: 'idle',
    queues: 1000,
    candidates: ['sluice', 'bare', 'sqs-consumer'],
  },
];

const slow: ReadonlySet<CandidateName> = new Set(['sdk', 'sqs-consumer', 'sluice-sdk']);

/** Messages of the warm-up and of a wave: a second or so of work for each candidate. */
export function messagesOf(
  of: Case,
  name: CandidateName,
): { readonly warm: number; readonly measured: number } {
  if (of.kind !== 'drain' || !slow.has(name)) return of;
  const least = (count: number): number => Math.max(Math.min(count, 200), Math.round(count / 5));
  return { warm: least(of.warm), measured: least(of.measured) };
}

/** Patterns as people write them: the last one matches every message of the bench. */
export const patterns: readonly string[] = [
  '{"body":{"customer":{"tier":["platinum"]}}}',
  '{"body":{"total":[{"numeric":[">",100000]}]}}',
  '{"body":{"orderId":[{"prefix":"test-"}]}}',
  '{"body":{"customer":{"country":[{"anything-but":["DE"]}]}}}',
  '{"body":{"items":{"sku":[{"exists":true}]}}}',
];
