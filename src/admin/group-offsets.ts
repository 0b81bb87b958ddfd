import type { CallOptions } from '../cluster/request.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { UsageError } from '../errors/kafka-error.ts';
import { byTopic, type TopicPartition } from '../model/topic-partition.ts';
import { OffsetCommit } from '../protocol/generated/offset-commit.ts';
import { OffsetDelete } from '../protocol/generated/offset-delete.ts';
import { OffsetFetch, type OffsetFetchResponse } from '../protocol/generated/offset-fetch.ts';
import { parseInt64, type Int64Input } from '../util/int64.ts';
import { quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { fulfilled, inRounds, orRejected, refused, rejected, unanswered, type ItemOutcome } from './items.ts';

/** Which offsets of a group are listed. */
export interface ListGroupOffsetsOptions extends CallOptions {
  /** Only these partitions. @defaultValue every partition that the group has an offset for */
  readonly partitions?: readonly TopicPartition[] | undefined;
  /**
   * Waits for open transactions that would change the offsets (KIP-447). Without {@link partitions} brokers do not wait for those that
   * bring a partition its first offset.
   *
   * @defaultValue false
   */
  readonly requireStable?: boolean | undefined;
}

/** The offset that a group has committed for a partition. */
export interface GroupOffset extends TopicPartition {
  /** The next offset to read; undefined if the group has none for this partition. */
  readonly offset: bigint | undefined;
  /** The epoch of the leader that the offset was read under; undefined where it was not committed. */
  readonly leaderEpoch: number | undefined;
  /** The note that was committed beside the offset; often empty. */
  readonly metadata: string;
}

/** An offset to set for a group. */
export interface NewGroupOffset extends TopicPartition {
  /** The next offset to read. */
  readonly offset: Int64Input;
  /** The epoch of the leader that the offset was read under, where it is known. */
  readonly leaderEpoch?: number | undefined;
  /** A note that is kept beside the offset. @defaultValue empty */
  readonly metadata?: string | undefined;
}

/** The offsets of a group. Fails whole: an error of one partition is an error of the call. */
export async function listGroupOffsets(
  call: AdminCall,
  groupId: string,
  options: ListGroupOffsetsOptions,
): Promise<GroupOffset[]> {
  const doing = `Cannot list the offsets of group ${quote(groupId)}`;
  const requireStable = options.requireStable === true;
  const topics = options.partitions === undefined ? undefined : byTopic(options.partitions);
  const wanted =
    topics?.map(([name, items]) => ({ name, partitionIndexes: items.map(({ partition }) => partition) })) ?? null;
  const response = await call.request({
    api: OffsetFetch,
    to: { kind: 'coordinator', type: 'group', key: groupId },
    doing,
    message: (version) => {
      const stable = version >= 7 ? { requireStable } : {};
      return version >= 8
        ? { groups: [{ groupId, topics: wanted }], ...stable }
        : { groupId, topics: wanted, ...stable };
    },
    versions: { min: requireStable ? 7 : 2 },
    // Who asks for stable offsets waits for the transactions that hold some of them.
    errorCode: (answer) => offsetFetchCode(answer) || unstableCode(answer),
  });
  const found = response.groups[0]?.topics ?? response.topics;
  return found.flatMap(({ name, partitions }) =>
    partitions.map((partition) => {
      if (partition.errorCode !== 0) {
        throw brokerError(
          partition.errorCode,
          `${doing} for partition ${partition.partitionIndex} of topic ${quote(name)}`,
        );
      }
      return {
        topic: name,
        partition: partition.partitionIndex,
        offset: partition.committedOffset < 0n ? undefined : partition.committedOffset,
        leaderEpoch: partition.committedLeaderEpoch < 0 ? undefined : partition.committedLeaderEpoch,
        metadata: partition.metadata ?? '',
      };
    }),
  );
}

function unstableCode(answer: OffsetFetchResponse): number {
  const { UNSTABLE_OFFSET_COMMIT } = brokerErrorCodes;
  const topics = answer.groups[0]?.topics ?? answer.topics;
  const isUnstable = topics.some(({ partitions }) =>
    partitions.some(({ errorCode }) => errorCode === UNSTABLE_OFFSET_COMMIT),
  );
  return isUnstable ? UNSTABLE_OFFSET_COMMIT : 0;
}

/** Sets offsets of a group that has no members. */
export function alterGroupOffsets(
  call: AdminCall,
  groupId: string,
  items: readonly NewGroupOffset[],
): Promise<SettledItem<void>[]> {
  const offsets = items.map((item) => ({ ...item, offset: offsetOf(item) }));
  return forGroup(call, groupId, offsets, 'set the offset of', async (left) => {
    const { topics } = await call.request({
      api: OffsetCommit,
      to: { kind: 'coordinator', type: 'group', key: groupId },
      message: {
        groupId,
        // A commit from outside of the group: the broker accepts it only while the group has no members.
        generationIdOrMemberEpoch: -1,
        memberId: '',
        topics: byTopic(left).map(([name, items]) => ({
          name,
          partitions: items.map(({ partition, offset, leaderEpoch, metadata }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch ?? -1,
            committedMetadata: metadata ?? '',
          })),
        })),
      },
      errorCode: (answer) => coordinatorCode(answer.topics.flatMap(({ partitions }) => partitions)),
    });
    return topics;
  });
}

