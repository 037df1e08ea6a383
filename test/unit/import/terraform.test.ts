import { describe, expect, it } from 'vitest';
import type { NoteKind, Reading } from '../../../src/import/model.ts';
import { readTerraform } from '../../../src/import/terraform.ts';

const read = (
  text: string,
  settings: Readonly<Record<string, string>> = {},
  others: readonly string[] = [],
): Reading => readTerraform(text, new Map(Object.entries(settings)), [text, ...others]);
const told = (reading: Reading, kind: NoteKind): string[] =>
  reading.notes.filter((note) => note.kind === kind).map(({ subject, message }) => `${subject}: ${message}`);

const arn = 'arn:aws:sqs:eu-west-1:123456789012:orders';
const resource = (body: string): string =>
  `resource "aws_lambda_event_source_mapping" "orders" {\n${body}\n}\n`;

describe('plain HCL', () => {
  it('is taken over with every block', () => {
    const reading = read(
      resource(`
  event_source_arn                   = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/1"
  function_name                      = "orders"
  enabled                            = false
  topics                             = ["t1"]
  starting_position                  = "AT_TIMESTAMP"
  starting_position_timestamp        = "2024-01-02T03:04:05Z"
  maximum_batching_window_in_seconds = 0
  bisect_batch_on_function_error     = true
  tags                               = { team = "web", (var.k) = "v" }
  kms_key_arn                        = aws_kms_key.k.arn
  amazon_managed_kafka_event_source_config {
    consumer_group_id = "g"
    schema_registry_config {
      schema_registry_uri = "u"
      access_config {
        type = "BASIC_AUTH"
        uri  = "s"
      }
      schema_validation_config { attribute = "KEY" }
    }
  }
  destination_config {
    on_failure { destination_arn = aws_sns_topic.failed.arn }
  }
  filter_criteria {
    filter { pattern = jsonencode({ value = { a : [1, null] } }) }
    filter { pattern = "{\\"key\\": [\\"b\\"]}" }
  }
  provisioned_poller_config {
    minimum_pollers   = 1
    poller_group_name = "p"
  }
  source_access_configuration {
    type = "SASL_SCRAM_512_AUTH"
    uri  = aws_secretsmanager_secret.s.arn
  }
  metrics_config { metrics = ["EventCount"] }
  logging_config { system_log_level = "INFO" }
  lifecycle { ignore_changes = [tags] }
  depends_on = [aws_sqs_queue.a]
`),
    );
    expect(told(reading, 'refused')).toEqual([
      expect.stringContaining('`tags["PLACEHOLDER_var_k"]` has a key'),
    ]);
    expect(reading.mappings[0]?.spec).toEqual({
      eventSourceARN: 'arn:aws:kafka:eu-west-1:123456789012:cluster/c/1',
      functionName: 'orders',
      enabled: false,
      tags: { team: 'web' },
      topics: ['t1'],
      startingPosition: 'AT_TIMESTAMP',
      startingPositionTimestamp: '2024-01-02T03:04:05Z',
      maximumBatchingWindowInSeconds: 0,
      bisectBatchOnFunctionError: true,
      kmsKeyARN: 'arn:aws:kms:::key/PLACEHOLDER_aws_kms_key_k_arn',
      amazonManagedKafkaEventSourceConfig: {
        consumerGroupID: 'g',
        schemaRegistryConfig: {
          schemaRegistryURI: 'u',
          accessConfigs: [{ type: 'BASIC_AUTH', uri: 's' }],
          schemaValidationConfigs: [{ attribute: 'KEY' }],
        },
      },
      destinationConfig: { onFailure: { destination: 'arn:aws:sns:::PLACEHOLDER_aws_sns_topic_failed_arn' } },
      filterCriteria: { filters: [{ pattern: '{"value":{"a":[1,null]}}' }, { pattern: '{"key": ["b"]}' }] },
      provisionedPollerConfig: { minimumPollers: 1, pollerGroupName: 'p' },
      sourceAccessConfigurations: [
        { type: 'SASL_SCRAM_512_AUTH', uri: 'PLACEHOLDER_aws_secretsmanager_secret_s_arn' },
      ],
      metricsConfig: { metrics: ['EventCount'] },
      loggingConfig: { systemLogLevel: 'INFO' },
    });
  });

  it.each<{
    source: string;
    rest: string;
    settings?: Readonly<Record<string, string>>;
    value: string;
    why: string;
  }>([
    {
      source: 'aws_sqs_queue.q.arn',
      rest: 'resource "aws_sqs_queue" "q" { name = "orders" }',
      value: 'arn:aws:sqs:::orders',
      why: 'a named queue',
    },
    {
      source: '"${aws_sqs_queue.q.arn}"',
      rest: 'resource "aws_sqs_queue" "q" {\n name = "${var.stage}-${local.n}"\n}\nvariable "stage" { default = "prod" }\nlocals { n = "o" }',
      value: 'arn:aws:sqs:::prod-o',
      why: 'variables have their defaults, locals their values',
    },
    {
      source: 'data.aws_sqs_queue.q.arn',
      rest: 'data "aws_sqs_queue" "q" { name = "orders" }',
      value: 'arn:aws:sqs:::orders',
      why: 'one that is looked up by its name',
    },
    {
      source: 'aws_sqs_queue.q.arn',
      rest: 'resource "aws_sqs_queue" "q" { fifo_queue = true }',
      value: 'arn:aws:sqs:::PLACEHOLDER_aws_sqs_queue_q_arn.fifo',
      why: 'a FIFO queue without a name',
    },
    {
      source: 'var.queue_arn',
      rest: 'variable "queue_arn" {}',
      value: 'arn:aws:sqs:::PLACEHOLDER_var_queue_arn',
      why: 'open',
    },
    { source: 'var.queue_arn', rest: '', settings: { queue_arn: arn }, value: arn, why: 'as -var sets it' },
    {
      source: 'module.q.arn',
      rest: '',
      settings: { 'module.q.arn': arn },
      value: arn,
      why: 'a placeholder that is set',
    },
    {
      source: '"arn:aws:sqs:${data.aws_region.c.name}:${local.account}:orders"',
      rest: '',
      value: 'arn:aws:sqs:::orders',
      why: 'Region and account are the business of the class',
    },
    {
      source: 'constructor.toString.arn',
      rest: '',
      value: 'arn:aws:sqs:::PLACEHOLDER_constructor_toString_arn',
      why: 'a name that every object has',
    },
    {
      source: 'local.a',
      rest: 'locals {\n a = local.b\n b = local.a\n}',
      value: 'arn:aws:sqs:::PLACEHOLDER_Circular',
      why: 'a circle',
    },
  ])('$source: $why', ({ source, rest, settings, value }) => {
    const reading = read(resource(`  event_source_arn = ${source}`), settings, [rest]);
    expect(reading.mappings[0]?.spec['eventSourceARN']).toBe(value);
  });

  it.each<{ name: string; rest: string; value: string }>([
    {
      name: 'aws_lambda_function.f.arn',
      rest: 'resource "aws_lambda_function" "f" { function_name = "orders" }',
      value: 'orders',
    },
    { name: 'aws_lambda_function.f.function_name', rest: '', value: 'PLACEHOLDER_aws_lambda_function_f' },
    {
      name: 'aws_lambda_alias.a.arn',
      rest: 'resource "aws_lambda_alias" "a" {\n name = "live"\n function_name = aws_lambda_function.f.arn\n}',
      value: 'PLACEHOLDER_aws_lambda_function_f:live',
    },
    {
      name: '"${aws_lambda_function.f.arn}:live"',
      rest: '',
      value: 'PLACEHOLDER_aws_lambda_function_f:live',
    },
  ])('the function $name', ({ name, rest, value }) => {
    expect(read(resource(`  function_name = ${name}`), {}, [rest]).mappings[0]?.spec['functionName']).toBe(
      value,
    );
  });

  it.each<{ text: string; kind: NoteKind; message: RegExp; mappings: number }>([
    {
      text: resource('  for_each = var.all'),
      kind: 'refused',
      message: /`for_each` makes several/,
      mappings: 0,
    },
    { text: resource('  count = 1'), kind: 'info', message: /`count` says how often/, mappings: 1 },
    {
      text: resource('  dynamic "filter_criteria" {\n content {}\n }'),
      kind: 'refused',
      message: /dynamic "filter_criteria"/,
      mappings: 1,
    },
    {
      text: 'module "lambda" { source = "x" }',
      kind: 'info',
      message: /module.lambda: a module may hold/,
      mappings: 0,
    },
    {
      text: resource('  batch_size = var.n'),
      kind: 'refused',
      message: /`batchSize` is var.n.*--set var.n=VALUE/,
      mappings: 1,
    },
    {
      text: resource('  batchsize2 = 1'),
      kind: 'refused',
      message: /`batchsize2` is not a field/,
      mappings: 1,
    },
  ])('$message is told', ({ text, kind, message, mappings }) => {
    const reading = read(text);
    expect(told(reading, kind).join('\n')).toMatch(message);
    expect(reading.mappings).toHaveLength(mappings);
  });
});

