import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { SyncGroup } from '../../protocol/generated/sync-group.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * SyncGroup, versions 0-5.
 *
 * Does: the leader's assignment for all members of the generation; whoever does not come in time is removed.
 * Leaves out: -
 * v3 group instance id (KIP-345) · v4 flexible · v5 protocol type and name, which must both be there (KIP-559)
 */
export const syncGroupHandler: AnyHandler = defineHandler(SyncGroup, (request, { version, cluster, broker }) => {
  const { groupId, ...sync } = request;
  if (version >= 5 && (sync.protocolType === null || sync.protocolName === null))
    return { errorCode: brokerErrorCodes.INCONSISTENT_GROUP_PROTOCOL, assignment: Buffer.alloc(0) };
  return cluster.service(GroupCoordinator).sync(groupId, sync, broker);
});
