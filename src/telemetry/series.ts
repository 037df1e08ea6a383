/**
 * Counters, gauges and histograms as plain numbers. A series is found once and then costs an addition; the client library finds it
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
    const key = keyOf(this.#labels, labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      checkLabels(this.name, this.#labels, labels);
      series = new Series(labels);
      this.#series.set(key, series);
    }
    return series;
  }

  /** Takes a series out and returns it, if it was there. */
  remove(labels: Labels): Series | undefined {
    const key = keyOf(this.#labels, labels);
    const series = this.#series.get(key);
    this.#series.delete(key);
    return series;
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

  /**
   * The same as a registry would write it. With 1,000 mappings there are 15,000 series, and the objects that a registry
   * makes for each line would be more than all that is kept of the mappings.
   */
  text(): string {
    this.#collect?.();
    const { name, help, type } = this;
    const parts: string[] = [];
    let text = `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}`;
    for (const { labels, value } of this.#series.values()) {
      text += `\n${name}`;
      let mark = '{';
      for (const label in labels) {
        text += `${mark}${label}="${escaped(labels[label] ?? '').replaceAll('"', String.raw`\"`)}"`;
        mark = ',';
      }
      text += `${mark === '{' ? '' : '}'} ${numberText(value)}`;
      if (text.length < partLength) continue;
      // Its characters alone: what was joined from many strings holds them all until somebody reads it.
      parts.push(Buffer.from(text).toString());
      text = '';
    }
    return parts.join('') + text;
  }
}

/** One histogram with its labels. */
export class Distribution {
  readonly labels: Labels;
  readonly #bounds: readonly number[];
  /** Values up to each bound and above the one before; the last, those above all. */
  readonly #counts: number[];
  #sum = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] ?? 0)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  /** In the shape that a registry asks for: counts that add up, then sum and count. */
  values(name: string): readonly object[] {
    const { labels } = this;
    let count = 0;
    const buckets = this.#counts.map((its, at) => {
      count += its;
      return {
        metricName: `${name}_bucket`,
        labels: { le: this.#bounds[at] ?? '+Inf', ...labels },
        value: count,
      };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

/** All series of one histogram, in the shape that a registry asks for. */
export class Distributions {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly #labels: readonly string[];
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Distribution>();

  constructor(name: string, help: string, labels: readonly string[], bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#labels = labels;
    this.#bounds = bounds;
    // What has no labels is there from the start, at 0.
    if (labels.length === 0) this.series({});
  }

  /** The series with these labels, made if it is not there. Throws for a label that is not declared. */
  series(labels: Labels): Distribution {
    const key = keyOf(this.#labels, labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      checkLabels(this.name, this.#labels, labels);
      series = new Distribution(labels, this.#bounds);
      this.#series.set(key, series);
    }
    return series;
  }

  /** What a registry asks for. */
  async get(): Promise<object> {
    const { name, help, type } = this;
    const values = [...this.#series.values()].flatMap((series) => series.values(name));
    return { name, help, type, values, aggregator: 'sum' };
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

/** Of a text in the making. */
const partLength = 8192;

/** Prometheus's words for what is no number. */
function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'Nan' : value > 0 ? '+Inf' : '-Inf';
}

function keyOf(names: readonly string[], labels: Labels): string {
  let key = '';
  // Values hold names and words, none of which has a line break.
  for (const name of names) key += `${labels[name] ?? ''}\n`;
  return key;
}

function checkLabels(metric: string, names: readonly string[], labels: Labels): void {
  for (const name of Object.keys(labels))
    if (!names.includes(name)) throw new Error(`${metric} has no label ${name}`);
}