/** What a provider writes for an SQS mapping, zeros and all. */
const attributes = {
  arn: 'arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:14e0db71-5b35-4eb5-b481-8945cf9d10c2',
  amazon_managed_kafka_event_source_config: [],
  batch_size: 10,
  bisect_batch_on_function_error: false,
  destination_config: [],
  enabled: true,
  event_source_arn: arn,
  filter_criteria: [{ filter: [{ pattern: '{"body":{"a":[1]}}' }] }],
  function_arn: 'arn:aws:lambda:eu-west-1:123456789012:function:orders',
  function_name: 'arn:aws:lambda:eu-west-1:123456789012:function:orders',
  function_response_types: [],
  id: '14e0db71-5b35-4eb5-b481-8945cf9d10c2',
  kms_key_arn: '',
  last_modified: '2024-01-01T00:00:00Z',
  last_processing_result: '',
  maximum_batching_window_in_seconds: 0,
  maximum_record_age_in_seconds: 0,
  maximum_retry_attempts: 0,
  parallelization_factor: 0,
  queues: [],
  region: 'eu-west-1',
  scaling_config: [{ maximum_concurrency: 5 }],
  starting_position: '',
  starting_position_timestamp: null,
  state: 'Enabled',
  tags: { team: 'web' },
  tags_all: { team: 'web', env: 'prod' },
  topics: null,
  tumbling_window_in_seconds: 0,
  uuid: '14e0db71-5b35-4eb5-b481-8945cf9d10c2',
};
const spec = {
  eventSourceARN: arn,
  functionName: 'arn:aws:lambda:eu-west-1:123456789012:function:orders',
  enabled: true,
  tags: { team: 'web', env: 'prod' },
  batchSize: 10,
  filterCriteria: { filters: [{ pattern: '{"body":{"a":[1]}}' }] },
  scalingConfig: { maximumConcurrency: 5 },
};

