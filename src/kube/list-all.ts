/** A whole collection, in pages of one version. Holds all of it at once, as its caller does anyway. */
import type { ApiClient } from './api-client.ts';
import { isKubeError, KubeError } from './kube-error.ts';
import type { KubeList, KubeObject } from './resource.ts';

export interface ListOptions<T> {
  readonly signal: AbortSignal;
  /** Selectors. */
  readonly query: Readonly<Record<string, string | undefined>>;
  /** What is kept of each object. */
  readonly keep: (object: T) => T;
  /** Called after each page. */
  readonly onPage: () => void;
}

/** A page is held as bytes, as text and with `managedFields` before anything of it is dropped. */
const PAGE = 100;
const TIMEOUT_MS = 60_000;

/** Lists in pages of 100; when a page's token has expired, once more in one piece. Rejects with `KubeError`. */
export async function listAll<T extends KubeObject>(
  api: Pick<ApiClient, 'list'>,
  path: string,
  options: ListOptions<T>,
): Promise<{ readonly objects: readonly T[]; readonly resourceVersion: string }> {
  let objects: T[] = [];
  let query: Readonly<Record<string, string | number>> = { limit: PAGE };
  for (;;) {
    let page: KubeList<T>;
    try {
      page = await listPage<T>(api, path, options, query);
    } catch (error) {
      if (!('continue' in query) || !isKubeError(error, 'Expired')) throw error;
      // The snapshot behind the token has been compacted away; pages would race with the next compaction again.
      objects = [];
      query = {};
      continue;
    }
    options.onPage();
    for (const object of page.items) objects.push(options.keep(object));
    const { continue: next = '', resourceVersion = '' } = page.metadata;
    if (next === '') return { objects, resourceVersion };
    query = { limit: PAGE, continue: next };
  }
}

async function listPage<T>(
  api: Pick<ApiClient, 'list'>,
  path: string,
  { signal, query: selectors }: ListOptions<T>,
  query: Readonly<Record<string, string | number>>,
): Promise<KubeList<T>> {
  const page = await api.list<Partial<KubeList<T>> | null>(path, {
    signal,
    query: { ...selectors, ...query },
    timeoutMs: TIMEOUT_MS,
  });
  const { metadata, items } = page ?? {};
  // Servers in Go say null for a list without items.
  if (typeof metadata?.resourceVersion === 'string' && (items === null || Array.isArray(items))) {
    return { metadata, items: items ?? [] };
  }
  throw new KubeError(`list ${path}: the answer is not a list`, { status: 200, reason: 'MalformedAnswer' });
}