/** Deletes offsets of a group, so that its consumers of these partitions begin anew (KIP-496). */
export function deleteGroupOffsets(
  call: AdminCall,
  groupId: string,
  items: readonly TopicPartition[],
): Promise<SettledItem<void>[]> {
  return forGroup(call, groupId, items, 'delete the offset of', async (left) => {
    const { topics } = await call.request({
      api: OffsetDelete,
      to: { kind: 'coordinator', type: 'group', key: groupId },
      doing: `Cannot delete offsets of group ${quote(groupId)}`,
      message: {
        groupId,
        topics: byTopic(left).map(([name, items]) => ({
          name,
          partitions: items.map(({ partition }) => ({ partitionIndex: partition })),
        })),
      },
      errorCode: (answer) => answer.errorCode,
    });
    return topics;
  });
}

interface AnsweredTopic {
  readonly name: string;
  readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[];
}

function forGroup<Item extends TopicPartition>(
  call: AdminCall,
  groupId: string,
  items: readonly Item[],
  verb: string,
  send: (items: readonly Item[]) => Promise<readonly AnsweredTopic[]>,
): Promise<SettledItem<void>[]> {
  return inRounds(call, items, (left) =>
    orRejected(left, async () => {
      const topics = await send(left);
      return left.map(({ topic, partition }): ItemOutcome<void> => {
        const doing = `Cannot ${verb} group ${quote(groupId)} for partition ${partition} of topic ${quote(topic)}`;
        const found = topics
          .find(({ name }) => name === topic)
          ?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
        if (found === undefined) return rejected(unanswered(doing));
        return found.errorCode === 0
          ? fulfilled(undefined)
          : refused(found.errorCode, doing, adviceFor(found.errorCode));
      });
    }),
  );
}

/** Brokers tell of members in terms of membership, which somebody outside of the group cannot make sense of. */
function adviceFor(code: number): string | undefined {
  const hasMembers = code === brokerErrorCodes.UNKNOWN_MEMBER_ID || code === brokerErrorCodes.GROUP_SUBSCRIBED_TO_TOPIC;
  return hasMembers ? 'the group has members that read it; stop its consumers first' : undefined;
}

function offsetFetchCode(answer: OffsetFetchResponse): number {
  return answer.groups[0]?.errorCode ?? answer.errorCode;
}

/** Before v9 and for the classic protocol each partition carries the error of the whole group. */
function coordinatorCode(partitions: readonly { readonly errorCode: number }[]): number {
  const code = partitions[0]?.errorCode ?? 0;
  return groupCodes.has(code) ? code : 0;
}

const groupCodes: ReadonlySet<number> = new Set([
  brokerErrorCodes.NOT_COORDINATOR,
  brokerErrorCodes.COORDINATOR_NOT_AVAILABLE,
  brokerErrorCodes.COORDINATOR_LOAD_IN_PROGRESS,
]);

function offsetOf({ topic, partition, offset }: NewGroupOffset): bigint {
  const parsed = parseInt64(offset);
  if (parsed !== undefined && parsed >= 0n) return parsed;
  throw new UsageError(
    `Cannot set offset ${quote(offset)} for partition ${partition} of topic ${quote(topic)}: it must be an int64, 0 or above`,
    { code: 'INVALID_ARGUMENT' },
  );
}
