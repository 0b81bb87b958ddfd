import type { SettledItem } from '../errors/admin-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import {
  ShareGroupDescribe,
  type ShareGroupDescribeResponseDescribedGroup,
  type ShareGroupDescribeResponseMember,
} from '../protocol/generated/share-group-describe.ts';
import { quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { atCoordinators, refusedByCoordinator } from './groups.ts';
import { fulfilled, rejected, unanswered, type ItemOutcome } from './items.ts';

/** One member of a share group. Java: `ShareMemberDescription`. */
export interface ShareGroupMember {
  /** The id by which the coordinator knows it; the member has made it itself. */
  readonly memberId: string;
  /** The member's `clientId`. */
  readonly clientId: string;
  /** The address that it connects from, as the broker sees it. */
  readonly clientHost: string;
  /** The rack that it says it is in. */
  readonly rackId: string | undefined;
  /** The group's epoch that it has followed to. */
  readonly memberEpoch: number;
  /** The topics that it wants. */
  readonly subscription: readonly string[];
  /** The partitions that it reads; other members may read them, too. */
  readonly assignment: readonly TopicPartition[];
}

/** A share group with its members. Java: `ShareGroupDescription`. */
export interface ShareGroupDescription {
  /** The group's name. */
  readonly groupId: string;
  /** Kafka's word for it: `Stable` with members, `Empty` without. */
  readonly state: string;
  /** The assignor that the broker uses: `simple`. */
  readonly assignor: string;
  /** The broker that coordinates it. */
  readonly coordinatorId: number;
  /** Rises with each change of members, subscriptions or topics. */
  readonly groupEpoch: number;
  /** The group's epoch that partitions were last given out in; behind {@link groupEpoch} while they are to be given out anew. */
  readonly assignmentEpoch: number;
  /** Everyone who is in it. */
  readonly members: readonly ShareGroupMember[];
}

/** Share groups with their members (KIP-932). */
export function describeShareGroups(
  call: AdminCall,
  ids: readonly string[],
): Promise<SettledItem<ShareGroupDescription>[]> {
  return atCoordinators(call, ids, async (nodeId, group) => {
    const { groups } = await call.request({
      api: ShareGroupDescribe,
      to: { kind: 'broker', nodeId },
      message: { groupIds: [...group] },
    });
    return group.map((id): ItemOutcome<ShareGroupDescription> => {
      const doing = `Cannot describe share group ${quote(id)}`;
      const found = groups.find(({ groupId }) => groupId === id);
      if (found === undefined) return rejected(unanswered(doing));
      if (found.errorCode === 0) return fulfilled(descriptionOf(found, nodeId));
      return refusedByCoordinator(call, id, found.errorCode, doing, shareAdvice(found.errorCode) ?? found.errorMessage);
    });
  });
}

/** What to do about refusals whose own words do not say it. */
export function shareAdvice(code: number): string | undefined {
  switch (code) {
    case brokerErrorCodes.UNSUPPORTED_VERSION:
      return 'share groups are switched off in this cluster; raise its feature share.version to 1: admin.updateFeatures({ feature: "share.version", maxVersionLevel: 1 })';
    case brokerErrorCodes.NON_EMPTY_GROUP:
      return 'the group has members; stop its share consumers first';
    default:
      return undefined;
  }
}

function descriptionOf(group: ShareGroupDescribeResponseDescribedGroup, coordinatorId: number): ShareGroupDescription {
  return {
    groupId: group.groupId,
    state: group.groupState,
    assignor: group.assignorName,
    coordinatorId,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    members: group.members.map(memberOf),
  };
}

function memberOf(member: ShareGroupDescribeResponseMember): ShareGroupMember {
  return {
    memberId: member.memberId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rackId: member.rackId ?? undefined,
    memberEpoch: member.memberEpoch,
    subscription: member.subscribedTopicNames,
    assignment: member.assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
      partitions.map((partition) => ({ topic: topicName, partition })),
    ),
  };
}
