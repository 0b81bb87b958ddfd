import { JoinGroup } from '../../protocol/generated/join-group.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * JoinGroup, versions 0-9.
 *
 * Does: classic groups: the initial delay, votes, leader, static members, group size, ids for members that come without one.
 * Leaves out: -
 * v1 rebalance timeout · v4 MEMBER_ID_REQUIRED (KIP-394) · v5 group instance id (KIP-345) · v6 flexible · v7 protocol type,
 * nullable protocol name · v8 reason (KIP-800) · v9 skip assignment (KIP-814)
 */
export const joinGroupHandler: AnyHandler = defineHandler(JoinGroup, async (request, context) => {
  const { version, clientId, connection, broker, cluster } = context;
  const join = {
    memberId: request.memberId,
    groupInstanceId: request.groupInstanceId,
    clientId: clientId ?? '',
    clientHost: `/${connection.clientHost}`,
    protocolType: request.protocolType,
    protocols: request.protocols,
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs: version === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
    requiresMemberId: version >= 4,
    canSkipAssignment: version >= 9,
  };
  const answer = await cluster.service(GroupCoordinator).join(request.groupId, join, broker);
  if (answer === undefined) return undefined;
  return { ...answer, protocolName: answer.protocolName ?? (version < 7 ? '' : null) };
});
