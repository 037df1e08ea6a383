/**
 * AWS's index of tags, the Resource Groups Tagging API: the tags of 100 mappings of a cluster in one call, where
 * Lambda's own API tells those of one. It is another service, with a rate and a permission (`tag:GetResources`) of its
 * own, and it may lag behind Lambda. Thin: one call is one page, and what fails is thrown.
 */
import type { SignedClient } from '../../aws/sigv4-client.ts';
import type { Tags } from './client.ts';
import { ownershipTags } from './ownership.ts';

/** One page of what the index shows. */
export interface TagPage {
  /** By the mapping's ARN. */
  readonly tags: ReadonlyMap<string, Tags>;
  /** Where the next page begins; undefined after the last one. */
  readonly next: string | undefined;
}

/** The mappings of a cluster by the index; `token` is undefined for the first page. */
export type TagIndex = (token: string | undefined, signal: AbortSignal) => Promise<TagPage>;

const operation = 'GetResources';
const timeoutMs = 10_000;
/** The most that the API takes. */
const pageSize = 100;

/** The index over signed calls. `onCall` is told the end of each: `OK`, or the name of the error. */
export function tagIndex(
  client: Pick<SignedClient, 'kind' | 'prepareAt' | 'send'>,
  clusterID: string,
  onCall: (call: { readonly operation: string; readonly code: string }) => void,
): TagIndex {
  const kind = client.kind('', [
    ['content-type', 'application/x-amz-json-1.1'],
    ['x-amz-target', `ResourceGroupsTaggingAPI_20170126.${operation}`],
  ]);
  return async (token, signal) => {
    const query = {
      ResourceTypeFilters: ['lambda:event-source-mapping'],
      TagFilters: [{ Key: ownershipTags.cluster, Values: [clusterID] }],
      ResourcesPerPage: pageSize,
      ...(token === undefined ? {} : { PaginationToken: token }),
    };
    try {
      const { body } = await client.send(
        client.prepareAt(kind, Buffer.from(JSON.stringify(query))),
        timeoutMs,
        signal,
      );
      const page = pageOf(JSON.parse(body.toString('utf8')));
      onCall({ operation, code: 'OK' });
      return page;
    } catch (error) {
      onCall({ operation, code: error instanceof Error ? error.name : 'Error' });
      throw error;
    }
  };
}

interface Shown {
  readonly ResourceARN?: unknown;
  readonly Tags?: unknown;
}

/** Reads an answer; what has another shape is left out, and asked for elsewhere. */
function pageOf(answer: unknown): TagPage {
  const { ResourceTagMappingList: list, PaginationToken: token } = (answer ?? {}) as Record<string, unknown>;
  const tags = new Map<string, Tags>();
  for (const { ResourceARN: arn, Tags: pairs } of (Array.isArray(list) ? list : []) as readonly Shown[]) {
    if (typeof arn === 'string' && Array.isArray(pairs)) tags.set(arn, tagsOf(pairs as readonly unknown[]));
  }
  return { tags, next: typeof token === 'string' && token !== '' ? token : undefined };
}

function tagsOf(pairs: readonly unknown[]): Tags {
  return Object.fromEntries(
    pairs.flatMap((pair) => {
      const { Key: key, Value: value } = (pair ?? {}) as Record<string, unknown>;
      return typeof key === 'string' && typeof value === 'string' ? [[key, value]] : [];
    }),
  );
}
