/** sqs-consumer with the SDK, as its documentation shows it: eight consumers with a batch handler, deletes in tens. */
import { SQSClient } from '@aws-sdk/client-sqs';
import { Consumer } from 'sqs-consumer';
import { eventOf, post, readSettings } from './settings.ts';

const settings = readSettings();
const sqs = new SQSClient({
  endpoint: settings.endpoint,
  region: settings.region,
  credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  requestHandler: { httpAgent: { keepAlive: true, maxSockets: 4096 } },
});

for (const queueUrl of settings.queueUrls) {
  for (let made = 0; made < settings.lanes; made++) {
    const consumer = Consumer.create({
      queueUrl,
      sqs,
      batchSize: 10,
      waitTimeSeconds: 20,
      attributeNames: ['All'],
      messageAttributeNames: ['All'],
      handleMessageBatch: async (messages) => {
        for (let at = 0; at < messages.length; at += settings.batch)
          await post(settings.target, eventOf(messages.slice(at, at + settings.batch)));
        return messages;
      },
    });
    consumer.on('error', (error) => {
      console.error(error.message);
    });
    consumer.start();
  }
}
