import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  ConsumerGroupDescribe,
  type ConsumerGroupDescribeResponse,
} from '../../protocol/generated/consumer-group-describe.ts';
import type { Input } from '../../protocol/wire/input.ts';
import type { ConsumerMember } from '../groups/consumer-member.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { byTopicId } from '../groups/topics-view.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';

type Described = Input<ConsumerGroupDescribeResponse['groups'][number]>;

/**
 * ConsumerGroupDescribe, versions 0-1.
 *
 * Does: state, epochs, assignor and members of groups of the new protocol, what each has and shall have.
 * Leaves out: -
 * v1 member types (KIP-1099)
 */
export const consumerGroupDescribeHandler: AnyHandler = defineHandler(ConsumerGroupDescribe, (request, context) => ({
  // Kafka answers first for the ids that are none.
  groups: request.groupIds
    .toSorted((a, b) => Number(a !== '') - Number(b !== ''))
    .map((groupId) => describe(groupId, context)),
}));

const blank = { errorMessage: null, groupState: '', assignorName: '', members: [] };

function describe(groupId: string, context: RequestContext): Described {
  const { cluster, broker } = context;
  const coordinator = cluster.service(GroupCoordinator);
  const refusal = coordinator.refusal(groupId, broker);
  if (refusal !== undefined) return { ...blank, groupId, errorCode: refusal };
  const group = coordinator.consumerGroup(groupId);
  if (group === undefined) {
    const errorMessage = `There is no consumer group "${groupId}"`;
    return { ...blank, groupId, errorCode: brokerErrorCodes.GROUP_ID_NOT_FOUND, errorMessage };
  }
  return {
    errorCode: 0,
    errorMessage: null,
    groupId,
    groupState: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.assignorName,
    members: group.members.map((member) => describeMember(member, group.target(member.memberId), context)),
  };
}

function describeMember(
  member: ConsumerMember,
  target: ReadonlySet<string>,
  { cluster, version }: RequestContext,
): Described['members'] extends readonly (infer Member)[] | undefined ? Member : never {
  const partitionsOf = (keys: Iterable<string>): object => ({
    topicPartitions: byTopicId(keys).flatMap((topic) => {
      const topicName = cluster.topicsById.get(topic.topicId)?.name;
      return topicName === undefined ? [] : [{ ...topic, topicName }];
    }),
  });
  return {
    memberId: member.memberId,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.epoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.topicNames].sort(),
    subscribedTopicRegex: member.topicRegex,
    // What is being given up still belongs to the member.
    assignment: partitionsOf([...member.assigned.keys(), ...member.revoking.keys()]),
    targetAssignment: partitionsOf(target),
    ...(version >= 1 ? { memberType: member.classic === undefined ? 1 : 0 } : {}),
  };
}
