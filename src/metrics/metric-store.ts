import type { Labels } from './label-rules.ts';
import type { HistogramSeries, ValueSeries } from './metric-family.ts';
import type { MetricName } from './metric-table.ts';

/** Told of each value of a histogram as it comes. */
export type OnRecord = (name: MetricName, labels: Labels, value: number) => void;

/** A series of a counter or gauge. */
export interface StoredValue {
  readonly labels: Labels;
  value: number;
}

/** A series of a histogram. */
export interface StoredHistogram {
  readonly labels: Labels;
  /** How many values fell between the bound before and this one; the last count is of those above all bounds. */
  readonly counts: number[];
  sum: number;
}

/** Series by metric and labels. */
export class MetricStore {
  readonly #bounds: readonly number[];
  readonly #values = new Map<MetricName, Map<string, StoredValue>>();
  readonly #histograms = new Map<MetricName, Map<string, StoredHistogram>>();
  readonly #listeners = new Set<OnRecord>();

  /** @param bounds of the buckets of histograms, in rising order */
  constructor(bounds: readonly number[] = []) {
    this.#bounds = bounds;
  }

  /** The series of a counter or gauge, which is known from now on; to be added to. */
  value(name: MetricName, labels: Labels): StoredValue {
    return seriesOf(this.#values, name, labels, () => ({ labels, value: 0 }));
  }

  /** The series of a histogram, for {@link MetricStore.record}. */
  histogram(name: MetricName, labels: Labels): StoredHistogram {
    const counts = (): number[] => new Array<number>(this.#bounds.length + 1).fill(0);
    return seriesOf(this.#histograms, name, labels, () => ({ labels, counts: counts(), sum: 0 }));
  }

  /** Counts a value in a series of a histogram. */
  record(name: MetricName, series: StoredHistogram, value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? Infinity)) at++;
    series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += value;
    for (const listener of this.#listeners) listener(name, series.labels, value);
  }

  /** All counters and gauges are 0 again, and stay known. */
  reset(): void {
    for (const family of this.#values.values()) for (const series of family.values()) series.value = 0;
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
    return [...(this.#histograms.get(name)?.values() ?? [])].map(({ labels, counts, sum }) => {
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
