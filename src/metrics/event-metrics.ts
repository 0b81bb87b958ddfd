import type { ClientEventName, ClientEvents } from '../instrumentation/events.ts';
import type { LabelValues } from './label-rules.ts';
import type { MetricName } from './metric-table.ts';

/** Where the numbers of one client go. */
export interface MetricSink {
  /** Adds to a counter or gauge. @param value 1 if it is left out */
  add(name: MetricName, labels?: LabelValues, value?: number): void;
  /** Counts a value in a histogram. */
  record(name: MetricName, value: number, labels?: LabelValues): void;
}

type Recorder<Name extends ClientEventName> = (event: ClientEvents[Name], into: MetricSink) => void;

/** Which metrics each event moves. */
export const eventMetrics: { readonly [Name in ClientEventName]?: Recorder<Name> } = {
  'connection.opened': (_, into) => into.add('connections.opened'),
  'connection.closed': ({ error }, into) =>
    into.add('connections.closed', { outcome: error === undefined ? 'ended' : 'lost' }),
  'connection.failed': (_, into) => into.add('connections.failed'),
  'connection.reauthenticated': (_, into) => into.add('connections.reauthenticated'),
  'sasl.token.failed': (_, into) => into.add('token.failures'),
  'request.sent': ({ api, bytes }, into) => into.add('network.sent', { api }, bytes),
  'request.answered': ({ api, bytes, durationMs }, into) => {
    into.add('network.received', { api }, bytes);
    into.record('request.duration', seconds(durationMs), { api, outcome: 'answered' });
  },
  'request.failed': ({ api, durationMs }, into) =>
    into.record('request.duration', seconds(durationMs), { api, outcome: 'failed' }),
  'request.retried': ({ api }, into) => into.add('requests.retried', { api }),
  'broker.throttled': ({ throttleTimeMs }, into) => into.record('throttle.duration', seconds(throttleTimeMs)),
  'metadata.updated': (_, into) => into.add('metadata.updates'),
  'metadata.failed': (_, into) => into.add('metadata.failures'),
  'metadata.rebootstrapped': (_, into) => into.add('metadata.rebootstraps'),

  'producer.batch.delivered': ({ topic, records, bytes, durationMs }, into) => {
    into.add('producer.records', { topic }, records);
    into.add('producer.sent', { topic }, bytes);
    into.add('producer.batches', { topic });
    into.record('producer.batch.duration', seconds(durationMs));
  },
  'producer.batch.retried': ({ topic, records }, into) => into.add('producer.records.retried', { topic }, records),
  'producer.batch.failed': ({ topic, records }, into) => into.add('producer.records.failed', { topic }, records),
  'producer.error': (_, into) => into.add('producer.errors'),
  'producer.transaction.ended': ({ committed, durationMs }, into) =>
    into.record('producer.transaction.duration', seconds(durationMs), { outcome: committed ? 'committed' : 'aborted' }),
  'producer.transaction.failed': (_, into) => into.add('producer.transaction.failures'),

  'consumer.fetched': ({ groupId, topics, durationMs }, into) => {
    for (const { topic, records, bytes } of topics) {
      into.add('consumer.records', { group_id: groupId, topic }, records);
      into.add('consumer.fetched', { group_id: groupId, topic }, bytes);
    }
    into.record('consumer.fetch.duration', seconds(durationMs), { group_id: groupId });
  },
  'consumer.fetch.failed': ({ groupId }, into) => into.add('consumer.fetch.failures', { group_id: groupId }),
  'consumer.committed': ({ groupId }, into) => into.add('consumer.commits', { group_id: groupId, outcome: 'ok' }),
  'consumer.commit.failed': ({ groupId }, into) =>
    into.add('consumer.commits', { group_id: groupId, outcome: 'failed' }),
  'group.joined': ({ groupId }, into) => into.add('consumer.group.joins', { group_id: groupId }),
  'group.rebalancing': ({ groupId }, into) => into.add('consumer.rebalances', { group_id: groupId }),
  'group.lost': ({ groupId, partitions }, into) =>
    into.add('consumer.partitions.lost', { group_id: groupId }, partitions.length),
  'group.left': ({ groupId }, into) => into.add('consumer.group.leaves', { group_id: groupId }),
  'group.heartbeat.failed': ({ groupId }, into) => into.add('consumer.heartbeat.failures', { group_id: groupId }),

  'share.acknowledged': ({ groupId, topic, records }, into) =>
    into.add('share.records.acknowledged', { group_id: groupId, topic }, records),
  'share.acknowledge.failed': ({ groupId, topic, records }, into) =>
    into.add('share.records.failed', { group_id: groupId, topic }, records),
  'share.locks.lost': ({ groupId, topic, records }, into) =>
    into.add('share.records.lost', { group_id: groupId, topic }, records),
  'share.records.returned': ({ groupId, topic, records }, into) =>
    into.add('share.records.returned', { group_id: groupId, topic }, records),
  'share.session.ended': ({ groupId }, into) => into.add('share.sessions.ended', { group_id: groupId }),
  'share.handler.failed': ({ groupId, topic }, into) =>
    into.add('share.handler.failures', { group_id: groupId, topic }),

  warning: (_, into) => into.add('warnings'),
  'listener.failed': (_, into) => into.add('listener.failures'),
};

function seconds(milliseconds: number): number {
  return milliseconds / 1000;
}
