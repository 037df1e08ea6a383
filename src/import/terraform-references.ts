/**
 * What an attribute of a Terraform resource stands for: the ARN or the name of a source, a function or a destination.
 * A resource that is named gives an ARN without Region and account, another one a hole that knows the service.
 */
import { concat, holeOr, placeholderName, Unknown, type Settings } from './model.ts';

export interface Referred {
  /** Type of the resource, as `aws_sqs_queue`. */
  readonly type: string;
  readonly attribute: string;
  /** The reference as it is written. */
  readonly text: string;
  /** A configured attribute of the resource, worked out. */
  readonly get: (attribute: string) => unknown;
  readonly settings: Settings;
}

/** By type: service, attribute that holds the name, and what comes before it in the ARN; no name, no ARN. */
const types: Readonly<Record<string, readonly [service: string, name?: string, prefix?: string]>> = {
  aws_sqs_queue: ['sqs', 'name', ''],
  aws_sns_topic: ['sns', 'name', ''],
  aws_s3_bucket: ['s3', 'bucket', ''],
  aws_kinesis_stream: ['kinesis', 'name', 'stream/'],
  aws_kinesis_stream_consumer: ['kinesis'],
  aws_dynamodb_table: ['dynamodb'],
  aws_msk_cluster: ['kafka'],
  aws_msk_serverless_cluster: ['kafka'],
  aws_mq_broker: ['mq'],
  aws_docdb_cluster: ['rds'],
  aws_kms_key: ['kms'],
  aws_kms_alias: ['kms'],
  aws_secretsmanager_secret: ['secretsmanager'],
};

/** The value of a reference. */
export function arnSources(referred: Referred): unknown {
  const { type, attribute, text, get, settings } = referred;
  const open = (name: string, service?: string, fifo?: boolean): string | Unknown =>
    holeOr({ name: placeholderName(name), text, service, fifo }, settings);
  if (type === 'aws_lambda_function') {
    const name = textOf(get('function_name')) ?? open(text.replace(/[.][a-z_]+$/, ''));
    if (attribute === 'arn' || attribute === 'function_name' || attribute === 'id') return name;
    if (attribute === 'qualified_arn')
      return concat([name, ':', textOf(get('qualifier')) ?? open(`${text}.version`)]);
  }
  if (type === 'aws_lambda_alias' && (attribute === 'arn' || attribute === 'id')) {
    const of = get('function_name');
    return concat([textOf(of) ?? open(`${text}.function`), ':', textOf(get('name')) ?? open(text)]);
  }
  const [service, nameOf, prefix = ''] = (Object.hasOwn(types, type) ? types[type] : undefined) ?? [];
  if (service === undefined) return open(text);
  const name = nameOf === undefined ? undefined : textOf(get(nameOf));
  if (attribute === nameOf) return name ?? open(text, service);
  if (!attribute.endsWith('arn') && attribute !== 'id') return open(text, service);
  if (name !== undefined && attribute.endsWith('arn'))
    return concat([`arn:aws:${service}:::${prefix}`, name]);
  return open(text, service, get('fifo_queue') === true);
}

/** A function named by its ARN is a name to us already; see `functionText`. */
function textOf(value: unknown): string | Unknown | undefined {
  return typeof value === 'string' || value instanceof Unknown ? value : undefined;
}
