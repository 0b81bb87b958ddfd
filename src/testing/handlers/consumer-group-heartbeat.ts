import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  ConsumerGroupHeartbeat,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../protocol/generated/consumer-group-heartbeat.ts';
import type { Input } from '../../protocol/wire/input.ts';
import { heartbeatRefusal } from '../groups/consumer-group-messages.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { byTopicId, partitionKey } from '../groups/topics-view.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';

/**
 * ConsumerGroupHeartbeat, versions 0-1.
 *
 * Does: KIP-848: join, assignment by the broker (uniform, range), revocation before assignment, fencing, static members,
 * regular expressions, sessions and rebalance timeouts.
 * Leaves out: racks in assignments.
 * v1 regular expressions, ids that the client makes
 */
export const consumerGroupHeartbeatHandler: AnyHandler = defineHandler(ConsumerGroupHeartbeat, (request, context) => {
  const { cluster, broker, clientId, connection } = context;
  const problem = problemOf(request, context);
  const beat = {
    memberId: request.memberId === '' ? cluster.uuid() : request.memberId,
    memberEpoch: request.memberEpoch,
    instanceId: request.instanceId,
    rackId: request.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    topicNames: request.subscribedTopicNames,
    topicRegex: request.subscribedTopicRegex,
    serverAssignor: request.serverAssignor,
    owned: keysOf(request.topicPartitions),
    clientId: clientId ?? '',
    clientHost: `/${connection.clientHost}`,
  };
  const answer =
    problem === undefined
      ? cluster.service(GroupCoordinator).consumerHeartbeat(request.groupId, beat, broker)
      : heartbeatRefusal(problem);
  const { assignment, errorCode, ...rest } = answer;
  const response: Input<ConsumerGroupHeartbeatResponse> = {
    ...rest,
    errorCode,
    errorMessage: errorCode === 0 ? null : `The heartbeat of member "${beat.memberId}" is refused`,
    assignment: assignment === null ? null : { topicPartitions: byTopicId(assignment) },
  };
  return response;
});

function keysOf(topics: ConsumerGroupHeartbeatRequest['topicPartitions']): ReadonlySet<string> | null {
  if (topics === null) return null;
  return new Set(topics.flatMap(({ topicId, partitions }) => partitions.map((each) => partitionKey(topicId, each))));
}

/** What Kafka refuses before it looks at the group. */
function problemOf(request: ConsumerGroupHeartbeatRequest, { cluster, version }: RequestContext): number | undefined {
  const { memberEpoch, memberId, instanceId, subscribedTopicNames, subscribedTopicRegex, serverAssignor } = request;
  const needsId = version >= 1 || memberEpoch > 0 || memberEpoch === -1;
  const isEmpty = (text: string | null): boolean => text === '';
  const isJoin = memberEpoch === 0;
  const lacksSubscription = (subscribedTopicNames ?? subscribedTopicRegex) === null;
  const isInvalid =
    (needsId && memberId === '') ||
    [request.groupId, instanceId, request.rackId].some(isEmpty) ||
    (isJoin && (request.rebalanceTimeoutMs === -1 || request.topicPartitions?.length !== 0 || lacksSubscription)) ||
    (memberEpoch === -2 && instanceId === null) ||
    memberEpoch < -2;
  if (isInvalid) return brokerErrorCodes.INVALID_REQUEST;
  const known = cluster.brokerConfig('group.consumer.assignors').split(',');
  const isUnsupported = serverAssignor !== null && !known.includes(serverAssignor);
  return isUnsupported ? brokerErrorCodes.UNSUPPORTED_ASSIGNOR : undefined;
}
