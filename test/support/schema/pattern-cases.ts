/** For every pattern of the schemas: texts that it takes and texts that it refuses, by path. */
export interface PatternCase {
  readonly accept: readonly string[];
  readonly reject: readonly string[];
}

const name: PatternCase = { accept: ['a', 'a-b.c9'], reject: ['Orders', '-a', 'a b'] };
const key: PatternCase = { accept: ['ca.crt', '_-.A9'], reject: ['a/b', 'a b'] };
const region: PatternCase = {
  accept: ['us-gov-west-1', 'cn-north-1', 'eu-isoe-west-1', 'eusc-de-east-1'],
  reject: ['EU-west-1', 'eu-west', 'eu_west_1'],
};
const role: PatternCase = {
  accept: [
    'arn:aws:iam::000000000000:role/path/orders',
    'arn:aws-cn:iam::000000000000:role/a',
    'arn:aws-us-gov:iam::000000000000:role/a',
    'arn:aws-iso-b:iam::000000000000:role/a',
  ],
  reject: ['arn:aws:iam::000000000000:user/orders', 'arn:aws:iam:::role/orders-for-nobody'],
};
const account: PatternCase = { accept: ['123456789012'], reject: ['12345678901x'] };
const openEnum: PatternCase = { accept: ['NEW_KIND_OF_AUTH2'], reject: ['basic_auth', 'A-B'] };
const group: PatternCase = { accept: ['a b/c*:_+=.@-'], reject: ['a#b', 'ä'] };
const dnsLabel: PatternCase = { accept: ['a', 'a-1'], reject: ['A', 'a.b', '-a'] };

