import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { ShareAcknowledge } from '../../protocol/generated/share-acknowledge.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { hasShareGroups } from '../share-groups/share-feature.ts';
import {
  acknowledge,
  endSession,
  flatten,
  groupByTopic,
  lockDurationMs,
  ownerOf,
} from '../share-groups/share-requests.ts';
import { ShareSessions } from '../share-groups/share-sessions.ts';

/**
 * ShareAcknowledge, versions 1-2.
 *
 * Does: the epochs of the share session, which it goes on with or ends; accept, release, reject and gaps, for a range at once
 * or record by record, all of a partition or nothing; renewing (KIP-1222).
 * Leaves out: hints of who leads now, as it is told that a partition is not known here.
 * v2 renewing, for how long records are locked
 */
export const shareAcknowledgeHandler: AnyHandler = defineHandler(ShareAcknowledge, (request, context) => {
  const { cluster, broker, version } = context;
  if (!hasShareGroups(cluster)) return { errorCode: brokerErrorCodes.UNSUPPORTED_VERSION };
  const owner = ownerOf(request);
  if (typeof owner === 'number') return { errorCode: owner };
  const plan = cluster.service(ShareSessions).acknowledge(broker, owner, request.shareSessionEpoch);
  if (plan.kind === 'refused') return { errorCode: plan.errorCode };
  const answers = flatten(request.topics).map(({ topicId, partition, acknowledgementBatches: batches }) => {
    const errorCode = acknowledge(owner, { topicId, partition, batches }, request.isRenewAck, context);
    return { topicId, answer: { partitionIndex: partition, errorCode } };
  });
  if (plan.kind === 'ended') endSession(plan.session, context);
  return {
    responses: groupByTopic(answers),
    ...(version >= 2 ? { acquisitionLockTimeoutMs: lockDurationMs(owner.groupId, context) } : {}),
  };
});
