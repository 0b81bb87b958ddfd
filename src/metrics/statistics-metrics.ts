import type { ConsumerStatistics, KafkaStatistics, ShareConsumerStatistics } from '../instrumentation/statistics.ts';
import type { MetricSink } from './event-metrics.ts';

/**
 * What gauges show now. Clients whose labels are the same add up; of what is closed or given up nothing is left, since all of it is looked
 * up anew each time.
 */
export function readStatistics(
  { brokers, producers, consumers, shareConsumers }: KafkaStatistics,
  into: MetricSink,
): void {
  for (const { nodeId, connections, requestsInFlight } of brokers) {
    const labels = { node_id: nodeId === undefined ? 'bootstrap' : String(nodeId) };
    into.add('connections', labels, connections);
    into.add('requests.in_flight', labels, requestsInFlight);
  }
  for (const producer of producers) {
    into.add('producer.buffered', {}, producer.bufferedBytes);
    into.add('producer.buffer.limit', {}, producer.bufferMemoryBytes);
    into.add('producer.unsettled_records', {}, producer.unsettledRecords);
    into.add('producer.waiting_sends', {}, producer.waitingSends);
    into.add('producer.requests.in_flight', {}, producer.requestsInFlight);
  }
  for (const consumer of consumers) readConsumer(consumer, into);
  for (const consumer of shareConsumers) readShareConsumer(consumer, into);
}

function readConsumer({ groupId, partitions, ...consumer }: ConsumerStatistics, into: MetricSink): void {
  const group = { group_id: groupId };
  into.add('consumer.buffered', group, consumer.bufferedBytes);
  into.add('consumer.buffer.limit', group, consumer.maxBufferedBytes);
  for (const { topic, partition, lag } of partitions) {
    into.add('consumer.assigned_partitions', { ...group, topic });
    if (lag !== undefined) into.add('consumer.lag', { ...group, topic, partition: String(partition) }, Number(lag));
  }
}

function readShareConsumer({ groupId, partitions, ...consumer }: ShareConsumerStatistics, into: MetricSink): void {
  const group = { group_id: groupId };
  into.add('share.records.in_hand', group, consumer.recordsInHand);
  into.add('share.records.unread', group, consumer.recordsUnread);
  into.add('share.buffered', group, consumer.bufferedBytes);
  into.add('share.buffer.limit', group, consumer.maxBufferedBytes);
  for (const { topic } of partitions) into.add('share.assigned_partitions', { ...group, topic });
}
