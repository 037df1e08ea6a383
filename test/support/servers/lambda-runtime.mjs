/**
 * A Lambda function with its runtime loop, as the runtime interface emulator starts it: plain JavaScript on the Runtime
 * API. It tells `LEDGER_URL` of each invocation, before and after, and does what the bodies of the records say:
 * `{"throw":true}`, `{"exit":true}`, `{"sleepMs":n}`, `{"bigBytes":n}`, `{"fail":true}` (on the first receive).
 */
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;

if (process.env.INIT === 'exit') process.exit(3);
if (process.env.INIT === 'error') {
  const body = JSON.stringify({ errorType: 'Function.NoInit', errorMessage: 'a secret of the function' });
  await fetch(`${api}/init/error`, { method: 'POST', body });
  process.exit(1);
}

async function tell(entry) {
  if (process.env.LEDGER_URL) {
    await fetch(process.env.LEDGER_URL, { method: 'POST', body: JSON.stringify(entry) });
  }
}

function read(body) {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

async function handle(event) {
  const records = event.Records ?? [];
  const failed = [];
  for (const { body, messageId, attributes } of records) {
    const wish = read(body);
    if (wish.exit) process.exit(7);
    if (wish.sleepMs) await new Promise((resolve) => setTimeout(resolve, wish.sleepMs));
    if (wish.throw) throw new TypeError('a secret of the function');
    if (wish.bigBytes) return 'x'.repeat(wish.bigBytes);
    if (wish.fail && attributes.ApproximateReceiveCount === '1') failed.push({ itemIdentifier: messageId });
  }
  return { batchItemFailures: failed };
}

for (;;) {
  const next = await fetch(`${api}/invocation/next`);
  const header = (name) => next.headers.get(`lambda-runtime-${name}`) ?? undefined;
  const requestId = header('aws-request-id');
  const text = await next.text();
  const facts = {
    requestId,
    clientContext: header('client-context'),
    pod: process.env.POD,
  };
  await tell({ ...facts, phase: 'begin', event: read(text), bytes: Buffer.byteLength(text) });
  let place = 'response';
  let body;
  try {
    body = (await handle(read(text))) ?? null;
  } catch (error) {
    place = 'error';
    body = { errorType: error.name, errorMessage: error.message, trace: [] };
  }
  await tell({ ...facts, phase: 'end' });
  await fetch(`${api}/invocation/${requestId}/${place}`, { method: 'POST', body: JSON.stringify(body) });
}
