/** The AWS SDK in a loop: eight lanes of receive → POST → delete, each as the SDK's own guide shows it. */
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { eventOf, post, readSettings } from './settings.ts';

const settings = readSettings();
const sqs = new SQSClient({
  endpoint: settings.endpoint,
  region: settings.region,
  credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  requestHandler: { httpAgent: { keepAlive: true, maxSockets: 4096 } },
});

async function lane(QueueUrl: string): Promise<void> {
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 20,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
    );
    for (let at = 0; at < Messages.length; at += settings.batch)
      await post(settings.target, eventOf(Messages.slice(at, at + settings.batch)));
    if (Messages.length === 0) continue;
    const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  }
}

await Promise.all(
  settings.queueUrls.flatMap((url) => Array.from({ length: settings.lanes }, () => lane(url))),
);
