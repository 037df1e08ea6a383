/**
 * Writes the generated files: CRDs and reference pages. `--check` writes nothing and ends with status 1 and a list
 * when a file is stale. Run it with `npm run generate`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { generatedFiles, type GeneratedFile } from './lib/generated.ts';

const root = path.resolve(import.meta.dirname, '..');
const check = process.argv.includes('--check');

function isStale(file: GeneratedFile): boolean {
  try {
    return readFileSync(path.join(root, file.path), 'utf8') !== file.text;
  } catch {
    return true;
  }
}

const files = generatedFiles();
const stale = files.filter(isStale);
if (!check) {
  for (const file of stale) {
    const target = path.join(root, file.path);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, file.text);
  }
}
for (const file of stale) process.stdout.write(`${check ? 'stale' : 'written'}: ${file.path}\n`);
process.stdout.write(`${files.length} generated files, ${stale.length} ${check ? 'stale' : 'written'}\n`);
if (check && stale.length > 0) {
  process.stdout.write('Run `npm run generate` and commit the result.\n');
  process.exitCode = 1;
}
