/**
 * `kavka/metrics`: what the clients of a `Kafka` do and hold, counted for Prometheus and OpenTelemetry.
 *
 * @packageDocumentation
 */
export { prometheusContentType } from './exposition.ts';
export { collectMetrics, KafkaMetrics, type MeasuredKafka } from './kafka-metrics.ts';
export type { HistogramLike, InstrumentOptions, MeterLike, ObservableResultLike } from './meter.ts';
export type {
  FamilyNames,
  HistogramFamily,
  HistogramSeries,
  MetricFamily,
  ValueFamily,
  ValueSeries,
} from './metric-family.ts';
export type { MetricsOptions } from './metrics-options.ts';
