import { UsageError } from '../errors/kafka-error.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { parseInt64, type Int64Input } from '../util/int64.ts';
import { quote } from '../util/option-rules.ts';
import type { Assignment } from './assignment.ts';
import { notOwned } from './commits.ts';
import { ConsumerBatch, lastOf, stateOf } from './consumer-batch.ts';
import { ConsumerRecord } from './consumer-record.ts';
import type { OffsetToCommit } from './offset-client.ts';
import { partitionList } from './partition-list.ts';
import type { PartitionState } from './partition-state.ts';

/** The next offset to read of a partition. */
export interface PartitionOffset extends TopicPartition {
  /** The next offset to read: last processed + 1. */
  readonly offset: Int64Input;
}

/** An offset to commit, with a note of the caller's. */
export interface OffsetAndMetadata extends PartitionOffset {
  /** A note that is kept beside the offset. @defaultValue empty */
  readonly metadata?: string | undefined;
}

/** What {@link Consumer.commit} takes: something that was read, or offsets. */
export type Committable =
  | ConsumerRecord<unknown, unknown>
  | ConsumerBatch<unknown, unknown>
  | readonly ConsumerRecord<unknown, unknown>[]
  | OffsetAndMetadata
  | readonly OffsetAndMetadata[];

/** Offsets to commit, and the assigned partitions that they are of; none where they come from no assignment. */
export interface OffsetsOfStates {
  readonly offsets: OffsetToCommit[];
  readonly states: readonly PartitionState[];
}

/**
 * The offsets that a caller means.
 *
 * @param inGroup whether only assigned partitions may be committed, as for a member of a group
 * @throws UsageError PARTITION_NOT_OWNED, INVALID_ARGUMENT
 */
export function offsetsOf(what: Committable, assignment: Assignment, inGroup: boolean): OffsetsOfStates {
  if (what instanceof ConsumerRecord) return offsetsOfRead([what], assignment);
  if (what instanceof ConsumerBatch) return offsetsOfRead([lastOf(what)], assignment);
  return isRecords(what) ? offsetsOfRead(what, assignment) : offsetsGiven(what, assignment, inGroup);
}

/** Marks a record, or all of a batch, as processed; false if its assignment has ended. */
export function markProcessed(what: ConsumerRecord<unknown, unknown> | ConsumerBatch<unknown, unknown>): boolean {
  const state = stateOf(what);
  if (state.term.ended || state.dropped) return false;
  for (const { offset } of what instanceof ConsumerBatch ? what.records : [what]) state.mark(offset);
  return true;
}

/** Whether these offsets take in all that was handed out of the partition. */
export function isCovered(state: PartitionState, offsets: readonly OffsetToCommit[]): boolean {
  const { position } = state;
  return offsets.some(
    ({ topic, partition, offset }) =>
      topic === state.topic && partition === state.partition && position !== undefined && offset >= position,
  );
}

function isRecords(
  items: readonly ConsumerRecord<unknown, unknown>[] | OffsetAndMetadata | readonly OffsetAndMetadata[],
): items is readonly ConsumerRecord<unknown, unknown>[] {
  return Array.isArray(items) && items[0] instanceof ConsumerRecord;
}

function offsetsOfRead(records: readonly ConsumerRecord<unknown, unknown>[], assignment: Assignment): OffsetsOfStates {
  const latest = new Map<PartitionState, ConsumerRecord<unknown, unknown>>();
  for (const record of records) {
    const state = stateOf(record);
    if (state.term.ended || state.dropped || assignment.get(state.topic, state.partition) !== state) {
      throw notOwned(`${state.topic}-${state.partition} was read in an assignment that has ended`);
    }
    const before = latest.get(state);
    if (before === undefined || before.offset < record.offset) latest.set(state, record);
  }
  const offsets = [...latest.values()].map((record) => ({
    topic: record.topic,
    partition: record.partition,
    offset: record.offset + 1n,
    leaderEpoch: record.leaderEpoch,
    metadata: '',
  }));
  return { offsets, states: [...latest.keys()] };
}

function offsetsGiven(
  given: OffsetAndMetadata | readonly OffsetAndMetadata[],
  assignment: Assignment,
  inGroup: boolean,
): OffsetsOfStates {
  const states: PartitionState[] = [];
  const list = partitionList(given, 'commit offsets', '{ topic, partition, offset }');
  const offsets = list.map(({ topic, partition, offset, metadata = '' }) => {
    const parsed = parseInt64(offset);
    if (parsed === undefined || parsed < 0n) {
      throw new UsageError(
        `Cannot commit offset ${quote(offset)} of ${quote(topic)}-${quote(partition)}: give an offset from 0`,
        { code: 'INVALID_ARGUMENT' },
      );
    }
    const state = assignment.get(topic, partition);
    if (state === undefined && inGroup) throw notOwned(`${topic}-${partition} is not assigned to this consumer`);
    if (state !== undefined) states.push(state);
    return { topic, partition, offset: parsed, leaderEpoch: -1, metadata };
  });
  return { offsets, states };
}
