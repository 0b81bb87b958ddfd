import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { collectMetrics, type MetricFamily } from '../../../src/metrics/index.ts';
import { FakeMeasuredKafka, seriesOf } from '../../support/measured-kafka.ts';

const delivered = { partition: 0, records: 1, bytes: 10, baseOffset: 0n, durationMs: 1 };

function family(families: readonly MetricFamily[], name: string): MetricFamily {
  const found = families.find((each) => each.name === name);
  assert.ok(found !== undefined, `There is no ${name}`);
  return found;
}

describe('collectMetrics', () => {
  it('counts from now on, by client, with the labels of the user', () => {
    const kafka = new FakeMeasuredKafka('orders');
    kafka.events.publish('warning', { message: 'before' });
    const metrics = collectMetrics(kafka, { labels: { service: 'shop' }, prefix: 'acme' });
    assert.deepEqual(family(metrics.collect(), 'acme_warnings_total'), {
      name: 'acme_warnings_total',
      help: 'Odd things that a user may want to know: the event warning',
      unit: '{warning}',
      type: 'counter',
      series: [{ labels: { client_id: 'orders', service: 'shop' }, value: 0 }],
    });
    kafka.events.publish('warning', { message: 'after' });
    assert.equal(seriesOf(metrics)['acme_warnings_total{service="shop"}'], 1);
  });

  it('tells several Kafka apart by client_id, and adds up those with the same', () => {
    const clients = [new FakeMeasuredKafka('a'), new FakeMeasuredKafka('b'), new FakeMeasuredKafka('a')];
    const metrics = collectMetrics(clients);
    for (const { events } of clients) events.publish('warning', { message: 'odd' });
    for (const kafka of clients) {
      kafka.holds = { brokers: [{ nodeId: 1, host: 'kafka', port: 9092, connections: 2, requestsInFlight: 0 }] };
    }
    const values = (name: string): unknown =>
      family(metrics.collect(), name).series.map((series) => [
        series.labels['client_id'],
        'value' in series && series.value,
      ]);
    assert.deepEqual(values('kavka_warnings_total'), [
      ['a', 2],
      ['b', 1],
    ]);
    assert.deepEqual(values('kavka_connections'), [
      ['a', 4],
      ['b', 2],
    ]);
  });

  it('leaves topics out, and with them partitions, where it is told to', () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka, { topics: false });
    const partitions = [1n, 2n].map((lag, partition) => {
      return { topic: 't', partition, position: 0n, endOffset: lag, lag, paused: false, bufferedBytes: 0 };
    });
    kafka.holds = {
      consumers: [{ lane: 'fetch-1', groupId: 'g', memberId: 'm', partitions, bufferedBytes: 0, maxBufferedBytes: 0 }],
    };
    for (const topic of ['a', 'b']) kafka.events.publish('producer.batch.delivered', { ...delivered, topic });
    const series = seriesOf(metrics);
    assert.equal(series['kavka_producer_records_total'], 2);
    assert.equal(series['kavka_consumer_lag{group_id="g"}'], 3);
  });

  it('tells apart the topics that it is told, all others together, without their partitions', () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka, { topics: ['b'] });
    for (const topic of ['a', 'b', 'c']) kafka.events.publish('producer.batch.delivered', { ...delivered, topic });
    const partitions = ['a', 'b', 'c'].map((topic) => {
      return { topic, partition: 0, position: 0n, endOffset: 5n, lag: 5n, paused: false, bufferedBytes: 0 };
    });
    kafka.holds = {
      consumers: [
        { lane: 'fetch-1', groupId: undefined, memberId: 'm', partitions, bufferedBytes: 0, maxBufferedBytes: 0 },
      ],
    };
    const series = seriesOf(metrics);
    assert.deepEqual(
      Object.entries(series).filter(([name]) => /producer_records|lag/.test(name)),
      [
        ['kavka_producer_records_total{topic="(other)"}', 2],
        ['kavka_producer_records_total{topic="b"}', 1],
        ['kavka_consumer_lag{topic="(other)"}', 10],
        ['kavka_consumer_lag{topic="b",partition="0"}', 5],
      ],
    );
  });

  it('gives the first maxTopics topics and maxGroups groups series of their own, and keeps them', () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka, { maxTopics: 2, maxGroups: 1 });
    for (let round = 0; round < 2; round++) {
      for (const topic of ['a', 'b', 'c', 'd'])
        kafka.events.publish('producer.batch.delivered', { ...delivered, topic });
      for (const groupId of ['g', 'h', 'i']) kafka.events.publish('consumer.committed', { groupId, partitions: 1 });
    }
    const series = seriesOf(metrics);
    assert.deepEqual(
      Object.entries(series).filter(([name]) => /records|commits/.test(name)),
      [
        ['kavka_producer_records_total{topic="a"}', 2],
        ['kavka_producer_records_total{topic="b"}', 2],
        ['kavka_producer_records_total{topic="(other)"}', 4],
        ['kavka_consumer_commits_total{group_id="g",outcome="ok"}', 2],
        ['kavka_consumer_commits_total{group_id="(other)",outcome="ok"}', 4],
      ],
    );
  });

  it('bounds its series, however many topics and groups come', () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka);
    for (let number = 0; number < 5000; number++) {
      kafka.events.publish('producer.batch.delivered', { ...delivered, topic: `t-${number}` });
      kafka.events.publish('consumer.committed', { groupId: `g-${number}`, partitions: 1 });
    }
    const counts = ['kavka_producer_records_total', 'kavka_consumer_commits_total'].map(
      (name) => family(metrics.collect(), name).series.length,
    );
    assert.deepEqual(counts, [101, 101]);
  });

  it('counts each value of a histogram in the buckets that it is not above', () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka, { bucketsSeconds: [0.1, 1] });
    const connection = { nodeId: 1, host: 'kafka', port: 9092, lane: 'control' };
    for (const throttleTimeMs of [50, 100, 101, 5000])
      kafka.events.publish('broker.throttled', { ...connection, throttleTimeMs });
    assert.deepEqual(family(metrics.collect(), 'kavka_throttle_duration_seconds').series, [
      {
        labels: { client_id: 'shop' },
        count: 4,
        sum: 0.05 + 0.1 + 0.101 + 5,
        buckets: [
          { upTo: 0.1, count: 2 },
          { upTo: 1, count: 3 },
        ],
      },
    ]);
  });

  it('survives JSON', () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka);
    kafka.events.publish('producer.batch.delivered', { ...delivered, topic: 'a' });
    const families = metrics.collect();
    assert.deepEqual(JSON.parse(JSON.stringify(families)), families);
  });

  it('asks the client only when it is asked itself', () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka);
    const before = kafka.asked;
    for (let at = 0; at < 100; at++) kafka.events.publish('warning', { message: 'odd' });
    assert.equal(kafka.asked, before);
    metrics.prometheus();
    assert.equal(kafka.asked, before + 1);
  });
});

