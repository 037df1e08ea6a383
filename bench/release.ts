/** The bundled release file that the bench measures. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';

/** Builds it, and gives a copy of its own, laid out as in the image: what is measured must not change under way. */
export function buildRelease(folder: string): string {
  const root = path.dirname(import.meta.dirname);
  execFileSync(process.execPath, [path.join(root, 'scripts', 'build.mjs')], { stdio: 'ignore' });
  const release = path.join('dist', 'cli', 'sluice.mjs');
  mkdirSync(path.dirname(path.join(folder, release)), { recursive: true });
  for (const file of ['package.json', release]) copyFileSync(path.join(root, file), path.join(folder, file));
  return path.join(folder, release);
}
