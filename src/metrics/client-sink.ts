import type { MetricSink } from './event-metrics.ts';
import type { Labels, LabelRules, LabelValues } from './label-rules.ts';
import type { MetricStore, StoredHistogram, StoredValue } from './metric-store.ts';
import { metricTable, type LabelName, type MetricName } from './metric-table.ts';

/** So many series of a client are found without making their labels again; what comes beyond takes a little longer. */
const MOST_KNOWN = 1000;

/** The series of a metric by the values of its labels, one label after the other. */
interface Branch<Series> {
  readonly labels: readonly LabelName[];
  readonly next: Map<string, Branch<Series>>;
  series: Series | undefined;
}

/** Where the numbers of one client go: into series of a store, with the labels that the rules allow. */
export class ClientSink implements MetricSink {
  readonly #store: MetricStore;
  readonly #rules: LabelRules;
  readonly #clientId: string;
  readonly #values = new Map<MetricName, Branch<StoredValue>>();
  readonly #histograms = new Map<MetricName, Branch<StoredHistogram>>();
  #known = 0;

  constructor(store: MetricStore, rules: LabelRules, clientId: string) {
    this.#store = store;
    this.#rules = rules;
    this.#clientId = clientId;
  }

  add(name: MetricName, values: LabelValues = noLabels, value = 1): void {
    const branch = this.#find(this.#values, name, values);
    const series = branch?.series ?? this.#store.value(name, this.#labelsOf(name, values));
    if (branch !== undefined) branch.series = series;
    series.value += value;
  }

  record(name: MetricName, value: number, values: LabelValues = noLabels): void {
    const branch = this.#find(this.#histograms, name, values);
    const series = branch?.series ?? this.#store.histogram(name, this.#labelsOf(name, values));
    if (branch !== undefined) branch.series = series;
    this.#store.record(name, series, value);
  }

  #labelsOf(name: MetricName, values: LabelValues): Labels {
    return this.#rules.labelsOf(name, this.#clientId, values);
  }

  /**
   * Making labels, and one text of them to look them up by, takes longer than counting: the series of values that have come before are found
   * by the values themselves. Undefined where there is no room for another one.
   */
  #find<Series>(
    metrics: Map<MetricName, Branch<Series>>,
    name: MetricName,
    values: LabelValues,
  ): Branch<Series> | undefined {
    let branch = metrics.get(name);
    if (branch === undefined) metrics.set(name, (branch = newBranch<Series>(metricTable[name].labels)));
    for (const label of branch.labels) {
      const value = values[label] ?? '';
      const next: Branch<Series> | undefined = branch.next.get(value) ?? this.#grow(branch, value);
      if (next === undefined) return undefined;
      branch = next;
    }
    return branch;
  }

  #grow<Series>(branch: Branch<Series>, value: string): Branch<Series> | undefined {
    if (this.#known >= MOST_KNOWN) return undefined;
    this.#known++;
    const next = newBranch<Series>(branch.labels);
    branch.next.set(value, next);
    return next;
  }
}

const noLabels: LabelValues = {};

function newBranch<Series>(labels: readonly LabelName[]): Branch<Series> {
  return { labels, next: new Map<string, Branch<Series>>(), series: undefined };
}
