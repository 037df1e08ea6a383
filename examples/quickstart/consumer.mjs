// Gets the event that a Lambda function would get, and answers as one that reports partial failures: every third order
// is refused when it comes for the first time, and comes again when its visibility time-out ends.
import http from 'node:http';
import process from 'node:process';

const refused = new Set();

function ship({ messageId, body, attributes }) {
  const { order } = JSON.parse(body);
  const again = attributes.ApproximateReceiveCount > 1 ? ', again' : '';
  if (order % 3 === 0 && !refused.has(messageId)) {
    refused.add(messageId);
    console.log(`Refused order ${order}`);
    return false;
  }
  console.log(`Shipped order ${order}${again}`);
  return true;
}

async function answer(request, response) {
  // The kubelet asks whether it is ready.
  if (request.method === 'GET') return response.end();
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const failed = JSON.parse(text).Records.filter((record) => !ship(record));
  const batchItemFailures = failed.map(({ messageId }) => ({ itemIdentifier: messageId }));
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ batchItemFailures }));
}

http
  .createServer((request, response) => {
    answer(request, response).catch((error) => response.writeHead(400).end(String(error)));
  })
  .listen(Number(process.env.PORT ?? 8080), () => console.log('Waiting for orders'));
