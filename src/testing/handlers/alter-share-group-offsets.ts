import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { AlterShareGroupOffsets } from '../../protocol/generated/alter-share-group-offsets.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { hasShareGroups } from '../share-groups/share-feature.ts';
import { ShareGroupCoordinator } from '../share-groups/share-group-coordinator.ts';
import { SharePartitions } from '../share-groups/share-partitions.ts';

/**
 * AlterShareGroupOffsets, version 0.
 *
 * Does: set from where a share group without members goes on; makes the group if there is none. Any offset is taken.
 * Leaves out: -
 */
export const alterShareGroupOffsetsHandler: AnyHandler = defineHandler(
  AlterShareGroupOffsets,
  (request, { cluster, broker }) => {
    const { groupId } = request;
    const coordinator = cluster.service(ShareGroupCoordinator);
    const problem = hasShareGroups(cluster)
      ? (coordinator.refusal(groupId, broker) ?? coordinator.alterProblem(groupId, true))
      : brokerErrorCodes.UNSUPPORTED_VERSION;
    if (problem !== undefined) return { errorCode: problem, errorMessage: 'Its offsets cannot be set', responses: [] };
    const exists = request.topics.some(({ topicName, partitions }) =>
      partitions.some(({ partitionIndex }) => cluster.partition(topicName, partitionIndex) !== undefined),
    );
    if (exists) coordinator.create(groupId);
    const partitions = cluster.service(SharePartitions);
    return {
      errorCode: 0,
      responses: request.topics.map(({ topicName, partitions: starts }) => {
        const topicId = cluster.topics.get(topicName)?.topicId ?? ZERO_UUID;
        return {
          topicName,
          topicId,
          partitions: starts.map(({ partitionIndex, startOffset }) => {
            if (cluster.partition(topicName, partitionIndex) === undefined) return { partitionIndex, ...unknown };
            partitions.setStartOffset({ groupId, topicId, partition: partitionIndex }, startOffset);
            return { partitionIndex, errorCode: 0 };
          }),
        };
      }),
    };
  },
);

const unknown = {
  errorCode: brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  errorMessage: 'There is no such partition',
};
