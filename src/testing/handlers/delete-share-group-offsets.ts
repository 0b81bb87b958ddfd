import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { DeleteShareGroupOffsets } from '../../protocol/generated/delete-share-group-offsets.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { hasShareGroups } from '../share-groups/share-feature.ts';
import { ShareGroupCoordinator } from '../share-groups/share-group-coordinator.ts';
import { SharePartitions } from '../share-groups/share-partitions.ts';

/**
 * DeleteShareGroupOffsets, version 0.
 *
 * Does: forget where a share group without members stands in topics.
 * Leaves out: -
 */
export const deleteShareGroupOffsetsHandler: AnyHandler = defineHandler(
  DeleteShareGroupOffsets,
  (request, { cluster, broker }) => {
    const { groupId } = request;
    const coordinator = cluster.service(ShareGroupCoordinator);
    const problem = hasShareGroups(cluster)
      ? (coordinator.refusal(groupId, broker) ?? coordinator.alterProblem(groupId, false))
      : brokerErrorCodes.UNSUPPORTED_VERSION;
    if (problem !== undefined)
      return { errorCode: problem, errorMessage: 'Its offsets cannot be deleted', responses: [] };
    const partitions = cluster.service(SharePartitions);
    const responses = request.topics.map(({ topicName }) => {
      const topicId = cluster.topics.get(topicName)?.topicId;
      const isKnown = partitions.of(groupId).some((each) => each.topicId === topicId);
      if (topicId === undefined || !isKnown) return { topicName, ...unknown };
      partitions.delete(groupId, topicId);
      return { topicName, topicId, errorCode: 0 };
    });
    return { errorCode: 0, responses };
  },
);

const unknown = {
  topicId: ZERO_UUID,
  errorCode: brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  errorMessage: 'The group has no offsets of this topic',
};
