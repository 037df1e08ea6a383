// Sends messages to a queue of the emulator: `node examples/local/send.mjs QUEUE BODY [BODY …]`
// The queue is created if need be; its messages come back after 5 seconds unless they are deleted.
import process from 'node:process';

const endpoint = process.env.AWS_ENDPOINT_URL ?? 'http://127.0.0.1:4566';

async function sqs(action, input) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `AmazonSQS.${action}`,
      // The emulator takes the Region from here and checks no signature.
      authorization: 'AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/sqs/aws4_request',
    },
    body: JSON.stringify(input),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${action}: ${JSON.stringify(answer)}`);
  return answer;
}

const [queue, ...bodies] = process.argv.slice(2);
const { QueueUrl } = await sqs('CreateQueue', { QueueName: queue, Attributes: { VisibilityTimeout: '5' } });
for (const MessageBody of bodies) await sqs('SendMessage', { QueueUrl, MessageBody });
console.log(`Sent ${bodies.length} to ${queue}`);