describe('a state', () => {
  const state = (instances: readonly unknown[], more: object = {}): string =>
    JSON.stringify({
      version: 4,
      resources: [
        { mode: 'data', type: 'aws_lambda_event_source_mapping', name: 'no', instances: [] },
        { mode: 'managed', type: 'aws_sqs_queue', name: 'no', instances: [{ attributes: {} }] },
        { mode: 'managed', type: 'aws_lambda_event_source_mapping', name: 'orders', ...more, instances },
      ],
    });

  it('gives the live mapping with its UUID, without the zeros that stand for nothing', () => {
    const reading = read(state([{ attributes }]));
    expect(reading.notes).toEqual([]);
    expect(reading.mappings).toEqual([
      {
        subject: 'aws_lambda_event_source_mapping.orders',
        name: 'orders',
        line: undefined,
        uuid: '14e0db71-5b35-4eb5-b481-8945cf9d10c2',
        spec,
        comments: [],
      },
    ]);
  });

  it('names each instance, with its module and key', () => {
    const instances = [
      { index_key: 'a', attributes },
      { index_key: 1, attributes },
    ];
    expect(
      read(state(instances, { module: 'module.shop' })).mappings.map(({ subject, name }) => [subject, name]),
    ).toEqual([
      ['module.shop.aws_lambda_event_source_mapping.orders["a"]', 'module.shop.orders["a"]'],
      ['module.shop.aws_lambda_event_source_mapping.orders[1]', 'module.shop.orders[1]'],
    ]);
  });

  it('keeps a 0 that is a value, and tells one that may be none', () => {
    const kinesis = { ...attributes, event_source_arn: 'arn:aws:kinesis:eu-west-1:123456789012:stream/s' };
    expect(read(state([{ attributes: kinesis }])).mappings[0]?.spec['maximumRetryAttempts']).toBe(0);
    const kafka = { ...attributes, event_source_arn: 'arn:aws:kafka:eu-west-1:123456789012:cluster/c/1' };
    expect(told(read(state([{ attributes: kafka }])), 'info')).toEqual([
      expect.stringContaining('`maximumBatchingWindowInSeconds` is 0 or was never set'),
    ]);
  });
});

