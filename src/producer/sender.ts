import type { ProducerCluster } from './producer-cluster.ts';
import { AuthenticationError, KafkaError, UsageError } from '../errors/kafka-error.ts';
import type { SendError } from '../errors/send-error.ts';
import { chooseVersion, type Connection } from '../cluster/connection.ts';
import { retryBackoff } from '../cluster/options.ts';
import { Produce, type ProduceResponse } from '../protocol/generated/produce.ts';
import { ZERO_UUID } from '../protocol/wire/uuid.ts';
import { backoffMs } from '../util/backoff.ts';
import type { Clock, TimerHandle } from '../util/clock.ts';
import type { BatchPreparation } from './batch-preparation.ts';
import { BatchSplit } from './batch-split.ts';
import { BrokerLane } from './broker-lane.ts';
import type { BufferMemory } from './buffer-memory.ts';
import type { ResolvedProducerOptions } from './options.ts';
import type { PartitionQueue, TopicQueue } from './partition-queue.ts';
import { lost, produceRequest, readAnswers, unanswered, type BatchAnswer, type SentBatch } from './produce-exchange.ts';
import type { ProducerBatch } from './producer-batch.ts';
import type { ProducerIds } from './producer-ids.ts';
import type { TransactionGate } from './transaction-driver.ts';
import { batchExpired, batchFailed, besideInvalid, outcomeOf, toKafkaError } from './send-errors.ts';

// Taken at import, so that a test's fake timers, installed later, do not stop a producer that runs beside it.
const { setImmediate } = globalThis;

type Lane = BrokerLane<PartitionQueue>;

/** As long as a broker has fewer requests, it has been given too little: one to work on, and one to go on with at once. */
const BUSY_REQUESTS = 2;
/** A batch of this size is worth a request of its own: much smaller ones cost the broker more than they save time. */
const LARGE_BATCH_BYTES = 32 * 1024;

/** What the sender asks of those who put records into batches. */
export interface SenderHooks {
  /** Nothing more is added to the open batch of a partition. */
  seal(queue: PartitionQueue): void;
  /** Memory came free: sends that wait for it may go on. */
  handleMemory(): void;
  /** Sends wait for memory: every batch must leave as soon as it can. */
  isMemoryWanted(): boolean;
  /** Rejects the sends that have waited too long. */
  expireHeld(nowMs: number): void;
  /** When {@link expireHeld} has something to do. */
  nextHeldDeadlineMs(): number | undefined;
  /** The broker does not know the topic that the metadata named. */
  verifyTopic(topic: TopicQueue): void;
  /** The broker takes no batch as large as this one for the topic. */
  learnTooLarge(topic: TopicQueue, uncompressedBytes: number): void;
  /** An empty batch for some of the records of `batch`. */
  partOf(queue: PartitionQueue, batch: ProducerBatch): ProducerBatch;
}

/**
 * Brings batches to the brokers that lead their partitions: one request takes what several partitions have, several requests are
 * under way. What may go and what an answer means is decided by each partition's machine.
 */
export class Sender {
  readonly #cluster: ProducerCluster;
  readonly #clock: Clock;
  readonly #options: ResolvedProducerOptions<never, never>;
  readonly #laneName: string;
  readonly #memory: BufferMemory;
  readonly #ids: ProducerIds;
  readonly #preparation: BatchPreparation;
  readonly #hooks: SenderHooks;
  readonly #split: BatchSplit;
  readonly #gate: TransactionGate | undefined;
  readonly #lanes = new Map<number, Lane>();
  /** Partitions that have anything at all: these are looked through when time passes. */
  readonly #active = new Set<PartitionQueue>();
  readonly #abort = new AbortController();
  #isScheduled = false;
  #timer: TimerHandle | undefined;
  #timerDueMs = Infinity;

