import { describe, expect, it } from 'vitest';
import { reasons } from '../../../../src/api/conditions.ts';
import { factsOf } from '../../../../src/backends/aws/facts.ts';
import { healthOf, transitionCodes } from '../../../../src/backends/aws/health.ts';

const unknown = { source: 'Unknown Unknown', target: 'Unknown Unknown' };
const read = 'True ReadSucceeded';

describe('the health that AWS tells', () => {
  it.each<{ transition?: string; result?: string; source?: string; target?: string; why: string }>([
    { why: 'SQS has no result', transition: 'USER_INITIATED' },
    { why: 'a stream that nothing was read from yet', result: 'No records processed' },
    { why: 'a batch went through', result: 'OK', source: read, target: 'True TargetSucceeded' },
    {
      why: 'the function failed, so there was something to call it with',
      result: 'PROBLEM: Function call failed',
      source: read,
      target: 'False FunctionError',
    },
    {
      why: 'the role of the function',
      result: 'PROBLEM: Lambda failed to assume your function execution role.',
      target: 'False ExecutionRoleAccessDenied',
    },
    {
      why: 'no network',
      result: 'PROBLEM: Connection error. Please check your event source connection configuration.',
      source: 'False SourceUnreachable',
    },
    {
      why: 'Kafka: rights',
      result: 'PROBLEM: Cluster failed to authorize Lambda.',
      source: 'False EventSourceAuthzError',
    },
    {
      why: 'Kafka: login',
      result: 'PROBLEM: SASL authentication failed.',
      source: 'False EventSourceAuthnError',
    },
    {
      why: 'Kafka: certificate',
      result: 'PROBLEM: Provided certificate or private key is invalid.',
      source: 'False EventSourceAuthnError',
    },
    {
      why: 'a text of tomorrow',
      result: 'PROBLEM: The moon is in the way.',
      source: 'False ProcessingProblem',
    },
    {
      why: 'ESM_CONFIG_NOT_VALID',
      transition: 'ESM_CONFIG_NOT_VALID',
      source: 'False EsmConfigNotValid',
    },
    {
      why: 'EVENT_SOURCE_AUTHN_ERROR, whatever the last result was',
      transition: 'EVENT_SOURCE_AUTHN_ERROR',
      result: 'OK',
      source: 'False EventSourceAuthnError',
    },
    {
      why: 'EVENT_SOURCE_AUTHZ_ERROR',
      transition: 'EVENT_SOURCE_AUTHZ_ERROR',
      source: 'False EventSourceAuthzError',
    },
    {
      why: 'FUNCTION_CONFIG_NOT_VALID within other words',
      transition: 'Stopped: FUNCTION_CONFIG_NOT_VALID',
      target: 'False FunctionConfigNotValid',
    },
  ])('$why', ({ transition, result, source = unknown.source, target = unknown.target }) => {
    const { sourceHealthy, targetHealthy } = healthOf({
      StateTransitionReason: transition,
      LastProcessingResult: result,
    });
    expect(`${sourceHealthy.status} ${sourceHealthy.reason}`).toBe(source);
    expect(`${targetHealthy.status} ${targetHealthy.reason}`).toBe(target);
    // What fails is told in AWS's own words.
    for (const { status, message } of [sourceHealthy, targetHealthy])
      if (status === 'False') expect([transition, result]).toContain(message);
  });

  it('has one documented reason for each code', () => {
    const used = Object.values(transitionCodes).map(({ reason }) => reason);
    expect(new Set(used).size).toBe(used.length);
    for (const reason of used) expect(reasons[reason].fix).not.toBe('');
    const told = Object.keys(transitionCodes).map(
      (code) => Object.values(reasons).filter(({ description }) => description.includes(code)).length,
    );
    expect(told).toEqual(told.map(() => 1));
  });

  it('warns of filters that it cannot see', () => {
    const marks = { tagKeys: [], adopted: false };
    expect(factsOf({ KMSKeyArn: 'arn:k', FilterCriteria: undefined }, marks).warnings).toMatchObject([
      { reason: 'FiltersNotReadable' },
    ]);
    expect(factsOf({}, marks).warnings).toEqual([]);
  });
});
