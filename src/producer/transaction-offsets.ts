import { UsageError } from '../errors/kafka-error.ts';
import type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
import { readTerm, type ReadTerm } from '../model/read-term.ts';
import { topicPartitionKey, type TopicPartition } from '../model/topic-partition.ts';
import { parseInt64, type Int64Input } from '../util/int64.ts';
import { expectedInstead, object, quote } from '../util/option-rules.ts';
import { partitionProblem } from '../util/partition-problem.ts';
import type { TransactionOffset } from './transaction-coordination.ts';

/** The next offset to read of a partition, for a transaction. */
export interface OffsetToSend extends TopicPartition {
  /** The next offset to read: last processed + 1. */
  readonly offset: Int64Input;
  /** The epoch of the leader that the record before it was read under, where it is known. */
  readonly leaderEpoch?: number | undefined;
  /** A note that is kept beside the offset. @defaultValue empty */
  readonly metadata?: string | undefined;
}

/** A record that a consumer has read, as far as a transaction is concerned: its {@link ConsumerRecord} is one. */
export interface RecordRead extends TopicPartition {
  /** The record's own offset; the group goes on after it. */
  readonly offset: bigint;
  /** What tells it from an {@link OffsetToSend}. */
  readonly timestamp: number;
  /** The epoch of the leader that it was read under. */
  readonly leaderEpoch: number;
}

/** Consecutive records of one partition that a consumer has read: its {@link ConsumerBatch} is one. */
export interface BatchRead extends TopicPartition {
  /** The records; the group goes on after the last. */
  readonly records: readonly RecordRead[];
}

/** What {@link Transaction.sendOffsets} takes: something that was read, or offsets. */
export type OffsetsToSend = RecordRead | BatchRead | OffsetToSend | readonly RecordRead[] | readonly OffsetToSend[];

/**
 * The offsets that a caller means; of several for a partition the highest.
 *
 * @throws UsageError INVALID_ARGUMENT, PARTITION_NOT_OWNED
 */
export function offsetsToSend(what: OffsetsToSend): TransactionOffset[] {
  const offsets = new Map<string, TransactionOffset>();
  for (const item of itemsOf(what)) {
    const offset = isRead(item) ? afterRecord(item) : given(item);
    const key = topicPartitionKey(offset.topic, offset.partition);
    const known = offsets.get(key);
    if (known === undefined || known.offset < offset.offset) offsets.set(key, offset);
  }
  return [...offsets.values()];
}

/** @throws UsageError INVALID_ARGUMENT for what is not a consumer's group metadata */
export function checkGroup(group: unknown): void {
  const { groupId, generationId, memberId, groupInstanceId } = (object.accepts(group) ? group : {}) as Partial<
    Record<keyof ConsumerGroupMetadata, unknown>
  >;
  const isStatic = typeof groupInstanceId === 'string' || groupInstanceId === undefined;
  const isMember = Number.isInteger(generationId) && typeof memberId === 'string' && isStatic;
  if (isMember && typeof groupId === 'string' && groupId !== '') return;
  throw new UsageError(
    `Cannot take offsets into a transaction: ${expectedInstead('what consumer.groupMetadata() gives', group)} for the group`,
    { code: 'INVALID_ARGUMENT' },
  );
}

function itemsOf(what: OffsetsToSend): readonly (RecordRead | OffsetToSend)[] {
  if (object.accepts(what) && 'records' in what) return what.records.slice(-1);
  const items = Array.isArray(what) ? (what as readonly (RecordRead | OffsetToSend)[]) : [what as RecordRead];
  for (const item of items) {
    const problem = partitionProblem(item, '{ topic, partition, offset }');
    if (problem === undefined) continue;
    throw new UsageError(`Cannot take offsets into a transaction: ${problem}`, { code: 'INVALID_ARGUMENT' });
  }
  return items;
}

/** Its offset is that of the record, not of the next: taken for the other one, the record would be processed twice. */
function isRead(item: RecordRead | OffsetToSend): item is RecordRead {
  return 'timestamp' in item;
}

function afterRecord(record: RecordRead): TransactionOffset {
  const { topic, partition, offset, leaderEpoch } = record;
  // Whoever has the partition now reads these records, too; their group metadata could not tell.
  if ((record as { readonly [readTerm]?: ReadTerm })[readTerm]?.ended === true) {
    throw new UsageError(
      `Cannot take the offset of partition ${partition} of topic ${quote(topic)} into a transaction: the partition is not assigned ` +
        'to this consumer any more; abort, the member that has it now reads the records again',
      { code: 'PARTITION_NOT_OWNED' },
    );
  }
  return { topic, partition, offset: offset + 1n, leaderEpoch, metadata: '' };
}

function given(item: OffsetToSend): TransactionOffset {
  const { topic, partition, offset, leaderEpoch = -1, metadata = '' } = item;
  const parsed = parseInt64(offset);
  if (parsed !== undefined && parsed >= 0n) return { topic, partition, offset: parsed, leaderEpoch, metadata };
  throw new UsageError(
    `Cannot take offset ${quote(offset)} of partition ${quote(partition)} of topic ${quote(topic)} into a transaction: give an offset from 0`,
    { code: 'INVALID_ARGUMENT' },
  );
}
