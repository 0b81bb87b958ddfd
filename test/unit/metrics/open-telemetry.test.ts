import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import type { ConsumerStatistics } from '../../../src/instrumentation/statistics.ts';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { collectMetrics } from '../../../src/metrics/index.ts';
import { metricNames } from '../../../src/metrics/metric-table.ts';
import { FakeMeasuredKafka } from '../../support/measured-kafka.ts';

const delivered = { topic: 'orders', partition: 0, records: 3, bytes: 10, baseOffset: 0n, durationMs: 20 };
const producer = {
  lane: 'produce-1',
  transactionalId: undefined,
  bufferedBytes: 100,
  bufferMemoryBytes: 1000,
  unsettledRecords: 7,
  waitingSends: 3,
  maxWaitingSends: 10,
  requestsInFlight: 2,
};

describe('KafkaMetrics.observe with the SDK of OpenTelemetry', () => {
  let exporter: InMemoryMetricExporter;
  let provider: MeterProvider;
  beforeEach(() => {
    exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 });
    provider = new MeterProvider({ readers: [reader] });
  });
  afterEach(() => provider.shutdown());

  /** What one collection gives, by name. */
  async function exported(): Promise<Record<string, MetricData>> {
    exporter.reset();
    await provider.forceFlush();
    const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
    return Object.fromEntries(all.map((metric) => [metric.descriptor.name, metric]));
  }

  function points(data: MetricData | undefined): unknown[] {
    return data?.dataPoints.map(({ attributes, value }) => [attributes, value]) ?? [];
  }

  it('tells counters and gauges as they are at each collection', async () => {
    const kafka = new FakeMeasuredKafka();
    kafka.holds = { producers: [producer] };
    const metrics = collectMetrics(kafka, { labels: { service: 'pay' } });
    kafka.events.publish('producer.batch.delivered', delivered);
    metrics.observe(provider.getMeter('test'));
    const attributes = { client_id: 'shop', topic: 'orders', service: 'pay' };
    const first = await exported();
    assert.deepEqual(points(first['kavka.producer.records']), [[attributes, 3]]);
    kafka.events.publish('producer.batch.delivered', delivered);
    kafka.holds = { producers: [{ ...producer, bufferedBytes: 50 }] };
    const second = await exported();
    const records = second['kavka.producer.records'];
    assert.deepEqual(points(records), [[attributes, 6]]);
    assert.ok(records?.dataPointType === DataPointType.SUM && records.isMonotonic);
    assert.deepEqual(
      [records.descriptor.unit, records.descriptor.description],
      ['{record}', 'Records that were acknowledged'],
    );
    const buffered = second['kavka.producer.buffered'];
    assert.equal(buffered?.dataPointType, DataPointType.GAUGE);
    assert.deepEqual(points(buffered), [[{ client_id: 'shop', service: 'pay' }, 50]]);
    assert.equal(buffered?.descriptor.unit, 'By');
    kafka.holds = {};
    assert.deepEqual(points((await exported())['kavka.producer.buffered']), [
      [{ client_id: 'shop', service: 'pay' }, 0],
    ]);
  });

  it('tells the lag of a partition that was given up as 0, which the SDK would go on with', async () => {
    const kafka = new FakeMeasuredKafka();
    const consumerOf = (...partitions: number[]): ConsumerStatistics => ({
      lane: 'fetch-1',
      groupId: 'g',
      memberId: 'm',
      partitions: partitions.map((partition) => {
        return { topic: 't', partition, position: 0n, endOffset: 9n, lag: 9n, paused: false, bufferedBytes: 0 };
      }),
      bufferedBytes: 0,
      maxBufferedBytes: 0,
    });
    collectMetrics(kafka).observe(provider.getMeter('test'));
    const lags: unknown[] = [];
    for (const partitions of [[0, 1], [1], []]) {
      kafka.holds = { consumers: [consumerOf(...partitions)] };
      const { dataPoints = [] } = (await exported())['kavka.consumer.lag'] ?? {};
      lags.push(dataPoints.map(({ attributes, value }) => [attributes['partition'], value]));
    }
    const at = (first: number, second: number): unknown[] => [
      ['0', first],
      ['1', second],
    ];
    assert.deepEqual(lags, [at(9, 9), at(0, 9), at(0, 0)]);
  });

  it('asks the client once for all gauges of a collection', async () => {
    const kafka = new FakeMeasuredKafka();
    collectMetrics(kafka).observe(provider.getMeter('test'));
    const { asked } = kafka;
    await exported();
    assert.equal(kafka.asked, asked + 1);
  });

  it('records values of histograms as they come, in buckets of the option', async () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka, { bucketsSeconds: [0.01, 0.1] });
    kafka.events.publish('producer.batch.delivered', delivered);
    metrics.observe(provider.getMeter('test'));
    kafka.events.publish('producer.batch.delivered', { ...delivered, durationMs: 5 });
    kafka.events.publish('producer.batch.delivered', { ...delivered, durationMs: 500 });
    const duration = (await exported())['kavka.producer.batch.duration'];
    assert.ok(duration?.dataPointType === DataPointType.HISTOGRAM);
    const [point] = duration.dataPoints;
    assert.deepEqual(point?.value.buckets, { boundaries: [0.01, 0.1], counts: [1, 0, 1] });
    assert.deepEqual([point.value.count, point.value.sum, point.attributes], [2, 0.505, { client_id: 'shop' }]);
    assert.equal(duration.descriptor.unit, 's');
  });

  it('makes an instrument of each metric, and takes its callback off once', () => {
    const made: string[] = [];
    let removed = 0;
    const add = (name: string): { record(): void } => {
      made.push(name);
      return { record: () => undefined };
    };
    const metrics = collectMetrics(new FakeMeasuredKafka(), { prefix: 'acme' });
    const stop = metrics.observe({
      createHistogram: add,
      createObservableCounter: add,
      createObservableGauge: add,
      addBatchObservableCallback: () => undefined,
      removeBatchObservableCallback: () => removed++,
    });
    assert.deepEqual(made.sort(), metricNames.map((name) => `acme.${name}`).sort());
    stop();
    stop();
    metrics.close();
    assert.equal(removed, 1);
  });

  for (const [how, end] of [
    ['the function that it returns', (stop: () => void) => stop()],
    ['close()', (_: () => void, metrics: { close(): void }) => metrics.close()],
  ] as const) {
    it(`ends with ${how}`, async () => {
      const kafka = new FakeMeasuredKafka();
      kafka.holds = { producers: [producer] };
      const metrics = collectMetrics(kafka);
      const stop = metrics.observe(provider.getMeter('test'));
      await exported();
      end(stop, metrics);
      const { asked } = kafka;
      kafka.events.publish('producer.batch.delivered', delivered);
      const after = await exported();
      assert.equal(kafka.asked, asked);
      assert.deepEqual(points(after['kavka.producer.records']), []);
      assert.deepEqual(points(after['kavka.producer.batch.duration']), []);
      stop();
    });
  }

  it('goes on for one meter when it ends for another', async () => {
    const kafka = new FakeMeasuredKafka();
    kafka.holds = { producers: [producer] };
    const metrics = collectMetrics(kafka);
    const other = new MeterProvider();
    const stop = metrics.observe(other.getMeter('other'));
    metrics.observe(provider.getMeter('test'));
    stop();
    assert.equal(points((await exported())['kavka.producer.buffered']).length, 1);
    await other.shutdown();
  });

  it('is refused once the metrics are closed', () => {
    const metrics = collectMetrics(new FakeMeasuredKafka());
    metrics.close();
    assert.throws(
      () => metrics.observe(provider.getMeter('test')),
      (error: unknown) => isKafkaError(error) && error.code === 'CLOSED',
    );
  });
});
