import { seededRandom } from '../../src/lib/random.ts';
import { reply, type HttpSink, type SinkAnswer, type SinkRequest } from './http-sink.ts';

/** What a consumer of SQS events sees and remembers. */
export interface SqsRecord {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
}
export const recordsOf = (request: SinkRequest): readonly SqsRecord[] =>
  (request.json() as { Records: readonly SqsRecord[] }).Records;

/** What a consumer processed with success: ids by how often, and per group the order. */
export class ConsumerLedger {
  readonly successes = new Map<string, number>();
  readonly orderOf = new Map<string, number[]>();

  processed(record: SqsRecord): void {
    const first = !this.successes.has(record.messageId);
    this.successes.set(record.messageId, (this.successes.get(record.messageId) ?? 0) + 1);
    const group = record.attributes['MessageGroupId'];
    if (group === undefined || !first) return;
    const order = this.orderOf.get(group) ?? [];
    order.push(Number(record.body));
    this.orderOf.set(group, order);
  }

  get duplicates(): number {
    return [...this.successes.values()].reduce((sum, count) => sum + count - 1, 0);
  }
}

/** A consumer with 5 % errors and some throttles, from a seed. */
export function unsteady(ledger: ConsumerLedger, seed: number): (request: SinkRequest) => SinkAnswer {
  const random = seededRandom(seed);
  return (request) => {
    const dice = random();
    if (dice < 0.05) return reply(500, { message: 'unlucky' });
    if (dice < 0.07) return reply(429, '', { 'retry-after': '1' });
    for (const record of recordsOf(request)) ledger.processed(record);
    return reply(200, {});
  };
}

/** The bodies that reached a sink, in order. */
export const bodiesOf = (sink: HttpSink): string[] =>
  sink.requests.flatMap((request) => recordsOf(request).map((record) => record.body));
