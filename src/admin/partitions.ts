import type { SettledItem } from '../errors/admin-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { isKafkaError, UsageError } from '../errors/kafka-error.ts';
import { topicPartitionKey, type TopicPartition } from '../model/topic-partition.ts';
import { DeleteRecords } from '../protocol/generated/delete-records.ts';
import { ListOffsets } from '../protocol/generated/list-offsets.ts';
import { parseInt64, type Int64Input } from '../util/int64.ts';
import { quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import {
  fulfilled,
  inGroups,
  inRounds,
  orRejected,
  refused,
  rejected,
  unanswered,
  type AdminOptions,
  type ItemOutcome,
} from './items.ts';

/** Records to delete: all of a partition before an offset. */
export interface RecordsToDelete extends TopicPartition {
  /** The first offset to keep; -1 deletes everything there is. */
  readonly offset: Int64Input;
}

/** A partition after records were deleted from it. */
export interface DeletedRecords extends TopicPartition {
  /** The first offset that is still there. */
  readonly lowWatermark: bigint;
}

/**
 * A place in a partition: a time in milliseconds means the first record with that timestamp or a later one, `maxTimestamp` the
 * record with the highest one (KIP-734), `earliestLocal` and `latestTiered` the limits of tiered storage (KIP-405, KIP-1005).
 */
export type OffsetSpec = 'earliest' | 'latest' | 'maxTimestamp' | 'earliestLocal' | 'latestTiered' | number;

/** An offset to look up. */
export interface OffsetQuery extends TopicPartition {
  /** @defaultValue latest */
  readonly at?: OffsetSpec | undefined;
}

/** How offsets are looked up. */
export interface ListOffsetsOptions extends AdminOptions {
  /** With `read_committed`, `latest` is the last stable offset: open transactions hide what comes after. @defaultValue read_uncommitted */
  readonly isolationLevel?: 'read_uncommitted' | 'read_committed' | undefined;
}

/** An offset that was found. */
export interface ListedOffset extends TopicPartition {
  /** -1 if the partition has no record that fits. */
  readonly offset: bigint;
  /** The timestamp of the record there, in milliseconds; undefined for `earliest` and `latest`. */
  readonly timestampMs: number | undefined;
  /** Undefined from brokers before 2.1. */
  readonly leaderEpoch: number | undefined;
}

const timestamps: Readonly<Record<Exclude<OffsetSpec, number>, { value: bigint; minVersion: number }>> = {
  latest: { value: -1n, minVersion: 1 },
  earliest: { value: -2n, minVersion: 1 },
  maxTimestamp: { value: -3n, minVersion: 7 },
  earliestLocal: { value: -4n, minVersion: 8 },
  latestTiered: { value: -5n, minVersion: 9 },
};

/** Deletes the records before an offset, at the leaders. */
export function deleteRecords(
  call: AdminCall,
  items: readonly RecordsToDelete[],
): Promise<SettledItem<DeletedRecords>[]> {
  const wanted = items.map((item) => ({ ...item, offset: offsetOf(item) }));
  return atLeaders(call, wanted, 'Cannot delete records of', async (nodeId, group) => {
    const { topics } = await call.request({
      api: DeleteRecords,
      to: { kind: 'broker', nodeId },
      message: {
        topics: byTopic(group, ({ partition, offset }) => ({ partitionIndex: partition, offset })),
        timeoutMs: call.brokerTimeoutMs(),
      },
    });
    return group.map((item): ItemOutcome<DeletedRecords> => {
      const found = topics
        .find(({ name }) => name === item.topic)
        ?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition);
      const doing = `Cannot delete records of ${partitionName(item)} before offset ${item.offset}`;
      if (found === undefined) return rejected(unanswered(doing));
      if (found.errorCode !== 0) return refusedByLeader(found.errorCode, doing);
      return fulfilled({ topic: item.topic, partition: item.partition, lowWatermark: found.lowWatermark });
    });
  });
}

/** Looks offsets up, at the leaders. */
export function listOffsets(
  call: AdminCall,
  items: readonly OffsetQuery[],
  options: ListOffsetsOptions,
): Promise<SettledItem<ListedOffset>[]> {
  const wanted = items.map((item) => ({ ...item, timestamp: timestampOf(item) }));
  const isolationLevel = options.isolationLevel === 'read_committed' ? 1 : 0;
  return atLeaders(
    call,
    wanted,
    'Cannot list offsets of',
    async (nodeId, group) => {
      const min = Math.max(isolationLevel === 1 ? 2 : 1, ...group.map(({ at }) => minVersionFor(at)));
      const { topics } = await call.request({
        api: ListOffsets,
        to: { kind: 'broker', nodeId },
        message: (version) => ({
          replicaId: -1,
          isolationLevel: version >= 2 ? isolationLevel : 0,
          topics: byTopic(group, ({ partition, timestamp }) => ({ partitionIndex: partition, timestamp })),
          ...(version >= 10 ? { timeoutMs: call.brokerTimeoutMs() } : {}),
        }),
        versions: { min },
      });
      return group.map((item): ItemOutcome<ListedOffset> => {
        const found = topics
          .find(({ name }) => name === item.topic)
          ?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition);
        const doing = `Cannot list offsets of ${partitionName(item)}`;
        if (found === undefined) return rejected(unanswered(doing));
        if (found.errorCode !== 0) return refusedByLeader(found.errorCode, doing);
        return fulfilled({
          topic: item.topic,
          partition: item.partition,
          offset: found.offset,
          timestampMs: found.timestamp < 0n ? undefined : Number(found.timestamp),
          leaderEpoch: found.leaderEpoch < 0 ? undefined : found.leaderEpoch,
        });
      });
    },
    ({ at }) => minVersionFor(at),
  );
}

