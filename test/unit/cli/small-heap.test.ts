import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const file = path.resolve(import.meta.dirname, '../../../src/cli/small-heap.ts');

it('uses only flags that this version of V8 knows', async () => {
  const script = `import { keepHeapSmall } from ${JSON.stringify(file)}; keepHeapSmall();`;
  // An unknown flag is no error: V8 complains on standard error and goes on.
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    '--no-warnings',
    '--input-type=module-typescript',
    '--eval',
    script,
  ]);
  expect(stdout + stderr).toBe('');
});
