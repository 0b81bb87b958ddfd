import { chooseVersion, type Connection } from '../../cluster/connection.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import { ClosedError, isKafkaError, KafkaError } from '../../errors/kafka-error.ts';
import type { ShareConsumerStatistics } from '../../instrumentation/statistics.ts';
import { ShareAcknowledge } from '../../protocol/generated/share-acknowledge.ts';
import { ShareFetch } from '../../protocol/generated/share-fetch.ts';
import type { BackoffPolicy } from '../../util/backoff.ts';
import type { TimerHandle } from '../../util/clock.ts';
import type { RecordDeserializers } from '../consumer-record.ts';
import { isPassingFailure } from '../offset-client.ts';
import type { AcquiredRecords } from './acquired-records.ts';
import {
  acknowledgedTopics,
  type AcknowledgementResults,
  type SentAcknowledgements,
} from './share-acknowledgements.ts';
import { fatalErrors, READ_WITHIN, ShareAnswers } from './share-answers.ts';
import type { ShareBrokerView, ShareStep } from './share-broker-machine.ts';
import { keyOf, ShareBroker } from './share-broker.ts';
import { forgottenTopics } from './share-fetch-message.ts';
import type { SharePartition } from './share-group-membership.ts';
import { ShareLocks } from './share-locks.ts';
import type { ResolvedShareConsumerOptions } from './share-options.ts';
import { FINAL_EPOCH, type SessionPartition } from './share-session-machine.ts';

/** What the fetcher needs of its consumer. */
export interface ShareFetcherParts {
  readonly cluster: Cluster;
  readonly lane: string;
  readonly options: ResolvedShareConsumerOptions;
  readonly memberId: string;
  /** Whose records they are. */
  readonly owner: object;
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

type Partitions = ReadonlyMap<string, SessionPartition>;

const none: Partitions = new Map();
/** While records of a broker are in hand, a fetch waits no longer: their acknowledgements would wait behind it. */
const BUSY_WAIT_MS = 100;
/** What is asked for at a time should be read within this part of the time for which it is locked. */
const ASK_WITHIN = 0.25;
/** Renewals (KIP-1222) and the strict limit (KIP-1206) came with this version of both requests. */
const RENEW_SINCE = 2;

/**
 * Asks the brokers that lead our partitions for records, and brings them what became of those: does what the machine of
 * each decides.
 */
export class ShareFetcher {
  readonly #parts: ShareFetcherParts;
  readonly #backoff: BackoffPolicy;
  readonly #brokers = new Map<number, ShareBroker>();
  readonly #locks: ShareLocks;
  readonly #answers: ShareAnswers;
  #partitions: readonly SharePartition[] = [];
  #isWanted = false;
  #isNearlyRead = false;
  /** With a strict limit one broker is asked at a time; this one was the last. */
  #lastAsked = -1;
  #canRenew = true;
  #timer: TimerHandle | undefined;
  /** Set while a reader goes from record to record, to look at what that has queued. */
  #soon: TimerHandle | undefined;
  #isPumping = false;
  #isClosing = false;
  #isClosed = false;
  #waitingForAnswers: (() => void)[] = [];