  constructor(parts: {
    readonly cluster: ProducerCluster;
    readonly options: ResolvedProducerOptions<never, never>;
    readonly laneName: string;
    readonly memory: BufferMemory;
    readonly ids: ProducerIds;
    readonly preparation: BatchPreparation;
    readonly hooks: SenderHooks;
    /** What records wait for where they belong to a transaction. */
    readonly gate?: TransactionGate | undefined;
  }) {
    this.#cluster = parts.cluster;
    this.#clock = parts.cluster.clock;
    this.#options = parts.options;
    this.#laneName = parts.laneName;
    this.#memory = parts.memory;
    this.#ids = parts.ids;
    this.#preparation = parts.preparation;
    this.#hooks = parts.hooks;
    this.#gate = parts.gate;
    this.#split = new BatchSplit(parts.memory, {
      partOf: (queue, batch) => parts.hooks.partOf(queue, batch),
      handleParts: (queue, batch, split) => this.#handleParts(queue, batch, split),
      handleFailure: (queue, batch, error) => this.#handleSplitFailure(queue, batch, error),
    });
  }

  /** A partition has something to send: soon, so that what comes in the same turn of the event loop goes with it. */
  wake(queue: PartitionQueue): void {
    if (!this.#active.has(queue)) this.#active.add(queue);
    if (queue.lane === undefined) this.#cluster.refreshSoon();
    else queue.lane.list(queue);
    this.schedule();
  }

  /** Sends what may be sent when this turn of the event loop is over. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const nowMs = this.#clock.nowMs();
      this.#drainAll(nowMs);
      this.#setTimer(nowMs);
    });
  }

  /** A batch is complete: it need not wait for the end of the turn. */
  handleFull(queue: PartitionQueue): void {
    this.wake(queue);
    if (queue.lane !== undefined) this.#drain(queue.lane, this.#clock.nowMs());
  }

  /** The open batch has become large: while its broker has little to do, it need not wait for the end of the turn either. */
  handleLarge({ lane }: PartitionQueue): void {
    if (this.#options.lingerMs > 0 || lane === undefined || lane.inFlight >= BUSY_REQUESTS) return;
    this.#drain(lane, this.#clock.nowMs(), true);
  }

  /** The partition is led by this broker now; undefined if by none. */
  moveTo(queue: PartitionQueue, nodeId: number | undefined): void {
    if (queue.lane?.nodeId === nodeId) return;
    const previous = queue.lane;
    if (previous !== undefined && queue.isListed) previous.unlist(previous.listed.indexOf(queue));
    queue.lane = nodeId === undefined ? undefined : this.#laneOf(nodeId);
    queue.machine.handleNewLeader();
    if (!queue.isEmpty) this.wake(queue);
  }

  /** Whether a partition that has something to send has no leader. */
  hasLeaderless(): boolean {
    for (const queue of this.#active) if (queue.lane === undefined && !queue.isEmpty) return true;
    return false;
  }

  /** Ends batches that `matches` says; those in flight keep their memory until they are answered. */
  giveUp(
    queue: PartitionQueue,
    error: (batch: ProducerBatch) => SendError,
    matches = (_: ProducerBatch): boolean => true,
  ): void {
    if (queue.open !== undefined && matches(queue.open)) this.#hooks.seal(queue);
    for (const batch of queue.machine.giveUp(matches)) this.#fail(queue, batch, error(batch));
  }

  /** Ends everything, or what `matches` says. */
  giveUpAll(
    error: (queue: PartitionQueue, batch: ProducerBatch) => SendError,
    matches = (_queue: PartitionQueue, _batch: ProducerBatch): boolean => true,
  ): void {
    for (const queue of this.#active) {
      this.giveUp(
        queue,
        (batch) => error(queue, batch),
        (batch) => matches(queue, batch),
      );
    }
  }

  /** How many requests are under way. */
  get inFlight(): number {
    let requests = 0;
    for (const { inFlight } of this.#lanes.values()) requests += inFlight;
    return requests;
  }

  /** Whether no request is under way. */
  get isIdle(): boolean {
    return this.inFlight === 0;
  }

  close(): void {
    this.#abort.abort();
    this.#clearTimer();
  }

  #laneOf(nodeId: number): Lane {
    let lane = this.#lanes.get(nodeId);
    if (lane === undefined) this.#lanes.set(nodeId, (lane = new BrokerLane(nodeId)));
    return lane;
  }

  #drainAll(nowMs: number): void {
    for (const lane of this.#lanes.values()) this.#drain(lane, nowMs);
  }

  /** @param amidTurn whether more may come in this turn of the event loop: then what is small waits for it */
  #drain(lane: Lane, nowMs: number, amidTurn = false): void {
    lane.noteProgress(false, nowMs);
    if (lane.listed.length === 0 || this.#abort.signal.aborted) return;
    const connection = lane.connection();
    if (connection === undefined) return this.#connect(lane, nowMs);
    const isIdle = lane.inFlight === 0 && !amidTurn;
    while (lane.inFlight < this.#options.maxInFlightRequests) {
      const sent = this.#collect(lane, isIdle, nowMs);
      if (sent.length === 0) return;
      this.#post(lane, connection, sent);
      lane.noteProgress(true, nowMs);
    }
  }

  /** The batches of the next request: one of each partition that may send, up to the size of a request. */
  #collect(lane: Lane, isIdle: boolean, nowMs: number): SentBatch[] {
    const sent: SentBatch[] = [];
    let bytes = 0;
    for (let at = 0; at < lane.listed.length;) {
      const queue = lane.listed[at];
      if (queue === undefined) break;
      if (queue.lane !== lane || (queue.open === undefined && queue.machine.waitingCount === 0)) {
        lane.unlist(at);
        continue;
      }
      const batch = this.#candidate(queue, isIdle, nowMs);
      at++;
      if (batch === undefined) continue;
      const size = batch.bytes?.length ?? batch.compressed?.length ?? batch.builder?.sizeBytes ?? 0;
      if (sent.length > 0 && bytes + size > this.#options.maxRequestBytes) break;
      queue.machine.take();
      this.#preparation.stamp(batch);
      sent.push({ queue, batch });
      bytes += size;
    }
    if (sent.length > 0) lane.rotate();
    return sent;
  }

  /** The batch of the partition that may go now. */
  #candidate(queue: PartitionQueue, isIdle: boolean, nowMs: number): ProducerBatch | undefined {
    const { machine, open } = queue;
    if (this.#gate === undefined ? machine.needsIdentity && !this.#identify(queue) : !this.#gate.admits(queue)) {
      return undefined;
    }
    if (!machine.canSend(nowMs)) return undefined;
    if (machine.peek() === undefined && open !== undefined && this.#isDue(queue, open, isIdle, nowMs))
      this.#hooks.seal(queue);
    const batch = machine.peek();
    if (batch === undefined) return undefined;
    return this.#preparation.isReady(queue, batch) ? batch : undefined;
  }

  #isDue({ lane }: PartitionQueue, open: ProducerBatch, isIdle: boolean, nowMs: number): boolean {
    // Its topic was not known yet when the flush closed all batches.
    if (open.span.isFlushing || this.#hooks.isMemoryWanted()) return true;
    if (this.#options.lingerMs > 0) return nowMs >= open.createdMs + this.#options.lingerMs;
    const isLarge = (open.builder?.sizeBytes ?? 0) >= LARGE_BATCH_BYTES;
    return isIdle || (isLarge && lane !== undefined && lane.inFlight < BUSY_REQUESTS);
  }

  #identify(queue: PartitionQueue): boolean {
    const identity = this.#ids.take(queue.machine.spentProducerId);
    if (identity === undefined) return false;
    queue.machine.adoptIdentity(identity);
    return true;
  }

  #connect(lane: Lane, nowMs: number): void {
    if (!lane.mayConnect(nowMs)) return;
    lane.isConnecting = true;
    const { signal } = this.#abort;
    const maxInFlight = Math.max(1, this.#options.maxInFlightRequests);
    this.#cluster.connection(lane.nodeId, this.#laneName, { signal, maxInFlight }).then(
      (connection) => {
        lane.isConnecting = false;
        lane.use(connection);
        this.#drain(lane, this.#clock.nowMs());
      },
      (error: unknown) => {
        lane.isConnecting = false;
        if (!signal.aborted) this.#handleUnreachable(lane, error);
      },
    );
  }

  #handleUnreachable(lane: Lane, reason: unknown): void {
    const error = toKafkaError(reason, { retriable: true });
    const policy = retryBackoff(this.#cluster.options);
    lane.lastError = error;
    const nowMs = this.#clock.nowMs();
    lane.retryAtMs = nowMs + backoffMs(policy, ++lane.failures, this.#cluster.random());
    this.#cluster.refreshSoon();
    // Nothing gets better by trying wrong credentials again, and accounts are locked by it.
    if (error instanceof AuthenticationError) this.#giveUpLane(lane, error);
    this.#setTimer(nowMs);
  }

  #giveUpLane(lane: Lane, error: KafkaError): void {
    for (const queue of [...lane.listed]) {
      const { topic, partition } = queue;
      this.giveUp(queue, (batch) => batchFailed(topic.name, partition, outcomeOf(batch), error));
    }
    this.#hooks.handleMemory();
  }

  #post(lane: Lane, connection: Connection, sent: readonly SentBatch[]): void {
    const { acks, compression } = this.#options;
    lane.inFlight++;
    this.#gate?.handleProduced();
    const topicIdsKnown = sent.every(({ queue }) => queue.topic.topicId !== ZERO_UUID);
    let version: number;
    try {
      const inTransaction = this.#gate && { transactional: true, transactionVersion: this.#gate.protocol };
      version = chooseVersion(Produce, connection.versions, { topicIdsKnown, compression, ...inTransaction });
    } catch (error) {
      // Not within this call: it would come back to who is just collecting.
      queueMicrotask(() => this.#handleLost(lane, sent, error));
      return;
    }
    const { requestTimeoutMs } = this.#cluster.options;
    const message = produceRequest(sent, acks, requestTimeoutMs, this.#gate?.transactionalId ?? null);
    connection.send(Produce, version, message, { noResponse: acks === 0 }).then(
      (response) => this.#handleResponse(lane, sent, response as ProduceResponse | undefined),
      (error: unknown) => this.#handleLost(lane, sent, error),
    );
  }

  #handleResponse(lane: Lane, sent: readonly SentBatch[], response: ProduceResponse | undefined): void {
    const answers = response === undefined ? sent.map(unanswered) : readAnswers(sent, response);
    this.#handleAnswers(lane, answers, response);
  }

  #handleLost(lane: Lane, sent: readonly SentBatch[], reason: unknown): void {
    const error = toKafkaError(reason, { retriable: true });
    const maybeWritten = error.sent !== false;
    // What cannot be encoded, or not be said in any version that the broker speaks, will not be possible later either.
    const isHopeless = error instanceof UsageError || error.code === 'UNSUPPORTED_VERSION';
    const answers = sent.map((each) => lost(each, error, maybeWritten && !isHopeless));
    lane.lastError = error;
    if (maybeWritten && !isHopeless) this.#gate?.handleProduceLost();
    this.#handleAnswers(lane, isHopeless ? answers.map((answer) => ({ ...answer, verdict: 'refused' })) : answers);
  }

  #handleAnswers(lane: Lane, answers: readonly BatchAnswer[], response?: ProduceResponse): void {
    const nowMs = this.#clock.nowMs();
    lane.inFlight--;
    lane.noteProgress(true, nowMs);
    let isStale = false;
    let hasFailed = false;
    for (const answer of answers) {
      this.#handleAnswer(answer, nowMs);
      if (answer.error !== undefined) hasFailed = true;
      if (answer.staleMetadata && answer.leader === undefined) isStale = true;
    }
    // After the answers: the batches that came back move with their partitions, and need not wait for the end of a pause.
    if (response !== undefined) this.#learnLeaders(answers, response);
    if (isStale) this.#cluster.refreshSoon();
    this.#gate?.handleProduceAnswered();
    this.#hooks.handleMemory();
    this.#drain(lane, nowMs);
    // A timer that fires too early does no harm, so it is only looked at where something must be tried again.
    if (hasFailed) this.#setTimer(nowMs);
    else this.#restTimer();
  }

  #handleAnswer(answer: BatchAnswer, nowMs: number): void {
    const { queue, batch } = answer.sent;
    if (answer.error !== undefined) batch.lastError = answer.error;
    const fate = queue.machine.handleResult(batch, answer, nowMs);
    if (!queue.isEmpty) this.wake(queue);
    switch (fate) {
      case 'delivered':
        this.#deliver(answer, nowMs);
        return;
      case 'failed':
        this.#fail(queue, batch, this.#refusal(answer), answer.recordErrors);
        return;
      case 'split':
        this.#publishRetry(answer);
        this.#hooks.learnTooLarge(queue.topic, batch.uncompressedBytes);
        this.#split.split(queue, batch);
        return;
      case 'retry':
        this.#publishRetry(answer);
        if (answer.error?.code === 'UNKNOWN_TOPIC_OR_PARTITION') this.#hooks.verifyTopic(queue.topic);
        return;
      case 'ignored':
        this.#release(queue, batch);
        return;
      default:
        fate satisfies never;
    }
  }

  #deliver({ sent: { queue, batch }, baseOffset, logAppendTimeMs }: BatchAnswer, nowMs: number): void {
    const { topic, partition } = queue;
    batch.deliver({ topic: topic.name, partition, baseOffset }, logAppendTimeMs);
    const { events } = this.#cluster;
    if (events.has('producer.batch.delivered')) {
      events.publish('producer.batch.delivered', {
        topic: topic.name,
        partition,
        records: batch.recordCount,
        bytes: batch.bytes?.length ?? 0,
        baseOffset,
        durationMs: nowMs - batch.createdMs,
      });
    }
    this.#release(queue, batch);
  }

  #refusal({ sent: { queue, batch }, error }: BatchAnswer): SendError {
    const cause = error ?? new KafkaError('the broker refused it', { code: 'UNKNOWN_SERVER_ERROR' });
    return batchFailed(queue.topic.name, queue.partition, outcomeOf(batch), cause);
  }

  #fail(
    queue: PartitionQueue,
    batch: ProducerBatch,
    error: SendError,
    recordErrors?: ReadonlyMap<number, KafkaError>,
  ): void {
    const { topic, partition } = queue;
    const innocent = recordErrors === undefined ? error : besideInvalid(topic.name, partition, error);
    batch.fail((delta) => {
      const own = recordErrors?.get(delta);
      return own === undefined ? innocent : batchFailed(topic.name, partition, error.outcome, own);
    });
    const { events } = this.#cluster;
    events.publish('producer.batch.failed', { topic: topic.name, partition, records: batch.recordCount, error });
    if (!queue.machine.isInFlight(batch)) this.#release(queue, batch);
  }

  #handleParts(queue: PartitionQueue, batch: ProducerBatch, parts: readonly ProducerBatch[]): void {
    for (const part of parts) part.lastError = batch.lastError;
    if (!queue.machine.handleSplit(batch, parts)) for (const part of parts) this.#release(queue, part);
    this.#release(queue, batch);
    if (!queue.isEmpty) this.wake(queue);
    this.#hooks.handleMemory();
  }

  #handleSplitFailure(queue: PartitionQueue, batch: ProducerBatch, reason: unknown): void {
    const { topic, partition } = queue;
    const error = toKafkaError(reason, { retriable: true });
    if (queue.machine.handleSplitFailure(batch)) {
      this.#fail(queue, batch, batchFailed(topic.name, partition, outcomeOf(batch), error));
    } else this.#release(queue, batch);
    if (!queue.isEmpty) this.wake(queue);
    this.#hooks.handleMemory();
  }

  #publishRetry({ sent: { queue, batch }, error }: BatchAnswer): void {
    const { events } = this.#cluster;
    if (error === undefined || !events.has('producer.batch.retried')) return;
    const { topic, partition } = queue;
    const { recordCount: records, attempts } = batch;
    events.publish('producer.batch.retried', { topic: topic.name, partition, records, error, attempts });
  }

  /** Nothing reads the batch any more: its answer has come, or the connection that carried it is gone, or none ever did. */
  #release(queue: PartitionQueue, batch: ProducerBatch): void {
    if (queue.isEmpty) this.#active.delete(queue);
    if (batch.isCompressing) return; // the codec reads it; its end releases
    this.#memory.release(batch.heldBytes + batch.promiseBytes);
    batch.heldBytes = 0;
    batch.promiseBytes = 0;
    batch.bytes = undefined;
    batch.compressed = undefined;
    batch.builder?.release();
    batch.builder = undefined;
  }

  /** A batch that was given up while it was being compressed: now its memory is free. */
  releaseCompressed(queue: PartitionQueue, batch: ProducerBatch): void {
    this.#release(queue, batch);
    this.#hooks.handleMemory();
  }

  #learnLeaders(answers: readonly BatchAnswer[], { nodeEndpoints }: ProduceResponse): void {
    const leaders = answers.flatMap(({ leader, sent: { queue } }) =>
      leader === undefined ? [] : [{ ...leader, topic: queue.topic.name, partition: queue.partition }],
    );
    if (leaders.length > 0) this.#cluster.learnLeaders(leaders, nodeEndpoints);
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    this.#timer = undefined;
    this.#timerDueMs = Infinity;
    this.#hooks.expireHeld(nowMs);
    for (const queue of this.#active) {
      if (queue.open !== undefined && nowMs >= queue.open.createdMs + this.#openForMs) this.#hooks.seal(queue);
      for (const batch of queue.machine.takeExpired(nowMs)) this.#expire(queue, batch);
      if (!queue.isEmpty) queue.lane?.list(queue);
      else this.#active.delete(queue);
    }
    this.#hooks.handleMemory();
    this.#drainAll(nowMs);
    this.#setTimer(nowMs);
  }

  #expire(queue: PartitionQueue, batch: ProducerBatch): void {
    const isInFlight = queue.machine.isInFlight(batch);
    const outcome = isInFlight ? 'unknown' : outcomeOf(batch);
    const { deliveryTimeoutMs } = this.#options;
    const { topic, partition, lane } = queue;
    this.#fail(queue, batch, batchExpired(topic.name, partition, outcome, batch, deliveryTimeoutMs, lane?.lastError));
  }

  /**
   * How long records are added to a batch that cannot leave: they share its deadline, so those that come last have that much less
   * than `deliveryTimeoutMs`.
   */
  get #openForMs(): number {
    return Math.max(this.#options.lingerMs, Math.min(1000, this.#options.deliveryTimeoutMs / 10));
  }

  /**
   * Sees to it that {@link #tick} comes in time; early is harmless.
   *
   * @param nowMs the time at which it was looked what may be sent. Walkthrough: 1. a timer fires a fraction of a millisecond before
   * a pause ends, and nothing may be sent yet; 2. the pause ends; 3. asked for deadlines after this later time, the pause is
   * none any more, and nobody would look again before the delivery timeout
   */
  #setTimer(nowMs: number): void {
    const dueMs = this.#nextDeadlineMs(nowMs);
    if (dueMs === Infinity) return this.#clearTimer();
    if (this.#timer !== undefined && this.#timerDueMs <= dueMs) return;
    this.#clearTimer();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.setTimer(() => this.#tick(), Math.max(1, dueMs - this.#clock.nowMs()));
  }

  /** Without a send to be settled, no timer keeps the process alive. */
  #restTimer(): void {
    if (this.#active.size === 0 && this.#hooks.nextHeldDeadlineMs() === undefined) this.#clearTimer();
  }

  #clearTimer(): void {
    if (this.#timer === undefined) return;
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#timerDueMs = Infinity;
  }

  #nextDeadlineMs(nowMs: number): number {
    let dueMs = this.#hooks.nextHeldDeadlineMs() ?? Infinity;
    for (const queue of this.#active) {
      dueMs = Math.min(dueMs, queue.machine.nextDeadlineMs(nowMs) ?? Infinity);
      if (queue.open === undefined) continue;
      const { createdMs } = queue.open;
      const lingerEndsMs = createdMs + this.#options.lingerMs;
      dueMs = Math.min(dueMs, lingerEndsMs > nowMs ? lingerEndsMs : createdMs + this.#openForMs);
    }
    for (const lane of this.#lanes.values()) {
      if (lane.listed.length > 0 && lane.retryAtMs > nowMs) dueMs = Math.min(dueMs, lane.retryAtMs);
    }
    return dueMs;
  }
}
