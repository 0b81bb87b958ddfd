import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { after, before, describe, it } from 'node:test';
import { Kafka, type ClientEventMessage, type ConsumerOptions } from '../../src/index.ts';
import { collectMetrics, type KafkaMetrics } from '../../src/metrics/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { seriesOf } from '../support/measured-kafka.ts';
import { startOutageProxy } from '../support/outage-proxy.ts';

const broker = await kafkaUnderTest({ brokers: 1 });

describe('Metrics', { skip: broker.skip }, () => {
  /** Makes topics and writes, unseen by the client under test. */
  let other: Kafka;
  before(() => {
    other = new Kafka({ bootstrapServers: broker.bootstrapServers });
  });
  after(() => other.close());

  async function makeTopic(partitions = 1): Promise<string> {
    const topic = `metrics-${randomUUID()}`;
    await other.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    return topic;
  }

  async function topicOf(count: number): Promise<string> {
    const topic = await makeTopic();
    await other.producer().send(Array.from({ length: count }, (_, at) => ({ topic, partition: 0, value: `v-${at}` })));
    return topic;
  }

  /** A client with metrics, closed at the end. */
  async function measured(work: (kafka: Kafka, metrics: KafkaMetrics) => Promise<void>): Promise<void> {
    const kafka = new Kafka({ clientId: 'measured', bootstrapServers: broker.bootstrapServers });
    const metrics = collectMetrics(kafka);
    try {
      await work(kafka, metrics);
    } finally {
      await kafka.close();
      metrics.close();
    }
  }

  const earliest: ConsumerOptions = { autoOffsetReset: 'earliest' };

  it('count the records, batches and bytes that a producer has sent, and show that nothing is left', async () => {
    const topic = await makeTopic(3);
    await measured(async (kafka, metrics) => {
      const producer = kafka.producer();
      let bytes = 0;
      let batches = 0;
      kafka.on('producer.batch.delivered', (batch) => {
        bytes += batch.bytes;
        batches++;
      });
      await producer.send(Array.from({ length: 300 }, (_, at) => ({ topic, partition: at % 3, value: `value ${at}` })));
      await producer.send({ topic, partition: 0, value: 'one more' });
      const series = seriesOf(metrics);
      assert.equal(series[`kavka_producer_records_total{topic="${topic}"}`], 301);
      assert.equal(series[`kavka_producer_sent_bytes_total{topic="${topic}"}`], bytes);
      assert.equal(series[`kavka_producer_batches_total{topic="${topic}"}`], batches);
      assert.equal(series['kavka_producer_batch_duration_seconds_count'], batches);
      assert.equal(series['kavka_producer_buffered_bytes'], undefined);
      assert.equal(series['kavka_producer_unsettled_records'], undefined);
      assert.ok((series['kavka_producer_buffer_limit_bytes'] ?? 0) > 0);
      const [ends, produced] = [
        await other.consumer().endOffsets([0, 1, 2].map((partition) => ({ topic, partition }))),
        series['kavka_request_duration_seconds_count{api="Produce",outcome="answered"}'] ?? 0,
      ];
      assert.equal(
        ends.reduce((sum, { offset }) => sum + Number(offset), 0),
        301,
      );
      assert.ok(produced >= 2 && produced <= batches, `${produced} requests`);
      assert.ok((series['kavka_network_sent_bytes_total{api="Produce"}'] ?? 0) > bytes);
      assert.ok((series['kavka_network_received_bytes_total{api="Metadata"}'] ?? 0) > 50);
    });
  });

  it('show what a producer holds while its broker is away, and count its records once it is back', async () => {
    const topic = await makeTopic();
    const proxy = await startOutageProxy(broker.bootstrapServers[0] ?? '');
    const kafka = new Kafka({ bootstrapServers: proxy.address, reconnectBackoffMaxMs: 100 });
    const metrics = collectMetrics(kafka);
    const producer = kafka.producer();
    await producer.send({ topic, value: 'first' });
    proxy.cut();
    const sent = producer.send(Array.from({ length: 10 }, () => ({ topic, value: 'x'.repeat(1000) })));
    await eventually(() => (seriesOf(metrics)['kavka_connections_failed_total'] ?? 0) > 1, 'attempts to connect');
    const [held] = kafka.statistics().producers;
    assert.ok(held !== undefined && held.bufferedBytes > 10_000, `${held?.bufferedBytes} bytes are held`);
    assert.equal(held.unsettledRecords, 10);
    const during = seriesOf(metrics);
    assert.equal(during['kavka_producer_buffered_bytes'], held.bufferedBytes);
    assert.equal(during['kavka_producer_unsettled_records'], 10);
    assert.equal(during[`kavka_producer_records_total{topic="${topic}"}`], 1);
    assert.ok(during['kavka_connections_closed_total{outcome="lost"}'] ?? 0 > 0);
    assert.ok(proxy.refused > 0);
    proxy.mend();
    await sent;
    const after = seriesOf(metrics);
    assert.equal(after['kavka_producer_buffered_bytes'], undefined);
    assert.equal(after['kavka_producer_unsettled_records'], undefined);
    assert.equal(after[`kavka_producer_records_total{topic="${topic}"}`], 11);
    await kafka.close();
    assert.deepEqual(kafka.statistics().producers, []);
    assert.equal(seriesOf(metrics)['kavka_producer_buffer_limit_bytes'], undefined);
    metrics.close();
    await proxy[Symbol.asyncDispose]();
  });

  it('tell the lag that consumer.lag() and admin tell, and count what was read and committed', async () => {
    const topic = await topicOf(10);
    const groupId = `group-${randomUUID()}`;
    await measured(async (kafka, metrics) => {
      const consumer = kafka.consumer({ ...earliest, groupId, autoCommit: false });
      consumer.subscribe(topic);
      assert.equal((await consumer.poll({ maxRecords: 4, minRecords: 4, timeoutMs: 30_000 })).length, 4);
      await consumer.commit();
      const lag = `kavka_consumer_lag{group_id="${groupId}",topic="${topic}",partition="0"}`;
      assert.deepEqual([seriesOf(metrics)[lag], consumer.currentLag({ topic, partition: 0 })], [6, 6n]);
      const [told] = await consumer.lag();
      assert.equal(told?.lag, 6n);
      const [committed] = await other.admin().listGroupOffsets(groupId, { partitions: [{ topic, partition: 0 }] });
      assert.equal(10n - (committed?.offset ?? 0n), 6n);
      const [seen] = kafka.statistics().consumers;
      assert.equal(seen?.memberId, consumer.groupMetadata().memberId);
      assert.deepEqual(
        seen.partitions.map(({ position, endOffset, paused }) => [position, endOffset, paused]),
        [[4n, 10n, false]],
      );
      assert.ok(seen.bufferedBytes > 0);

      const series = seriesOf(metrics);
      assert.equal(series[`kavka_consumer_records_total{group_id="${groupId}",topic="${topic}"}`], 10);
      assert.equal(
        series[`kavka_consumer_fetched_bytes_total{group_id="${groupId}",topic="${topic}"}`],
        seen.bufferedBytes,
      );
      assert.equal(series[`kavka_consumer_commits_total{group_id="${groupId}",outcome="ok"}`], 1);
      assert.equal(series[`kavka_consumer_assigned_partitions{group_id="${groupId}",topic="${topic}"}`], 1);
      assert.equal(series[`kavka_consumer_group_joins_total{group_id="${groupId}"}`], 1);
      assert.ok((series[`kavka_consumer_rebalances_total{group_id="${groupId}"}`] ?? 0) >= 1);
      assert.equal(series[`kavka_consumer_buffered_bytes{group_id="${groupId}"}`], seen.bufferedBytes);

      assert.equal((await consumer.poll({ minRecords: 6, timeoutMs: 30_000 })).length, 6);
      assert.equal(consumer.currentLag({ topic, partition: 0 }), 0n);
      // More comes: the lag is that of the last fetch, which tells of it soon.
      await other.producer().send({ topic, value: 'late' });
      await eventually(() => consumer.currentLag({ topic, partition: 0 }) === 1n, 'the next fetch');
      await consumer.close();
      const left = Object.keys(seriesOf(metrics)).filter((name) => /consumer_(lag|assigned|buffer)/.test(name));
      assert.deepEqual(left, []);
    });
  });

  it('tell the lag to the last stable offset with read_committed, while a transaction is open', async () => {
    const topic = await topicOf(3);
    const transactional = other.producer({ transactionalId: `tx-${randomUUID()}` });
    const transaction = await transactional.beginTransaction();
    await transaction.send([{ topic, partition: 0, value: 'open' }]);
    for (const [isolationLevel, lag] of [
      ['read_committed', 2n],
      ['read_uncommitted', 3n],
    ] as const) {
      const consumer = other.consumer({ ...earliest, isolationLevel });
      consumer.assign({ topic, partition: 0 });
      await consumer.poll({ maxRecords: 1, timeoutMs: 30_000 });
      assert.equal(consumer.currentLag({ topic, partition: 0 }), lag);
      assert.equal((await consumer.lag())[0]?.lag, lag);
      await consumer.close();
    }
    await transaction.commit();
    await transactional.close();
  });

  it('show what a share consumer has in hand, and count what it acknowledged', async () => {
    const topic = await topicOf(5);
    const groupId = `share-group-${randomUUID()}`;
    const set = { 'share.auto.offset.reset': 'earliest' };
    await other.admin().incrementalAlterConfigs({ type: 'group', name: groupId, set });
    await measured(async (kafka, metrics) => {
      const consumer = kafka.shareConsumer({ groupId, acknowledgementMode: 'explicit' });
      consumer.subscribe(topic);
      const records = await consumer.poll({ minRecords: 5, maxRecords: 5, timeoutMs: 30_000 });
      assert.equal(records.length, 5);
      const inHand = `kavka_share_records_in_hand{group_id="${groupId}"}`;
      assert.equal(seriesOf(metrics)[inHand], 5);
      const [seen] = kafka.statistics().shareConsumers;
      assert.deepEqual([seen?.recordsInHand, seen?.partitions], [5, [{ topic, partition: 0 }]]);
      assert.equal(seriesOf(metrics)[`kavka_share_buffered_bytes{group_id="${groupId}"}`], seen?.bufferedBytes);
      consumer.acknowledge(records.slice(0, 3));
      await consumer.commit();
      const series = seriesOf(metrics);
      assert.equal(series[inHand], 2);
      assert.equal(series[`kavka_share_records_acknowledged_total{group_id="${groupId}",topic="${topic}"}`], 3);
      assert.equal(series[`kavka_consumer_records_total{group_id="${groupId}",topic="${topic}"}`], 5);
      await consumer.close();
      assert.deepEqual(
        Object.keys(seriesOf(metrics)).filter((name) => /share_(records_in|assigned|buffer)/.test(name)),
        [],
      );
    });
  });

  it('count transactions by how they end', async () => {
    const topic = await makeTopic();
    await measured(async (kafka, metrics) => {
      const producer = kafka.producer({ transactionalId: `tx-${randomUUID()}` });
      for (let at = 0; at < 2; at++) await producer.transaction((tx) => tx.send({ topic, value: 'kept' }));
      await assert.rejects(
        producer.transaction(async (tx) => {
          await tx.send({ topic, value: 'dropped' });
          throw new Error('changed my mind');
        }),
        /changed my mind/,
      );
      const series = seriesOf(metrics);
      assert.equal(series['kavka_producer_transaction_duration_seconds_count{outcome="committed"}'], 2);
      assert.equal(series['kavka_producer_transaction_duration_seconds_count{outcome="aborted"}'], 1);
      assert.equal(kafka.statistics().producers[0]?.transactionalId?.startsWith('tx-'), true);
    });
  });

  it('count records that are refused, by topic', async () => {
    const topic = `metrics-${randomUUID()}`;
    await other
      .admin()
      .createTopics({ topic, partitions: 1, replicationFactor: 1, configs: { 'max.message.bytes': '1000' } });
    await measured(async (kafka, metrics) => {
      const producer = kafka.producer();
      await assert.rejects(producer.send({ topic, value: 'x'.repeat(5000) }));
      assert.equal(seriesOf(metrics)[`kavka_producer_records_failed_total{topic="${topic}"}`], 1);
    });
  });

  it('show open connections by broker, and none after close', async () => {
    await measured(async (kafka, metrics) => {
      await kafka.connect();
      await kafka.admin().listTopics();
      const open = Object.entries(seriesOf(metrics)).filter(([name]) => name.startsWith('kavka_connections{'));
      assert.ok(open.length > 0 && open.every(([, count]) => count > 0), JSON.stringify(open));
      await kafka.close();
      const series = seriesOf(metrics);
      assert.deepEqual(
        Object.keys(series).filter((name) => /^kavka_(connections|requests_in_flight)\{/.test(name)),
        [],
      );
      assert.deepEqual(kafka.statistics().brokers, []);
      assert.equal(series['kavka_connections_closed_total{outcome="ended"}'], series['kavka_connections_opened_total']);
    });
  });

  it('are heard of on diagnostics channels, with the client that they are of', async () => {
    const topic = await makeTopic();
    const heard: [string, string, number][] = [];
    const listener = (message: unknown): void => {
      const { clientId, name, payload } = message as ClientEventMessage<'producer.batch.delivered'>;
      if (payload.topic === topic) heard.push([clientId, name, payload.records]);
    };
    subscribe('kavka:producer.batch.delivered', listener);
    await measured(async (kafka) => {
      await kafka.producer().send([
        { topic, value: 'a' },
        { topic, value: 'b' },
      ]);
    });
    unsubscribe('kavka:producer.batch.delivered', listener);
    await other.producer().send({ topic, value: 'unheard' });
    assert.deepEqual(heard, [['measured', 'producer.batch.delivered', 2]]);
  });
});
