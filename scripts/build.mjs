/**
 * `node scripts/build.mjs`: bundles the sources into the one file of a release, `dist/cli/sluice.mjs`, with its source
 * map and the licences of what is in it. Development needs no build. Plain JavaScript for Node 20.
 */
import fs from 'node:fs';
import path from 'node:path';
import { root, runScript, setup } from './setup.mjs';

await runScript(async () => {
  await setup();
  const { build } = await import('esbuild');
  const folder = path.join(root, 'dist');
  fs.rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/main.ts'],
    // As deep below package.json as the sources are, since the version is read from there.
    outfile: 'dist/cli/sluice.mjs',
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // Without comments, which are not all ASCII: the source is held in memory, at two bytes a character if one needs it.
    minifyWhitespace: true,
    lineLimit: 160,
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
    // Only the demo's embedded server, which a checkout has and an image has no use for.
    external: ['fauxqs'],
    banner: {
      js: [
        '#!/usr/bin/env node',
        // Packages in the older module format call `require` for Node's own modules.
        "import { createRequire as __createRequire } from 'node:module';",
        'const require = __createRequire(import.meta.url);',
      ].join('\n'),
    },
  });
  fs.writeFileSync(path.join(folder, 'THIRD-PARTY-LICENSES.txt'), licences(Object.keys(metafile.inputs)));
  const bytes = fs.statSync(path.join(folder, 'cli', 'sluice.mjs')).size;
  console.log(`dist/cli/sluice.mjs, ${(bytes / 1e6).toFixed(1)} MB`);
  return 0;
});

/** Name, version, licence and licence text of every package that is in the bundle. */
function licences(inputs) {
  const folders = new Set(
    inputs.map((input) => /^(?:.*node_modules\/)(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]).filter(Boolean),
  );
  return [...folders]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((folder) => {
      const place = path.join(root, folder);
      const { name, version, license } = JSON.parse(
        fs.readFileSync(path.join(place, 'package.json'), 'utf8'),
      );
      const file = fs.readdirSync(place).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
      const text = file === undefined ? '' : `\n${fs.readFileSync(path.join(place, file), 'utf8').trim()}\n`;
      return `${name} ${version} (${license ?? 'see text'})\n${text}`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}
