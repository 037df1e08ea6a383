import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A folder of one test; `using` removes it. */
export interface TempFolder extends Disposable {
  readonly path: string;
  /** Writes a file, in folders that are made on the way, and gives its path. */
  write(name: string, text: string): string;
}

export function tempFolder(): TempFolder {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-test-'));
  return {
    path: folder,
    write(name, text) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
      return file;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
