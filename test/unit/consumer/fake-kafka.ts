import type { Cluster } from '../../../src/cluster/cluster.ts';
import { Consumer } from '../../../src/consumer/consumer.ts';
import type { ConsumerOptions } from '../../../src/consumer/options.ts';
import { encodeAssignment } from '../../../src/consumer/group/consumer-protocol.ts';
import { brokerErrorCodes as codes } from '../../../src/errors/broker-error-codes.ts';
import type { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';
import { BatchBuilder, controlKey, controlValue, type CompressionName } from '../../../src/protocol/records/index.ts';
import { settle } from '../../support/fake-clock.ts';
import {
  clusterOver,
  FakeBrokers,
  metadataAnswer,
  type FakeAnswer,
  type SeenRequest,
} from '../cluster/fake-brokers.ts';

interface StoredBatch {
  readonly bytes: Buffer;
  readonly nextOffset: bigint;
}

export interface BatchSettings {
  readonly producerId?: bigint;
  readonly transactional?: boolean;
  readonly compression?: CompressionName;
  readonly compressed?: Buffer;
  readonly baseOffset?: bigint;
  readonly lastOffsetDelta?: number;
  readonly leaderEpoch?: number;
  readonly logAppendTimeMs?: number;
}

/** A sealed batch of these values, one record each. */
export function batchOf(values: readonly (string | null)[], settings: BatchSettings = {}): Buffer {
  const builder = new BatchBuilder({ initialBytes: 1024, maxBytes: 1 << 30 });
  for (const value of values) builder.append(1_700_000_000_000, null, value, undefined);
  const { producerId = -1n, compression = 'none' } = settings;
  return Buffer.from(
    builder.close({
      compression,
      ...(settings.compressed === undefined ? {} : { compressed: settings.compressed }),
      producerId,
      producerEpoch: producerId < 0n ? -1 : 0,
      baseSequence: -1,
      transactional: settings.transactional ?? false,
      baseOffset: settings.baseOffset ?? 0n,
      partitionLeaderEpoch: settings.leaderEpoch ?? 0,
      ...(settings.lastOffsetDelta === undefined ? {} : { lastOffsetDelta: settings.lastOffsetDelta }),
      ...(settings.logAppendTimeMs === undefined ? {} : { logAppendTimeMs: settings.logAppendTimeMs }),
    }),
  );
}

/** The marker that ends a transaction. */
export function markerOf(type: 'commit' | 'abort', producerId: bigint, baseOffset: bigint): Buffer {
  const builder = new BatchBuilder({ initialBytes: 256, maxBytes: 1 << 20 });
  builder.append(0, controlKey(type), controlValue(0), undefined);
  const close = {
    compression: 'none',
    producerId,
    producerEpoch: 0,
    baseSequence: -1,
    transactional: true,
    control: true,
    baseOffset,
  } as const;
  return Buffer.from(builder.close(close));
}

/** One topic `t` on fake brokers, with logs that can be written, and a group of one member; a test may answer for itself. */
export class FakeKafka {
  readonly brokers: FakeBrokers = new FakeBrokers();
  readonly logs: StoredBatch[][];
  readonly committed: Map<number, bigint> = new Map();
  /** The first chance to answer a request; undefined leaves it to the fake. */
  intercept: (request: SeenRequest) => FakeAnswer | Promise<FakeAnswer> | undefined = () => undefined;
  generation = 0;
  heartbeatCode: number = codes.NONE;
  logStart = 0n;
  batchesPerAnswer: number = Infinity;
  aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[] = [];
  readonly #partitions: number;
  readonly #waiting: (() => void)[] = [];

  constructor(partitions = 1) {
    this.#partitions = partitions;
    this.logs = Array.from({ length: partitions }, () => []);
    this.brokers.answer = (request) => this.intercept(request) ?? this.#answer(request);
  }

  consumer(options: ConsumerOptions = {}): { consumer: Consumer; events: EventPublisher; cluster: Cluster } {
    const { cluster, events } = clusterOver(this.brokers);
    return { consumer: new Consumer(cluster, { autoOffsetReset: 'earliest', ...options }), events, cluster };
  }

  get clock(): FakeBrokers['clock'] {
    return this.brokers.clock;
  }

  append(partition: number, values: readonly (string | null)[], settings: BatchSettings = {}): bigint {
    const baseOffset = settings.baseOffset ?? this.end(partition);
    this.store(
      partition,
      batchOf(values, { ...settings, baseOffset }),
      baseOffset + BigInt((settings.lastOffsetDelta ?? values.length - 1) + 1),
    );
    return baseOffset;
  }

  store(partition: number, bytes: Buffer, nextOffset: bigint): void {
    this.logs[partition]?.push({ bytes, nextOffset });
    for (const wake of this.#waiting.splice(0)) wake();
  }

  end(partition: number): bigint {
    return this.logs[partition]?.at(-1)?.nextOffset ?? 0n;
  }

  /** Runs until `promise` settles, moving the clock. */
  async run<T>(promise: Promise<T>, stepMs = 50, steps = 4000): Promise<T> {
    let isDone = false;
    const done = (): void => void (isDone = true);
    promise.then(done, done);
    for (let step = 0; step < steps && !isDone; step++) {
      await settle();
      if (!isDone) await this.clock.advance(stepMs);
    }
    if (!isDone) throw new Error('the promise did not settle');
    return promise;
  }

  #answer(request: SeenRequest): FakeAnswer | Promise<FakeAnswer> {
    switch (request.api) {
      case 'Metadata':
        return metadataAnswer(request, {
          t: {
            topicId: 'dG9waWMtaWQtMDAwMDAwMQ',
            leaders: Array.from({ length: this.#partitions }, () => [1, 0] as const),
          },
        });
      case 'FindCoordinator': {
        const [key] = request.message['coordinatorKeys'] as string[];
        return { coordinators: [{ key, nodeId: 2, host: 'kafka', port: 9002 }] };
      }
      case 'JoinGroup': {
        if (request.message['memberId'] === '')
          return { errorCode: codes.MEMBER_ID_REQUIRED, memberId: 'm-1', protocolName: 'range' };
        this.generation++;
        this.heartbeatCode = codes.NONE;
        const [protocol] = request.message['protocols'] as { metadata: Buffer }[];
        const members = [{ memberId: 'm-1', metadata: protocol?.metadata ?? Buffer.alloc(0) }];
        return { generationId: this.generation, protocolName: 'range', leader: 'm-1', memberId: 'm-1', members };
      }
      case 'SyncGroup': {
        const assignments = request.message['assignments'] as { memberId: string; assignment: Buffer }[];
        const own = assignments.find(({ memberId }) => memberId === request.message['memberId']);
        return { protocolName: 'range', assignment: own?.assignment ?? encodeAssignment([]) };
      }
      case 'Heartbeat':
        return { errorCode: this.heartbeatCode };
      case 'LeaveGroup':
        return {};
      case 'OffsetFetch':
        return { groups: [{ groupId: 'g', topics: [{ name: 't', partitions: this.#committedOffsets() }] }] };
      case 'OffsetCommit':
        return this.#commit(request);
      case 'ListOffsets':
        return this.#list(request);
      case 'Fetch':
        return this.#fetch(request);
      default:
        return new Error(`the fake does not know ${request.api}`);
    }
  }

  #committedOffsets(): unknown[] {
    return this.logs.map((_, partitionIndex) => ({
      partitionIndex,
      committedOffset: this.committed.get(partitionIndex) ?? -1n,
      metadata: '',
    }));
  }

  #commit(request: SeenRequest): FakeAnswer {
    const topics = request.message['topics'] as {
      name: string;
      partitions: { partitionIndex: number; committedOffset: bigint }[];
    }[];
    for (const { partitions } of topics)
      for (const { partitionIndex, committedOffset } of partitions) this.committed.set(partitionIndex, committedOffset);
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex })),
      })),
    };
  }

  #list(request: SeenRequest): FakeAnswer {
    const topics = request.message['topics'] as {
      name: string;
      partitions: { partitionIndex: number; timestamp: bigint }[];
    }[];
    return {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => ({
          partitionIndex,
          offset: timestamp === -2n ? this.logStart : timestamp === -1n ? this.end(partitionIndex) : -1n,
        })),
      })),
    };
  }

  async #fetch(request: SeenRequest): Promise<FakeAnswer> {
    const first = this.fetchAnswer(request);
    if (first.hasRecords) return first.answer;
    await new Promise<void>((resolve) => {
      const timer = this.clock.setTimer(resolve, Number(request.message['maxWaitMs']));
      this.#waiting.push(() => {
        this.clock.clearTimer(timer);
        resolve();
      });
    });
    return this.fetchAnswer(request).answer;
  }

  /** What the logs answer to this fetch now. */
  fetchAnswer(request: SeenRequest): { answer: Record<string, unknown>; hasRecords: boolean } {
    let hasRecords = false;
    const topics = request.message['topics'] as {
      topicId: string;
      partitions: { partition: number; fetchOffset: bigint }[];
    }[];
    const responses = topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partition, fetchOffset }) => {
        const isOut = fetchOffset < this.logStart || fetchOffset > this.end(partition);
        if (isOut) hasRecords = true;
        const bytes = isOut
          ? []
          : (this.logs[partition] ?? [])
              .filter((batch) => batch.nextOffset > fetchOffset)
              .slice(0, this.batchesPerAnswer)
              .map((batch) => batch.bytes);
        if (bytes.length > 0) hasRecords = true;
        return {
          partitionIndex: partition,
          errorCode: isOut ? codes.OFFSET_OUT_OF_RANGE : 0,
          highWatermark: this.end(partition),
          lastStableOffset: this.end(partition),
          abortedTransactions: this.aborted,
          records: Buffer.concat(bytes),
        };
      }),
    }));
    return { answer: { responses }, hasRecords };
  }
}