describe('a plan in JSON', () => {
  const plan = JSON.stringify({
    format_version: '1.2',
    planned_values: {
      root_module: {
        resources: [
          {
            address: 'aws_sqs_queue.q',
            mode: 'managed',
            type: 'aws_sqs_queue',
            values: { name: 'orders', fifo_queue: false },
          },
        ],
        child_modules: [
          {
            address: 'module.m',
            resources: [
              {
                address: 'module.m.aws_lambda_event_source_mapping.orders["a"]',
                mode: 'managed',
                type: 'aws_lambda_event_source_mapping',
                values: { batch_size: 5, function_name: 'orders', starting_position: null },
              },
              {
                address: 'module.m.aws_kinesis_stream.s',
                mode: 'managed',
                type: 'aws_kinesis_stream',
                values: { name: 's' },
              },
            ],
          },
        ],
      },
    },
    resource_changes: [
      {
        address: 'module.m.aws_lambda_event_source_mapping.orders["a"]',
        change: { actions: ['create'], after_unknown: { event_source_arn: true, uuid: true, id: true } },
      },
    ],
    configuration: {
      root_module: {
        module_calls: {
          m: {
            module: {
              resources: [
                {
                  address: 'aws_lambda_event_source_mapping.orders',
                  expressions: {
                    event_source_arn: { references: ['aws_kinesis_stream.s.arn', 'aws_kinesis_stream.s'] },
                  },
                },
              ],
            },
          },
        },
      },
    },
  });

  it('follows what is known only after apply to the resource that is planned, within its module', () => {
    const reading = read(plan);
    expect(reading.mappings[0]?.spec).toEqual({
      eventSourceARN: 'arn:aws:kinesis:::stream/s',
      functionName: 'orders',
      batchSize: 5,
    });
  });

  it('names what the configuration does not tell', () => {
    const reading = read(plan.replace('"references"', '"other"'));
    expect(told(reading, 'placeholder')).toEqual([
      expect.stringContaining('PLACEHOLDER_module_m_aws_lambda_event_source_mapping_orders-a-_-da697268 for'),
    ]);
  });

  it('may be a state that is shown', () => {
    const text = JSON.stringify({
      format_version: '1.0',
      values: {
        root_module: {
          resources: [
            {
              address: 'aws_lambda_event_source_mapping.orders',
              mode: 'managed',
              type: 'aws_lambda_event_source_mapping',
              values: attributes,
            },
          ],
        },
      },
    });
    expect(read(text).mappings[0]?.spec).toEqual(spec);
  });

  it.each<{ text: string; message: RegExp }>([
    { text: '{', message: /begins with `\{` and is not JSON/ },
    { text: '{"version": 3}', message: /version 4, not 3/ },
    { text: '{}', message: /what `terraform show -json` prints/ },
  ])('$text is none', ({ text, message }) => {
    expect(() => read(text)).toThrow(message);
  });
});

it('a Region is kept where the ARN does not tell it', () => {
  const text = resource('  event_source_arn = "arn:aws:sqs:::orders"\n  region = "eu-west-1"');
  expect(read(text).mappings[0]?.spec).toEqual({
    eventSourceARN: 'arn:aws:sqs:::orders',
    aws: { region: 'eu-west-1' },
  });
});
