/** What AWS reports of a mapping, as facts for status. Pure. */
import type { Facts } from '../../controller/backend.ts';
import type { Configuration } from './client.ts';
import { areFiltersHidden } from './fields/common.ts';
import { healthOf } from './health.ts';

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
  return {
    state: configuration.State ?? 'Unknown',
    mapping: {
      uuid: configuration.UUID ?? '',
      arn: arnOf(configuration),
      ...optional('functionARN', configuration.FunctionArn),
      ...optional('state', configuration.State),
      ...optional('stateTransitionReason', configuration.StateTransitionReason),
      ...optional('lastProcessingResult', configuration.LastProcessingResult),
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
    ...healthOf(configuration),
    warnings: areFiltersHidden(configuration) ? [unseen] : [],
  };
}

const unseen = {
  reason: 'FiltersNotReadable',
  message: 'AWS does not show the encrypted filters, so what was changed about them is not seen',
} as const;

function optional<K extends string>(key: K, value: string | undefined): { readonly [P in K]?: string } {
  // A computed key widens to an index signature; it is the one key of the type.
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: string };
}
