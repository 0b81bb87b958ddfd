import { Heartbeat } from '../../protocol/generated/heartbeat.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * Heartbeat, versions 0-4.
 *
 * Does: keep a member of a classic group alive, and tell it to rejoin.
 * Leaves out: -
 * v3 group instance id (KIP-345) · v4 flexible
 */
export const heartbeatHandler: AnyHandler = defineHandler(Heartbeat, (request, { cluster, broker }) => ({
  errorCode: cluster.service(GroupCoordinator).heartbeat(request.groupId, request, request.generationId, broker),
}));
