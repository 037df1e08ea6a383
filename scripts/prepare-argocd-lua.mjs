/**
 * The engines that read `deploy/argocd` and `deploy/flux` in their tests: Argo CD's Lua and Flux's CEL in one small Go
 * program, built once from `test/argocd-lua`.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { installed, progress, requireGo, runGo } from './prepared.mjs';
import { root } from './setup.mjs';

const SOURCES = path.join(root, 'test', 'argocd-lua');

/** Gives the folder that holds `argocd-lua`. */
export async function prepareArgoCdLua() {
  const folder = path.join('argocd-lua', `${hash()}-${process.platform}-${process.arch}`);
  return installed(folder, async (draft) => {
    await requireGo("Argo CD's Lua engine", 'Install Go 1.25 or newer (https://go.dev/dl).');
    progress('building the Lua engine of Argo CD with Go, once: half a minute');
    const file = path.join(draft, 'argocd-lua');
    await runGo(['build', '-trimpath', '-buildvcs=false', '-o', file, '-ldflags', '-s -w', '.'], {
      cwd: SOURCES,
      said: () => 'building the Lua engine of Argo CD',
    });
  });
}

function hash() {
  const sum = createHash('sha256');
  for (const name of fs.readdirSync(SOURCES).toSorted()) {
    sum.update(`${name}\n`).update(fs.readFileSync(path.join(SOURCES, name)));
  }
  return sum.digest('hex').slice(0, 12);
}
