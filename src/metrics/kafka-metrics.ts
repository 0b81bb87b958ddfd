import { ClosedError, UsageError } from '../errors/kafka-error.ts';
import type { Kafka } from '../index.ts';
import type { ClientEventName } from '../instrumentation/events.ts';
import { expectedInstead } from '../util/option-rules.ts';
import { ClientSink } from './client-sink.ts';
import { eventMetrics, type MetricSink } from './event-metrics.ts';
import { exposition } from './exposition.ts';
import { LabelRules } from './label-rules.ts';
import type { MeterLike, ObservableResultLike } from './meter.ts';
import type { MetricFamily, ValueSeries } from './metric-family.ts';
import { MetricStore } from './metric-store.ts';
import { metricNames, metricTable, openTelemetryName, prometheusName, type MetricName } from './metric-table.ts';
import { resolveMetricsOptions, type MetricsOptions, type ResolvedMetricsOptions } from './metrics-options.ts';
import { readStatistics } from './statistics-metrics.ts';

/** What metrics need of a {@link Kafka}. */
export type MeasuredKafka = Pick<Kafka, 'on' | 'statistics'>;

/**
 * Counts what the clients of a `Kafka` do from now on, until {@link KafkaMetrics.close}: their events go into counters and histograms, and
 * what they hold is looked up when somebody asks. What happened before is not known.
 *
 * Of several `Kafka` of one program, give a list: they are told apart by `client_id`, and add up where that is the same.
 *
 * @example
 * ```ts
 * const metrics = collectMetrics(kafka, { labels: { service: 'shop' } });
 * response.setHeader('content-type', prometheusContentType).end(metrics.prometheus());
 * ```
 * @throws UsageError: an option is unknown or has a value that cannot be used, or what is given is no `Kafka`
 */
export function collectMetrics(
  kafka: MeasuredKafka | readonly MeasuredKafka[],
  options: MetricsOptions = {},
): KafkaMetrics {
  const clients = Array.isArray(kafka) ? (kafka as readonly MeasuredKafka[]) : [kafka as MeasuredKafka];
  if (clients.length === 0) refuseUnmeasured(undefined);
  for (const client of clients) refuseUnmeasured(client);
  return new KafkaMetrics(clients, resolveMetricsOptions(options));
}

/** Metrics of one `Kafka` or several: {@link collectMetrics}. */
export class KafkaMetrics implements Disposable {
  readonly #options: ResolvedMetricsOptions;
  readonly #rules: LabelRules;
  readonly #store: MetricStore;
  /** Empty once this is closed. */
  #clients: readonly MeasuredKafka[];
  /** What ends with this: listeners, and what a meter was told. */
  readonly #stops = new Set<() => void>();

  /** @internal Use {@link collectMetrics}. */
  constructor(clients: readonly MeasuredKafka[], options: ResolvedMetricsOptions) {
    this.#clients = clients;
    this.#options = options;
    this.#rules = new LabelRules(options);
    this.#store = new MetricStore(options.bucketsSeconds);
    for (const client of clients) this.#listenTo(client);
  }

  /** All metrics in the text format of Prometheus; answer it with {@link prometheusContentType}. */
  prometheus(): string {
    return exposition(this.collect());
  }

