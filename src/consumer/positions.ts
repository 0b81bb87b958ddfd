import type { Cluster } from '../cluster/cluster.ts';
import type { CallOptions } from '../cluster/request.ts';
import { UsageError } from '../errors/kafka-error.ts';
import type { PartitionStatistics } from '../instrumentation/statistics.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import { parseInt64 } from '../util/int64.ts';
import { quote } from '../util/option-rules.ts';
import type { Assignment } from './assignment.ts';
import type { PartitionOffset } from './committable.ts';
import { jsonSafe } from './json-safe.ts';
import type { OffsetForTime, PartitionEnd, PartitionLag } from './offset-answers.ts';
import { BEGINNING, END, type OffsetClient } from './offset-client.ts';
import type { IsolationLevel } from './options.ts';
import { onePartition, partitionList, type Partitions } from './partition-list.ts';
import type { PartitionState, StartingPoint } from './partition-state.ts';

/** A time in a partition. */
export interface PartitionTime extends TopicPartition {
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

/** What positions need of their consumer. */
export interface PositionsParts {
  readonly cluster: Cluster;
  readonly offsets: OffsetClient;
  readonly assignment: Assignment;
  readonly isolationLevel: IsolationLevel;
  /** Something was sought, paused or is read on. */
  readonly onMoved: () => void;
}

/** Where the assigned partitions are read, and where they begin and end. */
export class Positions {
  readonly #parts: PositionsParts;

  constructor(parts: PositionsParts) {
    this.#parts = parts;
  }

  seek(to: PartitionOffset): void {
    const { topic, partition, offset } = onePartition(to, 'seek', '{ topic, partition, offset }');
    const state = this.#parts.assignment.owned({ topic, partition }, 'seek in');
    const parsed = parseInt64(offset);
    if (parsed === undefined || parsed < 0n) {
      throw new UsageError(`Cannot seek in ${topic}-${partition} to ${quote(offset)}: give an offset from 0`, {
        code: 'INVALID_ARGUMENT',
      });
    }
    state.startAt(parsed);
    this.#moved(state);
  }

  seekToBeginning(partitions: Partitions): void {
    this.#seekTo(partitions, BEGINNING);
  }

  seekToEnd(partitions: Partitions): void {
    this.#seekTo(partitions, END);
  }

  seekToTimestamp(timestampMs: number, partitions: Partitions): void {
    this.#seekTo(partitions, timestampOf(timestampMs));
  }

  pause(partitions: Partitions): void {
    this.#setPaused(partitions, true, 'pause');
  }

  resume(partitions: Partitions): void {
    this.#setPaused(partitions, false, 'resume');
  }

  paused(): TopicPartition[] {
    return this.#parts.assignment.states
      .filter((state) => state.paused)
      .map(({ topic, partition }) => ({ topic, partition }));
  }

  async lag(options: CallOptions): Promise<PartitionLag[]> {
    const { assignment } = this.#parts;
    const ends = await this.endOffsets(assignment.partitions, options);
    return ends.map(({ topic, partition, offset: endOffset }) => {
      const position = assignment.get(topic, partition)?.position;
      return { topic, partition, position, endOffset, lag: lagBetween(position, endOffset) };
    });
  }

  /** The lag as far as it is known here; the end is the one that the last fetch told. */
  currentLag(of: TopicPartition): bigint | undefined {
    const { topic, partition } = onePartition(of, 'tell a lag');
    const state = this.#parts.assignment.get(topic, partition);
    return state === undefined ? undefined : lagBetween(state.position, this.#knownEnd(state));
  }

  /** What is known of the assigned partitions. */
  statistics(): PartitionStatistics[] {
    return this.#parts.assignment.states.map((state) => {
      const { topic, partition, position, paused, bufferedBytes } = state;
      const endOffset = this.#knownEnd(state);
      const lag = lagBetween(position, endOffset);
      return fitForJson({ topic, partition, position, endOffset, lag, paused, bufferedBytes });
    });
  }

