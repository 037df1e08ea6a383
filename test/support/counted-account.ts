import type { AccountApi, Configuration, MappingApi } from '../../src/backends/aws/client.ts';
import { MemoryMappingApi } from './memory-mapping-api.ts';

/**
 * An account in memory behind the API that pages, with a count of what it was asked: each method by its name, each
 * page as `page`. List may be made to lag: it then shows what was there when `freezeList` was called.
 */
export class CountedAccount {
  readonly memory = new MemoryMappingApi();
  readonly api: MappingApi & AccountApi;
  pageSize = 100;
  /** Called before each call; what it throws is the answer. */
  before: (call: string) => void | Promise<void> = () => undefined;
  /** Called after each call and before its answer; what it throws is the answer, although the call was carried out. */
  after: (call: string) => void | Promise<void> = () => undefined;
  /** How List shows a mapping; undefined for not at all. */
  shownByList: (configuration: Configuration) => Configuration | undefined = (configuration) => configuration;
  readonly #calls = new Map<string, number>();
  #frozen: readonly Configuration[] | undefined;

  constructor() {
    const { memory } = this;
    const counted = async <T>(call: string, work: () => Promise<T>): Promise<T> => {
      this.#calls.set(call, (this.#calls.get(call) ?? 0) + 1);
      await this.before(call);
      const answer = await work();
      await this.after(call);
      return answer;
    };
    this.api = {
      page: (marker) => counted('page', async () => this.#page(Number(marker ?? 0))),
      get: (uuid) => counted('get', () => memory.get(uuid)),
      list: (source) => counted('list', () => memory.list(source)),
      listByFunction: (name) => counted('list', () => memory.listByFunction(name)),
      create: (input) => counted('create', () => memory.create(input)),
      update: (uuid, input) => counted('update', () => memory.update(uuid, input)),
      delete: (uuid) => counted('delete', () => memory.delete(uuid)),
      tags: (arn) => counted('tags', () => memory.tags(arn)),
      tag: (arn, tags) => counted('tag', () => memory.tag(arn, tags)),
      untag: (arn, keys) => counted('untag', () => memory.untag(arn, keys)),
    };
  }

  /** Calls so far of a name, or of all. */
  count(call?: string): number {
    if (call !== undefined) return this.#calls.get(call) ?? 0;
    return [...this.#calls.values()].reduce((sum, count) => sum + count, 0);
  }

  forgetCalls(): void {
    this.#calls.clear();
  }

  freezeList(): void {
    this.#frozen = this.memory.all.map(({ configuration }) => configuration);
  }

  thawList(): void {
    this.#frozen = undefined;
  }

  #page(from: number): { readonly mappings: readonly Configuration[]; readonly next: string | undefined } {
    const live = this.#frozen ?? this.memory.all.map(({ configuration }) => configuration);
    const all = live.flatMap((configuration) => this.shownByList(configuration) ?? []);
    const end = from + this.pageSize;
    return { mappings: all.slice(from, end), next: end < all.length ? String(end) : undefined };
  }
}
