/** `node scripts/with-node.mjs FILE ARGS…`: sets the checkout up and runs a TypeScript file on the right Node. */
import path from 'node:path';
import process from 'node:process';
import { runFile } from './child.mjs';
import { runScript, setup, SetupError } from './setup.mjs';

await runScript(async () => {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined) throw new SetupError('usage: node scripts/with-node.mjs FILE [ARGUMENT …]');
  await runFile(await setup(), path.resolve(file), args);
  return process.exitCode;
});
