import fs from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { eventually } from './eventually.ts';
import type { KubeObject } from './kube.ts';

/** Set, objects are written instead of compared. */
const capturing = process.env['SLUICE_CAPTURE'] === '1';
const quietMs = 3000;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/**
 * Files that hold real objects, as `kubectl get -o yaml` shows them but for what differs from run to run: times, uids,
 * versions and the names that a test made up. Each run compares them with what its own API server and controller give.
 */
export class CapturedObjects {
  /** The files that were compared or written, relative to the folder. */
  readonly files: string[] = [];
  readonly #folder: string;
  readonly #names: ReadonlyMap<string, string>;

  /** `names`: what a test made up → what the files say. */
  constructor(folder: string, names: ReadonlyMap<string, string>) {
    this.#folder = folder;
    this.#names = names;
  }

  /**
   * Reads until the object is as the file says, or for 40 seconds, and gives where it is not. Not compared: messages, of
   * which health takes any, and `status.effective`, which grows with every field of the spec. With `SLUICE_CAPTURE=1` it
   * writes the file.
   */
  async differences(file: string, read: () => Promise<KubeObject>): Promise<readonly string[]> {
    this.files.push(file);
    const place = path.join(this.#folder, file);
    if (capturing) {
      const text = stringify(this.normalize(await settled(read)), { lineWidth: 0, schema: 'yaml-1.1' });
      fs.writeFileSync(place, text);
      return [];
    }
    const stored: unknown = parse(fs.readFileSync(place, 'utf8'));
    const compare = async (): Promise<readonly string[]> =>
      unequal(this.normalize(await read()), stored).map(
        (difference) => `${file}: ${difference}; if that is right, see deploy/argocd/README.md`,
      );
    const endMs = performance.now() + 40_000;
    let found = await compare();
    while (found.length > 0 && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      found = await compare();
    }
    return found;
  }

  /** The object without what differs from run to run. */
  normalize({ metadata, ...object }: KubeObject): object {
    const { managedFields: _owners, ...kept } = metadata as Record<string, unknown>;
    const text = JSON.stringify({
      ...object,
      metadata: { ...kept, resourceVersion: '1' },
    });
    // Longest first: one name may begin another.
    const names = [...this.#names].toSorted(([a], [b]) => b.length - a.length);
    const named = names.reduce((result, [from, to]) => result.replaceAll(from, to), text);
    const same = named
      .replaceAll(time, '2026-01-01T00:00:00Z')
      .replaceAll(uuid, 'c0ffee00-0000-4000-8000-000000000001');
    const { apiVersion, kind, metadata: head, ...rest } = JSON.parse(same) as KubeObject;
    return { apiVersion, kind, metadata: sorted(head), ...rest };
  }
}

/** Reads until nothing has been written for a while. */
async function settled(read: () => Promise<KubeObject>): Promise<KubeObject> {
  let last = await read();
  let sinceMs = performance.now();
  return eventually(
    async () => {
      const object = await read();
      if (object.metadata.resourceVersion !== last.metadata.resourceVersion) sinceMs = performance.now();
      last = object;
      return performance.now() - sinceMs > quietMs ? object : undefined;
    },
    { timeoutMs: 40_000, intervalMs: 200, what: 'an object that is written no more' },
  );
}

function sorted(members: object): object {
  return Object.fromEntries(Object.entries(members).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function unequal(found: unknown, stored: unknown, at = ''): readonly string[] {
  if (found === stored || at === '.status.effective' || at.endsWith('.message')) return [];
  if (typeof found !== 'object' || typeof stored !== 'object' || found === null || stored === null)
    return [`${at} is ${JSON.stringify(found)}, was ${JSON.stringify(stored)}`];
  const keys = new Set([...Object.keys(found), ...Object.keys(stored)]);
  return [...keys].flatMap((key) =>
    unequal(Reflect.get(found, key), Reflect.get(stored, key), `${at}.${key}`),
  );
}