/** Takes each item to the leader of its partition, and after it if it moves. */
export function atLeaders<Item extends TopicPartition, Result>(
  call: AdminCall,
  items: readonly Item[],
  doing: string,
  send: (nodeId: number, items: readonly Item[]) => Promise<ItemOutcome<Result>[]>,
  minVersionOf: (item: Item) => number = () => 0,
): Promise<SettledItem<Result>[]> {
  let tries = 0;
  return inRounds(call, items, async (left) => {
    // A leader that refused an item is not the leader any more.
    if (tries++ > 0) {
      const including = [...new Set(left.map(({ topic }) => topic))];
      await call.cluster.refresh({ ...call.options(), including }).catch(() => undefined);
    }
    const leaders = await leadersOf(call, left, doing);
    const wave = waves<Item>();
    return inGroups(
      left,
      (item) => requestKey(leaders.get(item), wave(item), minVersionOf(item)),
      (_key, group) => {
        const leader = group[0] === undefined ? undefined : leaders.get(group[0]);
        if (typeof leader === 'number') return orRejected(group, () => send(leader, group));
        return Promise.resolve(group.map((item) => noLeader(leaders.get(item), doing)));
      },
    );
  });
}

/** Brokers refuse a partition that stands twice in a request: the second time it is asked for goes into another one. */
function waves<Item extends TopicPartition>(): (item: Item) => number {
  const counts = new Map<string, number>();
  return (item) => {
    const key = topicPartitionKey(item.topic, item.partition);
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    return count;
  };
}

/** What goes into one request; an item that only newer brokers can answer must not fail the others. */
function requestKey(leader: number | NoLeader | undefined, wave: number, minVersion: number): string {
  return typeof leader === 'number' ? `${leader} ${wave} ${minVersion}` : 'none';
}

function noLeader(leader: number | NoLeader | undefined, doing: string): NoLeader {
  return leader === undefined || typeof leader === 'number' ? rejected(unanswered(doing)) : leader;
}

type NoLeader = ItemOutcome<never> & { readonly status: 'rejected' | 'again' };

async function leadersOf<Item extends TopicPartition>(
  call: AdminCall,
  items: readonly Item[],
  doing: string,
): Promise<Map<Item, number | NoLeader>> {
  const leaders = new Map<Item, number | NoLeader>();
  const names = [...new Set(items.map(({ topic }) => topic))];
  await Promise.all(
    names.map(async (name) => {
      const missing = await topicProblem(call, name);
      for (const item of items) {
        if (item.topic === name) leaders.set(item, missing ?? leaderOf(call, item, `${doing} ${partitionName(item)}`));
      }
    }),
  );
  return leaders;
}

/** One topic that does not exist must not keep the others waiting with it, so each is looked up on its own. */
async function topicProblem(call: AdminCall, name: string): Promise<NoLeader | undefined> {
  try {
    await call.topics([name]);
    return undefined;
  } catch (error) {
    if (isKafkaError(error)) return rejected(error);
    throw error;
  }
}

function leaderOf(call: AdminCall, { topic, partition }: TopicPartition, doing: string): number | NoLeader {
  const { metadata } = call.cluster;
  const found = metadata.partition(topic, partition);
  if (found === undefined) {
    const count = metadata.topic(topic)?.partitions.length ?? 0;
    const why = `the topic has ${count} ${count === 1 ? 'partition' : 'partitions'}, numbered from 0`;
    return rejected(brokerError(brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION, doing, why));
  }
  if (found.leaderId >= 0) return found.leaderId;
  return {
    status: 'again',
    reason: brokerError(brokerErrorCodes.LEADER_NOT_AVAILABLE, doing, 'the partition has no leader at the moment'),
  };
}

/** A leader that does not know the partition has just lost it, since the metadata knew it there. */
export function refusedByLeader(code: number, doing: string): ItemOutcome<never> {
  const refusal = refused(code, doing);
  return code === brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION ? { ...refusal, status: 'again' } : refusal;
}

function byTopic<Item extends TopicPartition, Part>(
  items: readonly Item[],
  part: (item: Item) => Part,
): { name: string; partitions: Part[] }[] {
  const topics = new Map<string, Map<number, Part>>();
  for (const item of items) {
    let partitions = topics.get(item.topic);
    if (partitions === undefined) topics.set(item.topic, (partitions = new Map<number, Part>()));
    partitions.set(item.partition, part(item));
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions: [...partitions.values()] }));
}

/** `partition 3 of topic "orders"` */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `partition ${partition} of topic ${quote(topic)}`;
}

function offsetOf(item: RecordsToDelete): bigint {
  const offset = parseInt64(item.offset);
  if (offset !== undefined && offset >= -1n) return offset;
  throw invalid(
    `Cannot delete records of ${partitionName(item)} before offset ${quote(item.offset)}: it must be an int64, -1 or above`,
  );
}

function timestampOf(item: OffsetQuery): bigint {
  const { at = 'latest' } = item;
  if (typeof at !== 'number') {
    const known = timestamps[at];
    if (known !== undefined) return known.value;
  } else if (Number.isInteger(at) && at >= 0) return BigInt(at);
  throw invalid(
    `Cannot list offsets of ${partitionName(item)} at ${quote(at)}: it must be a time in milliseconds, or one of ${Object.keys(timestamps).join(', ')}`,
  );
}

function minVersionFor(at: OffsetSpec | undefined): number {
  return typeof at === 'string' ? timestamps[at].minVersion : 1;
}

function invalid(message: string): UsageError {
  return new UsageError(message, { code: 'INVALID_ARGUMENT' });
}
