import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Input } from '../../protocol/api.ts';
import {
  DeleteRecords,
  type DeleteRecordsRequestDeleteRecordsPartition,
  type DeleteRecordsResponseDeleteRecordsPartitionResult,
} from '../../protocol/generated/delete-records.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { findPartition } from '../state/partition-lookup.ts';
import { topicRules } from '../state/topic-rules.ts';

/**
 * DeleteRecords, versions 0-2.
 *
 * Does: move the start of a log up to an offset, or to the high watermark for -1.
 * Leaves out: waiting for followers, who have the same log.
 * v2 flexible
 */
export const deleteRecordsHandler: AnyHandler = defineHandler(DeleteRecords, (request, context) => ({
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((wanted) => deleteBefore(name, wanted, context)),
  })),
}));

function deleteBefore(
  name: string,
  { partitionIndex, offset }: DeleteRecordsRequestDeleteRecordsPartition,
  { cluster, broker }: RequestContext,
): Input<DeleteRecordsResponseDeleteRecordsPartitionResult> {
  const fail = (errorCode: number): Input<DeleteRecordsResponseDeleteRecordsPartitionResult> => ({
    partitionIndex,
    lowWatermark: -1n,
    errorCode,
  });
  const found = findPartition(cluster, broker, { name }, partitionIndex);
  if (!('topic' in found)) return fail(found.errorCode);
  if (found.topic.isInternal) return fail(brokerErrorCodes.INVALID_TOPIC_EXCEPTION);
  if (!topicRules(cluster, found.topic).isDeleted) return fail(brokerErrorCodes.POLICY_VIOLATION);
  const { log, changed } = found.partition;
  const upTo = offset === -1n ? log.highWatermark : offset;
  if (upTo < 0n || upTo > log.highWatermark) return fail(brokerErrorCodes.OFFSET_OUT_OF_RANGE);
  log.deleteBefore(upTo);
  changed.notify();
  return { partitionIndex, lowWatermark: log.startOffset, errorCode: 0 };
}
