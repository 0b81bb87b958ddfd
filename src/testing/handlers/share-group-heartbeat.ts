import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  ShareGroupHeartbeat,
  type ShareGroupHeartbeatRequest,
  type ShareGroupHeartbeatResponse,
} from '../../protocol/generated/share-group-heartbeat.ts';
import type { Input } from '../../protocol/wire/input.ts';
import { byTopicId } from '../groups/topics-view.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { hasShareGroups } from '../share-groups/share-feature.ts';
import { ShareGroupCoordinator } from '../share-groups/share-group-coordinator.ts';
import { shareHeartbeatRefusal } from '../share-groups/share-group-messages.ts';

/**
 * ShareGroupHeartbeat, version 1.
 *
 * Does: KIP-932: join, assignment by the broker (simple), fencing, sessions; partitions are given out once they are made ready,
 * which a heartbeat begins and a later one tells.
 * Leaves out: racks.
 */
export const shareGroupHeartbeatHandler: AnyHandler = defineHandler(ShareGroupHeartbeat, (request, context) => {
  const { cluster, broker, clientId, connection } = context;
  const problem = problemOf(request, context);
  const beat = {
    memberId: request.memberId,
    memberEpoch: request.memberEpoch,
    rackId: request.rackId,
    topicNames: request.subscribedTopicNames,
    clientId: clientId ?? '',
    clientHost: `/${connection.clientHost}`,
  };
  const { assignment, errorCode, ...rest } =
    problem === undefined
      ? cluster.service(ShareGroupCoordinator).heartbeat(request.groupId, beat, broker)
      : shareHeartbeatRefusal(problem);
  const response: Input<ShareGroupHeartbeatResponse> = {
    ...rest,
    errorCode,
    errorMessage: errorCode === 0 ? null : `The heartbeat of member "${beat.memberId}" is refused`,
    assignment: assignment === null ? null : { topicPartitions: byTopicId(assignment) },
  };
  return response;
});

/** What Kafka refuses before it looks at the group. */
function problemOf(request: ShareGroupHeartbeatRequest, { cluster }: RequestContext): number | undefined {
  if (!hasShareGroups(cluster)) return brokerErrorCodes.UNSUPPORTED_VERSION;
  const { groupId, memberId, memberEpoch, rackId, subscribedTopicNames } = request;
  const isEmpty = memberId === '' || groupId === '' || rackId === '';
  const lacksTopics = memberEpoch === 0 && (subscribedTopicNames ?? []).length === 0;
  return isEmpty || lacksTopics || memberEpoch < -1 ? brokerErrorCodes.INVALID_REQUEST : undefined;
}
