import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  DescribeTopicPartitions,
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponseTopic,
} from '../../protocol/generated/describe-topic-partitions.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import type { Input } from '../../protocol/api.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { describePartition } from '../state/partition-description.ts';
import { topicNameProblem } from '../state/topic-names.ts';

/**
 * DescribeTopicPartitions, version 0 (KIP-966): topics page by page.
 *
 * Does: all topics or those named, in the order of their names, cut at the limit of partitions, with a cursor to go on.
 * Leaves out: eligible leader replicas, which this cluster does not keep.
 */
export const describeTopicPartitionsHandler: AnyHandler = defineHandler(DescribeTopicPartitions, (request, context) => {
  const limit = Math.min(
    request.responsePartitionLimit,
    Number(context.cluster.brokerConfig('max.request.partition.size.limit')),
  );
  const topics: Input<DescribeTopicPartitionsResponseTopic>[] = [];
  let room = limit;
  for (const name of namesFrom(request, context.cluster)) {
    const first = request.cursor?.topicName === name ? Math.max(request.cursor.partitionIndex, 0) : 0;
    if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: first } };
    const topic = context.cluster.topics.get(name);
    if (topic === undefined) {
      topics.push(missing(name));
      continue;
    }
    const shown = topic.partitions.slice(first, first + room);
    const { topicId, isInternal } = topic;
    const partitions = shown.map((partition) => ({
      ...describePartition(partition, context.cluster),
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    }));
    topics.push({ errorCode: 0, name, topicId, isInternal, partitions });
    room -= shown.length;
    const next = first + shown.length;
    if (next < topic.partitions.length) return { topics, nextCursor: { topicName: name, partitionIndex: next } };
  }
  return { topics, nextCursor: null };
});

function namesFrom({ topics, cursor }: DescribeTopicPartitionsRequest, cluster: ClusterState): string[] {
  const wanted = topics.length === 0 ? [...cluster.topics.keys()] : topics.map(({ name }) => name);
  const names = [...new Set(wanted)].sort();
  return cursor === null ? names : names.filter((name) => name >= cursor.topicName);
}

function missing(name: string): Input<DescribeTopicPartitionsResponseTopic> {
  const { INVALID_TOPIC_EXCEPTION, UNKNOWN_TOPIC_OR_PARTITION } = brokerErrorCodes;
  const errorCode = topicNameProblem(name) === undefined ? UNKNOWN_TOPIC_OR_PARTITION : INVALID_TOPIC_EXCEPTION;
  return { errorCode, name, topicId: ZERO_UUID, isInternal: false, partitions: [] };
}
