import type { Cluster } from '../../cluster/cluster.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import type { KafkaError } from '../../errors/kafka-error.ts';
import { topicPartitionKey } from '../../model/topic-partition.ts';
import type { ShareAcknowledgeResponse } from '../../protocol/generated/share-acknowledge.ts';
import type { ShareFetchResponse, ShareFetchResponsePartitionData } from '../../protocol/generated/share-fetch.ts';
import { backoffMs, type BackoffPolicy } from '../../util/backoff.ts';
import type { RecordDeserializers } from '../consumer-record.ts';
import { decompressor, type Decompressor } from '../fetch/decompressor.ts';
import { FetchedRecords } from '../fetch/fetched-records.ts';
import { FetchedTopics } from '../fetch/fetched-topics.ts';
import { staleMetadata } from '../fetch/stale-metadata.ts';
import { AcquiredRecordsMachine } from './acquired-records-machine.ts';
import { AcquiredRecords } from './acquired-records.ts';
import type { AcknowledgementResults, SentAcknowledgements } from './share-acknowledgements.ts';
import { keyOf, type ShareBroker } from './share-broker.ts';
import { acquisitionOf } from './share-fetch-message.ts';
import type { SharePartition } from './share-group-membership.ts';
import type { ResolvedShareConsumerOptions } from './share-options.ts';
import { isAcquired } from './share-record.ts';

/** What reading answers needs of its fetcher. */
export interface ShareAnswersParts {
  readonly cluster: Cluster;
  readonly options: ResolvedShareConsumerOptions;
  readonly deserializers: RecordDeserializers;
  readonly results: AcknowledgementResults;
  readonly backoff: BackoffPolicy;
  /** Whose records they are. */
  readonly owner: object;
  /** The partitions that are read now. */
  readonly partitions: () => readonly SharePartition[];
  /** Whether nobody wants records any more. */
  readonly isClosing: () => boolean;
  readonly onAcquired: (acquired: AcquiredRecords) => void;
  readonly onQueued: (broker: ShareBroker) => void;
  readonly onFatal: (error: Error) => void;
}

/** A partition with an error is left alone for a while, so that the others are fetched all the same. */
interface Pause {
  readonly failures: number;
  readonly untilMs: number;
}

/** Records are to be read within this part of the time for which they are locked, to leave the rest to whoever works on them. */
export const READ_WITHIN = 0.5;

/** What no later try will mend. */
export const fatalErrors: ReadonlySet<number> = new Set([
  brokerErrorCodes.GROUP_AUTHORIZATION_FAILED,
  brokerErrorCodes.TOPIC_AUTHORIZATION_FAILED,
  brokerErrorCodes.CLUSTER_AUTHORIZATION_FAILED,
  brokerErrorCodes.UNSUPPORTED_VERSION,
  brokerErrorCodes.INVALID_GROUP_ID,
  brokerErrorCodes.INVALID_REQUEST,
]);

/** Reads what brokers answer: records that are locked for us, what became of acknowledgements, errors of partitions. */
export class ShareAnswers {
  readonly #parts: ShareAnswersParts;
  readonly #decompressor: Decompressor;
  readonly #pauses = new Map<string, Pause>();
  #lockTimeoutMs: number | undefined;

  constructor(parts: ShareAnswersParts) {
    this.#parts = parts;
    this.#decompressor = decompressor(parts.options.maxBufferedBytes);
  }

  /** How long the brokers lock records, in milliseconds; undefined before the first answer. */
  get lockTimeoutMs(): number | undefined {
    return this.#lockTimeoutMs;
  }

  learnLockTimeout(timeoutMs: number): void {
    if (timeoutMs > 0) this.#lockTimeoutMs = timeoutMs;
  }

