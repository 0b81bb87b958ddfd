import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { ShareGroupDescribe, type ShareGroupDescribeResponse } from '../../protocol/generated/share-group-describe.ts';
import type { Input } from '../../protocol/wire/input.ts';
import { byTopicId } from '../groups/topics-view.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { hasShareGroups } from '../share-groups/share-feature.ts';
import { ShareGroupCoordinator } from '../share-groups/share-group-coordinator.ts';

type Described = Input<ShareGroupDescribeResponse['groups'][number]>;

/**
 * ShareGroupDescribe, version 1.
 *
 * Does: state, epochs and members of share groups (KIP-932), and what each member has.
 * Leaves out: -
 */
export const shareGroupDescribeHandler: AnyHandler = defineHandler(ShareGroupDescribe, (request, context) => ({
  // Kafka answers first for the ids that are none.
  groups: request.groupIds
    .toSorted((a, b) => Number(a !== '') - Number(b !== ''))
    .map((groupId) => describe(groupId, context)),
}));

const blank = { errorMessage: null, groupState: '', assignorName: '', members: [] };

function describe(groupId: string, { cluster, broker }: RequestContext): Described {
  const coordinator = cluster.service(ShareGroupCoordinator);
  const refusal = hasShareGroups(cluster) ? coordinator.refusal(groupId, broker) : brokerErrorCodes.UNSUPPORTED_VERSION;
  if (refusal !== undefined) return { ...blank, groupId, errorCode: refusal };
  const group = coordinator.group(groupId);
  if (group === undefined) {
    const errorMessage = `There is no share group "${groupId}"`;
    return { ...blank, groupId, errorCode: brokerErrorCodes.GROUP_ID_NOT_FOUND, errorMessage };
  }
  const { state, groupEpoch, assignmentEpoch, assignorName } = group;
  return {
    errorCode: 0,
    errorMessage: null,
    groupId,
    groupState: state,
    groupEpoch,
    assignmentEpoch,
    assignorName,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      rackId: member.rackId,
      memberEpoch: member.epoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.topicNames].sort(),
      assignment: {
        topicPartitions: byTopicId(member.assigned).flatMap((topic) => {
          const topicName = cluster.topicsById.get(topic.topicId)?.name;
          return topicName === undefined ? [] : [{ ...topic, topicName }];
        }),
      },
    })),
  };
}
