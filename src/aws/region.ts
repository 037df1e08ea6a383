/** The Region that the SDK finds by itself: in the environment, else in the profile of the shared files. */
import { SQSClient } from '@aws-sdk/client-sqs';

/** The Region of `AWS_REGION` or of the profile in force, or undefined. Never throws: without one an ARN must name it. */
export async function regionOfProfile(): Promise<string | undefined> {
  const client = new SQSClient({});
  try {
    return await client.config.region();
  } catch {
    return undefined;
  } finally {
    client.destroy();
  }
}