  async beginningOffsets(partitions: Partitions, options: CallOptions): Promise<PartitionEnd[]> {
    return this.#list(
      partitionList(partitions, 'look up where partitions begin').map(({ topic, partition }) => ({
        topic,
        partition,
        timestamp: BEGINNING,
      })),
      options,
    );
  }

  async endOffsets(partitions: Partitions, options: CallOptions): Promise<PartitionEnd[]> {
    return this.#list(
      partitionList(partitions, 'look up where partitions end').map(({ topic, partition }) => ({
        topic,
        partition,
        timestamp: END,
      })),
      options,
    );
  }

  async offsetsForTimes(
    times: PartitionTime | readonly PartitionTime[],
    options: CallOptions,
  ): Promise<OffsetForTime[]> {
    const list = partitionList(times, 'look up offsets for times', '{ topic, partition, timestamp }');
    const queries = list.map(({ topic, partition, timestamp }) => ({
      topic,
      partition,
      timestamp: timestampOf(timestamp),
    }));
    const answers = await this.#list(queries, options);
    return answers.map(({ topic, partition, offset, timestamp }) => {
      const isFound = offset >= 0n;
      return { topic, partition, offset: isFound ? offset : undefined, timestamp: isFound ? timestamp : undefined };
    });
  }

  #seekTo(partitions: Partitions, timestamp: bigint): void {
    for (const state of this.#owned(partitions, 'seek in')) {
      const start: StartingPoint = { kind: 'timestamp', timestamp };
      state.startFrom(start);
      this.#moved(state);
    }
  }

  #moved(state: PartitionState): void {
    state.failures = 0;
    state.retryAtMs = 0;
    this.#parts.onMoved();
  }

  #setPaused(partitions: Partitions, paused: boolean, doing: string): void {
    for (const state of this.#owned(partitions, doing)) state.paused = paused;
    this.#parts.onMoved();
  }

  /** The states of all of them: one that is not assigned is told before another is moved. */
  #owned(partitions: Partitions, doing: string): PartitionState[] {
    const list = partitionList(partitions, `${doing} partitions`);
    return list.map((partition) => this.#parts.assignment.owned(partition, doing));
  }

  #knownEnd({ highWatermark, lastStableOffset }: PartitionState): bigint | undefined {
    const end = this.#parts.isolationLevel === 'read_committed' ? lastStableOffset : highWatermark;
    return end < 0n ? undefined : end;
  }

  async #list(
    queries: readonly (TopicPartition & { readonly timestamp: bigint })[],
    options: CallOptions,
  ): Promise<(TopicPartition & { readonly offset: bigint; readonly timestamp: number })[]> {
    options.signal?.throwIfAborted();
    if (queries.length === 0) return [];
    await this.#parts.cluster.topics([...new Set(queries.map(({ topic }) => topic))], options);
    return this.#parts.offsets.list(queries, options);
  }
}

/** JSON has no bigint: offsets become texts there, as those of records do. */
function fitForJson(partition: PartitionStatistics): PartitionStatistics {
  return Object.defineProperty(partition, 'toJSON', { value: () => jsonSafe(() => ({ ...partition }), null) });
}

function lagBetween(position: bigint | undefined, end: bigint): bigint | undefined;
function lagBetween(position: bigint | undefined, end: bigint | undefined): bigint | undefined;
function lagBetween(position: bigint | undefined, end: bigint | undefined): bigint | undefined {
  if (position === undefined || end === undefined) return undefined;
  // A follower, or a log that was cut off, may end before what was read.
  return end > position ? end - position : 0n;
}

function timestampOf(timestampMs: number): bigint {
  if (Number.isSafeInteger(timestampMs) && timestampMs >= 0) return BigInt(timestampMs);
  throw new UsageError(`Cannot use timestamp ${quote(timestampMs)}: give milliseconds since 1970`, {
    code: 'INVALID_ARGUMENT',
  });
}
