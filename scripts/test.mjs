/**
 * `npm test [-- --tier unit,cluster] [FILTER …]`: sets everything up and runs the tests, tier by tier, the cheap ones
 * first; the servers that later tiers need are prepared behind them. Ends with the line `N passed, N failed`.
 *
 * A tool that the machine lacks is named with its fix: an error when `CI=true`, otherwise what needs it is skipped
 * and listed at the end. `--check` runs the checks of `npm run check` before. Plain JavaScript for Node 20.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { runChecks } from './check.mjs';
import { root, runScript, setup, SetupError } from './setup.mjs';

/**
 * `needs`: without it the tier cannot run. `uses`: without it the tests on it skip themselves. `together`: the tests
 * mostly wait, so such tiers share one run, in which one works while the other waits.
 */
const tiers = [
  { name: 'unit', needs: [], uses: [] },
  {
    name: 'contract',
    needs: [],
    uses: ['argocd-lua', 'aws-lambda-rie', 'elasticmq', 'ministack', 'localemu'],
  },
  {
    name: 'cluster',
    needs: ['control-plane'],
    uses: ['argocd-lua', 'aws-lambda-rie', 'helm', 'helm3'],
    together: true,
  },
  {
    name: 'system',
    needs: ['control-plane'],
    uses: ['aws-lambda-rie', 'elasticmq', 'hadolint', 'helm', 'ministack', 'localemu'],
    together: true,
  },
];
/** `scripts/prepare.mjs` ends with this when the machine lacks a tool. */
const MISSING_TOOL = 3;

/** Ended with this process when it is told to stop; npm passes a signal on to nobody else. */
const children = new Set();
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.once(signal, () => {
    for (const child of children) child.kill('SIGTERM');
    process.exit(code);
  });
}

await runScript(async () => {
  const options = parse(process.argv.slice(2));
  const node = await setup();
  const results = [];
  const servers = startPreparing(options.tiers);
  try {
    if (options.check) results.push({ name: 'check', skipped: 0, ...(await timed(() => runChecks(node))) });
    for (const run of runsOf(options.tiers))
      results.push(...(await runTiers(node, run, servers, options.filters)));
  } finally {
    for (const server of servers.values()) server.stop();
  }
  return summarize(results, [...servers.values()]);
});

function parse(argv) {
  const options = { tiers, filters: [], check: false };
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? '';
    if (arg === '--check') options.check = true;
    else if (arg === '--tier' || arg.startsWith('--tier=')) {
      const names = (arg === '--tier' ? (argv[++i] ?? '') : arg.slice('--tier='.length)).split(',');
      const unknown = names.find((name) => !tiers.some((tier) => tier.name === name));
      if (unknown !== undefined) {
        throw new SetupError(
          `\`--tier\` must name some of ${tiers.map((tier) => tier.name).join(', ')}; it names "${unknown}"`,
        );
      }
      options.tiers = tiers.filter((tier) => names.includes(tier.name));
    } else options.filters.push(arg);
  }
  return options;
}

/** Starts to prepare all that the tiers need or use, in the background; the heavy build first. */
function startPreparing(chosen) {
  // What a tier needs is the heavy build.
  const names = new Set(['needs', 'uses'].flatMap((how) => chosen.flatMap((tier) => tier[how])));
  return new Map([...names].map((name) => [name, prepare(name)]));
}

function prepare(name) {
  const args = [path.join(root, 'scripts', 'prepare.mjs'), '--background', name];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const server = {
    name,
    folder: '',
    message: '',
    state: 'preparing',
    done: undefined,
    stop: () => child.kill(),
  };
  child.stdout.on('data', (text) => (server.folder += text));
  child.stderr.setEncoding('utf8').on('data', (text) => {
    server.message = (server.message + text).slice(-4_000);
    for (const line of text.split('\n').filter(Boolean)) console.log(`[${name}] ${line}`);
  });
  server.done = new Promise((resolve) => {
    child.once('close', (code) => {
      server.folder = server.folder.trim();
      server.state = code === 0 ? 'ready' : code === MISSING_TOOL ? 'missing' : 'failed';
      resolve();
    });
  });
  return server;
}

/** Tiers in the order in which they run; those that run together in one list. */
function runsOf(chosen) {
  const together = chosen.filter((tier) => tier.together);
  const alone = chosen.filter((tier) => !tier.together).map((tier) => [tier]);
  return together.length > 0 ? [...alone, together] : alone;
}

