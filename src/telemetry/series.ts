/**
 * Counters and gauges as plain numbers. A series is found once and then costs an addition; the client library finds it
 * anew for each increment, by sorting and joining its labels. A registry of that library exports them.
 */

/** Label values by name. */
export type Labels = Readonly<Record<string, string>>;

/** One series. After it was removed it counts on and nobody sees it. */
export class Series {
  readonly labels: Labels;
  value = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(by: number): void {
    this.value += by;
  }
}

/** All series of one counter or gauge, in the shape that a registry asks for. */
export class Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly #labels: readonly string[];
  readonly #series = new Map<string, Series>();
  #collect: (() => void) | undefined;

  constructor(name: string, type: 'counter' | 'gauge', help: string, labels: readonly string[]) {
    this.name = name;
    this.type = type;
    this.help = help;
    this.#labels = labels;
    // What has no labels is there from the start, at 0.
    if (labels.length === 0) this.series({});
  }

  /** The series with these labels, made if it is not there. Throws for a label that is not declared. */
  series(labels: Labels): Series {
    const key = this.#keyOf(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      for (const name of Object.keys(labels))
        if (!this.#labels.includes(name)) throw new Error(`${this.name} has no label ${name}`);
      series = new Series(labels);
      this.#series.set(key, series);
    }
    return series;
  }

  remove(labels: Labels): void {
    this.#series.delete(this.#keyOf(labels));
  }

  clear(): void {
    this.#series.clear();
  }

  /** Runs before each export. */
  onCollect(collect: () => void): void {
    this.#collect = collect;
  }

  /** What a registry asks for. */
  async get(): Promise<object> {
    this.#collect?.();
    const { name, help, type } = this;
    return { name, help, type, values: [...this.#series.values()], aggregator: 'sum' };
  }

  #keyOf(labels: Labels): string {
    let key = '';
    // Values hold names and words, none of which has a line break.
    for (const name of this.#labels) key += `${labels[name] ?? ''}\n`;
    return key;
  }
}
