/** What AWS reports of a mapping, as facts for status. Pure. */
import type { Facts, Health } from '../../controller/backend.ts';
import type { Configuration } from './client.ts';

/** The mapping's ARN; older answers of the API leave it out. */
export function arnOf({
  EventSourceMappingArn: arn,
  FunctionArn: functionARN,
  UUID: uuid,
}: Configuration): string {
  if (arn !== undefined) return arn;
  const [, partition = 'aws', , region = '', accountID = ''] = (functionARN ?? '').split(':');
  return `arn:${partition}:lambda:${region}:${accountID}:event-source-mapping:${uuid ?? ''}`;
}

/** What Sluice keeps of a mapping beside what AWS says. */
export interface Marks {
  /** Keys of tags that were set from the spec. */
  readonly tagKeys: readonly string[];
  /** It existed before the object. */
  readonly adopted: boolean;
}

/** What status shows of a mapping. */
export function factsOf(configuration: Configuration, { tagKeys, adopted }: Marks): Facts {
  const result = configuration.LastProcessingResult;
  return {
    state: configuration.State ?? 'Unknown',
    mapping: {
      uuid: configuration.UUID ?? '',
      arn: arnOf(configuration),
      ...optional('functionARN', configuration.FunctionArn),
      ...optional('state', configuration.State),
      ...optional('stateTransitionReason', configuration.StateTransitionReason),
      ...optional('lastProcessingResult', result),
      ...optional('lastModified', configuration.LastModified?.toISOString()),
      ...(adopted ? { adopted } : {}),
      ...(tagKeys.length === 0 ? {} : { tagKeys: [...tagKeys] }),
      ...(configuration.FilterCriteriaError === undefined
        ? {}
        : {
            filterCriteriaError: {
              ...optional('errorCode', configuration.FilterCriteriaError.ErrorCode),
              ...optional('message', configuration.FilterCriteriaError.Message),
            },
          }),
    },
    sourceHealthy: silent,
    targetHealthy: targetHealth(result),
    warnings: [],
  };
}

const silent: Health = { status: 'Unknown', reason: 'Unknown', message: 'AWS Lambda does not report it' };

/** AWS gives no result for SQS; of the texts of the others only the beginning is fixed. */
function targetHealth(result: string | undefined): Health {
  if (result === 'OK')
    return { status: 'True', reason: 'TargetSucceeded', message: 'The last invocation succeeded' };
  if (result?.startsWith('PROBLEM') === true)
    return { status: 'False', reason: 'FunctionError', message: result };
  return silent;
}

function optional<K extends string>(key: K, value: string | undefined): { readonly [P in K]?: string } {
  // A computed key widens to an index signature; it is the one key of the type.
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: string };
}
