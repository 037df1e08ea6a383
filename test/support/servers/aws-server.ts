/** What all AWS emulators of the tests have in common. Each listens on loopback on a port of its own. */
export interface AwsServer extends AsyncDisposable {
  /** Base address without a trailing slash. */
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Where every emulator of the tests pretends to be, and as whom. */
export const testAccount = {
  region: 'eu-central-1',
  accountId: '000000000000',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
} as const;

/** The environment from which the AWS SDKs, and `sluice run`, take server and identity. */
export function awsEnvironment(server: AwsServer): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: server.endpoint,
    AWS_REGION: server.region,
    AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    // No look at files or a metadata service of the machine that runs the test.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

/** The ARN of a queue of the test account. */
export function queueArn(name: string): string {
  return `arn:aws:sqs:${testAccount.region}:${testAccount.accountId}:${name}`;
}
