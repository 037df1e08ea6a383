/** A function of a Lambda emulator for mappings to invoke, of which only the name matters. */
import { CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { testAccount, type AwsServer } from './aws-server.ts';
import { lambdaZip } from './lambda-zip.ts';

/** Makes the function `consumer`, and gives the client that made it; whoever asks destroys it. */
export async function lambdaWithConsumer(server: AwsServer): Promise<LambdaClient> {
  const lambda = new LambdaClient({
    endpoint: server.endpoint,
    region: server.region,
    credentials: { ...server.credentials },
  });
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'consumer',
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: `arn:aws:iam::${testAccount.accountId}:role/test`,
      Code: { ZipFile: lambdaZip('export const handler = async () => ({});') },
    }),
  );
  return lambda;
}
