import { describe, expect, test } from 'vitest';
import { classifyControlError } from '../../../src/aws/classify-control.ts';

const call = { action: 'lambda:CreateEventSourceMapping' };

function thrown(name: string, status: number | undefined, message: string): Error {
  return Object.assign(new Error(message), {
    name,
    $metadata: status === undefined ? {} : { httpStatusCode: status },
  });
}

describe('an error of the mapping API', () => {
  test.each([
    ['ResourceInUseException', 400, 'Cannot update the event source mapping because it is in use.', 'in-use'],
    ['ResourceConflictException', 409, 'Two changes met', 'conflict'],
    ['ResourceNotFoundException', 404, 'The resource you requested does not exist.', 'not-found'],
    ['ResourceNotFoundException', 404, 'Event source mapping not found: arn', 'not-found'],
    [
      'ResourceNotFoundException',
      404,
      'Function not found: arn:aws:lambda:…:function:f',
      'function-not-found',
    ],
    ['InvalidParameterValueException', 400, 'Function does not exist', 'function-not-found'],
    ['InvalidParameterValueException', 400, 'The role cannot be assumed by Lambda.', 'propagating'],
    [
      'InvalidParameterValueException',
      400,
      'The function execution role does not have permissions to call ReceiveMessage on SQS',
      'propagating',
    ],
    [
      'InvalidParameterValueException',
      400,
      'Please ensure the role can perform the kinesis actions',
      'propagating',
    ],
    ['InvalidParameterValueException', 400, 'Batch size is out of range', 'rejected'],
    ['ValidationException', 400, '1 validation error detected', 'rejected'],
    ['TooManyRequestsException', 429, 'Rate exceeded', 'throttled'],
    [
      'AccessDeniedException',
      403,
      'User is not authorized to perform lambda:CreateEventSourceMapping',
      'denied',
    ],
    ['KMSAccessDeniedException', 502, 'key', 'denied'],
    ['ExpiredTokenException', 403, 'expired', 'denied'],
    ['ServiceException', 500, 'An error occurred', 'unavailable'],
    ['TimeoutError', undefined, 'late', 'unavailable'],
    ['CodeOfTomorrow', 503, 'x', 'unavailable'],
    ['CodeOfTomorrow', 400, 'x', 'rejected'],
    // A gateway's, and no word of AWS's that the mapping does not exist.
    ['UnknownError', 404, 'no Route matched with those values', 'rejected'],
    ['SyntaxError', 404, 'Unexpected token < in JSON', 'unavailable'],
    ['SyntaxError', 429, 'Unexpected token < in JSON', 'throttled'],
  ])('%s %s "%s" is %s', (name, status, message, kind) => {
    expect(classifyControlError(thrown(name, status, message), call).kind).toBe(kind);
  });

  test('a conflict names the mapping that exists, however long the text before it', () => {
    const uuid = '1A2b3c4d-0000-4000-8000-00000000000f';
    const servers = 'broker.example.com:9092,'.repeat(100);
    const message = `An event source mapping with event source ("${servers}") already exists. Please update or delete the existing mapping with UUID ${uuid}`;
    expect(classifyControlError(thrown('ResourceConflictException', 409, message), call)).toMatchObject({
      kind: 'conflict',
      uuid: uuid.toLowerCase(),
    });
  });

  test('a conflict without a UUID says so', () => {
    const failure = classifyControlError(
      thrown('ResourceConflictException', 409, 'The operation is under way'),
      call,
    );
    expect(failure).toMatchObject({ kind: 'conflict', uuid: undefined });
  });

  test.each([
    ['rejected', 'ValidationException', 400, 'never'],
    ['propagating', 'InvalidParameterValueException', 400, 'backoff'],
  ])('%s has retry %s', (kind, name, status, retry) => {
    const message = kind === 'propagating' ? 'The role cannot be assumed by Lambda.' : 'no';
    expect(classifyControlError(thrown(name, status, message), call)).toMatchObject({
      kind,
      error: { retry: { kind: retry } },
    });
  });
});
