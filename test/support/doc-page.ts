import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { eventually } from './eventually.ts';
import { blocksOf, extentOf, findOutput, readPage, repository, type Block } from './markdown.ts';
import { freePorts, startProcess, type ManagedProcess } from './processes.ts';

/**
 * Runs what a page of the documentation tells its reader to run: in a folder that looks like a checkout, block by
 * block, with what the blocks show compared with what is printed. The ports that pages name are replaced by free ones;
 * exported variables last until the end of the page.
 */
export interface PageEnvironment {
  readonly env: Readonly<Record<string, string>>;
  /** Where the emulator of the page is, if the page does not start one itself. */
  readonly emulatorPort?: number;
  /** Only what stands under this heading. */
  readonly section?: string;
  /** What the reader has at hand: names and contents. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Puts names of the test in the place of those of the page. */
  readonly translate?: (text: string) => string;
}

const portsInPages = ['4566', '8080', '9090', '9091'] as const;
/** Without package.json: of a package whose own command it is told to run, npx would make a link in its cache. */
const linked = ['bin', 'src', 'scripts', 'node_modules', 'crds', 'deploy', 'helm'];
// Bounds for a machine that is busy with other tests, not what is expected.
const blockTimeoutMs = 120_000;
const outputTimeoutMs = 120_000;
const interruptGraceMs = 3000;

interface Background {
  readonly script: string;
  readonly process: ManagedProcess;
  /** Lines that blocks have shown already. */
  shown: number;
}

/** Runs a page and gives how many outputs were compared; throws at the first that differs or command that fails. */
export async function runPage(file: string, environment: PageEnvironment): Promise<number> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-page-'));
  const backgrounds: Background[] = [];
  try {
    for (const name of linked) fs.symlinkSync(path.join(repository, name), path.join(dir, name));
    const free = (await freePorts(portsInPages.length)).map(String);
    const ports = new Map<string, string>(portsInPages.map((port, index) => [port, free[index] ?? '']));
    if (environment.emulatorPort !== undefined) ports.set('4566', String(environment.emulatorPort));
    copyExamples(dir, (text) => text.replaceAll(/\b8080\b/g, ports.get('8080') ?? ''));
    const env = {
      // What is not in the checkout must not be fetched.
      npm_config_offline: 'true',
      npm_config_update_notifier: 'false',
      EMULATOR_PORT: ports.get('4566') ?? '',
      CONSUMER_PORT: ports.get('8080') ?? '',
      AWS_ENDPOINT_URL: `http://127.0.0.1:${ports.get('4566')}`,
      ...environment.env,
    };
    const named = environment.translate ?? ((text: string) => text);
    const translate = (text: string): string =>
      named(text).replaceAll(/:(4566|8080|9090|9091)\b/g, (_, port: string) => `:${ports.get(port) ?? port}`);
    for (const [name, bytes] of Object.entries(environment.files ?? {}))
      fs.writeFileSync(path.join(dir, name), bytes);
    let printed: string | Background = '';
    let compared = 0;
    for (const original of blocksIn(file, environment.section)) {
      const block = { ...original, text: translate(original.text) };
      const name = block.words.find((word) => word.startsWith('file='))?.slice('file='.length);
      if (name !== undefined) fs.writeFileSync(path.join(dir, named(name)), block.text);
      else if (block.language === 'sh' && block.words.includes('background')) {
        printed = { script: block.text, process: start(block, dir, env), shown: 0 };
        backgrounds.push(printed);
      } else if (block.language === 'sh' && block.words.includes('run')) printed = await run(block, dir, env);
      else if (block.language === 'text' && block.words.includes('output')) {
        await compare(block, speaker(block, backgrounds) ?? printed);
        compared++;
      }
    }
    return compared;
  } finally {
    await Promise.all(backgrounds.map(({ process }) => interrupt(process)));
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

function blocksIn(file: string, section: string | undefined): readonly Block[] {
  const page = readPage(file);
  if (section === undefined) return blocksOf(page);
  const { from, to } = extentOf(page, section);
  return blocksOf(page).filter(({ line }) => line > from && line < to);
}

/** Ctrl-C, as a reader ends it, so that a controller gives its Lease back. */
async function interrupt(child: ManagedProcess): Promise<void> {
  if (child.end !== undefined) return;
  process.kill(-child.pid, 'SIGINT');
  const timer = setTimeout(() => void child.kill(), interruptGraceMs);
  await child.ended;
  clearTimeout(timer);
}

/** The manifests of `examples`, with the consumer's port in that of the laptop. */
function copyExamples(dir: string, translate: (text: string) => string): void {
  const target = path.join(dir, 'examples');
  fs.cpSync(path.join(repository, 'examples'), target, { recursive: true });
  const service = path.join(target, 'local', 'service.yaml');
  fs.writeFileSync(service, translate(fs.readFileSync(service, 'utf8')));
}

/** Which background process an output is of, if the block says so. */
function speaker(block: Block, backgrounds: readonly Background[]): Background | undefined {
  const of = block.words.find((word) => word.startsWith('of='))?.slice('of='.length);
  if (of === undefined) return undefined;
  const found = backgrounds.findLast(({ script }) => script.includes(of));
  if (found === undefined) throw new Error(`${placeOf(block)}: nothing that runs is called ${of}`);
  return found;
}

async function compare(block: Block, printed: string | Background): Promise<void> {
  if (typeof printed === 'string') {
    const found = findOutput(block.text, printed, 'whole');
    if ('problem' in found) throw new Error(`${placeOf(block)}: ${found.problem}`);
    return;
  }
  await eventually(
    () => {
      const { end, stdout, stderr } = printed.process;
      const fresh = stdout.trimEnd().split('\n').slice(printed.shown).join('\n');
      const found = findOutput(block.text, fresh, 'part');
      if ('end' in found) {
        printed.shown += found.end;
        return true;
      }
      throw new Error(`${found.problem}${end === undefined ? '' : `\nand it has ended: ${stderr}`}`);
    },
    { timeoutMs: outputTimeoutMs, intervalMs: 100, what: `what ${placeOf(block)} shows` },
  );
}

function start(block: Block, dir: string, env: Readonly<Record<string, string>>): ManagedProcess {
  return startProcess({
    name: placeOf(block),
    command: 'bash',
    args: ['-e', '-c', `[ ! -e .exports ] || . ./.exports\n${block.text}`],
    cwd: dir,
    env,
  });
}

async function run(block: Block, dir: string, env: Readonly<Record<string, string>>): Promise<string> {
  const script = `[ ! -e .exports ] || . ./.exports\n${block.text}\nexport -p > .exports`;
  await using process = startProcess({
    name: placeOf(block),
    command: 'bash',
    args: ['-e', '-o', 'pipefail', '-c', script],
    cwd: dir,
    env,
  });
  const timer = AbortSignal.timeout(blockTimeoutMs);
  timer.addEventListener('abort', () => void process.kill(), { once: true });
  const { code, signal } = await process.ended;
  if (code !== 0) {
    const how = timer.aborted ? `did not end in ${blockTimeoutMs} ms` : `ended with ${code ?? signal}`;
    throw new Error(`${placeOf(block)} ${how}:\n${block.text}\n${process.tail(40)}`);
  }
  return process.stdout;
}

const placeOf = ({ page, line }: Block): string => `${page}:${line}`;
