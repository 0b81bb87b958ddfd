import type { SettledItem } from '../errors/admin-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import type { KafkaError } from '../errors/kafka-error.ts';
import { byTopic, comparePartitions, keyOf, type TopicPartition } from '../model/topic-partition.ts';
import { AlterReplicaLogDirs } from '../protocol/generated/alter-replica-log-dirs.ts';
import {
  DescribeLogDirs,
  type DescribeLogDirsResponseDescribeLogDirsPartition,
  type DescribeLogDirsResponseDescribeLogDirsResult,
} from '../protocol/generated/describe-log-dirs.ts';
import { quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import {
  fulfilled,
  inGroups,
  inRounds,
  notYet,
  orRejected,
  refuseTwice,
  rejected,
  unanswered,
  untilDone,
  type AdminOptions,
  type ItemOutcome,
} from './items.ts';
import { partitionName } from './partitions.ts';

/** A replica of a partition in a log directory. Java: `ReplicaInfo`. */
export interface LogDirReplica extends TopicPartition {
  /** How many bytes its segments take, indexes left out. */
  readonly sizeBytes: number;
  /**
   * How many records it lacks: behind the high watermark of the partition, or, if {@link LogDirReplica.isFuture}, behind the replica that it is
   * copied from.
   */
  readonly offsetLag: bigint;
  /** Whether it is being copied here from another directory of the same broker, and takes its place once it has everything. */
  readonly isFuture: boolean;
}

/** A directory that a broker keeps replicas in. Java: `LogDirDescription`. */
export interface LogDir {
  /** The absolute path on the broker's machine. */
  readonly path: string;
  /** Why the broker cannot use it, `KAFKA_STORAGE_ERROR` most often; undefined if it can. */
  readonly error: KafkaError | undefined;
  /** The size of the volume that it is on, in bytes (KIP-827); undefined from brokers before 3.3. */
  readonly totalBytes: number | undefined;
  /** How much of the volume is free for the broker, in bytes (KIP-827); undefined from brokers before 3.3. */
  readonly usableBytes: number | undefined;
  /** Whether it gets no new replicas (KIP-1066); false from brokers before 4.3, which put them anywhere. */
  readonly isCordoned: boolean;
  /** By topic and partition; none if there is an {@link LogDir.error}. */
  readonly replicas: readonly LogDirReplica[];
}

/** A broker and the directories that it keeps replicas in. */
export interface BrokerLogDirs {
  /** The broker's id. */
  readonly brokerId: number;
  /** In the broker's order. */
  readonly logDirs: readonly LogDir[];
}

/** A replica: a partition as one broker holds it. Java: `TopicPartitionReplica`. */
export interface BrokerReplica extends TopicPartition {
  /** The id of the broker. */
  readonly brokerId: number;
}

/** A replica to put in another directory of its broker. */
export interface NewReplicaLogDir extends BrokerReplica {
  /** The directory, as {@link LogDir.path} has it. */
  readonly path: string;
}

/** How replicas are moved between directories. */
export interface AlterReplicaLogDirsOptions extends AdminOptions {
  /**
   * Waits until each replica is where it shall be. Copying goes on at the broker however the call ends, also when `timeoutMs` (60 s if not given)
   * is over or `signal` ends it: give it the time that copying may take.
   *
   * @defaultValue false
   */
  readonly wait?: boolean | undefined;
}

/** Where a replica is: a directory, and how it stands there. */
export interface ReplicaLogDir extends Pick<LogDirReplica, 'sizeBytes' | 'offsetLag'> {
  /** The directory, as {@link LogDir.path} has it. */
  readonly path: string;
}

/** The directories of a replica. Java: `ReplicaLogDirInfo`. */
export interface ReplicaLogDirs extends BrokerReplica {
  /** Where it is; undefined if the broker has no such replica, or cannot read the directory. */
  readonly current: ReplicaLogDir | undefined;
  /** Where it is being copied to; undefined if it stays where it is. */
  readonly future: ReplicaLogDir | undefined;
}

/** The log directories of brokers (KIP-113). */
export function describeLogDirs(call: AdminCall, brokerIds: readonly number[]): Promise<SettledItem<BrokerLogDirs>[]> {
  return atBrokers(
    call,
    brokerIds,
    (brokerId) => brokerId,
    async (brokerId, same) => {
      const results = await ask(call, brokerId, undefined);
      const logDirs = results.map((result) => logDir(brokerId, result));
      return same.map(() => fulfilled({ brokerId, logDirs }));
    },
  );
}

/** The directories of single replicas. */
export function describeReplicaLogDirs(
  call: AdminCall,
  items: readonly BrokerReplica[],
): Promise<SettledItem<ReplicaLogDirs>[]> {
  return atBrokers(
    call,
    items,
    ({ brokerId }) => brokerId,
    async (brokerId, same) => {
      const logDirs = (await ask(call, brokerId, same)).map((result) => logDir(brokerId, result));
      return same.map(({ topic, partition }) => {
        const found = logDirs.flatMap(({ path, replicas }) =>
          replicas
            .filter((each) => each.topic === topic && each.partition === partition)
            .map((each) => ({ path, each })),
        );
        const standing = (isFuture: boolean): ReplicaLogDir | undefined => {
          const place = found.find(({ each }) => each.isFuture === isFuture);
          return place && { path: place.path, sizeBytes: place.each.sizeBytes, offsetLag: place.each.offsetLag };
        };
        return fulfilled({ topic, partition, brokerId, current: standing(false), future: standing(true) });
      });
    },
  );
}

/** Puts replicas in other directories of their brokers (KIP-113). */
export async function alterReplicaLogDirs(
  call: AdminCall,
  items: readonly NewReplicaLogDir[],
  options: AlterReplicaLogDirsOptions,
): Promise<SettledItem<void>[]> {
  refuseTwice(
    call.doing,
    items,
    (item) => `${keyOf(item)} ${item.brokerId}`,
    (item) => `${partitionName(item)} at broker ${item.brokerId} given twice; give each of them once`,
  );
  const taken = await atBrokers(
    call,
    items,
    ({ brokerId }) => brokerId,
    (brokerId, same) => alterAt(call, brokerId, same),
  );
  if (options.wait !== true) return taken;
  return untilDone(call, items, taken, async (left) => {
    const found = await describeReplicaLogDirs(call, left);
    return left.map((item, index): ItemOutcome<void> => {
      const result = found[index];
      if (result?.status !== 'fulfilled') return result ?? rejected(unanswered(doingOf(item)));
      const { current, future } = result.value;
      if (current?.path === item.path && future === undefined) return fulfilled(undefined);
      if (future !== undefined) return notYet(doingOf(item), 'the copying goes on');
      return notYet(doingOf(item), current === undefined ? 'it is not there' : `it is in ${quote(current.path)}`);
    });
  });
}

async function alterAt(
  call: AdminCall,
  brokerId: number,
  items: readonly NewReplicaLogDir[],
): Promise<ItemOutcome<void>[]> {
  const { results } = await call.request({
    api: AlterReplicaLogDirs,
    to: { kind: 'broker', nodeId: brokerId },
    message: {
      dirs: [...new Set(items.map(({ path }) => path))].map((path) => ({
        path,
        topics: byTopic(items.filter((item) => item.path === path)).map(([name, same]) => ({
          name,
          partitions: same.map(({ partition }) => partition),
        })),
      })),
    },
  });
  return items.map((item) => {
    const found = results
      .find(({ topicName }) => topicName === item.topic)
      ?.partitions.find(({ partitionIndex }) => partitionIndex === item.partition);
    if (found === undefined) return rejected(unanswered(doingOf(item)));
    if (found.errorCode === 0) return fulfilled(undefined);
    // Codes that pass elsewhere stay here: neither a disk that is broken nor a replica that is at other brokers comes by itself.
    return rejected(brokerError(found.errorCode, doingOf(item), adviceOn(found.errorCode)));
  });
}

/** Brokers answer with a bare code here. */
function adviceOn(code: number): string | undefined {
  switch (code) {
    case brokerErrorCodes.LOG_DIR_NOT_FOUND:
      return 'the broker has no such directory; give one of those that describeLogDirs names, as it names it';
    case brokerErrorCodes.REPLICA_NOT_AVAILABLE:
      return 'the broker does not hold this partition; if it comes to, it will put it there';
    case brokerErrorCodes.KAFKA_STORAGE_ERROR:
      return 'the broker cannot use that directory, or the one where the replica is';
    default:
      return undefined;
  }
}

async function ask(
  call: AdminCall,
  brokerId: number,
  partitions: readonly TopicPartition[] | undefined,
): Promise<readonly DescribeLogDirsResponseDescribeLogDirsResult[]> {
  const { results } = await call.request({
    api: DescribeLogDirs,
    to: { kind: 'broker', nodeId: brokerId },
    doing: `Cannot describe the log directories of broker ${brokerId}`,
    message: {
      topics:
        partitions === undefined
          ? null
          : byTopic(partitions).map(([topic, same]) => ({
              topic,
              partitions: [...new Set(same.map(({ partition }) => partition))],
            })),
    },
    // Before version 3 there is no code: who may not see them is told of no directory, and every broker has one.
    errorCode: (answer) =>
      answer.errorCode || (answer.results.length === 0 ? brokerErrorCodes.CLUSTER_AUTHORIZATION_FAILED : 0),
  });
  return results;
}

function logDir(brokerId: number, result: DescribeLogDirsResponseDescribeLogDirsResult): LogDir {
  const { logDir: path, errorCode, totalBytes, usableBytes, isCordoned } = result;
  const doing = `Cannot use log directory ${quote(path)} of broker ${brokerId}`;
  return {
    path,
    error: errorCode === 0 ? undefined : brokerError(errorCode, doing),
    totalBytes: known(totalBytes),
    usableBytes: known(usableBytes),
    isCordoned,
    replicas: result.topics
      .flatMap(({ name, partitions }) => partitions.map((partition) => replicaOf(name, partition)))
      .sort(comparePartitions),
  };
}

function replicaOf(topic: string, partition: DescribeLogDirsResponseDescribeLogDirsPartition): LogDirReplica {
  return {
    topic,
    partition: partition.partitionIndex,
    sizeBytes: Number(partition.partitionSize),
    offsetLag: partition.offsetLag,
    isFuture: partition.isFutureKey,
  };
}

function known(bytes: bigint): number | undefined {
  return bytes < 0n ? undefined : Number(bytes);
}

/** Takes each item to its broker; brokers are asked side by side, and one that fails fails its items only. */
function atBrokers<Item, Result>(
  call: AdminCall,
  items: readonly Item[],
  brokerOf: (item: Item) => number,
  send: (brokerId: number, items: readonly Item[]) => Promise<ItemOutcome<Result>[]>,
): Promise<SettledItem<Result>[]> {
  return inRounds(call, items, (left) =>
    inGroups(left, brokerOf, (brokerId, same) => orRejected(same, () => send(brokerId, same))),
  );
}

function doingOf(item: NewReplicaLogDir): string {
  return `Cannot put ${partitionName(item)} at broker ${item.brokerId} in ${quote(item.path)}`;
}
