import { chooseVersion, type Connection } from '../../cluster/connection.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { codecFor } from '../../compression/index.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import { ClosedError, KafkaError } from '../../errors/kafka-error.ts';
import { topicPartitionKey } from '../../model/topic-partition.ts';
import { ShareAcknowledge } from '../../protocol/generated/share-acknowledge.ts';
import {
  ShareFetch,
  type ShareFetchResponse,
  type ShareFetchResponseNodeEndpoint,
  type ShareFetchResponsePartitionData,
} from '../../protocol/generated/share-fetch.ts';
import type { CompressionName } from '../../protocol/records/index.ts';
import { backoffMs, type BackoffPolicy } from '../../util/backoff.ts';
import type { TimerHandle } from '../../util/clock.ts';
import type { RecordDeserializers } from '../consumer-record.ts';
import { FetchedRecords } from '../fetch/fetched-records.ts';
import { isPassingFailure } from '../offset-client.ts';
import { AcquiredRecordsMachine, type AcknowledgedRange, type LostRecords } from './acquired-records-machine.ts';
import { AcquiredRecords } from './acquired-records.ts';
import {
  acknowledgedTopics,
  lockEnded,
  type AcknowledgementResults,
  type SentAcknowledgements,
} from './share-acknowledgements.ts';
import { ShareBrokerMachine, type ShareBrokerView, type ShareStep } from './share-broker-machine.ts';
import { acquisitionOf } from './share-fetch-message.ts';
import type { SharePartition } from './share-group-membership.ts';
import type { ResolvedShareConsumerOptions } from './share-options.ts';
import { makeShareRecords } from './share-record.ts';
import { FINAL_EPOCH, type SessionPartition } from './share-session-machine.ts';

/** What the fetcher needs of its consumer. */
export interface ShareFetcherParts {
  readonly cluster: Cluster;
  readonly lane: string;
  readonly options: ResolvedShareConsumerOptions;
  readonly memberId: string;
  readonly deserializers: RecordDeserializers;
  readonly results: AcknowledgementResults;
  /** How long the reader takes for a record, in milliseconds; undefined while that is not known. */
  readonly paceMs: () => number | undefined;
  /** How many records the reader could take now. */
  readonly room: () => number;
  /** Records are there. */
  readonly onAcquired: (acquired: AcquiredRecords) => void;
  /** What was to be handed out, or is in hand, may not be ours any more. */
  readonly onLost: () => void;
  /** Something has happened that a reader may wait for. */
  readonly onChange: () => void;
  /** Reading cannot go on. */
  readonly onFatal: (error: Error) => void;
}

/** One broker, and what is locked there for us. */
interface Broker {
  readonly nodeId: number;
  readonly machine: ShareBrokerMachine;
  readonly acquired: Set<AcquiredRecords>;
  /** Those who wait until the acknowledgements of so many requests have been answered. */
  waiting: { readonly requests: number; readonly resolve: () => void }[];
  /** How many requests with acknowledgements were sent, and how many of them are answered. */
  sent: number;
  answered: number;
}

/** A partition with an error is left alone for a while, so that the others are fetched all the same. */
interface Pause {
  readonly failures: number;
  readonly untilMs: number;
}

/** While records of a broker are in hand, a fetch waits no longer: their acknowledgements would wait behind it. */
const BUSY_WAIT_MS = 100;
/** Records are to be read within this part of the time for which they are locked, to leave the rest to whoever works on them. */
const READ_WITHIN = 0.5;
/** So much of what is acquired at a time should be read in this part of the time. */
const ASK_WITHIN = 0.25;
const MIN_DECOMPRESSED_LIMIT = 64 * 1024 * 1024;
/** Acknowledging a renewal came with this version (KIP-1222), as the acquire mode did (KIP-1206). */
const RENEW_SINCE = 2;

/** Errors of a partition that say: its leader is elsewhere, or our picture of the cluster is old. */
const staleMetadata: ReadonlySet<number> = new Set([
  brokerErrorCodes.NOT_LEADER_OR_FOLLOWER,
  brokerErrorCodes.LEADER_NOT_AVAILABLE,
  brokerErrorCodes.REPLICA_NOT_AVAILABLE,
  brokerErrorCodes.FENCED_LEADER_EPOCH,
  brokerErrorCodes.UNKNOWN_LEADER_EPOCH,
  brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  brokerErrorCodes.UNKNOWN_TOPIC_ID,
  brokerErrorCodes.INCONSISTENT_TOPIC_ID,
  brokerErrorCodes.KAFKA_STORAGE_ERROR,
]);