export const patternCases: Readonly<Record<string, PatternCase>> = {
  'EventSourceMapping spec.className': name,
  'EventSourceMapping spec.poller.target.http.service.name': {
    accept: ['a', 'a-1'],
    reject: ['1a', 'A', 'a.b'],
  },
  'EventSourceMapping spec.poller.target.http.service.path': {
    accept: ['/', '/a?b=c%20d'],
    reject: ['a', '/a#b', '/a b', '/ä'],
  },
  'EventSourceMapping spec.poller.target.http.url': {
    accept: ['https://example.com', 'http://[::1]:8080/a?b', 'http://example.com?a=b'],
    reject: [
      'ftp://example.com',
      'https://user:pw@example.com',
      'https://example.com/#top',
      'https://',
      'https://a b/',
    ],
  },
  'EventSourceMapping spec.poller.target.http.headers.{}.value': {
    accept: ['', 'a\tb ~'],
    reject: ['a\r\nb', 'ä'],
  },
  'EventSourceMapping spec.poller.target.http.headers.{}.valueFrom.secretKeyRef.name': name,
  'EventSourceMapping spec.poller.target.http.headers.{}.valueFrom.secretKeyRef.key': key,
  'EventSourceMapping spec.poller.target.http.tls.caSecretRef.name': name,
  'EventSourceMapping spec.poller.target.http.tls.caSecretRef.key': key,
  'EventSourceMapping spec.poller.target.http.tls.clientCertSecretRef.name': name,
  'EventSourceMapping spec.poller.target.http.tls.serverName': {
    accept: ['Example.com'],
    reject: ['*.example.com', 'a_b'],
  },
  'EventSourceMapping spec.poller.checkpoint.name': {
    accept: ['a', 'prod/shop/orders.v2'],
    reject: ['/a', 'a b', 'a/'],
  },
  'EventSourceMapping spec.aws.region': region,
  'EventSourceMapping spec.aws.accountID': account,
  'EventSourceMapping spec.aws.roleARN': role,
  'EventSourceMapping spec.aws.serviceAccountName': name,
  'EventSourceMapping spec.eventSourceARN': {
    accept: [
      'arn:aws:sqs:::orders',
      'arn:aws-cn:sqs:cn-north-1:000000000000:orders',
      'arn:aws-us-gov:sqs:us-gov-west-1:000000000000:o',
      'arn:aws-iso-b:sqs:us-isob-east-1:000000000000:o',
    ],
    reject: [
      'orders',
      'https://sqs.eu-west-1.amazonaws.com/000000000000/orders',
      'arn:aws:sqs:eu-west-1:1234:orders',
      'arn:aws:sqs:::',
    ],
  },
  'EventSourceMapping spec.selfManagedEventSource.endpoints.KAFKA_BOOTSTRAP_SERVERS.[]': {
    accept: ['broker-1.example.com:9092', '[::1]:9092'],
    reject: ['broker', 'a:1,b:2', 'a b:1', 'broker:999999'],
  },
  'EventSourceMapping spec.functionName': {
    accept: [
      'orders',
      'orders:live',
      'orders:$LATEST',
      '000000000000:orders',
      '000000000000:function:orders:1',
      'arn:aws:lambda:eu-west-1:000000000000:function:orders:live',
      'arn:aws:lambda:::function:orders',
      'arn:aws-cn:lambda:cn-north-1:000000000000:function:orders:live',
      'arn:aws-us-gov:lambda:us-gov-east-1:000000000000:function:orders',
    ],
    reject: [
      'my orders',
      'orders:$OLDEST',
      'arn:aws:lambda:eu-west-1:000000000000:layer:orders',
      'arn:aws:sqs:::orders',
    ],
  },
  'EventSourceMapping spec.tags.{}': { accept: ['', 'Größe 1:2/3=+-@_.'], reject: ['a#b', 'a;b'] },
  'EventSourceMapping spec.topics.[]': { accept: ['ab', 'a.b-c_d'], reject: ['.a', 'a b'] },
  'EventSourceMapping spec.destinationConfig.onFailure.destination': {
    accept: ['', 'arn:aws:s3:::bucket', 'arn:aws:sns:eu-west-1:000000000000:topic'],
    reject: ['queue', 'arn:aws:kinesis:eu-west-1:000000000000:stream/a', 'kafka://'],
  },
  'EventSourceMapping spec.kmsKeyARN': { accept: [''], reject: ['alias/orders', 'arn:aws:sqs:::orders'] },
  'EventSourceMapping spec.provisionedPollerConfig.pollerGroupName': {
    accept: ['', 'a-B_9'],
    reject: ['a b', 'a.b'],
  },
  'EventSourceMapping spec.sourceAccessConfigurations.[].type': openEnum,
  'EventSourceMapping spec.amazonManagedKafkaEventSourceConfig.consumerGroupID': group,
  'EventSourceMapping spec.amazonManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs.[].type':
    openEnum,
  'EventSourceMapping spec.selfManagedKafkaEventSourceConfig.consumerGroupID': group,
  'EventSourceMapping spec.selfManagedKafkaEventSourceConfig.schemaRegistryConfig.accessConfigs.[].type':
    openEnum,
  'EventSourceMapping spec.documentDBEventSourceConfig.databaseName': {
    accept: ['shop-1'],
    reject: ['a b', 'a/b', 'a.b', 'a$', 'a"'],
  },
  'EventSourceMapping spec.documentDBEventSourceConfig.collectionName': {
    accept: ['orders.v2'],
    reject: ['a$b', '-a'],
  },
  'EventSourceMapping spec.metricsConfig.metrics.[]': {
    accept: ['ErrorCount', 'LaterCount'],
    reject: ['Error Count'],
  },
  'EventSourceMapping status.conditions.[].reason': { accept: ['A', 'InvalidSpec'], reject: ['a b', '9'] },
  'MappingClass spec.additionalParameters.allowedNames.[]': {
    accept: ['NewThing', 'New*', '*'],
    reject: ['New-Thing', 'New Thing', 'New.Thing', 'Née'],
  },
  'MappingClass spec.namespaces.[]': dnsLabel,
  'MappingClass spec.pool': dnsLabel,
  'MappingClass spec.aws.region': region,
  'MappingClass spec.aws.accountID': account,
  'MappingClass spec.aws.roleARN': {
    accept: [...role.accept, 'arn:aws:iam::000000000000:role/s-{namespace}'],
    reject: role.reject,
  },
};