  /** All metrics as plain objects, also those that have no series yet. */
  collect(): MetricFamily[] {
    const gauges = this.#readGauges(new MetricStore());
    return metricNames.map((name): MetricFamily => {
      const { type, unit, help } = metricTable[name];
      const names = { name: prometheusName(this.#options.prefix, name), help, unit };
      return type === 'histogram'
        ? { ...names, type, series: this.#store.histograms(name) }
        : { ...names, type, series: this.#valuesOf(name, gauges) };
    });
  }

  /**
   * Gives all metrics to a meter of OpenTelemetry as well: what counts and what is held is told at each collection, histograms record
   * values as they come, from now on. Names have dots instead of `_`, and neither unit nor `_total`; an exporter to Prometheus adds them.
   * A gauge whose client or partition is gone is 0, since the SDK would go on with its last value.
   *
   * @returns ends it, as {@link KafkaMetrics.close} does
   * @throws ClosedError: these metrics are closed
   */
  observe(meter: MeterLike): () => void {
    if (this.#clients.length === 0) throw new ClosedError('these metrics');
    const instruments = new Map<MetricName, object>();
    for (const name of metricNames) if (!isHistogram(name)) instruments.set(name, this.#observable(meter, name));
    // An SDK that adds up goes on with the last value of a series that it hears no more of: partitions that were given up would keep their
    // lag. So what is gone is told as 0.
    const gauges = new MetricStore();
    const callback = (result: ObservableResultLike): void => {
      gauges.reset();
      this.#readGauges(gauges);
      for (const [name, instrument] of instruments) {
        for (const { labels, value } of this.#valuesOf(name, gauges)) result.observe(instrument, value, { ...labels });
      }
    };
    const observables = [...instruments.values()];
    meter.addBatchObservableCallback(callback, observables);
    const stopRecording = this.#recordInto(meter);
    const stop = (): void => {
      if (!this.#stops.delete(stop)) return;
      stopRecording();
      meter.removeBatchObservableCallback(callback, observables);
    };
    this.#stops.add(stop);
    return stop;
  }

  /** Listens no more and lets go of the clients and of every meter. What was counted can still be read; what is held cannot. */
  close(): void {
    for (const stop of [...this.#stops]) stop();
    this.#stops.clear();
    this.#clients = [];
  }

  /** The same as {@link KafkaMetrics.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #listenTo(kafka: MeasuredKafka): void {
    const { clientId } = kafka.statistics();
    const sink = new ClientSink(this.#store, this.#rules, clientId);
    // Of what has no labels it is known that there was none yet: a rate of it is 0, not missing.
    for (const name of metricNames) {
      const { type, labels } = metricTable[name];
      if (type === 'counter' && labels.length === 0) sink.add(name, {}, 0);
    }
    for (const name of Object.keys(eventMetrics) as ClientEventName[]) this.#listenToOne(kafka, name, sink);
  }

  #listenToOne<Name extends ClientEventName>(kafka: MeasuredKafka, name: Name, sink: MetricSink): void {
    const recorder = eventMetrics[name];
    if (recorder !== undefined) this.#stops.add(kafka.on(name, (event) => recorder(event, sink)));
  }

  #readGauges(gauges: MetricStore): MetricStore {
    for (const kafka of this.#clients) {
      const statistics = kafka.statistics();
      readStatistics(statistics, new ClientSink(gauges, this.#rules, statistics.clientId));
    }
    return gauges;
  }

  #valuesOf(name: MetricName, gauges: MetricStore): ValueSeries[] {
    return (metricTable[name].type === 'gauge' ? gauges : this.#store).values(name);
  }

  #observable(meter: MeterLike, name: MetricName): object {
    const { type, unit, help } = metricTable[name];
    const options = { unit, description: help };
    const fullName = openTelemetryName(this.#options.prefix, name);
    return type === 'counter'
      ? meter.createObservableCounter(fullName, options)
      : meter.createObservableGauge(fullName, options);
  }

  #recordInto(meter: MeterLike): () => void {
    const { prefix, bucketsSeconds } = this.#options;
    const histograms = new Map(
      metricNames.filter(isHistogram).map((name) => {
        const { unit, help } = metricTable[name];
        const advice = { explicitBucketBoundaries: [...bucketsSeconds] };
        return [name, meter.createHistogram(openTelemetryName(prefix, name), { unit, description: help, advice })];
      }),
    );
    return this.#store.onRecord((name, labels, value) => histograms.get(name)?.record(value, { ...labels }));
  }
}

function isHistogram(name: MetricName): boolean {
  return metricTable[name].type === 'histogram';
}

function refuseUnmeasured(client: Partial<MeasuredKafka> | null | undefined): void {
  if (typeof client?.on === 'function' && typeof client.statistics === 'function') return;
  throw new UsageError(`Cannot collect metrics: ${expectedInstead('a Kafka', client)}`, { code: 'INVALID_ARGUMENT' });
}
