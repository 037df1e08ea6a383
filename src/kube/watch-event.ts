/** One line of a watch, read once. Pure. */
import { answerError, isKubeStatus, KubeError } from './kube-error.ts';
import type { KubeObject } from './resource.ts';

/** What a line of a watch says. */
export type WatchEvent<T> =
  | { readonly kind: 'changed'; readonly object: T; readonly resourceVersion: string }
  | { readonly kind: 'deleted'; readonly object: T; readonly resourceVersion: string }
  /** Nothing has changed up to this version. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  /** A type of later API servers, which says nothing that we asked for. */
  | { readonly kind: 'unknown' };

/**
 * Reads a line. Throws `KubeError`: `MalformedAnswer` for what is not an event, and what the server says for an
 * event of type ERROR, of which `Expired` (410) is the one that asks for a new list.
 */
export function parseWatchEvent<T extends KubeObject>(line: string, nowMs: number): WatchEvent<T> {
  const event = parseObject(line);
  const object = event['object'];
  switch (event['type']) {
    case 'ADDED':
    case 'MODIFIED':
      return { kind: 'changed', ...(checked(object, true) as Checked<T>) };
    case 'DELETED':
      return { kind: 'deleted', ...(checked(object, true) as Checked<T>) };
    case 'BOOKMARK':
      return { kind: 'bookmark', resourceVersion: checked(object, false).resourceVersion };
    case 'ERROR':
      throw answerError('watch', isKubeStatus(object) ? (object.code ?? 500) : 500, object, undefined, nowMs);
    default:
      if (typeof event['type'] === 'string') return { kind: 'unknown' };
      throw malformed('it has no `type`');
  }
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // V8's message quotes the text, which may hold a Secret.
    throw malformed('it is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw malformed('it is not an object');
  return value as Readonly<Record<string, unknown>>;
}

interface Checked<T> {
  readonly object: T;
  readonly resourceVersion: string;
}

function checked(value: unknown, named: boolean): Checked<KubeObject> {
  const object = value as Partial<KubeObject> | null | undefined;
  const resourceVersion = object?.metadata?.resourceVersion;
  if (typeof resourceVersion !== 'string' || resourceVersion === '') {
    throw malformed('its object has no `metadata.resourceVersion`');
  }
  if (named && typeof object?.metadata?.name !== 'string')
    throw malformed('its object has no `metadata.name`');
  return { object: object as KubeObject, resourceVersion };
}

function malformed(why: string): KubeError {
  return new KubeError(`A line of the watch is no watch event: ${why}`, {
    status: 200,
    reason: 'MalformedAnswer',
  });
}
