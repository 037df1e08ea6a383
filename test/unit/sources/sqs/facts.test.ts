import { describe, expect, test } from 'vitest';
import { queueFacts } from '../../../../src/sources/sqs/facts.ts';

describe('the facts of a queue', () => {
  test('are read from its attributes', () => {
    const attributes = {
      VisibilityTimeout: '180',
      FifoQueue: 'true',
      ApproximateNumberOfMessages: '5',
      ApproximateNumberOfMessagesNotVisible: '6',
      ApproximateNumberOfMessagesDelayed: '7',
      RedrivePolicy: '{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:1:dlq","maxReceiveCount":5}',
    };
    expect(queueFacts(attributes, true)).toEqual({
      fifo: true,
      visibilityTimeoutMs: 180_000,
      maxReceiveCount: 5,
      backlog: { visible: 5, inFlight: 6, delayed: 7 },
    });
  });

  test("have SQS's defaults where a server leaves something out", () => {
    expect(queueFacts({}, false)).toEqual({
      fifo: false,
      visibilityTimeoutMs: 30_000,
      backlog: { visible: 0, inFlight: 0, delayed: 0 },
    });
  });

  test('keep a visibility timeout of zero', () => {
    expect(queueFacts({ VisibilityTimeout: '0' }, false).visibilityTimeoutMs).toBe(0);
  });

  test.each<[string, number | undefined, string]>([
    ['{"maxReceiveCount":"5"}', 5, 'a string, as templates write it'],
    ['{"maxReceiveCount":5}', 5, 'a number'],
    ['{"deadLetterTargetArn":"x"}', undefined, 'no count'],
    ['{"maxReceiveCount":0}', undefined, 'no count that could be'],
    ['', undefined, 'no policy'],
    ['{', undefined, 'no JSON'],
    ['null', undefined, 'no object'],
  ])('redrive policy %o allows %o receives: %s', (RedrivePolicy, count) => {
    expect(queueFacts({ RedrivePolicy }, false).maxReceiveCount).toBe(count);
  });
});
