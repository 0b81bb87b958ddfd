import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientEventName, ClientEvents } from '../../../src/instrumentation/events.ts';
import { collectMetrics } from '../../../src/metrics/index.ts';
import { eventMetrics } from '../../../src/metrics/event-metrics.ts';
import { metricNames, metricTable, prometheusName } from '../../../src/metrics/metric-table.ts';
import { FakeMeasuredKafka, seriesOf } from '../../support/measured-kafka.ts';

const error = new Error('refused');
const connection = { nodeId: 1, host: 'kafka', port: 9092, lane: 'control' };
const request = { ...connection, api: 'Fetch', version: 13, correlationId: 7 };
const o1 = { topic: 'orders', partition: 1 };
const group = { groupId: 'g' };
const member = { ...group, memberId: 'm', generationId: 1, leader: false };

/** An event, told twice, and what the metrics are then: one line per series that moves. */
interface Case<Name extends ClientEventName = ClientEventName> {
  readonly event: ClientEvents[Name];
  readonly moves: Readonly<Record<string, number>>;
}

const cases: { readonly [Name in ClientEventName]?: Case<Name> } = {
  'connection.opened': { event: { ...connection, durationMs: 5 }, moves: { kavka_connections_opened_total: 2 } },
  'connection.closed': {
    event: { ...connection, error },
    moves: { 'kavka_connections_closed_total{outcome="lost"}': 2 },
  },
  'connection.failed': { event: { ...connection, error }, moves: { kavka_connections_failed_total: 2 } },
  'connection.reauthenticated': {
    event: { ...connection, durationMs: 5, sessionLifetimeMs: 1000 },
    moves: { kavka_connections_reauthenticated_total: 2 },
  },
  'sasl.token.failed': { event: { error, expiresAtMs: 0 }, moves: { kavka_token_failures_total: 2 } },
  'request.sent': { event: { ...request, bytes: 70 }, moves: { 'kavka_network_sent_bytes_total{api="Fetch"}': 140 } },
  'request.answered': {
    event: { ...request, bytes: 500, durationMs: 250, throttleTimeMs: 0 },
    moves: {
      'kavka_network_received_bytes_total{api="Fetch"}': 1000,
      'kavka_request_duration_seconds_count{api="Fetch",outcome="answered"}': 2,
      'kavka_request_duration_seconds_sum{api="Fetch",outcome="answered"}': 0.5,
    },
  },
  'request.failed': {
    event: { ...request, error, durationMs: 2000 },
    moves: {
      'kavka_request_duration_seconds_count{api="Fetch",outcome="failed"}': 2,
      'kavka_request_duration_seconds_sum{api="Fetch",outcome="failed"}': 4,
    },
  },
  'request.retried': {
    event: { api: 'Metadata', error, failures: 1, delayMs: 100 },
    moves: { 'kavka_requests_retried_total{api="Metadata"}': 2 },
  },
  'broker.throttled': {
    event: { ...connection, throttleTimeMs: 500 },
    moves: { kavka_throttle_duration_seconds_count: 2, kavka_throttle_duration_seconds_sum: 1 },
  },
  'metadata.updated': {
    event: { clusterId: 'c', brokers: 3, topics: 1 },
    moves: { kavka_metadata_updates_total: 2 },
  },
  'metadata.failed': { event: { error, failures: 1 }, moves: { kavka_metadata_failures_total: 2 } },
  'metadata.rebootstrapped': { event: { reason: 'all are away' }, moves: { kavka_metadata_rebootstraps_total: 2 } },
  'producer.batch.delivered': {
    event: { ...o1, records: 10, bytes: 300, baseOffset: 5n, durationMs: 1500 },
    moves: {
      'kavka_producer_records_total{topic="orders"}': 20,
      'kavka_producer_sent_bytes_total{topic="orders"}': 600,
      'kavka_producer_batches_total{topic="orders"}': 2,
      kavka_producer_batch_duration_seconds_count: 2,
      kavka_producer_batch_duration_seconds_sum: 3,
    },
  },
  'producer.batch.retried': {
    event: { ...o1, records: 10, error, attempts: 1 },
    moves: { 'kavka_producer_records_retried_total{topic="orders"}': 20 },
  },
  'producer.batch.failed': {
    event: { ...o1, records: 10, error },
    moves: { 'kavka_producer_records_failed_total{topic="orders"}': 20 },
  },
  'producer.error': { event: { error }, moves: { kavka_producer_errors_total: 2 } },
  'producer.transaction.ended': {
    event: { transactionalId: 't', committed: true, error: undefined, protocol: 2, durationMs: 4000 },
    moves: {
      'kavka_producer_transaction_duration_seconds_count{outcome="committed"}': 2,
      'kavka_producer_transaction_duration_seconds_sum{outcome="committed"}': 8,
    },
  },
  'producer.transaction.failed': {
    event: { transactionalId: 't', error },
    moves: { kavka_producer_transaction_failures_total: 2 },
  },
  'consumer.fetched': {
    event: {
      nodeId: 1,
      ...group,
      bytes: 150,
      records: 5,
      partitions: 3,
      topics: [
        { topic: 'orders', records: 3, bytes: 100 },
        { topic: 'bills', records: 2, bytes: 50 },
      ],
      durationMs: 500,
    },
    moves: {
      'kavka_consumer_records_total{group_id="g",topic="orders"}': 6,
      'kavka_consumer_records_total{group_id="g",topic="bills"}': 4,
      'kavka_consumer_fetched_bytes_total{group_id="g",topic="orders"}': 200,
      'kavka_consumer_fetched_bytes_total{group_id="g",topic="bills"}': 100,
      'kavka_consumer_fetch_duration_seconds_count{group_id="g"}': 2,
      'kavka_consumer_fetch_duration_seconds_sum{group_id="g"}': 1,
    },
  },
  'consumer.fetch.failed': {
    event: { nodeId: 1, groupId: undefined, error },
    moves: { kavka_consumer_fetch_failures_total: 2 },
  },
  'consumer.committed': {
    event: { ...group, partitions: 3 },
    moves: { 'kavka_consumer_commits_total{group_id="g",outcome="ok"}': 2 },
  },
  'consumer.commit.failed': {
    event: { ...group, error },
    moves: { 'kavka_consumer_commits_total{group_id="g",outcome="failed"}': 2 },
  },
  'group.joined': {
    event: { ...member, assignment: [o1] },
    moves: { 'kavka_consumer_group_joins_total{group_id="g"}': 2 },
  },
  'group.rebalancing': {
    event: { ...group, reason: 'a member joined' },
    moves: { 'kavka_consumer_rebalances_total{group_id="g"}': 2 },
  },
  'group.lost': {
    event: { ...group, partitions: [o1, { ...o1, partition: 2 }] },
    moves: { 'kavka_consumer_partitions_lost_total{group_id="g"}': 4 },
  },
  'group.left': {
    event: { ...member, reason: 'the consumer is being closed' },
    moves: { 'kavka_consumer_group_leaves_total{group_id="g"}': 2 },
  },
  'group.heartbeat.failed': {
    event: { ...group, error },
    moves: { 'kavka_consumer_heartbeat_failures_total{group_id="g"}': 2 },
  },
  'share.acknowledged': {
    event: { ...group, ...o1, records: 3 },
    moves: { 'kavka_share_records_acknowledged_total{group_id="g",topic="orders"}': 6 },
  },
  'share.acknowledge.failed': {
    event: { ...group, ...o1, records: 3, error },
    moves: { 'kavka_share_records_failed_total{group_id="g",topic="orders"}': 6 },
  },
  'share.locks.lost': {
    event: { ...group, ...o1, records: 3, reason: 'their lock has timed out' },
    moves: { 'kavka_share_records_lost_total{group_id="g",topic="orders"}': 6 },
  },
  'share.records.returned': {
    event: { ...group, ...o1, records: 3 },
    moves: { 'kavka_share_records_returned_total{group_id="g",topic="orders"}': 6 },
  },
  'share.session.ended': {
    event: { ...group, nodeId: 1, error },
    moves: { 'kavka_share_sessions_ended_total{group_id="g"}': 2 },
  },
  'share.handler.failed': {
    event: { ...group, ...o1, offset: 5n, deliveryCount: 1, decision: 'release', error },
    moves: { 'kavka_share_handler_failures_total{group_id="g",topic="orders"}': 2 },
  },
  warning: { event: { message: 'odd' }, moves: { kavka_warnings_total: 2 } },
  'listener.failed': { event: { event: 'warning', error }, moves: { kavka_listener_failures_total: 2 } },
};

