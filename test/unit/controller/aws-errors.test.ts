import { describe, expect, it } from 'vitest';
import { classifyControlError } from '../../../src/aws/classify-control.ts';
import { ControlError } from '../../../src/backends/aws/client.ts';
import { aMapping } from '../../support/mappings.ts';
import { TestReconciler } from '../../support/reconciler.ts';

const key = 'shop/orders';
const kinesis = 'arn:aws:kinesis:eu-central-1:000000000000:stream/clicks';

/** Lambda's answer to a call, as the backend sees it. */
function answer(call: string, name: string, status: number | undefined, message: string): () => never {
  const error = Object.assign(new Error(message), {
    name,
    $metadata: status === undefined ? {} : { httpStatusCode: status },
  });
  return () => {
    throw new ControlError(classifyControlError(error, { action: `lambda:${call}` }));
  };
}

interface Row {
  readonly why: string;
  readonly name: string;
  readonly status: number | undefined;
  readonly message: string;
  /** `Ready` and `Reconciling` or `Stalled` after one pass. */
  readonly conditions: Readonly<Record<string, string>>;
}

const stalled = (reason: string) => ({ Ready: `False ${reason}`, Stalled: `True ${reason}` });
const retried = (reason: string) => ({
  Ready: 'False ProgressingWithRetry',
  Reconciling: `True ${reason}`,
});
const quiet = { Ready: 'Unknown Progressing', Reconciling: 'True Progressing' };

const rows: readonly Row[] = [
  {
    why: 'terminal: Lambda refuses an argument',
    name: 'InvalidParameterValueException',
    status: 400,
    message: 'Maximum batch window in seconds must be greater than 0',
    conditions: stalled('AwsRejected'),
  },
  {
    why: 'terminal: the model refuses a value',
    name: 'ValidationException',
    status: 400,
    message: "1 validation error detected: Value '0' at 'batchSize' failed to satisfy constraint",
    conditions: stalled('AwsRejected'),
  },
  {
    why: 'retryable: the function may come',
    name: 'InvalidParameterValueException',
    status: 400,
    message: 'Function does not exist',
    conditions: retried('FunctionNotFound'),
  },
  {
    why: 'retryable: rights of ours',
    name: 'AccessDeniedException',
    status: 403,
    message: 'User: arn is not authorized to perform: lambda:CreateEventSourceMapping',
    conditions: retried('AwsAccessDenied'),
  },
  {
    why: 'retryable: AWS fails',
    name: 'ServiceException',
    status: 500,
    message: 'Internal',
    conditions: retried('AwsFailed'),
  },
  {
    why: 'retryable: no answer',
    name: 'TimeoutError',
    status: undefined,
    message: 'late',
    conditions: retried('AwsUnreachable'),
  },
  {
    why: 'throttled',
    name: 'TooManyRequestsException',
    status: 429,
    message: 'Rate exceeded',
    conditions: retried('AwsThrottled'),
  },
  {
    why: 'a state: another change is under way',
    name: 'ResourceInUseException',
    status: 400,
    message: 'Cannot update the event source mapping because it is in use.',
    conditions: quiet,
  },
  {
    why: 'a state: two changes met',
    name: 'ResourceConflictException',
    status: 409,
    message: 'The operation cannot be performed at this time.',
    conditions: quiet,
  },
  {
    why: 'propagation: the role is not known yet',
    name: 'InvalidParameterValueException',
    status: 400,
    message: 'The role defined for the function cannot be assumed by Lambda.',
    conditions: quiet,
  },
  {
    why: 'propagation: its rights are not known yet',
    name: 'InvalidParameterValueException',
    status: 400,
    message: 'The provided execution role does not have permissions to call ReceiveMessage on SQS',
    conditions: quiet,
  },
];

describe('what AWS refuses', () => {
  it.each(rows)('is told within one pass: $why', async ({ name, status, message, conditions }) => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    world.api.create = () => Promise.try(answer('CreateEventSourceMapping', name, status, message));
    await world.pass();
    expect(world.conditions()).toMatchObject(conditions);
    const told = world.conditions();
    expect('Stalled' in told && 'Reconciling' in told).toBe(false);
    // A refusal that is final is not repeated before somebody changes something, or the next look for drift.
    const isFinal = 'Stalled' in conditions;
    expect(await world.pass()).toMatchObject(isFinal ? { kind: 'after', ms: 600_000 } : { kind: 'retry' });
  });

  it.each([
    ['The role defined for the function cannot be assumed by Lambda.', ['sts:AssumeRole']],
    [
      'The provided execution role does not have permissions to call ReceiveMessage on SQS',
      ['sqs:ReceiveMessage'],
    ],
    [
      `Cannot access stream ${kinesis}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM.`,
      ['kinesis:GetRecords', 'kinesis:GetShardIterator', 'kinesis:DescribeStream', 'kinesis:ListStreams'],
    ],
  ])('waits two minutes for IAM to spread, then names what is missing: %s', async (message, missing) => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    const refusal = answer('CreateEventSourceMapping', 'InvalidParameterValueException', 400, message);
    world.api.create = () => Promise.try(refusal);
    for (let second = 0; second < 120; second += 30) {
      expect(await world.pass()).toEqual({ kind: 'retry', atLeastMs: 0 });
      expect(world.conditions()).toMatchObject(quiet);
      await world.clock.advance(30_000);
    }
    expect(world.events.some(({ kind }) => kind === 'step-failed')).toBe(false);
    await world.pass();
    expect(world.conditions()).toMatchObject(retried('ExecutionRoleAccessDenied'));
    const told = world.store.get(key)?.status?.conditions?.find(({ type }) => type === 'Ready')?.message;
    for (const action of missing) expect(told).toContain(`\`${action}\``);
  });

  it('is forgotten when it passes', async () => {
    const world = new TestReconciler();
    world.store.put(aMapping());
    const create = world.api.create.bind(world.api);
    const text = 'The role defined for the function cannot be assumed by Lambda.';
    const refusal = answer('CreateEventSourceMapping', 'InvalidParameterValueException', 400, text);
    world.api.create = () => Promise.try(refusal);
    await world.pass();
    world.api.create = create;
    await world.settle();
    expect(world.conditions()).toMatchObject({ Ready: 'True Serving' });
    expect(world.conditions()).not.toHaveProperty('Reconciling');
  });
});
