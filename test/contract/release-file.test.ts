import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '..', '..');

describe('the release file', () => {
  test('holds every command and needs nothing but package.json beside it', async () => {
    await run(process.execPath, [path.join(root, 'scripts', 'build.mjs')], { cwd: root });
    const home = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-release-'));
    try {
      // As the image has it: no sources, no packages.
      fs.cpSync(path.join(root, 'dist'), path.join(home, 'dist'), { recursive: true });
      fs.copyFileSync(path.join(root, 'package.json'), path.join(home, 'package.json'));
      const sluice = async (...args: string[]): Promise<string> =>
        (await run(process.execPath, [path.join(home, 'dist', 'cli', 'sluice.mjs'), ...args], { cwd: home }))
          .stdout;
      const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
        version: string;
      };
      expect(await sluice('version')).toContain(version);
      for (const command of ['controller', 'poller', 'run', 'validate', 'filter']) {
        expect(await sluice(command, '--help')).toContain(`sluice ${command}`);
      }
      expect(fs.readFileSync(path.join(home, 'dist', 'THIRD-PARTY-LICENSES.txt'), 'utf8')).toContain('zod');
    } finally {
      fs.rmSync(home, { recursive: true, force: true });
    }
  });
});
