import fs from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import type { KubeObject } from './kube.ts';

/** Set, objects are written instead of compared. */
const capturing = process.env['SLUICE_CAPTURE'] === '1';
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
   * which health takes any, `status.effective`, which grows with every field of the spec, and `status.callerARN`, which
   * comes when STS has answered. With `SLUICE_CAPTURE=1` it
   * writes the file in the end, whatever the object is by then.
   */
  async differences(file: string, read: () => Promise<KubeObject>): Promise<readonly string[]> {
    this.files.push(file);
    const place = path.join(this.#folder, file);
    const stored: unknown = fs.existsSync(place) ? parse(fs.readFileSync(place, 'utf8')) : undefined;
    const endMs = performance.now() + (capturing ? 15_000 : 40_000);
    let object = this.normalize(await read());
    // Words that only come later are waited for when they are to be kept.
    while (unequal(object, stored, capturing).length > 0 && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      object = this.normalize(await read());
    }
    if (capturing) {
      fs.writeFileSync(place, stringify(object, { lineWidth: 0, schema: 'yaml-1.1' }));
      return [];
    }
    return unequal(object, stored).map(
      (difference) => `${file}: ${difference}; if that is right, see deploy/argocd/README.md`,
    );
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

function sorted(members: object): object {
  return Object.fromEntries(Object.entries(members).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function unequal(found: unknown, stored: unknown, withWords = false, at = ''): readonly string[] {
  if (found === stored || at === '.status.effective' || at === '.status.callerARN') return [];
  if (at.endsWith('.message') && !withWords) return [];
  if (typeof found !== 'object' || typeof stored !== 'object' || found === null || stored === null)
    return [`${at} is ${JSON.stringify(found)}, was ${JSON.stringify(stored)}`];
  const keys = new Set([...Object.keys(found), ...Object.keys(stored)]);
  return [...keys].flatMap((key) =>
    unequal(Reflect.get(found, key), Reflect.get(stored, key), withWords, `${at}.${key}`),
  );
}
