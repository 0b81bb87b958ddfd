import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { ShareFetchRequestAcknowledgementBatch } from '../../protocol/generated/share-fetch.ts';
import type { RequestContext } from '../handler.ts';
import { acknowledgeTypes } from './share-partition-machine.ts';
import { SharePartitionLeaders } from './share-partition-leaders.ts';
import {
  ShareSessions,
  type SharedTopicPartition,
  type ShareSession,
  type ShareSessionOwner,
} from './share-sessions.ts';

const errors = brokerErrorCodes;
const MAX_MEMBER_ID_LENGTH = 36;

/** A partition of a request with what is acknowledged in it. */
export interface AcknowledgedPartition extends SharedTopicPartition {
  readonly batches: readonly ShareFetchRequestAcknowledgementBatch[];
}

/** Who asks; or the error code of a request that does not say it well. */
export function ownerOf(request: {
  readonly groupId: string | null;
  readonly memberId: string | null;
}): ShareSessionOwner | number {
  const { groupId, memberId } = request;
  if (groupId === null) return errors.INVALID_REQUEST;
  if (memberId === null || memberId === '' || memberId.length > MAX_MEMBER_ID_LENGTH) return errors.INVALID_REQUEST;
  return { groupId, memberId };
}

/** The partitions of a request, one after the other. */
export function flatten<P extends { readonly partitionIndex: number }>(
  topics: readonly { readonly topicId: string; readonly partitions: readonly P[] }[],
): (P & SharedTopicPartition)[] {
  return topics.flatMap(({ topicId, partitions }) =>
    partitions.map((each) => ({ ...each, topicId, partition: each.partitionIndex })),
  );
}

/** How acknowledgements of one partition are answered: an error code. */
export function acknowledge(
  owner: ShareSessionOwner,
  { topicId, partition, batches }: AcknowledgedPartition,
  isRenewAck: boolean,
  { cluster, broker, version }: RequestContext,
): number {
  if (!cluster.topicsById.has(topicId)) return errors.UNKNOWN_TOPIC_ID;
  const mayRenew = version >= 2 && isRenewAck;
  if (!areWellFormed(batches, mayRenew)) return errors.INVALID_REQUEST;
  const { groupId, memberId } = owner;
  const leader = cluster.service(SharePartitionLeaders).find(broker, { groupId, topicId, partition });
  // So Kafka tells of a partition that is led elsewhere, too: what was acquired here is not known any more.
  if (leader === undefined) return errors.UNKNOWN_TOPIC_OR_PARTITION;
  const acknowledgements = batches.map(({ firstOffset, lastOffset, acknowledgeTypes: types }) => ({
    firstOffset,
    lastOffset,
    types,
  }));
  return leader.acknowledge(memberId, acknowledgements);
}

/** Ends a session, and gives back what its member holds on this broker. */
export function endSession(session: ShareSession, { cluster, broker }: RequestContext): void {
  if (!cluster.service(ShareSessions).end(broker, session)) return;
  const { groupId, memberId } = session;
  const leaders = cluster.service(SharePartitionLeaders);
  for (const { topicId, partition } of session.partitions.values())
    leaders.find(broker, { groupId, topicId, partition })?.release(memberId);
}

/** A session ends with the connection that began it. */
export function endWithConnection(session: ShareSession, context: RequestContext): void {
  const { signal } = context;
  const end = (): void => {
    if (context.broker.isRunning) endSession(session, context);
    else context.cluster.service(ShareSessions).end(context.broker, session);
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
}

/** For how long members of a group hold what they acquire, in milliseconds. */
export function lockDurationMs(groupId: string, { cluster }: RequestContext): number {
  return Number(cluster.groupConfig(groupId, 'share.record.lock.duration.ms'));
}

/** Puts answers together by topic, as they follow each other. */
export function groupByTopic<A>(
  answers: readonly { readonly topicId: string; readonly answer: A }[],
): { topicId: string; partitions: A[] }[] {
  const topics: { topicId: string; partitions: A[] }[] = [];
  for (const { topicId, answer } of answers) {
    const known = topics.find((topic) => topic.topicId === topicId);
    if (known === undefined) topics.push({ topicId, partitions: [answer] });
    else known.partitions.push(answer);
  }
  return topics;
}

/** In order, and with one type for all records or one for each. */
function areWellFormed(batches: readonly ShareFetchRequestAcknowledgementBatch[], mayRenew: boolean): boolean {
  const highest = mayRenew ? acknowledgeTypes.renew : acknowledgeTypes.reject;
  let end = -1n;
  return batches.every(({ firstOffset, lastOffset, acknowledgeTypes: types }) => {
    if (firstOffset > lastOffset || firstOffset < end) return false;
    end = lastOffset;
    if (types.some((type) => type < acknowledgeTypes.gap || type > highest)) return false;
    return types.length === 1 || BigInt(types.length) === lastOffset - firstOffset + 1n;
  });
}
