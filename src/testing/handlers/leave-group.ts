import { LeaveGroup } from '../../protocol/generated/leave-group.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * LeaveGroup, versions 0-5.
 *
 * Does: remove one member or several, static ones by their group instance id alone.
 * Leaves out: the reasons, which Kafka only writes into its log.
 * v3 many members at once (KIP-345) · v4 flexible · v5 reason (KIP-800)
 */
export const leaveGroupHandler: AnyHandler = defineHandler(LeaveGroup, (request, { version, cluster, broker }) => {
  const leavers = version >= 3 ? request.members : [{ memberId: request.memberId, groupInstanceId: null }];
  const left = cluster.service(GroupCoordinator).leave(request.groupId, leavers, broker);
  if (typeof left === 'number') return { errorCode: left, members: [] };
  if (version < 3) return { errorCode: left[0] ?? 0 };
  const members = leavers.map(({ memberId, groupInstanceId }, at) => ({
    memberId,
    groupInstanceId,
    errorCode: left[at] ?? 0,
  }));
  return { errorCode: 0, members };
});