/** What no later try will mend. */
const fatalErrors: ReadonlySet<number> = new Set([
  brokerErrorCodes.GROUP_AUTHORIZATION_FAILED,
  brokerErrorCodes.TOPIC_AUTHORIZATION_FAILED,
  brokerErrorCodes.CLUSTER_AUTHORIZATION_FAILED,
  brokerErrorCodes.UNSUPPORTED_VERSION,
  brokerErrorCodes.INVALID_GROUP_ID,
  brokerErrorCodes.INVALID_REQUEST,
]);

/**
 * Asks the brokers that lead our partitions for records, and brings them what became of those: does what a {@link ShareBrokerMachine} per
 * broker decides.
 */
export class ShareFetcher {
  readonly #parts: ShareFetcherParts;
  readonly #backoff: BackoffPolicy;
  readonly #brokers = new Map<number, Broker>();
  readonly #pauses = new Map<string, Pause>();
  readonly #owner: object;
  #partitions: readonly SharePartition[] = [];
  #isWanted = false;
  #isNearlyRead = false;
  /** With a strict limit one broker is asked at a time; this one was the last. */
  #lastAsked = -1;
  #lockTimeoutMs: number | undefined;
  #canRenew = true;
  #timer: TimerHandle | undefined;
  #pumping = false;
  #isClosing = false;
  #isClosed = false;

  constructor(parts: ShareFetcherParts, owner: object) {
    this.#parts = parts;
    this.#owner = owner;
    const { retryBackoffMs: initialMs, retryBackoffMaxMs: maxMs } = parts.cluster.options;
    this.#backoff = { initialMs, maxMs };
  }

  /** How long the brokers lock records, in milliseconds; undefined before the first answer. */
  get lockTimeoutMs(): number | undefined {
    return this.#lockTimeoutMs;
  }