describe('KafkaMetrics.close', () => {
  it('takes all listeners off, counts no more, and lets go of the client', () => {
    const kafka = new FakeMeasuredKafka();
    kafka.holds = { brokers: [{ nodeId: 1, host: 'kafka', port: 9092, connections: 2, requestsInFlight: 0 }] };
    const metrics = collectMetrics(kafka);
    assert.ok(kafka.listeners > 30);
    kafka.events.publish('warning', { message: 'odd' });
    metrics.close();
    assert.equal(kafka.listeners, 0);
    const { asked } = kafka;
    kafka.events.publish('warning', { message: 'unheard' });
    assert.deepEqual(seriesOf(metrics), { kavka_warnings_total: 1 });
    assert.equal(kafka.asked, asked);
    metrics.close();
  });

  it('is what using does at the end', () => {
    const kafka = new FakeMeasuredKafka();
    collectMetrics(kafka)[Symbol.dispose]();
    assert.equal(kafka.listeners, 0);
  });
});

describe('collectMetrics and what it cannot use', () => {
  const kafka = new FakeMeasuredKafka();
  const refuses = (options: object, code: string, message: RegExp): void => {
    assert.throws(
      () => collectMetrics(kafka, options),
      (error: unknown) => isKafkaError(error) && error.code === code && message.test(error.message),
    );
  };

  it('refuses unknown options with the nearest name, and those of other libraries with ours', () => {
    refuses({ lables: {} }, 'UNKNOWN_OPTION', /lables of the metrics: .* did you mean labels\?/);
    refuses({ defaultLabels: {} }, 'UNKNOWN_OPTION', /use labels/);
    refuses({ buckets: [1] }, 'UNKNOWN_OPTION', /use bucketsSeconds/);
    refuses({ register: {} }, 'UNKNOWN_OPTION', /print metrics\.prometheus\(\) beside it/);
  });

  for (const [what, options] of Object.entries({
    'a label of ours': { labels: { topic: 'x' } },
    'the label of the client': { labels: { client_id: 'x' } },
    'the label of buckets': { labels: { le: '1' } },
    'a label of Prometheus': { labels: { __name__: 'x' } },
    'a label that is no name': { labels: { 'a-b': 'x' } },
    'a label that is no text': { labels: { shard: 1 } },
    'labels in a list': { labels: ['a'] },
    'a prefix with a dot': { prefix: 'a.b' },
    'a prefix that begins with a digit': { prefix: '1a' },
    'an empty prefix': { prefix: '' },
    'topics that are no list': { topics: 'orders' },
    'topics that are no names': { topics: [1] },
    'partitions as a list': { partitions: [0] },
    'a negative number of topics': { maxTopics: -1 },
    'half a group': { maxGroups: 0.5 },
    'no bucket': { bucketsSeconds: [] },
    'a bucket of nothing': { bucketsSeconds: [0, 1] },
    'buckets that fall': { bucketsSeconds: [1, 0.5] },
    'equal buckets': { bucketsSeconds: [1, 1] },
    'an endless bucket': { bucketsSeconds: [1, Infinity] },
    'a bucket in words': { bucketsSeconds: ['1'] },
  })) {
    it(`refuses ${what}`, () => refuses(options, 'INVALID_OPTION', /^Cannot use \w+ .*: it must be /));
  }

  it('takes undefined for an option that is not given', () => {
    const metrics = collectMetrics(kafka, { labels: undefined, prefix: undefined, maxTopics: undefined });
    assert.equal(metrics.collect()[0]?.name, 'kavka_connections');
    metrics.close();
  });

  it('refuses what is no Kafka, before it listens to any', () => {
    const { listeners } = kafka;
    for (const given of [undefined, null, {}, [], [kafka, {}], 'kafka']) {
      assert.throws(
        () => collectMetrics(given as never),
        (error: unknown) =>
          isKafkaError(error) && error.code === 'INVALID_ARGUMENT' && /a Kafka was expected/.test(error.message),
      );
    }
    assert.equal(kafka.listeners, listeners);
  });
});