  constructor(parts: ShareFetcherParts) {
    this.#parts = parts;
    const { cluster, options, results, onLost } = parts;
    this.#backoff = { initialMs: cluster.options.retryBackoffMs, maxMs: cluster.options.retryBackoffMaxMs };
    this.#locks = new ShareLocks({ groupId: options.groupId, events: cluster.events, results, onLost });
    this.#answers = new ShareAnswers({
      ...parts,
      backoff: this.#backoff,
      partitions: () => this.#partitions,
      isClosing: () => this.#isClosing,
      onQueued: (broker) => this.#handleQueued(broker),
    });
  }

  /** How long the brokers lock records, in milliseconds; undefined before the first answer. */
  get lockTimeoutMs(): number | undefined {
    return this.#answers.lockTimeoutMs;
  }

  /** What is locked for this member: in the reader's hands, and still unread; and the memory that all of it takes. */
  held(): Pick<ShareConsumerStatistics, 'recordsInHand' | 'recordsUnread' | 'bufferedBytes'> {
    let [recordsInHand, recordsUnread] = [0, 0];
    for (const { acquired } of this.#brokers.values()) {
      for (const { machine } of acquired) {
        recordsInHand += machine.heldCount;
        recordsUnread += machine.unreadCount;
      }
    }
    return { recordsInHand, recordsUnread, bufferedBytes: this.#bufferedBytes() };
  }

  /** These partitions are fetched from now on; what is unread of others goes back. */
  assign(partitions: readonly SharePartition[]): void {
    this.#partitions = partitions;
    const keys = new Set(partitions.map(keyOf));
    for (const { acquired } of this.#brokers.values())
      for (const one of acquired) if (!keys.has(keyOf(one))) one.releaseUnread();
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
    if (this.#isStrict) return;
    this.#isNearlyRead = true;
    this.pump();
    this.#isNearlyRead = false;
  }

  /** Gives back what it is too late to hand out. */
  look(acquired: AcquiredRecords, nowMs: number): void {
    this.#locks.look(acquired, nowMs);
  }

  /** Sends what is due. Call it whenever something has changed; it does nothing if nothing is due. */
  pump(): void {
    // What is reported on the way may call us again.
    if (this.#isClosed || this.#isPumping) return;
    this.#isPumping = true;
    const nowMs = this.#parts.cluster.clock.nowMs();
    const wanted = this.#wantedByBroker(nowMs);
    this.#lookAtLocks(nowMs);
    for (const broker of this.#inTurn()) {
      const partitions = wanted.get(broker.nodeId) ?? none;
      const step = broker.machine.take(this.#viewOf(broker, partitions), nowMs);
      if (step !== undefined) void this.#do(broker, step, partitions);
      else if (!broker.machine.isBusy) this.#rest(broker);
    }
    this.#arm(nowMs, wanted);
    this.#isPumping = false;
    this.#parts.results.flush();
  }

  /** Resolves once all acknowledgements that are queued or under way now are answered. */
  async settled(): Promise<void> {
    const waits = [...this.#brokers.values()].flatMap((broker) => broker.settled() ?? []);
    this.pump();
    await Promise.all(waits);
  }

  /** Gives everything back that is not acknowledged, and ends the sessions. Never rejects. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { acquired } of this.#brokers.values()) for (const one of acquired) one.releaseAll();
    this.pump();
    while (!this.#isClosed && !this.#isOver())
      await new Promise<void>((resolve) => this.#waitingForAnswers.push(resolve));
  }

  /** Sends nothing any more. */
  stop(): void {
    this.#isClosed = true;
    const { clock } = this.#parts.cluster;
    for (const timer of [this.#timer, this.#soon]) if (timer !== undefined) clock.clearTimer(timer);
    for (const broker of this.#brokers.values()) {
      this.#locks.endAll(broker, 'the consumer was closed');
      broker.handleSettled();
    }
    this.#parts.results.flush();
    this.#tellAnswered();
  }

  // What is due -----------------------------------------------------------------------------------------------------------

  get #isStrict(): boolean {
    return this.#parts.options.acquireMode === 'record-limit';
  }

  #isOver(): boolean {
    return [...this.#brokers.values()].every(
      ({ machine: { isBusy, session } }) => !isBusy && !session.isOpen && !session.mayLinger,
    );
  }

  #viewOf(broker: ShareBroker, wanted: Partitions): ShareBrokerView {
    return {
      wantsRecords: !this.#isClosing && wanted.size > 0 && this.#wantsRecordsOf(broker),
      hasQueued: broker.hasQueued,
      hasStrayQueued: broker.hasQueuedBeside(wanted),
      hasRenewals: broker.hasRenewals,
      isIdle: broker.acquired.size === 0 && !this.#partitions.some((one) => this.#leaderOf(one) === broker.nodeId),
      isClosing: this.#isClosing,
    };
  }

  #wantsRecordsOf(broker: ShareBroker): boolean {
    if (this.#bufferedBytes() >= this.#parts.options.maxBufferedBytes) return false;
    if (this.#isNearlyRead) return true;
    if (!this.#isWanted || broker.hasUnread) return false;
    if (!this.#isStrict) return true;
    return ![...this.#brokers.values()].some(({ machine, hasUnread }) => machine.isBusy || hasUnread);
  }

  /** With a strict limit, the brokers take turns. */
  #inTurn(): ShareBroker[] {
    const brokers = [...this.#brokers.values()];
    if (!this.#isStrict) return brokers;
    brokers.sort((a, b) => a.nodeId - b.nodeId);
    const first = brokers.findIndex(({ nodeId }) => nodeId > this.#lastAsked);
    return first < 0 ? brokers : [...brokers.slice(first), ...brokers.slice(0, first)];
  }

  #wantedByBroker(nowMs: number): ReadonlyMap<number, Partitions> {
    const wanted = new Map<number, Map<string, SessionPartition>>();
    for (const one of this.#partitions) {
      if (this.#answers.isPaused(one, nowMs)) continue;
      const leaderId = this.#leaderOf(one);
      if (leaderId === undefined) {
        this.#parts.cluster.refreshSoon();
        continue;
      }
      this.#know(leaderId);
      const { topicId, partition } = one;
      const ofBroker = wanted.get(leaderId);
      if (ofBroker === undefined) wanted.set(leaderId, new Map([[keyOf(one), { topicId, partition }]]));
      else ofBroker.set(keyOf(one), { topicId, partition });
    }
    return wanted;
  }

  #leaderOf({ topic, partition }: { readonly topic: string; readonly partition: number }): number | undefined {
    const { metadata } = this.#parts.cluster;
    const leaderId = metadata.partition(topic, partition)?.leaderId;
    return leaderId !== undefined && metadata.brokers.has(leaderId) ? leaderId : undefined;
  }

  #know(nodeId: number): void {
    if (this.#brokers.has(nodeId)) return;
    this.#brokers.set(nodeId, new ShareBroker(nodeId, this.#backoff, this.#parts.cluster.random));
  }

  /** Nothing is under way, and nothing due. */
  #rest(broker: ShareBroker): void {
    broker.handleSettled();
    // A broker that has left the cluster has no session of ours either.
    const isKnown = this.#parts.cluster.metadata.brokers.has(broker.nodeId);
    if (!isKnown && broker.acquired.size === 0 && !broker.machine.session.isOpen) this.#brokers.delete(broker.nodeId);
  }

  #arm(nowMs: number, wanted: ReadonlyMap<number, Partitions>): void {
    const { clock } = this.#parts.cluster;
    if (this.#timer !== undefined) clock.clearTimer(this.#timer);
    this.#timer = undefined;
    let deadlineMs = this.#answers.nextPauseEndMs(nowMs);
    for (const broker of this.#brokers.values()) {
      const view = this.#viewOf(broker, wanted.get(broker.nodeId) ?? none);
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

  #handleQueued(broker: ShareBroker): void {
    const { clock } = this.#parts.cluster;
    broker.machine.handleQueued(clock.nowMs());
    if (this.#soon !== undefined || this.#isPumping || this.#isClosed) return;
    this.#soon = clock.setTimer(() => {
      this.#soon = undefined;
      this.pump();
    }, 0);
    this.#soon.unref();
  }

  // Locks -----------------------------------------------------------------------------------------------------------------

  #lookAtLocks(nowMs: number): void {
    for (const broker of this.#brokers.values()) {
      this.#locks.lookAtAll(broker, nowMs);
      for (const acquired of broker.acquired) {
        if (this.#renewsLocks()) acquired.machine.renewBefore(nowMs + this.#halfLockMs());
        // A new leader knows nothing of the locks that the last one gave.
        const leaderId = this.#leaderOf(acquired);
        if (leaderId !== undefined && leaderId !== broker.nodeId)
          this.#locks.end(broker, acquired, 'the leader of their partition changed');
      }
    }
  }

  #renewsLocks(): boolean {
    return this.#parts.options.renewLocks && this.#canRenew && !this.#isClosing;
  }

  #halfLockMs(): number {
    return (this.lockTimeoutMs ?? 0) * READ_WITHIN;
  }

  #bufferedBytes(): number {
    let bytes = 0;
    for (const broker of this.#brokers.values()) bytes += broker.bytes;
    return bytes;
  }

  // Requests --------------------------------------------------------------------------------------------------------------

  async #do(broker: ShareBroker, step: ShareStep, partitions: Partitions): Promise<void> {
    const { cluster, lane } = this.#parts;
    if (step === 'fetch') this.#lastAsked = broker.nodeId;
    const sent = this.#takeFor(broker, step);
    try {
      const connection = await cluster.connection(broker.nodeId, lane);
      if (this.#isClosed) throw new ClosedError('the consumer');
      if (step === 'fetch') await this.#fetch(broker, connection, partitions, sent);
      else await this.#acknowledge(broker, connection, step, sent);
    } catch (error) {
      this.#handleFailure(broker, step, sent, error instanceof Error ? error : new Error(String(error)));
    }
    // First what became of them, then the end of the wait for it.
    this.#parts.results.flush();
    if (this.#isClosed) return;
    broker.handleSettled();
    this.pump();
    this.#parts.onChange();
    this.#tellAnswered();
  }

  #takeFor(broker: ShareBroker, step: ShareStep): SentAcknowledgements[] {
    if (step === 'renew') return broker.takeRenewals();
    // Outside of a session there is nothing that could be acknowledged.
    if (!broker.machine.session.isOpen) return [];
    return broker.takeQueued(this.#parts.cluster.clock.nowMs());
  }

  async #fetch(
    broker: ShareBroker,
    connection: Connection,
    partitions: Partitions,
    sent: readonly SentAcknowledgements[],
  ): Promise<void> {
    const { cluster, options, memberId } = this.#parts;
    const version = chooseVersion(ShareFetch, connection.versions, this.#isStrict ? { min: RENEW_SINCE } : {});
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
        ...(this.#isStrict ? { shareAcquireMode: 1 } : {}),
        topics: acknowledgedTopics(sent, added),
        forgottenTopicsData: forgottenTopics(forgotten),
      },
      { timeoutMs: cluster.options.requestTimeoutMs + maxWaitMs, background: true },
    );
    this.#answers.learnLockTimeout(response.acquisitionLockTimeoutMs);
    if (response.errorCode !== brokerErrorCodes.NONE)
      return this.#handleRefusal(broker, sent, response.errorCode, response.errorMessage);
    broker.machine.handleAnswer();
    this.#answers.handleFetched(broker, response, sent, startMs);
  }

  async #acknowledge(
    broker: ShareBroker,
    connection: Connection,
    step: Exclude<ShareStep, 'fetch'>,
    sent: readonly SentAcknowledgements[],
  ): Promise<void> {
    const { cluster, options, memberId } = this.#parts;
    const isRenewAck = step === 'renew';
    const version = chooseVersion(ShareAcknowledge, connection.versions, isRenewAck ? { min: RENEW_SINCE } : {});
    const isFinal = step === 'farewell';
    const startMs = cluster.clock.nowMs();
    const message = {
      groupId: options.groupId,
      memberId,
      shareSessionEpoch: isFinal ? FINAL_EPOCH : broker.machine.session.takeAcknowledge(),
      ...(isRenewAck ? { isRenewAck } : {}),
      topics: acknowledgedTopics(sent),
    };
    const response = await connection.send(ShareAcknowledge, version, message, { background: !this.#isClosing });
    this.#answers.learnLockTimeout(response.acquisitionLockTimeoutMs);
    const isRefused = response.errorCode !== brokerErrorCodes.NONE;
    if (isRefused && !isFinal) return this.#handleRefusal(broker, sent, response.errorCode, response.errorMessage);
    if (isRefused) this.#fail(sent, this.#refusalOf(broker, response.errorCode, response.errorMessage));
    if (isFinal) broker.machine.handleFarewell();
    else broker.machine.handleAnswer();
    if (isRefused) return;
    const untilMs = isRenewAck ? startMs + (this.lockTimeoutMs ?? 0) : undefined;
    const refusal = this.#answers.handleAcknowledged(broker, response, sent, untilMs);
    if (refusal !== undefined) this.#stopRenewing(refusal);
  }

  #maxWaitMs({ hasHeld }: ShareBroker): number {
    const { fetchMaxWaitMs } = this.#parts.options;
    // One broker at a time is asked: one without records must not keep those of the others waiting that long.
    const shareMs = this.#isStrict ? Math.ceil(fetchMaxWaitMs / this.#brokers.size) : fetchMaxWaitMs;
    return hasHeld ? Math.min(shareMs, BUSY_WAIT_MS) : shareMs;
  }

  /** Not more than can be read while there is enough left of the locks. */
  #maxRecords(): number {
    const { maxPollRecords } = this.#parts.options;
    const limit = this.#isStrict ? Math.min(maxPollRecords, Math.max(1, this.#parts.room())) : maxPollRecords;
    const paceMs = this.#parts.paceMs();
    if (paceMs === undefined || paceMs <= 0 || this.lockTimeoutMs === undefined) return limit;
    return Math.max(1, Math.min(limit, Math.floor((this.lockTimeoutMs * ASK_WITHIN) / paceMs)));
  }

  // Failures --------------------------------------------------------------------------------------------------------------

  #handleRefusal(
    broker: ShareBroker,
    sent: readonly SentAcknowledgements[],
    errorCode: number,
    message: string | null,
  ): void {
    const { cluster, onFatal } = this.#parts;
    const error = this.#refusalOf(broker, errorCode, message);
    const wasOpen = broker.machine.session.isOpen;
    broker.machine.handleRefusal(errorCode, cluster.clock.nowMs());
    this.#fail(sent, error);
    this.#endSession(broker, error, wasOpen);
    if (fatalErrors.has(errorCode)) onFatal(error);
  }

  #refusalOf({ nodeId }: ShareBroker, errorCode: number, message: string | null): KafkaError {
    const doing = `Cannot fetch for group "${this.#parts.options.groupId}" from broker ${nodeId}`;
    return brokerError(errorCode, doing, message);
  }

  #handleFailure(broker: ShareBroker, step: ShareStep, sent: readonly SentAcknowledgements[], error: Error): void {
    const { cluster, onFatal } = this.#parts;
    const cause = error instanceof KafkaError ? error : unanswered(error);
    this.#fail(sent, cause);
    if (this.#isClosed) return;
    if (step === 'renew' && isKafkaError(error, 'UNSUPPORTED_VERSION')) {
      // Nothing was sent: the session goes on.
      for (const { acquired, ranges } of sent) acquired.machine.handleRenewed(ranges, undefined);
      broker.machine.handleUnsent();
      return this.#stopRenewing(error);
    }
    const wasOpen = broker.machine.session.isOpen;
    // A farewell at the end is tried once.
    if (step === 'farewell' && this.#isClosing) broker.machine.handleFarewell();
    else broker.machine.handleFailure(cluster.clock.nowMs());
    this.#endSession(broker, error, wasOpen);
    if (!isPassingFailure(error)) onFatal(error);
    cluster.refreshSoon();
  }

  #endSession(broker: ShareBroker, error: Error, wasOpen: boolean): void {
    const { cluster, options } = this.#parts;
    const { nodeId } = broker;
    this.#locks.endAll(broker, 'their share session ended', error);
    if (wasOpen) cluster.events.publish('share.session.ended', { groupId: options.groupId, nodeId, error });
    else cluster.events.publish('consumer.fetch.failed', { nodeId, groupId: options.groupId, error });
  }

  #fail(sent: readonly SentAcknowledgements[], error: KafkaError): void {
    for (const { acquired, ranges } of sent) this.#parts.results.add(acquired, ranges, error);
  }

  /** What was refused once is not asked for again by itself: it would be for every record, all the time. */
  #stopRenewing(error: Error): void {
    if (!this.#canRenew || !this.#parts.options.renewLocks) return;
    this.#canRenew = false;
    const message = 'Locks of records in hand are not renewed any more';
    this.#parts.cluster.events.publish('warning', { message, error });
  }

  #tellAnswered(): void {
    const waiting = this.#waitingForAnswers;
    this.#waitingForAnswers = [];
    for (const tell of waiting) tell();
  }
}

function unanswered(cause: Error): KafkaError {
  return new KafkaError(cause.message, { code: 'CONNECTION_CLOSED', retriable: true, cause });
}
