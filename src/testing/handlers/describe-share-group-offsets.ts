import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  DescribeShareGroupOffsets,
  type DescribeShareGroupOffsetsRequest,
  type DescribeShareGroupOffsetsResponse,
} from '../../protocol/generated/describe-share-group-offsets.ts';
import type { Input } from '../../protocol/wire/input.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import { GroupRegistry } from '../groups/group-registry.ts';
import { byTopicId, partitionKey } from '../groups/topics-view.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { hasShareGroups } from '../share-groups/share-feature.ts';
import { deliveryCompleteCount } from '../share-groups/share-partition-state.ts';
import { SharePartitions } from '../share-groups/share-partitions.ts';
import type { ClusterState } from '../state/cluster-state.ts';

type AskedGroup = DescribeShareGroupOffsetsRequest['groups'][number];
type AnsweredGroup = Input<DescribeShareGroupOffsetsResponse['groups'][number]>;
type AnsweredTopic = Input<DescribeShareGroupOffsetsResponse['groups'][number]['topics'][number]>;
type AnsweredPartition = NonNullable<AnsweredTopic['partitions']>[number];

/**
 * DescribeShareGroupOffsets, versions 0-1.
 *
 * Does: where share groups stand, in the partitions that are named or all that they have ever been given. What they have not
 * is at -1, whether the group or the topic exists or not.
 * Leaves out: -
 * v1 lag (KIP-1226)
 */
export const describeShareGroupOffsetsHandler: AnyHandler = defineHandler(
  DescribeShareGroupOffsets,
  (request, context) => ({ groups: request.groups.map((group) => describe(group, context)) }),
);

function describe({ groupId, topics }: AskedGroup, { cluster, broker }: RequestContext): AnsweredGroup {
  const failed = (errorCode: number, errorMessage: string): AnsweredGroup => ({
    groupId,
    topics: [],
    errorCode,
    errorMessage,
  });
  if (!hasShareGroups(cluster)) return failed(brokerErrorCodes.UNSUPPORTED_VERSION, 'There are no share groups here');
  if (topics === null) {
    const refusal = cluster.service(GroupRegistry).refusal(groupId, broker);
    return refusal === undefined
      ? { groupId, topics: everything(groupId, cluster) }
      : failed(refusal, 'Another broker coordinates it');
  }
  const known = topics.filter(({ topicName }) => cluster.topics.has(topicName));
  if (known.some(({ partitions }) => partitions.length === 0))
    return failed(brokerErrorCodes.UNKNOWN_SERVER_ERROR, 'A topic is named without partitions');
  // Kafka answers last what does not exist.
  const ordered = [...known, ...topics.filter((topic) => !known.includes(topic))];
  return {
    groupId,
    topics: ordered.map(({ topicName, partitions }) => ({
      topicName,
      topicId: cluster.topics.get(topicName)?.topicId ?? ZERO_UUID,
      partitions: partitions.map((partition) => answerOf(cluster, groupId, topicName, partition)),
    })),
  };
}

function everything(groupId: string, cluster: ClusterState): AnsweredTopic[] {
  const keys = cluster
    .service(SharePartitions)
    .of(groupId)
    .map(({ topicId, partition }) => partitionKey(topicId, partition));
  return byTopicId(keys).flatMap(({ topicId, partitions }) => {
    const topicName = cluster.topicsById.get(topicId)?.name;
    if (topicName === undefined) return [];
    return [{ topicName, topicId, partitions: partitions.map((each) => answerOf(cluster, groupId, topicName, each)) }];
  });
}

function answerOf(cluster: ClusterState, groupId: string, topic: string, partitionIndex: number): AnsweredPartition {
  const topicId = cluster.topics.get(topic)?.topicId ?? ZERO_UUID;
  const state = cluster.service(SharePartitions).find({ groupId, topicId, partition: partitionIndex });
  const log = cluster.partition(topic, partitionIndex)?.log;
  const known = { partitionIndex, leaderEpoch: state?.leaderEpoch ?? 0 };
  if (state === undefined || log === undefined || state.startOffset < 0n)
    return { ...known, startOffset: -1n, lag: -1n };
  const { startOffset } = state;
  return { ...known, startOffset, lag: log.highWatermark - startOffset - BigInt(deliveryCompleteCount(state)) };
}
