import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { DescribeGroups, type DescribeGroupsResponse } from '../../protocol/generated/describe-groups.ts';
import type { Input } from '../../protocol/wire/input.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { GroupRegistry } from '../groups/group-registry.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';

/**
 * DescribeGroups, versions 0-6.
 *
 * Does: state, protocol and members of classic groups; a group that is unknown (or of another type) is Dead.
 * Leaves out: -
 * v3 authorized operations (KIP-430) · v4 group instance id · v5 flexible · v6 GROUP_ID_NOT_FOUND with a message (KIP-1043)
 */
export const describeGroupsHandler: AnyHandler = defineHandler(DescribeGroups, (request, context) => ({
  groups: request.groups.map((groupId) => describe(groupId, context)),
}));

type Described = Input<DescribeGroupsResponse['groups'][number]>;

const blank = { groupState: '', protocolType: '', protocolData: '', members: [] };

function describe(groupId: string, { cluster, broker, version }: RequestContext): Described {
  const refusal = cluster.service(GroupRegistry).refusal(groupId, broker);
  if (refusal !== undefined) return { ...blank, errorCode: refusal, groupId };
  const group = cluster.service(GroupCoordinator).classicGroup(groupId)?.machine;
  if (group === undefined) {
    const dead = { ...blank, groupId, groupState: 'Dead' };
    if (version < 6) return dead;
    return { ...dead, errorCode: brokerErrorCodes.GROUP_ID_NOT_FOUND, errorMessage: `There is no group "${groupId}"` };
  }
  const isStable = group.state === 'Stable';
  return {
    errorCode: 0,
    groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: isStable ? (group.protocolName ?? '') : '',
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? member.metadata(group.protocolName) : Buffer.alloc(0),
      memberAssignment: member.assignment,
    })),
  };
}
