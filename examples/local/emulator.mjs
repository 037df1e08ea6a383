// An SQS server for the tutorial, in memory, on loopback: `node scripts/with-node.mjs examples/local/emulator.mjs [PORT]`
// PORT is EMULATOR_PORT, or 4566, unless given. It is the package fauxqs, which the checkout has for its tests.
import process from 'node:process';
import { buildApp } from 'fauxqs';

const port = Number(process.argv[2] ?? process.env.EMULATOR_PORT ?? 4566);
const app = buildApp({ logger: false, defaultRegion: 'eu-west-1' });
await app.listen({ host: '127.0.0.1', port });
console.log(`SQS at http://127.0.0.1:${port}`);
