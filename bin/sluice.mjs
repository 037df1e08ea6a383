#!/usr/bin/env node
/** `sluice` in a checkout: sets it up if need be and runs `src/cli/main.ts` on the right Node. */
import path from 'node:path';
import process from 'node:process';
import { runFile } from '../scripts/child.mjs';
import { root, runScript, setup } from '../scripts/setup.mjs';

await runScript(async () => {
  await runFile(await setup(), path.join(root, 'src', 'cli', 'main.ts'), process.argv.slice(2));
  return process.exitCode;
});
