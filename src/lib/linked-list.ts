/**
 * A list of things that come and go often, in the order of coming. Its elements carry their own links, and lose them
 * when they leave.
 *
 * Not a `Set`: one that is added to and deleted from over and over makes a new table now and then, and each old table
 * knows the next. Once one of them has outlived a collection of young objects, so does whatever is put into those that
 * follow, and memory fills with what is long over until a full collection.
 */
/**
 * The links of an element, all undefined while it is in no list. Elements are made with them written out: an object that
 * begins with a spread keeps its other members in a table beside it, which grows by a few at a time.
 */
export interface Linked<T> {
  before: T | undefined;
  behind: T | undefined;
  /** The list that it is in. */
  list: object | undefined;
}

export class LinkedList<T extends Linked<T>> implements Iterable<T> {
  #first: T | undefined;
  #last: T | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** What has been in it for longest. */
  get first(): T | undefined {
    return this.#first;
  }

  /** Puts an element at the end; it must be in no list. */
  add(item: T): void {
    if (item.list !== undefined) throw new Error('The element is in a list already');
    item.list = this;
    item.before = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.behind = item;
    this.#last = item;
    this.#size++;
  }

  /** Takes an element out; one that is not in it is left alone. */
  delete(item: T): void {
    if (item.list !== this) return;
    const { before, behind } = item;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    item.before = undefined;
    item.behind = undefined;
    item.list = undefined;
    this.#size--;
  }

  /** Those that are in it now and still are when their turn comes. */
  [Symbol.iterator](): Iterator<T> {
    // Most lists are empty or nearly so when they are looked through, and a generator is not free.
    if (this.#first === this.#last) return (this.#first === undefined ? [] : [this.#first]).values();
    return this.#walk();
  }

  *#walk(): Iterator<T> {
    const all: T[] = [];
    for (let item = this.#first; item !== undefined; item = item.behind) all.push(item);
    for (const item of all) if (item.list === this) yield item;
  }
}
