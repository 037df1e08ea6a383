// A consumer to try mappings with: `node examples/local/consumer.mjs [PORT]`; PORT is CONSUMER_PORT, or 8080, unless given.
// It prints the body of each message, and answers as a Lambda function does that reports partial failures: a message
// whose body says `"fail": true` is named as failed.
import http from 'node:http';
import process from 'node:process';

const port = Number(process.argv[2] ?? process.env.CONSUMER_PORT ?? 8080);

async function answer(request, response) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const batchItemFailures = [];
  for (const { messageId, body } of JSON.parse(text).Records) {
    const failed = /"fail": *true/.test(body);
    console.log(`${failed ? 'failed   ' : 'processed'} ${body}`);
    if (failed) batchItemFailures.push({ itemIdentifier: messageId });
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ batchItemFailures }));
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(400).end(String(error)));
});
server.listen(port, '127.0.0.1', () => console.log(`Consumer at http://127.0.0.1:${port}`));
