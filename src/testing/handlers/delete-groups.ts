import { DeleteGroups } from '../../protocol/generated/delete-groups.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * DeleteGroups, versions 0-2.
 *
 * Does: delete groups without members, with their offsets.
 * Leaves out: -
 * v2 flexible
 */
export const deleteGroupsHandler: AnyHandler = defineHandler(
  DeleteGroups,
  (request, { cluster, broker }) => ({
    results: request.groupsNames.map((groupId) => ({
      groupId,
      errorCode: cluster.service(GroupCoordinator).delete(groupId, broker),
    })),
  }),
  { max: 2 },
);
