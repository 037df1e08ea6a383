import { describe, expect, it } from 'vitest';
import { readFields } from '../../../src/import/fields.ts';
import { makeManifests } from '../../../src/import/manifests.ts';
import { Unknown, type Hole } from '../../../src/import/model.ts';
import { arnText, functionText, placeholderOf } from '../../../src/import/placeholders.ts';

const hole = (name: string, more: Partial<Hole> = {}): Hole => ({ name, text: name, ...more });
const long = `module.${'deep.'.repeat(40)}queue.arn`;
const login = [{ Type: 'BASIC_AUTH', URI: new Unknown([hole('Secret')]) }];

describe('a manifest with placeholders is valid', () => {
  it.each<{ service: string; members: Readonly<Record<string, unknown>>; fifo?: boolean }>([
    { service: 'sqs', members: {} },
    { service: 'sqs', members: {}, fifo: true },
    { service: 'kinesis', members: { StartingPosition: 'LATEST' } },
    { service: 'dynamodb', members: { StartingPosition: 'LATEST' } },
    { service: 'kafka', members: { Topics: ['t1'] } },
    { service: 'mq', members: { Queues: ['q'], SourceAccessConfigurations: login } },
    {
      service: 'rds',
      members: { SourceAccessConfigurations: login, DocumentDBEventSourceConfig: { DatabaseName: 'd' } },
    },
  ])('for $service', ({ service, members, fifo }) => {
    for (const name of ['Queue.Arn', 'ImportValue.a-b', long]) {
      const { spec } = readFields(
        {
          ...members,
          EventSourceArn: new Unknown([hole(name, { service, fifo })]),
          FunctionName: new Unknown([hole(long), ':', hole('alias')]),
          ...(service === 'rds' ? {} : { KmsKeyArn: new Unknown([hole(long)]) }),
        },
        { subject: 'm' },
      );
      const reading = { mappings: [{ subject: 'm', spec }], notes: [] };
      expect(makeManifests(reading, { adoption: 'IfExists' }).manifests[0]?.problems).toEqual([]);
    }
  });
});

it('two long names stay two', () => {
  const [one, other] = [placeholderOf(hole(`${long}.a`)), placeholderOf(hole(`${long}.b`))];
  expect(one).not.toBe(other);
  expect(one.length).toBeLessThanOrEqual(75);
});

it.each<{ parts: readonly (string | Hole)[]; service: string; text: string; left: number; why: string }>([
  {
    parts: ['arn:', hole('P'), ':sqs:', hole('R'), ':', hole('A'), ':q'],
    service: 'x',
    text: 'arn:aws:sqs:::q',
    left: 3,
    why: 'known resource',
  },
  {
    parts: ['arn:aws:', hole('S'), ':eu-west-1::q'],
    service: 'sqs',
    text: 'arn:aws:sqs:eu-west-1::q',
    left: 0,
    why: 'a service by the hint',
  },
  {
    parts: ['arn:aws:sqs:::a-', hole('S'), '-', hole('T')],
    service: 'x',
    text: 'arn:aws:sqs:::a-PLACEHOLDER_S-PLACEHOLDER_T',
    left: 0,
    why: 'parts of a name',
  },
  {
    parts: [hole('Q'), '.fifo'],
    service: 'sqs',
    text: 'arn:aws:sqs:::PLACEHOLDER_Q.fifo',
    left: 0,
    why: 'no ARN at all',
  },
])('an ARN in parts: $why', ({ parts, service, text, left }) => {
  const written = arnText(new Unknown(parts), service);
  expect([written.text, written.left.length]).toEqual([text, left]);
});

it('a function is a name where its place is not known, and an ARN where it is', () => {
  const arn = (region: string | Hole) =>
    functionText(new Unknown(['arn:aws:lambda:', region, ':', hole('A'), ':function:f:', hole('V')]));
  expect(arn(hole('R')).text).toBe('f:PLACEHOLDER_V');
  expect(arn('eu-west-1').text).toBe('arn:aws:lambda:eu-west-1::function:f:PLACEHOLDER_V');
});
