/*
 * Metrics and their text form ("Prometheus text-based exposition format", version 0.0.4). Written here and not taken from a
 * package: what is needed is small, and the bound on the number of series is part of it.
 */

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Series that one metric has at most; what comes with further label values is counted under `other`. */
const MAX_SERIES = 500;
const OTHER = 'other';

type Labels<L extends string> = Readonly<Record<L, string>>;
type Sample<L extends string> = readonly [labels: Labels<L>, value: number];

/** What only grows. */
export class Counter<L extends string> {
  readonly #labelNames: readonly L[];
  readonly #series = new Map<string, { labels: Labels<L>; value: number }>();

  constructor(labelNames: readonly L[]) {
    this.#labelNames = labelNames;
  }

  add(labels: Labels<L>, by = 1): void {
    bounded(this.#series, this.#labelNames, labels, (held) => ({ labels: held, value: 0 })).value += by;
  }

  samples(): Sample<L>[] {
    return [...this.#series.values()].map(({ labels, value }) => [labels, value]);
  }
}

/** How often something took how long; in seconds. */
export class Histogram<L extends string> {
  readonly #labelNames: readonly L[];
  /** Upper bounds, rising. */
  readonly bounds: readonly number[];
  readonly #series = new Map<string, HistogramSeries<L>>();

  constructor(labelNames: readonly L[], bounds: readonly number[]) {
    this.#labelNames = labelNames;
    this.bounds = bounds;
  }

  observe(labels: Labels<L>, seconds: number): void {
    const series = bounded(this.#series, this.#labelNames, labels, (held) => ({
      labels: held,
      counts: new Array<number>(this.bounds.length + 1).fill(0),
      sum: 0,
    }));
    const found = this.bounds.findIndex((bound) => seconds <= bound);
    const at = found < 0 ? this.bounds.length : found;
    series.counts[at] = (series.counts[at] as number) + 1;
    series.sum += seconds;
  }

  series(): HistogramSeries<L>[] {
    return [...this.#series.values()];
  }
}

interface HistogramSeries<L extends string> {
  labels: Labels<L>;
  /** Of each bucket by itself; the last one has no bound. */
  counts: number[];
  sum: number;
}

function bounded<L extends string, S>(
  series: Map<string, S>,
  names: readonly L[],
  labels: Labels<L>,
  make: (labels: Labels<L>) => S,
): S {
  const key = names.map((name) => labels[name]).join('\0');
  const known = series.get(key);
  if (known) return known;
  if (series.size >= MAX_SERIES && names.some((name) => labels[name] !== OTHER)) {
    return bounded(series, names, Object.fromEntries(names.map((name) => [name, OTHER])) as Labels<L>, make);
  }
  const made = make(labels);
  series.set(key, made);
  return made;
}

interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  lines: () => string[];
}

/** All metrics of a server, in the order in which they were made. */
export class Registry {
  readonly #families: Family[] = [];

  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    const counter = new Counter(labelNames);
    this.#add({ name, help, type: 'counter', lines: () => linesOf(name, counter.samples()) });
    return counter;
  }

  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    bounds: readonly number[],
  ): Histogram<L> {
    const histogram = new Histogram(labelNames, bounds);
    this.#add({
      name,
      help,
      type: 'histogram',
      lines: () => histogram.series().flatMap((one) => bucketLines(name, bounds, one)),
    });
    return histogram;
  }

  /** What is known elsewhere, and looked up when somebody asks for the metrics. */
  read(type: 'counter' | 'gauge', name: string, help: string, samples: () => number | Iterable<Sample<string>>): void {
    const all = () => {
      const found = samples();
      return linesOf(name, typeof found === 'number' ? [[{}, found]] : found);
    };
    this.#add({ name, help, type, lines: all });
  }

  text(): string {
    return this.#families
      .map(({ name, help, type, lines }) => [
        `# HELP ${name} ${escapeHelp(help)}`,
        `# TYPE ${name} ${type}`,
        ...lines(),
      ])
      .map((lines) => `${lines.join('\n')}\n`)
      .join('');
  }

  #add(family: Family): void {
    if (this.#families.some(({ name }) => name === family.name))
      throw new Error(`two metrics are called ${family.name}`);
    this.#families.push(family);
  }
}

function linesOf(name: string, samples: Iterable<Sample<string>>): string[] {
  return Array.from(samples, ([labels, value]) => `${name}${labelText(labels)} ${numberText(value)}`);
}

function bucketLines<L extends string>(
  name: string,
  bounds: readonly number[],
  { labels, counts, sum }: HistogramSeries<L>,
) {
  let count = 0;
  const buckets = counts.map((inBucket, index) => {
    count += inBucket;
    const le = numberText(bounds[index] ?? Number.POSITIVE_INFINITY);
    return `${name}_bucket${labelText({ ...labels, le })} ${count}`;
  });
  return [
    ...buckets,
    `${name}_sum${labelText(labels)} ${numberText(sum)}`,
    `${name}_count${labelText(labels)} ${count}`,
  ];
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeValue(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