  isPaused(partition: SharePartition, nowMs: number): boolean {
    return (this.#pauses.get(keyOf(partition))?.untilMs ?? 0) > nowMs;
  }

  /** When the first pause of a partition ends; Infinity if there is none. */
  nextPauseEndMs(nowMs: number): number {
    let firstMs = Infinity;
    for (const { untilMs } of this.#pauses.values()) if (untilMs > nowMs) firstMs = Math.min(firstMs, untilMs);
    return firstMs;
  }

  /** @throws ProtocolError nobody could tell what was acquired */
  handleFetched(
    broker: ShareBroker,
    response: ShareFetchResponse,
    sent: readonly SentAcknowledgements[],
    startMs: number,
  ): void {
    const { cluster, options, partitions: assigned, results } = this.#parts;
    const errors = new Map<string, KafkaError>();
    const asked = new Map(assigned().map((partition) => [keyOf(partition), partition]));
    let bytes = 0;
    let partitions = 0;
    const topics = cluster.events.has('consumer.fetched') ? new FetchedTopics() : undefined;
    for (const { topicId, partitions: ofTopic } of response.responses) {
      for (const data of ofTopic) {
        const key = topicPartitionKey(topicId, data.partitionIndex);
        this.#noteError(errors, broker, key, data.acknowledgeErrorCode, data.acknowledgeErrorMessage);
        const partition = asked.get(key) ?? this.#unassigned(topicId, data);
        if (partition === undefined) continue;
        this.#handlePartitionError(broker, partition, data);
        const taken = this.#handleRecords(broker, partition, data, startMs);
        bytes += taken;
        if (data.acquiredRecords.length === 0) continue;
        partitions++;
        topics?.add(partition.topic, acquiredCount(data), taken);
      }
    }
    for (const { acquired, ranges } of sent) results.add(acquired, ranges, errors.get(keyOf(acquired)));
    this.#learnLeaders(response);
    if (bytes > 0 && topics !== undefined) {
      cluster.events.publish('consumer.fetched', {
        nodeId: broker.nodeId,
        groupId: options.groupId,
        bytes,
        records: topics.records,
        partitions,
        topics: topics.list,
        durationMs: cluster.clock.nowMs() - startMs,
      });
    }
  }

  /**
   * @param renewedUntilMs until when at the earliest records are locked whose locks were renewed; undefined where none were to be
   * @returns why a renewal was refused
   */
  handleAcknowledged(
    broker: ShareBroker,
    response: ShareAcknowledgeResponse,
    sent: readonly SentAcknowledgements[],
    renewedUntilMs?: number,
  ): KafkaError | undefined {
    const errors = new Map<string, KafkaError>();
    for (const { topicId, partitions } of response.responses) {
      for (const { partitionIndex, errorCode, errorMessage } of partitions) {
        this.#noteError(errors, broker, topicPartitionKey(topicId, partitionIndex), errorCode, errorMessage);
      }
    }
    let refusal: KafkaError | undefined;
    for (const { acquired, ranges } of sent) {
      const error = errors.get(keyOf(acquired));
      this.#parts.results.add(acquired, ranges, error);
      if (renewedUntilMs === undefined) continue;
      acquired.machine.handleRenewed(ranges, error === undefined ? renewedUntilMs : undefined);
      refusal ??= error;
    }
    return refusal;
  }

  #noteError(
    errors: Map<string, KafkaError>,
    broker: ShareBroker,
    key: string,
    errorCode: number,
    message: string | null,
  ): void {
    if (errorCode === brokerErrorCodes.NONE) return;
    errors.set(key, brokerError(errorCode, `Cannot acknowledge records at broker ${broker.nodeId}`, message));
    if (staleMetadata.has(errorCode)) this.#parts.cluster.refreshSoon();
  }

  /** A partition that was taken from us while the fetch was under way: what came of it is ours to give back. */
  #unassigned(topicId: string, data: ShareFetchResponsePartitionData): SharePartition | undefined {
    if (data.acquiredRecords.length === 0) return undefined;
    for (const [topic, { topicId: id }] of this.#parts.cluster.metadata.topics)
      if (id === topicId) return { topic, topicId, partition: data.partitionIndex };
    return undefined;
  }

  /** Answers how many bytes of records were taken. */
  #handleRecords(
    broker: ShareBroker,
    partition: SharePartition,
    data: ShareFetchResponsePartitionData,
    startMs: number,
  ): number {
    const { cluster, options, deserializers, owner } = this.#parts;
    const acquisition = acquisitionOf(data);
    if (acquisition === undefined) return 0;
    // Locked they were at some time between the request and its answer: from the request on is the safe reading.
    const untilMs = startMs + (this.#lockTimeoutMs ?? 0);
    const nowMs = cluster.clock.nowMs();
    const readUntilMs = nowMs + (untilMs - nowMs) * READ_WITHIN;
    const acquired = new AcquiredRecords({
      ...partition,
      nodeId: broker.nodeId,
      baseOffset: acquisition.baseOffset,
      machine: new AcquiredRecordsMachine(acquisition.ranges, untilMs, readUntilMs),
      isImplicit: options.acknowledgementMode === 'implicit',
      owner,
      onQueued: () => this.#parts.onQueued(broker),
    });
    const records = data.records ?? Buffer.alloc(0);
    acquired.bytes = records.length;
    acquired.fetched = new FetchedRecords(
      {
        state: acquired,
        records,
        highWatermark: -1n,
        // The broker has left out what the group is not to see.
        aborted: undefined,
        checkCrcs: options.checkCrcs,
        decompressor: this.#decompressor,
        deserializers,
        includes: isAcquired(acquired, acquisition.baseOffset),
      },
      acquisition.baseOffset,
    );
    broker.acquired.add(acquired);
    this.#place(acquired);
    return records.length;
  }

  #place(acquired: AcquiredRecords): void {
    const { isClosing, partitions, onAcquired } = this.#parts;
    const isAssigned = partitions().some((one) => keyOf(one) === keyOf(acquired));
    if (isClosing() || !isAssigned) acquired.releaseAll();
    else onAcquired(acquired);
  }

