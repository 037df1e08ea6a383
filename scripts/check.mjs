/**
 * `npm run check`: format, lint, types and generated files, each reported; the exit code says whether all hold.
 * `npm test` holds the tests. Plain JavaScript for Node 20.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { root, runScript, setup } from './setup.mjs';

const bin = (name) => path.join('node_modules', '.bin', name);

/** What is checked, and what puts it right. */
const checks = [
  { name: 'format', args: [bin('oxfmt'), '--check', '.'], fix: '`npx oxfmt .` formats' },
  {
    name: 'lint',
    args: [bin('oxlint'), '--type-aware', '--deny-warnings', '.'],
    fix: '`npx oxlint --type-aware` shows it',
  },
  { name: 'types', args: [bin('tsc'), '-p', '.'], fix: '`npx tsc -p .` shows it' },
  { name: 'generated', args: ['scripts/generate.ts', '--check'], fix: '`npm run generate` renews the files' },
];

/**
 * Runs all checks one after the other and says how each went.
 * @param {string} node
 * @returns {Promise<{ passed: number, failed: number }>}
 */
export async function runChecks(node) {
  let passed = 0;
  let failed = 0;
  for (const check of checks) {
    if (check.args[0]?.endsWith('.ts') && !fs.existsSync(path.join(root, check.args[0]))) continue;
    const startMs = Date.now();
    const { code, output } = await capture(node, check.args);
    const seconds = ((Date.now() - startMs) / 1000).toFixed(1);
    if (code === 0) passed++;
    else failed++;
    console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${check.name} (${seconds} s)`);
    if (code !== 0) console.log(`${output.trim()}\n${check.fix}`);
  }
  return { passed, failed };
}

function capture(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-30_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

if (process.argv[1] !== undefined && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runScript(async () => {
    const { failed } = await runChecks(await setup());
    return failed === 0 ? 0 : 1;
  });
}
