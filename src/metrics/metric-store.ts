import type { Labels } from './label-rules.ts';
import type { HistogramSeries, ValueSeries } from './metric-family.ts';
import type { MetricName } from './metric-table.ts';

/** Told of each value of a histogram as it comes. */
export type OnRecord = (name: MetricName, labels: Labels, value: number) => void;

interface Values {
  readonly labels: Labels;
  value: number;
}

interface Distribution {
  readonly labels: Labels;
  /** How many values fell between the bound before and this one; the last count is of those above all bounds. */
  readonly counts: number[];
  sum: number;
}

/** Series by metric and labels. */
export class MetricStore {
  readonly #bounds: readonly number[];
  readonly #values = new Map<MetricName, Map<string, Values>>();
  readonly #distributions = new Map<MetricName, Map<string, Distribution>>();
  readonly #listeners = new Set<OnRecord>();

  /** @param bounds of the buckets of histograms, in rising order */
  constructor(bounds: readonly number[] = []) {
    this.#bounds = bounds;
  }

  /** Adds to a counter or gauge; 0 makes it known. */
  add(name: MetricName, labels: Labels, value: number): void {
    const series = seriesOf(this.#values, name, labels, () => ({ labels, value: 0 }));
    series.value += value;
  }

  /** All counters and gauges are 0 again, and stay known. */
  reset(): void {
    for (const family of this.#values.values()) for (const series of family.values()) series.value = 0;
  }

  /** Counts a value in a histogram. */
  record(name: MetricName, labels: Labels, value: number): void {
    const counts = (): number[] => new Array<number>(this.#bounds.length + 1).fill(0);
    const series = seriesOf(this.#distributions, name, labels, () => ({ labels, counts: counts(), sum: 0 }));
    const found = this.#bounds.findIndex((bound) => value <= bound);
    const at = found < 0 ? this.#bounds.length : found;
    series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += value;
    for (const listener of this.#listeners) listener(name, series.labels, value);
  }

  /** Tells of each value of a histogram from now on, until the returned function is called. */
  onRecord(listener: OnRecord): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  values(name: MetricName): ValueSeries[] {
    return [...(this.#values.get(name)?.values() ?? [])].map(({ labels, value }) => ({ labels, value }));
  }

  histograms(name: MetricName): HistogramSeries[] {
    return [...(this.#distributions.get(name)?.values() ?? [])].map(({ labels, counts, sum }) => {
      let count = 0;
      const buckets = this.#bounds.map((upTo, at) => ({ upTo, count: (count += counts[at] ?? 0) }));
      return { labels, count: count + (counts[this.#bounds.length] ?? 0), sum, buckets };
    });
  }
}

function seriesOf<Series>(
  families: Map<MetricName, Map<string, Series>>,
  name: MetricName,
  labels: Labels,
  make: () => Series,
): Series {
  let family = families.get(name);
  if (family === undefined) families.set(name, (family = new Map<string, Series>()));
  // All series of a metric have their labels in one order; one that is absent moves no other, as names are part of the key.
  const key = JSON.stringify(labels);
  let series = family.get(key);
  if (series === undefined) family.set(key, (series = make()));
  return series;
}
