import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type {
  ConsumerStatistics,
  PartitionStatistics,
  ProducerStatistics,
  ShareConsumerStatistics,
} from '../../../src/instrumentation/statistics.ts';
import { collectMetrics } from '../../../src/metrics/index.ts';
import { metricNames, metricTable, prometheusName } from '../../../src/metrics/metric-table.ts';
import { FakeMeasuredKafka, seriesOf } from '../../support/measured-kafka.ts';

const producer: ProducerStatistics = {
  lane: 'produce-1',
  transactionalId: undefined,
  bufferedBytes: 100,
  bufferMemoryBytes: 1000,
  unsettledRecords: 7,
  waitingSends: 3,
  maxWaitingSends: 10,
  requestsInFlight: 2,
};

function partition(topic: string, number: number, lag: bigint | undefined): PartitionStatistics {
  return { topic, partition: number, position: 1n, endOffset: 5n, lag, paused: false, bufferedBytes: 0 };
}

function consumer(partitions: readonly PartitionStatistics[], groupId?: string): ConsumerStatistics {
  return { lane: 'fetch-1', groupId, memberId: 'm', partitions, bufferedBytes: 40, maxBufferedBytes: 400 };
}

const share: ShareConsumerStatistics = {
  lane: 'share-1',
  groupId: 'mailers',
  memberId: 'm',
  partitions: [
    { topic: 'mails', partition: 0 },
    { topic: 'mails', partition: 1 },
  ],
  recordsInHand: 4,
  recordsUnread: 6,
  bufferedBytes: 80,
  maxBufferedBytes: 800,
};

const broker = { host: 'kafka', port: 9092, connections: 3, requestsInFlight: 1 };

describe('readStatistics', () => {
  it('shows what brokers, producers, consumers and share consumers hold; each gauge is shown', () => {
    const kafka = new FakeMeasuredKafka();
    kafka.holds = {
      brokers: [
        { nodeId: 1, ...broker },
        { nodeId: undefined, ...broker },
      ],
      producers: [producer],
      consumers: [consumer([partition('orders', 0, 4n), partition('orders', 1, undefined)], 'g')],
      shareConsumers: [share],
    };
    const shown = seriesOf(collectMetrics(kafka));
    assert.deepEqual(shown, {
      'kavka_connections{node_id="1"}': 3,
      'kavka_connections{node_id="bootstrap"}': 3,
      'kavka_requests_in_flight{node_id="1"}': 1,
      'kavka_requests_in_flight{node_id="bootstrap"}': 1,
      kavka_producer_buffered_bytes: 100,
      kavka_producer_buffer_limit_bytes: 1000,
      kavka_producer_unsettled_records: 7,
      kavka_producer_waiting_sends: 3,
      kavka_producer_requests_in_flight: 2,
      'kavka_consumer_lag{group_id="g",topic="orders",partition="0"}': 4,
      'kavka_consumer_assigned_partitions{group_id="g",topic="orders"}': 2,
      'kavka_consumer_buffered_bytes{group_id="g"}': 40,
      'kavka_consumer_buffer_limit_bytes{group_id="g"}': 400,
      'kavka_share_assigned_partitions{group_id="mailers",topic="mails"}': 2,
      'kavka_share_records_in_hand{group_id="mailers"}': 4,
      'kavka_share_records_unread{group_id="mailers"}': 6,
      'kavka_share_buffered_bytes{group_id="mailers"}': 80,
      'kavka_share_buffer_limit_bytes{group_id="mailers"}': 800,
    });
    const names = Object.keys(shown).map((key) => key.replace(/\{.*/, ''));
    const gauges = metricNames.filter((name) => metricTable[name].type === 'gauge');
    assert.deepEqual(
      gauges.filter((name) => !names.includes(prometheusName('kavka', name))),
      [],
    );
  });

  it('adds up clients with the same labels', () => {
    const kafka = new FakeMeasuredKafka();
    kafka.holds = {
      producers: [producer, { ...producer, bufferedBytes: 11 }],
      consumers: [consumer([partition('orders', 0, 4n)], 'g'), consumer([partition('orders', 1, 5n)], 'g')],
    };
    const shown = seriesOf(collectMetrics(kafka, { partitions: false }));
    assert.equal(shown['kavka_producer_buffered_bytes'], 111);
    assert.equal(shown['kavka_consumer_lag{group_id="g",topic="orders"}'], 9);
    assert.equal(shown['kavka_consumer_assigned_partitions{group_id="g",topic="orders"}'], 2);
  });

  it('forgets partitions and clients that are gone, and does not add what was shown before', () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka);
    kafka.holds = { consumers: [consumer([partition('orders', 0, 4n), partition('orders', 1, 5n)], 'g')] };
    seriesOf(metrics);
    kafka.holds = { consumers: [consumer([partition('orders', 1, 6n)], 'g')] };
    const shown = seriesOf(metrics);
    assert.deepEqual(
      Object.entries(shown).filter(([name]) => /lag|assigned/.test(name)),
      [
        ['kavka_consumer_lag{group_id="g",topic="orders",partition="1"}', 6],
        ['kavka_consumer_assigned_partitions{group_id="g",topic="orders"}', 1],
      ],
    );
    kafka.holds = {};
    assert.deepEqual(seriesOf(metrics), {});
  });

  it('shows a lag of 0, which is known, and none where it is not', () => {
    const kafka = new FakeMeasuredKafka();
    kafka.holds = { consumers: [consumer([partition('orders', 0, 0n), partition('orders', 1, undefined)])] };
    const family = collectMetrics(kafka)
      .collect()
      .find(({ name }) => name === 'kavka_consumer_lag');
    assert.deepEqual(family?.series, [{ labels: { client_id: 'shop', topic: 'orders', partition: '0' }, value: 0 }]);
  });
});