  /** These partitions are fetched from now on; what is unread of others goes back. */
  assign(partitions: readonly SharePartition[]): void {
    this.#partitions = partitions;
    const keys = new Set(partitions.map(keyOf));
    for (const acquired of this.#allAcquired()) if (!keys.has(keyOf(acquired))) acquired.releaseUnread();
    this.#parts.onLost();
    this.pump();
  }

  /** Whether the reader waits for records. */
  want(isWanted: boolean): void {
    this.#isWanted = isWanted;
    if (isWanted) this.pump();
  }

  /** What is there will be read within a moment: time to ask for more. */
  nearlyRead(): void {
    if (this.#parts.options.acquireMode === 'record-limit') return;
    this.#isNearlyRead = true;
    this.pump();
    this.#isNearlyRead = false;
  }

  /** Gives back what it is too late to hand out. */
  look(acquired: AcquiredRecords, nowMs: number): void {
    const returned = acquired.machine.tick(nowMs);
    if (returned > 0) this.#reportReturned(acquired, returned);
    const lost = acquired.machine.expire(nowMs);
    if (lost !== undefined) this.#reportLost(acquired, lost, 'their locks timed out');
    if (returned > 0 || (lost?.unread ?? 0) > 0) acquired.drop();
    acquired.tell();
  }

  /** Sends what is due. Call it whenever something has changed; it does nothing if nothing is due. */
  pump(): void {
    // What is reported on the way may call us again.
    if (this.#isClosed || this.#pumping) return;
    this.#pumping = true;
    const { clock } = this.#parts.cluster;
    const nowMs = clock.nowMs();
    this.#lookAtAll(nowMs);
    this.#dropMoved();
    const wanted = this.#wantedByBroker(nowMs);
    for (const nodeId of wanted.keys()) this.#brokerOf(nodeId);
    for (const broker of this.#inTurn()) {
      const partitions = wanted.get(broker.nodeId) ?? new Map<string, SessionPartition>();
      const step = broker.machine.take(this.#viewOf(broker, partitions), nowMs);
      if (step !== undefined) void this.#do(broker, step, partitions);
      else this.#forgetIfGone(broker);
      // What was waited for may have come to its end without a request, by the end of its locks.
      if (!broker.machine.isBusy && !hasQueued(broker) && !hasRenewals(broker)) this.#release(broker, Infinity);
    }
    this.#arm(nowMs, wanted);
    this.#pumping = false;
    this.#parts.results.flush();
  }

  /** Resolves once all acknowledgements that are queued or under way now are answered. */
  async settled(): Promise<void> {
    const waits = [...this.#brokers.values()].flatMap((broker) => {
      const isQueued = hasQueued(broker);
      // A renewal travels in a request of its own.
      const requests = broker.sent + (isQueued ? 1 : 0) + (hasRenewals(broker) ? 1 : 0);
      if (requests <= broker.answered) return [];
      if (isQueued) broker.machine.flush();
      return [new Promise<void>((resolve) => broker.waiting.push({ requests, resolve }))];
    });
    this.pump();
    await Promise.all(waits);
  }

  /** Gives everything back that is not acknowledged, and ends the sessions. Never rejects. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const acquired of this.#allAcquired()) acquired.releaseAll();
    this.pump();
    const isOver = (): boolean =>
      [...this.#brokers.values()].every(
        ({ machine: { isBusy, session } }) => !isBusy && !session.isOpen && !session.mayLinger,
      );
    while (!this.#isClosed && !isOver()) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }
  #onIdle: (() => void)[] = [];

  /** Sends nothing any more. */
  stop(): void {
    this.#isClosed = true;
    if (this.#timer !== undefined) this.#parts.cluster.clock.clearTimer(this.#timer);
    for (const broker of this.#brokers.values()) {
      this.#endAll(broker, 'the consumer was closed', undefined);
      this.#release(broker, Infinity);
    }
    this.#parts.results.flush();
    this.#tellIdle();
  }

  // What is due -----------------------------------------------------------------------------------------------------------

  #viewOf(broker: Broker, wanted: ReadonlyMap<string, SessionPartition>): ShareBrokerView {
    let isQueued = false;
    let isStray = false;
    let hasRenewals = false;
    for (const acquired of broker.acquired) {
      if (acquired.machine.hasRenewals) hasRenewals = true;
      if (!acquired.machine.hasQueued) continue;
      isQueued = true;
      if (!wanted.has(keyOf(acquired))) isStray = true;
    }
    return {
      wantsRecords: !this.#isClosing && wanted.size > 0 && this.#wantsRecordsOf(broker),
      hasQueued: isQueued,
      hasStrayQueued: isStray,
      hasRenewals,
      isIdle: broker.acquired.size === 0 && !this.#partitions.some((one) => this.#leaderOf(one) === broker.nodeId),
      isClosing: this.#isClosing,
    };
  }

  #wantsRecordsOf(broker: Broker): boolean {
    if (this.#bufferedBytes() >= this.#parts.options.maxBufferedBytes) return false;
    if (this.#isNearlyRead) return true;
    if (!this.#isWanted || [...broker.acquired].some(({ machine }) => machine.hasUnread)) return false;
    if (this.#parts.options.acquireMode === 'batch-optimized') return true;
    return ![...this.#brokers.values()].some(
      ({ machine, acquired }) => machine.isBusy || [...acquired].some((one) => one.machine.hasUnread),
    );
  }

  /** With a strict limit, the brokers take turns. */
  #inTurn(): Broker[] {
    const brokers = [...this.#brokers.values()];
    if (this.#parts.options.acquireMode === 'batch-optimized') return brokers;
    const after = brokers.filter(({ nodeId }) => nodeId > this.#lastAsked).sort((a, b) => a.nodeId - b.nodeId);
    const before = brokers.filter(({ nodeId }) => nodeId <= this.#lastAsked).sort((a, b) => a.nodeId - b.nodeId);
    return [...after, ...before];
  }

  #wantedByBroker(nowMs: number): Map<number, Map<string, SessionPartition>> {
    const wanted = new Map<number, Map<string, SessionPartition>>();
    for (const partition of this.#partitions) {
      const key = keyOf(partition);
      if ((this.#pauses.get(key)?.untilMs ?? 0) > nowMs) continue;
      const leaderId = this.#leaderOf(partition);
      if (leaderId === undefined) {
        this.#parts.cluster.refreshSoon();
        continue;
      }
      let ofBroker = wanted.get(leaderId);
      if (ofBroker === undefined) wanted.set(leaderId, (ofBroker = new Map<string, SessionPartition>()));
      ofBroker.set(key, { topicId: partition.topicId, partition: partition.partition });
    }
    return wanted;
  }

  #leaderOf({ topic, partition }: { readonly topic: string; readonly partition: number }): number | undefined {
    const { metadata } = this.#parts.cluster;
    const leaderId = metadata.partition(topic, partition)?.leaderId;
    return leaderId !== undefined && metadata.brokers.has(leaderId) ? leaderId : undefined;
  }

  #brokerOf(nodeId: number): Broker {
    let broker = this.#brokers.get(nodeId);
    if (broker === undefined) {
      const machine = new ShareBrokerMachine(this.#backoff, this.#parts.cluster.random);
      broker = { nodeId, machine, acquired: new Set(), waiting: [], sent: 0, answered: 0 };
      this.#brokers.set(nodeId, broker);
    }
    return broker;
  }

  /** A broker that has left the cluster has no session of ours either. */
  #forgetIfGone(broker: Broker): void {
    if (broker.machine.isBusy || broker.acquired.size > 0 || broker.machine.session.isOpen) return;
    if (!this.#parts.cluster.metadata.brokers.has(broker.nodeId)) this.#brokers.delete(broker.nodeId);
  }

  #arm(nowMs: number, wanted: ReadonlyMap<number, ReadonlyMap<string, SessionPartition>>): void {
    const { clock } = this.#parts.cluster;
    if (this.#timer !== undefined) clock.clearTimer(this.#timer);
    this.#timer = undefined;
    let deadlineMs = Infinity;
    for (const { untilMs } of this.#pauses.values()) if (untilMs > nowMs) deadlineMs = Math.min(deadlineMs, untilMs);
    for (const broker of this.#brokers.values()) {
      const view = this.#viewOf(broker, wanted.get(broker.nodeId) ?? new Map<string, SessionPartition>());
      deadlineMs = Math.min(deadlineMs, broker.machine.nextDeadlineMs(view, nowMs));
      for (const { machine } of broker.acquired) {
        deadlineMs = Math.min(deadlineMs, machine.nextDeadlineMs());
        if (this.#renewsLocks()) deadlineMs = Math.min(deadlineMs, machine.nextRenewalMs() - this.#halfLockMs());
      }
    }
    if (deadlineMs === Infinity) return;
    this.#timer = clock.setTimer(() => this.pump(), deadlineMs - nowMs);
    this.#timer.unref();
  }

  // Locks -----------------------------------------------------------------------------------------------------------------

  *#allAcquired(): Generator<AcquiredRecords> {
    for (const broker of this.#brokers.values()) yield* broker.acquired;
  }

  #lookAtAll(nowMs: number): void {
    for (const broker of this.#brokers.values()) {
      for (const acquired of broker.acquired) {
        this.look(acquired, nowMs);
        if (this.#renewsLocks()) acquired.machine.renewBefore(nowMs + this.#halfLockMs());
        if (acquired.machine.isDone && acquired.fetched === undefined) broker.acquired.delete(acquired);
      }
    }
  }

  #renewsLocks(): boolean {
    return this.#parts.options.renewLocks && this.#canRenew && !this.#isClosing;
  }

  #halfLockMs(): number {
    return (this.#lockTimeoutMs ?? 0) * READ_WITHIN;
  }

  /** A new leader knows nothing of the locks that the last one gave. */
  #dropMoved(): void {
    for (const broker of this.#brokers.values()) {
      for (const acquired of broker.acquired) {
        const leaderId = this.#leaderOf(acquired);
        if (leaderId !== undefined && leaderId !== broker.nodeId)
          this.#end(broker, acquired, 'the leader of their partition changed', undefined);
      }
    }
  }

  #endAll(broker: Broker, why: string, cause: unknown): void {
    for (const acquired of broker.acquired) this.#end(broker, acquired, why, cause);
  }

  #end(broker: Broker, acquired: AcquiredRecords, why: string, cause: unknown): void {
    this.#reportLost(acquired, acquired.machine.end(), why, cause);
    acquired.drop();
    broker.acquired.delete(acquired);
  }

  #reportLost(acquired: AcquiredRecords, lost: LostRecords, why: string, cause?: unknown): void {
    const { topic, partition } = acquired;
    const { groupId } = this.#parts.options;
    this.#parts.results.add(acquired, lost.queued, lockEnded(topic, partition, why, cause));
    if (lost.unread > 0) this.#reportReturned(acquired, lost.unread);
    const { held: records } = lost;
    if (records > 0)
      this.#parts.cluster.events.publish('share.locks.lost', { groupId, topic, partition, records, reason: why });
    this.#parts.onLost();
  }

  #reportReturned({ topic, partition }: AcquiredRecords, records: number): void {
    const { groupId } = this.#parts.options;
    this.#parts.cluster.events.publish('share.records.returned', { groupId, topic, partition, records });
    this.#parts.onLost();
  }

  // Requests --------------------------------------------------------------------------------------------------------------

  async #do(broker: Broker, step: ShareStep, partitions: ReadonlyMap<string, SessionPartition>): Promise<void> {
    const { cluster, lane } = this.#parts;
    const carries = step === 'acknowledge' || (step !== 'renew' && broker.machine.session.isOpen);
    const sent = step === 'renew' ? takeRenewals(broker) : carries ? takeQueued(broker, cluster.clock.nowMs()) : [];
    if (carries || step === 'renew') broker.sent++;
    const requests = broker.sent;
    if (step === 'fetch') this.#lastAsked = broker.nodeId;
    try {
      const connection = await cluster.connection(broker.nodeId, lane);
      if (this.#isClosed) throw new ClosedError('the consumer');
      if (step === 'fetch') await this.#fetch(broker, connection, partitions, sent);
      else await this.#acknowledge(broker, connection, step, sent);
    } catch (error) {
      this.#handleFailure(broker, step, sent, error instanceof Error ? error : new Error(String(error)));
    }
    if (this.#isClosed) return this.#parts.results.flush();
    this.#release(broker, requests);
    this.pump();
    this.#parts.onChange();
    this.#tellIdle();
  }

  async #fetch(
    broker: Broker,
    connection: Connection,
    partitions: ReadonlyMap<string, SessionPartition>,
    sent: readonly SentAcknowledgements[],
  ): Promise<void> {
    const { cluster, options, memberId } = this.#parts;
    const isStrict = options.acquireMode === 'record-limit';
    const version = chooseVersion(ShareFetch, connection.versions, isStrict ? { min: RENEW_SINCE } : {});
    const { epoch, added, forgotten } = broker.machine.session.takeFetch(partitions);
    const maxWaitMs = this.#maxWaitMs(broker);
    const maxRecords = this.#maxRecords();
    const startMs = cluster.clock.nowMs();
    const response = await connection.send(
      ShareFetch,
      version,
      {
        groupId: options.groupId,
        memberId,
        shareSessionEpoch: epoch,
        maxWaitMs,
        minBytes: options.fetchMinBytes,
        maxBytes: Math.max(1, Math.min(options.fetchMaxBytes, options.maxBufferedBytes - this.#bufferedBytes())),
        maxRecords,
        batchSize: maxRecords,
        ...(isStrict ? { shareAcquireMode: 1 } : {}),
        topics: acknowledgedTopics(sent, added),
        forgottenTopicsData: byTopic(forgotten),
      },
      { timeoutMs: cluster.options.requestTimeoutMs + maxWaitMs, background: true },
    );
    this.#learnLockTimeout(response.acquisitionLockTimeoutMs);
    if (response.errorCode !== brokerErrorCodes.NONE)
      return this.#handleRefusal(broker, sent, response.errorCode, response.errorMessage);
    broker.machine.handleAnswer();
    this.#handleFetched(broker, response, sent, startMs);
  }

  async #acknowledge(
    broker: Broker,
    connection: Connection,
    step: Exclude<ShareStep, 'fetch'>,
    sent: readonly SentAcknowledgements[],
  ): Promise<void> {
    const { cluster, options, memberId } = this.#parts;
    const isRenewAck = step === 'renew';
    const version = chooseVersion(ShareAcknowledge, connection.versions, isRenewAck ? { min: RENEW_SINCE } : {});
    const { session } = broker.machine;
    const startMs = cluster.clock.nowMs();
    const response = await connection.send(
      ShareAcknowledge,
      version,
      {
        groupId: options.groupId,
        memberId,
        shareSessionEpoch: step === 'farewell' ? FINAL_EPOCH : session.takeAcknowledge(),
        ...(isRenewAck ? { isRenewAck } : {}),
        topics: acknowledgedTopics(sent),
      },
      { background: !this.#isClosing },
    );
    this.#learnLockTimeout(response.acquisitionLockTimeoutMs);
    if (step === 'farewell') {
      const error =
        response.errorCode === brokerErrorCodes.NONE ? undefined : this.#errorOf(broker, response.errorCode);
      if (error !== undefined) this.#fail(sent, error);
      else this.#handleAcknowledged(broker, response, sent, undefined);
      broker.machine.handleFarewell();
      return this.#endAll(broker, 'their share session was ended', undefined);
    }
    if (response.errorCode !== brokerErrorCodes.NONE)
      return this.#handleRefusal(broker, sent, response.errorCode, response.errorMessage);
    broker.machine.handleAnswer();
    const untilMs = startMs + (this.#lockTimeoutMs ?? 0);
    this.#handleAcknowledged(broker, response, sent, isRenewAck ? untilMs : undefined);
  }

  #maxWaitMs({ acquired }: Broker): number {
    const { fetchMaxWaitMs, acquireMode } = this.#parts.options;
    const isHeld = [...acquired].some(({ machine }) => machine.heldCount > 0);
    // One broker at a time is asked: one without records must not keep those of the others waiting that long.
    const shareMs = acquireMode === 'record-limit' ? Math.ceil(fetchMaxWaitMs / this.#brokers.size) : fetchMaxWaitMs;
    return isHeld ? Math.min(shareMs, BUSY_WAIT_MS) : shareMs;
  }

  /** Not more than can be read while there is enough left of the locks. */
  #maxRecords(): number {
    const { maxPollRecords, acquireMode } = this.#parts.options;
    const limit =
      acquireMode === 'record-limit' ? Math.min(maxPollRecords, Math.max(1, this.#parts.room())) : maxPollRecords;
    const paceMs = this.#parts.paceMs();
    if (paceMs === undefined || paceMs <= 0 || this.#lockTimeoutMs === undefined) return limit;
    return Math.max(1, Math.min(limit, Math.floor((this.#lockTimeoutMs * ASK_WITHIN) / paceMs)));
  }

  #bufferedBytes(): number {
    let bytes = 0;
    for (const acquired of this.#allAcquired()) bytes += acquired.bytes;
    return bytes;
  }

  #learnLockTimeout(timeoutMs: number): void {
    if (timeoutMs > 0) this.#lockTimeoutMs = timeoutMs;
  }

  // Answers ---------------------------------------------------------------------------------------------------------------

  #handleFetched(
    broker: Broker,
    response: ShareFetchResponse,
    sent: readonly SentAcknowledgements[],
    startMs: number,
  ): void {
    const { cluster } = this.#parts;
    const acknowledged = new Map(sent.map((one) => [one, undefined as KafkaError | undefined]));
    let bytes = 0;
    let partitions = 0;
    const asked = new Map(this.#partitions.map((partition) => [keyOf(partition), partition]));
    for (const { topicId, partitions: ofTopic } of response.responses) {
      for (const data of ofTopic) {
        const key = topicPartitionKey(topicId, data.partitionIndex);
        const ackError = this.#errorOf(broker, data.acknowledgeErrorCode, data.acknowledgeErrorMessage);
        if (ackError !== undefined)
          for (const one of sent) if (keyOf(one.acquired) === key) acknowledged.set(one, ackError);
        const partition = asked.get(key) ?? this.#unassigned(topicId, data);
        if (partition === undefined) continue;
        this.#handlePartitionError(broker, partition, data);
        bytes += this.#handleRecords(broker, partition, data, startMs);
        if (data.acquiredRecords.length > 0) partitions++;
      }
    }
    for (const [{ acquired, ranges }, error] of acknowledged) this.#parts.results.add(acquired, ranges, error);
    this.#learnLeaders(
      response.responses.flatMap((topic) => topic.partitions.map((data) => ({ topicId: topic.topicId, data }))),
      response.nodeEndpoints,
    );
    if (bytes > 0 && cluster.events.has('consumer.fetched')) {
      const durationMs = cluster.clock.nowMs() - startMs;
      cluster.events.publish('consumer.fetched', { nodeId: broker.nodeId, bytes, partitions, durationMs });
    }
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
    broker: Broker,
    partition: SharePartition,
    data: ShareFetchResponsePartitionData,
    startMs: number,
  ): number {
    const { options, deserializers } = this.#parts;
    const acquisition = acquisitionOf(data);
    if (acquisition === undefined) return 0;
    const lockMs = this.#lockTimeoutMs ?? 0;
    // Locked it was at some time between the request and its answer: from the request on is the safe reading.
    const machine = new AcquiredRecordsMachine(
      acquisition.ranges,
      startMs + lockMs,
      startMs + lockMs * READ_WITHIN + this.#spareMs(startMs),
    );
    const acquired = new AcquiredRecords({
      topic: partition.topic,
      topicId: partition.topicId,
      partition: partition.partition,
      nodeId: broker.nodeId,
      baseOffset: acquisition.baseOffset,
      machine,
      isImplicit: options.acknowledgementMode === 'implicit',
      owner: this.#owner,
      onQueued: () => this.#handleQueued(broker),
    });
    const records = data.records ?? Buffer.alloc(0);
    acquired.bytes = records.length;
    acquired.fetched = new FetchedRecords(
      {
        state: acquired,
        records,
        highWatermark: -1n,
        aborted: undefined,
        checkCrcs: options.checkCrcs,
        decompress: this.#decompress,
        deserializers,
        make: makeShareRecords(acquired, acquisition.baseOffset),
      },
      acquisition.baseOffset,
    );
    broker.acquired.add(acquired);
    if (this.#isClosing) acquired.releaseAll();
    else if (!this.#partitions.some((one) => keyOf(one) === keyOf(partition))) acquired.releaseUnread();
    else this.#parts.onAcquired(acquired);
    return records.length;
  }
  /** What of the time went by while the broker waited for records is not the reader's loss. */
  #spareMs(startMs: number): number {
    return (this.#parts.cluster.clock.nowMs() - startMs) * (1 - READ_WITHIN);
  }

  readonly #decompress = (name: CompressionName, body: Buffer): Buffer | Promise<Buffer> => {
    const limit = Math.max(MIN_DECOMPRESSED_LIMIT, this.#parts.options.maxBufferedBytes);
    const codec = codecFor(name);
    if (codec instanceof Promise) return codec.then((loaded) => loaded.decompress(body, limit));
    return codec.decompress(body, limit);
  };

  #handleQueued(broker: Broker): void {
    const { clock } = this.#parts.cluster;
    const nowMs = clock.nowMs();
    broker.machine.handleQueued(nowMs);
    if (!this.#pumping) this.#armSoon(nowMs);
  }

  /** Only brings the timer forward: it is called while a reader goes from record to record. */
  #armSoon(nowMs: number): void {
    if (this.#soon !== undefined || this.#isClosed) return;
    const { clock } = this.#parts.cluster;
    void nowMs;
    this.#soon = clock.setTimer(() => {
      this.#soon = undefined;
      this.pump();
    }, 0);
    this.#soon.unref();
  }
  #soon: TimerHandle | undefined;

  #handlePartitionError(broker: Broker, partition: SharePartition, data: ShareFetchResponsePartitionData): void {
    const key = keyOf(partition);
    if (data.errorCode === brokerErrorCodes.NONE) {
      this.#pauses.delete(key);
      return;
    }
    const { cluster, onFatal } = this.#parts;
    const doing = `Cannot fetch ${partition.topic}-${partition.partition} for group "${this.#parts.options.groupId}" from broker ${broker.nodeId}`;
    const error = brokerError(data.errorCode, doing, data.errorMessage);
    if (fatalErrors.has(data.errorCode)) return onFatal(error);
    cluster.events.publish('consumer.fetch.failed', { nodeId: broker.nodeId, error });
    if (staleMetadata.has(data.errorCode)) cluster.refreshSoon();
    const failures = (this.#pauses.get(key)?.failures ?? 0) + 1;
    const untilMs = cluster.clock.nowMs() + backoffMs(this.#backoff, failures, cluster.random());
    this.#pauses.set(key, { failures, untilMs });
  }

  #learnLeaders(
    partitions: readonly {
      readonly topicId: string;
      readonly data: Pick<ShareFetchResponsePartitionData, 'partitionIndex' | 'currentLeader'>;
    }[],
    endpoints: readonly ShareFetchResponseNodeEndpoint[],
  ): void {
    const names = new Map(this.#partitions.map(({ topic, topicId }) => [topicId, topic]));
    const leaders = partitions.flatMap(({ topicId, data: { partitionIndex, currentLeader } }) => {
      const topic = names.get(topicId);
      if (topic === undefined || currentLeader.leaderId < 0 || currentLeader.leaderEpoch <= 0) return [];
      return [
        { topic, partition: partitionIndex, leaderId: currentLeader.leaderId, leaderEpoch: currentLeader.leaderEpoch },
      ];
    });
    if (leaders.length > 0 && endpoints.length > 0) this.#parts.cluster.learnLeaders(leaders, endpoints);
  }

  #handleAcknowledged(
    broker: Broker,
    response: {
      readonly responses: readonly {
        readonly topicId: string;
        readonly partitions: readonly {
          readonly partitionIndex: number;
          readonly errorCode: number;
          readonly errorMessage: string | null;
        }[];
      }[];
    },
    sent: readonly SentAcknowledgements[],
    renewedUntilMs: number | undefined,
  ): void {
    const errors = new Map<string, KafkaError>();
    for (const { topicId, partitions } of response.responses) {
      for (const { partitionIndex, errorCode, errorMessage } of partitions) {
        const error = this.#errorOf(broker, errorCode, errorMessage);
        if (error !== undefined) errors.set(topicPartitionKey(topicId, partitionIndex), error);
        if (staleMetadata.has(errorCode)) this.#parts.cluster.refreshSoon();
      }
    }
    for (const { acquired, ranges } of sent) {
      const error = errors.get(keyOf(acquired));
      if (renewedUntilMs !== undefined)
        acquired.machine.handleRenewed(ranges, error === undefined ? renewedUntilMs : undefined);
      this.#parts.results.add(acquired, ranges, error);
      if (renewedUntilMs !== undefined && error !== undefined) this.#stopRenewing(error);
    }
  }

  /** What was refused once is not asked for again by itself: it would be for every record, all the time. */
  #stopRenewing(error: Error): void {
    if (!this.#canRenew || !this.#parts.options.renewLocks) return;
    this.#canRenew = false;
    this.#parts.cluster.events.publish('warning', {
      message: 'Locks of records in hand are not renewed any more',
      error,
    });
  }

  #errorOf(broker: Broker, errorCode: number, message?: string | null): KafkaError | undefined {
    if (errorCode === brokerErrorCodes.NONE) return undefined;
    return brokerError(errorCode, `Cannot acknowledge records at broker ${broker.nodeId}`, message);
  }

  #handleRefusal(
    broker: Broker,
    sent: readonly SentAcknowledgements[],
    errorCode: number,
    message: string | null,
  ): void {
    const { cluster, options, onFatal } = this.#parts;
    const doing = `Cannot fetch for group "${options.groupId}" from broker ${broker.nodeId}`;
    const error = brokerError(errorCode, doing, message);
    const wasOpen = broker.machine.session.isOpen;
    broker.machine.handleRefusal(errorCode, cluster.clock.nowMs());
    this.#fail(sent, error);
    this.#endSession(broker, error, wasOpen);
    if (fatalErrors.has(errorCode)) onFatal(error);
    else if (!wasOpen) cluster.events.publish('consumer.fetch.failed', { nodeId: broker.nodeId, error });
  }

  #handleFailure(broker: Broker, step: ShareStep, sent: readonly SentAcknowledgements[], error: Error): void {
    const { cluster, onFatal } = this.#parts;
    if (this.#isClosed) return this.#fail(sent, new ClosedError('the consumer'));
    const wasOpen = broker.machine.session.isOpen;
    const nowMs = cluster.clock.nowMs();
    if (step === 'renew' && error instanceof KafkaError && error.code === 'UNSUPPORTED_VERSION') {
      // Nothing was sent: the session goes on.
      this.#stopRenewing(error);
      broker.machine.handleUnsent();
      for (const { acquired, ranges } of sent) acquired.machine.handleRenewed(ranges, undefined);
      return this.#fail(sent, error);
    }
    broker.machine.handleFailure(nowMs);
    this.#fail(
      sent,
      error instanceof KafkaError ? error : new KafkaError(error.message, { code: 'CONNECTION_CLOSED', cause: error }),
    );
    this.#endSession(broker, error, wasOpen);
    if (error instanceof KafkaError && !isPassingFailure(error)) onFatal(error);
    else if (!wasOpen) cluster.events.publish('consumer.fetch.failed', { nodeId: broker.nodeId, error });
    cluster.refreshSoon();
  }

  #endSession(broker: Broker, error: Error, wasOpen: boolean): void {
    const { cluster, options } = this.#parts;
    this.#endAll(broker, 'their share session ended', error);
    if (wasOpen)
      cluster.events.publish('share.session.ended', { groupId: options.groupId, nodeId: broker.nodeId, error });
    this.#release(broker, Infinity);
  }

  #fail(sent: readonly SentAcknowledgements[], error: KafkaError): void {
    for (const { acquired, ranges } of sent) this.#parts.results.add(acquired, ranges, error);
  }

  /** So many requests with acknowledgements are answered: who waits for them goes on. */
  #release(broker: Broker, requests: number): void {
    this.#parts.results.flush();
    broker.answered = Math.max(broker.answered, Math.min(requests, broker.sent));
    const done = broker.waiting.filter((one) => one.requests <= requests);
    broker.waiting = broker.waiting.filter((one) => one.requests > requests);
    for (const { resolve } of done) resolve();
  }

  #tellIdle(): void {
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const tell of waiting) tell();
  }
}

function keyOf({ topicId, partition }: SessionPartition): string {
  return topicPartitionKey(topicId, partition);
}

function hasRenewals({ acquired }: Broker): boolean {
  return [...acquired].some(({ machine }) => machine.hasRenewals);
}

function hasQueued({ acquired }: Broker): boolean {
  return [...acquired].some(({ machine }) => machine.hasQueued);
}

function takeQueued({ acquired }: Broker, nowMs: number): SentAcknowledgements[] {
  return takeOf(acquired, (one) => one.machine.takeQueued(nowMs));
}

function takeRenewals({ acquired }: Broker): SentAcknowledgements[] {
  return takeOf(acquired, (one) => one.machine.takeRenewals());
}

function takeOf(
  all: ReadonlySet<AcquiredRecords>,
  take: (acquired: AcquiredRecords) => AcknowledgedRange[],
): SentAcknowledgements[] {
  const sent: SentAcknowledgements[] = [];
  for (const acquired of all) {
    const ranges = take(acquired);
    acquired.told();
    if (ranges.length > 0) sent.push({ acquired, ranges });
  }
  return sent;
}

function byTopic(partitions: readonly SessionPartition[]): { topicId: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topicId, partition } of partitions) {
    const same = topics.get(topicId);
    if (same === undefined) topics.set(topicId, [partition]);
    else same.push(partition);
  }
  return [...topics].map(([topicId, ofTopic]) => ({ topicId, partitions: ofTopic }));
}
