import type { CallOptions, Destination } from '../cluster/request.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorByNumber } from '../errors/broker-error-codes.ts';
import { UsageError } from '../errors/kafka-error.ts';
import { byTopic, type TopicPartition } from '../model/topic-partition.ts';
import { AlterShareGroupOffsets } from '../protocol/generated/alter-share-group-offsets.ts';
import { DeleteShareGroupOffsets } from '../protocol/generated/delete-share-group-offsets.ts';
import {
  DescribeShareGroupOffsets,
  type DescribeShareGroupOffsetsResponse,
} from '../protocol/generated/describe-share-group-offsets.ts';
import { parseInt64, type Int64Input } from '../util/int64.ts';
import { quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { fulfilled, inRounds, orRejected, refused, rejected, unanswered, type ItemOutcome } from './items.ts';
import { shareAdvice } from './share-groups.ts';
import { describe } from './topics.ts';

/** Which offsets of a share group are listed. */
export interface ListShareGroupOffsetsOptions extends CallOptions {
  /** Only these partitions. @defaultValue every partition that the group has ever been given */
  readonly partitions?: readonly TopicPartition[] | undefined;
}

/** Where a share group stands in a partition. Java: `SharePartitionOffsetInfo`. */
export interface ShareGroupOffset extends TopicPartition {
  /** The first offset that the group is not done with; undefined if it has not begun there. */
  readonly startOffset: bigint | undefined;
  /** The epoch of the leader that wrote it down; undefined if the group has not begun there. */
  readonly leaderEpoch: number | undefined;
  /**
   * How many records from there to the end the group is not done with (KIP-1226). Undefined if it has not begun there, and from brokers
   * before 4.2.
   */
  readonly lag: bigint | undefined;
}

/** From where a share group shall go on. */
export interface NewShareGroupOffset extends TopicPartition {
  /** The first offset to deliver. */
  readonly startOffset: Int64Input;
}

/** Where a share group stands. Fails whole: an error of one partition is an error of the call. */
export async function listShareGroupOffsets(
  call: AdminCall,
  groupId: string,
  options: ListShareGroupOffsetsOptions,
): Promise<ShareGroupOffset[]> {
  const { partitions } = options;
  if (partitions === undefined) return fetchOffsets(call, groupId, undefined);
  const known = await existing(call, partitions);
  const found = known.length === 0 ? [] : await fetchOffsets(call, groupId, known);
  return partitions.map(
    (wanted) =>
      found.find(({ topic, partition }) => topic === wanted.topic && partition === wanted.partition) ??
      notBegun(wanted),
  );
}

/** Brokers take half a minute to say that nobody has begun a partition, if its topic has no such partition. */
async function existing(call: AdminCall, partitions: readonly TopicPartition[]): Promise<TopicPartition[]> {
  const { topics } = await describe(
    call,
    partitions.map(({ topic }) => topic),
  );
  const sizes = new Map(topics.map((topic) => [topic.name, topic.partitions.length]));
  return partitions.filter(({ topic, partition }) => partition < (sizes.get(topic) ?? 0));
}

function notBegun({ topic, partition }: TopicPartition): ShareGroupOffset {
  return { topic, partition, startOffset: undefined, leaderEpoch: undefined, lag: undefined };
}

async function fetchOffsets(
  call: AdminCall,
  groupId: string,
  partitions: readonly TopicPartition[] | undefined,
): Promise<ShareGroupOffset[]> {
  const doing = `Cannot list the offsets of share group ${quote(groupId)}`;
  const topics =
    partitions === undefined
      ? null
      : byTopic(partitions).map(([topicName, items]) => ({
          topicName,
          partitions: items.map(({ partition }) => partition),
        }));
  const { groups } = await call.request({
    api: DescribeShareGroupOffsets,
    to: atCoordinator(groupId),
    doing,
    message: { groups: [{ groupId, topics }] },
    errorCode: (answer) => answer.groups[0]?.errorCode || passingCode(answer),
    errorMessage: ({ groups: [group] }) => shareAdvice(group?.errorCode ?? 0) ?? group?.errorMessage,
  });
  const found = groups[0]?.topics ?? [];
  return found.flatMap(({ topicName, partitions: parts }) =>
    parts.map(({ partitionIndex, errorCode, errorMessage, startOffset, leaderEpoch, lag }) => {
      if (errorCode !== 0) {
        const where = `partition ${partitionIndex} of topic ${quote(topicName)}`;
        throw brokerError(errorCode, `${doing} for ${where}`, errorMessage);
      }
      const wanted = { topic: topicName, partition: partitionIndex };
      if (startOffset < 0n) return notBegun(wanted);
      return { ...wanted, startOffset, leaderEpoch, lag: lag === -1n ? undefined : lag };
    }),
  );
}

/** What may go well the next time, such as a leader that moves: the coordinator asks leaders for their ends. */
function passingCode({ groups }: DescribeShareGroupOffsetsResponse): number {
  const partitions = groups.flatMap(({ topics }) => topics.flatMap((topic) => topic.partitions));
  return partitions.find(({ errorCode }) => brokerErrorByNumber(errorCode)?.retriable === true)?.errorCode ?? 0;
}

/** Sets from where a share group without members goes on. */
export function alterShareGroupOffsets(
  call: AdminCall,
  groupId: string,
  items: readonly NewShareGroupOffset[],
): Promise<SettledItem<void>[]> {
  const offsets = items.map((item) => ({ ...item, startOffset: offsetOf(item) }));
  return inRounds(call, offsets, (left) =>
    orRejected(left, async () => {
      const { responses } = await call.request({
        api: AlterShareGroupOffsets,
        to: atCoordinator(groupId),
        message: {
          groupId,
          topics: byTopic(left).map(([topicName, items]) => ({
            topicName,
            partitions: items.map(({ partition, startOffset }) => ({ partitionIndex: partition, startOffset })),
          })),
        },
        errorCode: (answer) => answer.errorCode,
        errorMessage: (answer) => shareAdvice(answer.errorCode) ?? answer.errorMessage,
      });
      return left.map(({ topic, partition }): ItemOutcome<void> => {
        const where = `partition ${partition} of topic ${quote(topic)}`;
        const doing = `Cannot set the offset of share group ${quote(groupId)} for ${where}`;
        const found = responses
          .find(({ topicName }) => topicName === topic)
          ?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
        return outcomeOf(found, doing);
      });
    }),
  );
}

/** Lets a share group without members forget where it stands in topics. */
export function deleteShareGroupOffsets(
  call: AdminCall,
  groupId: string,
  topics: readonly string[],
): Promise<SettledItem<void>[]> {
  return inRounds(call, topics, (left) =>
    orRejected(left, async () => {
      const { responses } = await call.request({
        api: DeleteShareGroupOffsets,
        to: atCoordinator(groupId),
        message: { groupId, topics: left.map((topicName) => ({ topicName })) },
        errorCode: (answer) => answer.errorCode,
        errorMessage: (answer) => shareAdvice(answer.errorCode) ?? answer.errorMessage,
      });
      return left.map((topic): ItemOutcome<void> => {
        const doing = `Cannot delete the offsets of share group ${quote(groupId)} for topic ${quote(topic)}`;
        return outcomeOf(
          responses.find(({ topicName }) => topicName === topic),
          doing,
        );
      });
    }),
  );
}

function outcomeOf(
  found: { readonly errorCode: number; readonly errorMessage: string | null } | undefined,
  doing: string,
): ItemOutcome<void> {
  if (found === undefined) return rejected(unanswered(doing));
  return found.errorCode === 0 ? fulfilled(undefined) : refused(found.errorCode, doing, found.errorMessage);
}

function atCoordinator(groupId: string): Destination {
  return { kind: 'coordinator', type: 'group', key: groupId };
}

function offsetOf({ topic, partition, startOffset }: NewShareGroupOffset): bigint {
  const parsed = parseInt64(startOffset);
  if (parsed !== undefined && parsed >= 0n) return parsed;
  throw new UsageError(
    `Cannot set offset ${quote(startOffset)} for partition ${partition} of topic ${quote(topic)}: it must be an int64, 0 or above`,
    { code: 'INVALID_ARGUMENT' },
  );
}