  #handlePartitionError(broker: ShareBroker, partition: SharePartition, data: ShareFetchResponsePartitionData): void {
    const key = keyOf(partition);
    if (data.errorCode === brokerErrorCodes.NONE) {
      this.#pauses.delete(key);
      return;
    }
    const { cluster, options, backoff, onFatal } = this.#parts;
    const { topic, partition: number } = partition;
    const doing = `Cannot fetch ${topic}-${number} for group "${options.groupId}" from broker ${broker.nodeId}`;
    const error = brokerError(data.errorCode, doing, data.errorMessage);
    if (fatalErrors.has(data.errorCode)) return onFatal(error);
    cluster.events.publish('consumer.fetch.failed', { nodeId: broker.nodeId, groupId: options.groupId, error });
    if (staleMetadata.has(data.errorCode)) cluster.refreshSoon();
    const failures = (this.#pauses.get(key)?.failures ?? 0) + 1;
    const untilMs = cluster.clock.nowMs() + backoffMs(backoff, failures, cluster.random());
    this.#pauses.set(key, { failures, untilMs });
  }

  /** KIP-951: an answer that says "not the leader" may say who is. */
  #learnLeaders({ responses, nodeEndpoints }: ShareFetchResponse): void {
    if (nodeEndpoints.length === 0) return;
    const names = new Map(this.#parts.partitions().map(({ topic, topicId }) => [topicId, topic]));
    const leaders = responses.flatMap(({ topicId, partitions }) =>
      partitions.flatMap(({ partitionIndex: partition, errorCode, currentLeader: { leaderId, leaderEpoch } }) => {
        const topic = names.get(topicId);
        if (topic === undefined || errorCode === brokerErrorCodes.NONE || leaderId < 0) return [];
        return [{ topic, partition, leaderId, leaderEpoch }];
      }),
    );
    if (leaders.length > 0) this.#parts.cluster.learnLeaders(leaders, nodeEndpoints);
  }
}

/** How many offsets are locked. */
function acquiredCount({ acquiredRecords }: ShareFetchResponsePartitionData): number {
  return acquiredRecords.reduce((sum, { firstOffset, lastOffset }) => sum + Number(lastOffset - firstOffset) + 1, 0);
}