async function runTiers(node, run, servers, filters) {
  const needed = run.flatMap((tier) => [...tier.needs, ...tier.uses]).map((name) => servers.get(name));
  const waiting = new Set(
    needed.filter((server) => server.state === 'preparing').map((server) => server.name),
  );
  if (waiting.size > 0) console.log(`Waiting for ${[...waiting].join(', ')} …`);
  await Promise.all(needed.map((server) => server.done));
  const absent = [...servers.values()]
    .filter((server) => server.state !== 'ready')
    .map((server) => server.name);
  const results = [];
  const able = [];
  for (const tier of run) {
    const lacks = tier.needs.filter((name) => absent.includes(name));
    if (lacks.length === 0) able.push(tier.name);
    else {
      console.log(`Tier ${tier.name} cannot run without ${lacks.join(', ')}`);
      results.push({ name: tier.name, passed: 0, failed: 0, skipped: 1, ms: 0 });
    }
  }
  if (able.length === 0) return results;
  console.log(`\nTier ${able.join(' and ')}`);
  const startMs = Date.now();
  const counts = await runVitest(node, able, absent, filters);
  return [...results, ...counts.map((tier) => ({ ...tier, ms: Date.now() - startMs }))];
}

async function runVitest(node, names, absent, filters) {
  const report = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-')), 'report.json');
  const args = [
    path.join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...names.map((name) => `--project=${name}`),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    // A filter may leave a tier without tests; without one an empty tier is a mistake.
    ...(filters.length > 0 ? ['--passWithNoTests'] : []),
    ...filters,
  ];
  const env = {
    ...process.env,
    // Tests on a server that is named here skip themselves.
    SLUICE_ABSENT_SERVERS: absent.join(','),
    // The tests start the program some hundred times; compiling its sources took half of each start.
    NODE_COMPILE_CACHE: path.join(root, 'node_modules', '.cache', 'compile'),
  };
  const code = await new Promise((resolve, reject) => {
    const child = spawn(node, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
    track(child);
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(status ?? 128 + os.constants.signals[signal]));
  });
  const results = count(report, names);
  fs.rmSync(path.dirname(report), { recursive: true, force: true });
  // A broken set-up or an error outside any test has no test to stand for it.
  if (code !== 0 && results.every(({ failed }) => failed === 0)) results[0].failed = 1;
  for (const result of results) {
    if (result.passed + result.failed > 0 || filters.length > 0) continue;
    console.log(`Tier ${result.name} ran no test`);
    result.failed = 1;
  }
  return results;
}

/** Counts what each tier ran. A file is of the tier that its folder says; other files are of the only tier of the run. */
function count(report, names) {
  const results = names.map((name) => ({ name, passed: 0, failed: 0, skipped: 0 }));
  let files = [];
  try {
    files = JSON.parse(fs.readFileSync(report, 'utf8')).testResults;
  } catch {
    // No report: the run itself failed, which its exit code says.
  }
  for (const file of files) {
    const folder = path.relative(path.join(root, 'test'), file.name).split(path.sep)[0];
    const counts = results.find(({ name }) => name === folder) ?? results[0];
    const failedBefore = counts.failed;
    for (const { status } of file.assertionResults) {
      if (status === 'passed' || status === 'failed') counts[status]++;
      else counts.skipped++;
    }
    // A file that could not be loaded, or whose hooks failed.
    if (file.status === 'failed' && counts.failed === failedBefore) counts.failed++;
  }
  return results;
}

function track(child) {
  children.add(child);
  child.once('exit', () => children.delete(child));
}

async function timed(work) {
  const startMs = Date.now();
  return { ...(await work()), ms: Date.now() - startMs };
}

function summarize(results, servers) {
  const isCI = process.env['CI'] === 'true';
  console.log('');
  for (const { name, passed, failed, skipped, ms } of results) {
    const skips = skipped > 0 ? `, ${skipped} skipped` : '';
    console.log(`${name.padEnd(9)} ${passed} passed, ${failed} failed${skips} (${Math.round(ms / 1000)} s)`);
  }
  let failed = results.reduce((sum, result) => sum + result.failed, 0);
  for (const server of servers) {
    if (server.state === 'ready' || server.state === 'preparing') continue;
    const isError = isCI || server.state === 'failed';
    if (isError) failed++;
    // A missing tool is named in the last line; a failure is told by all that was said.
    const lines = server.message.trim().split('\n');
    const reason = server.state === 'missing' ? lines.at(-1) : lines.join('\n');
    console.log(`${isError ? 'MISSING' : 'SKIPPED'}: what needs ${server.name}. ${reason}`);
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const skipped = results.reduce((sum, result) => sum + result.skipped, 0);
  if (passed + failed === 0) {
    console.log('No test ran');
    failed = 1;
  }
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed === 0 ? 0 : 1;
}