describe('eventMetrics', () => {
  for (const [name, { event, moves }] of Object.entries(cases)) {
    it(`${name} moves its metrics and no others`, () => {
      const kafka = new FakeMeasuredKafka();
      const metrics = collectMetrics(kafka);
      assert.deepEqual(seriesOf(metrics), {});
      for (let time = 0; time < 2; time++) kafka.events.publish(name as ClientEventName, event);
      assert.deepEqual(seriesOf(metrics), moves);
    });
  }

  it('tells apart how connections and transactions end', () => {
    const kafka = new FakeMeasuredKafka();
    const metrics = collectMetrics(kafka);
    kafka.events.publish('connection.closed', { ...connection, error: undefined });
    const ended = { transactionalId: 't', committed: false, error: undefined, protocol: 2, durationMs: 1000 };
    kafka.events.publish('producer.transaction.ended', ended);
    assert.deepEqual(seriesOf(metrics), {
      'kavka_connections_closed_total{outcome="ended"}': 1,
      'kavka_producer_transaction_duration_seconds_count{outcome="aborted"}': 1,
      'kavka_producer_transaction_duration_seconds_sum{outcome="aborted"}': 1,
    });
  });

  it('has a case here for each event, and each counter and histogram has an event', () => {
    assert.deepEqual(Object.keys(cases).sort(), Object.keys(eventMetrics).sort());
    const moved = Object.values(cases).flatMap(({ moves }) => Object.keys(moves));
    const still = metricNames.filter((name) => {
      const full = prometheusName('kavka', name);
      const isMoved = moved.some((key) => key.replace(/\{.*/, '').replace(/_(sum|count)$/, '') === full);
      return metricTable[name].type !== 'gauge' && !isMoved;
    });
    assert.deepEqual(still, []);
  });
});
