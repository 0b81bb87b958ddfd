import type { Writable } from 'node:stream';
import { untilAborted } from '../cluster/call-guard.ts';
import { callOptionsError, checkCallOptions, duration } from '../cluster/call-options.ts';
import type { ProducerCluster } from './producer-cluster.ts';
import { ClosedError, KafkaError, UsageError } from '../errors/kafka-error.ts';
import type { SendError } from '../errors/send-error.ts';
import type { ProducerStatistics } from '../instrumentation/statistics.ts';
import type { ProducerRecord } from '../model/producer-record.ts';
import { expectedInstead } from '../util/option-rules.ts';
import { Accumulator } from './accumulator.ts';
import { BatchPreparation } from './batch-preparation.ts';
import { BufferMemory } from './buffer-memory.ts';
import { FlushTracker } from './flush-tracker.ts';
import { Interceptors } from './interceptors.ts';
import { resolveProducerOptions, type GivenProducerOptions, type ResolvedProducerOptions } from './options.ts';
import type { PartitionQueue } from './partition-queue.ts';
import { ProducerIds } from './producer-ids.ts';
import { failTarget, type ProducerBatch } from './producer-batch.ts';
import type { OnDelivery, ResolveSend } from './send-table.ts';
import type { RecordMetadata } from './record-metadata.ts';
import { SendCall } from './send-call.ts';
import { Sender } from './sender.ts';
import { batchFailed, notSent, notSentBecause, outcomeOf, topicOf } from './send-errors.ts';
import { Transaction, waitOptionRules, type TransactionScope, type TransactionWaitOptions } from './transaction.ts';
import { TransactionDriver } from './transaction-driver.ts';
import { RecordWritable, type ProducerWritableOptions } from './writable.ts';

const defaultCloseTimeoutMs = 30_000;
const sendsPerReading = 64;

// A promise's resolver is caught here instead of in a closure of its own for each send.
let caughtResolve: ResolveSend = () => undefined;
const catchResolve = (resolve: (metadata: RecordMetadata | PromiseLike<RecordMetadata>) => void): void => {
  caughtResolve = resolve;
};

/**
 * Sends records. Made by `kafka.producer()`; one serves a whole program.
 *
 * Records of a partition are written in the order of the calls, awaited or not. A key or value that is an object, such as a
 * Buffer, must stay as it is until its send has settled.
 */
export class Producer<
  K = string | Uint8Array | null,
  V = string | Uint8Array | null,
  R extends ProducerRecord<unknown, unknown> = ProducerRecord<K, V>,
> implements AsyncDisposable {
  readonly #cluster: ProducerCluster;
  readonly #options: ResolvedProducerOptions<K, V>;
  readonly #laneName: string;
  readonly #flushes: FlushTracker;
  readonly #transactions: TransactionDriver | undefined;
  readonly #memory: BufferMemory;
  readonly #ids: ProducerIds;
  readonly #accumulator: Accumulator;
  readonly #sender: Sender;
  readonly #interceptors: Interceptors;
  readonly #stopListening: () => void;
  #readingMs = 0;
  #readingsLeft = 0;
  readonly #forgetReading = (): void => {
    this.#readingsLeft = 0;
  };
  #closing: Promise<void> | undefined;
  readonly #onClosed: (() => void) | undefined;
  #isClosed = false;
  #room: Promise<void> | undefined;

  /**
   * @internal
   * @param onClosed called at the end of `close()`: whoever keeps this producer to close it may forget it
   * @throws {@link UsageError} an option is unknown or has a value that cannot be used
   */
  constructor(cluster: ProducerCluster, options?: GivenProducerOptions<K, V>, onClosed?: () => void) {
    this.#cluster = cluster;
    this.#onClosed = onClosed;
    this.#options = resolveProducerOptions(options, cluster.options.requestTimeoutMs, cluster.options.clientRack);
    this.#interceptors = new Interceptors(this.#options.interceptors, cluster.events);
    const { bufferMemoryBytes, batchSizeBytes } = this.#options;
    const anyRecord = this.#options as ResolvedProducerOptions<unknown, unknown>;
    this.#laneName = `produce-${cluster.nextClientNumber()}`;
    const transactions = (this.#transactions = this.#newDriver());
    this.#flushes = new FlushTracker(transactions && ((error) => transactions.handleSendFailed(error)));
    this.#memory = new BufferMemory(bufferMemoryBytes, batchSizeBytes);
    this.#accumulator = new Accumulator(cluster, anyRecord, this.#memory, () => this.#ids.renew());
    const preparation = new BatchPreparation(anyRecord, this.#memory, {
      handleReady: (queue, batch) => this.#handleCompressed(queue, batch),
      handleFailure: (queue, batch, error) => {
        this.#sender.giveUp(
          queue,
          () => this.#failure(queue, batch, error),
          (each) => each === batch,
        );
        this.#handleCompressed(queue, batch);
      },
    });
    this.#ids = new ProducerIds(
      cluster,
      () => this.#sender.schedule(),
      (error) => this.#sender.giveUpAll((queue, batch) => this.#failure(queue, batch, error)),
    );
    this.#sender = new Sender({
      cluster,
      options: anyRecord,
      laneName: this.#laneName,
      memory: this.#memory,
      ids: this.#ids,
      preparation,
      hooks: this.#accumulator,
      gate: transactions,
    });
    this.#accumulator.connect(this.#sender);
    this.#stopListening = cluster.onMetadata((snapshot) => this.#accumulator.handleMetadata(snapshot));
  }

  /**
   * Sends one record and resolves when it is acknowledged as `acks` says.
   *
   * The record is taken as it is now and may be changed for the next one at once; bytes that it was given must stay as they are until the
   * promise settles.
   *
   * Never throws: what is wrong with a record rejects. A send that nobody awaits does not end the process when it fails; the
   * next {@link Producer.flush} tells.
   *
   * @throws {@link SendError} with `outcome`: `not-sent`, `refused`, or `unknown` if the record may be in the log all the same
   */
  send(record: R): Promise<RecordMetadata>;
  /**
   * Sends records and resolves, when all are acknowledged, with their metadata in the same order. This is the fastest form.
   *
   * The array is taken as it is now and may be filled anew at once; its records, and the bytes in them, must stay as they are until the
   * promise settles.
   *
   * @throws {@link SendManyError} when all have settled and one or more failed; its `results` has one entry for each record
   */
  send(records: readonly R[]): Promise<RecordMetadata[]>;
  send(input: R | readonly R[]): Promise<RecordMetadata | RecordMetadata[]> {
    return this.#send(input, 0);
  }

  /**
   * Sends one record without a promise, for those who send many and count.
   *
   * @param onDelivery told once how it ended; without it, an error goes to the event `producer.error` and the next flush
   */
  enqueue(record: R, onDelivery?: OnDelivery): void {
    this.#sendOne(record, onDelivery, undefined);
  }

  /**
   * Resolves when everything that was sent before it has settled.
   *
   * Later sends are not waited for. With a signal it can be given up; the records go on.
   *
   * @throws {@link KafkaError} `SEND_FAILED`: a record failed since the last flush (those whose `onDelivery` was told do not count);
   *   the first error is its `cause`
   */
  flush(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const error = callOptionsError(options, 'flush', waitOptionRules);
    if (error !== undefined) return Promise.reject(error);
    if (this.#closing !== undefined) return Promise.reject(new ClosedError('the producer'));
    return untilAborted(this.#flush('Cannot flush'), options.signal);
  }

  /**
   * Resolves when a send would not have to wait for buffer memory: await it before each send that is not awaited, and memory stays
   * bounded without a send being refused.
   *
   * A transactional producer takes over its transactional id with it, which its first transaction does otherwise: what a predecessor
   * of that id has left open is ended now. Do this before a consumer starts whose offsets go into transactions: offsets in a transaction
   * that is open make it wait. Java: `initTransactions`.
   *
   * @throws {@link FencedError} another producer took over the transactional id; this one is finished
   */
  ready(options?: { readonly signal?: AbortSignal }): Promise<void> {
    const error = callOptionsError(options, 'ready', waitOptionRules);
    if (error !== undefined) return Promise.reject(error);
    if (this.#closing !== undefined) return Promise.reject(new ClosedError('the producer'));
    if (this.#transactions !== undefined && !this.#transactions.isInitialized) {
      return this.#transactions.ready(options?.signal).then(() => this.ready(options));
    }
    if (!this.#accumulator.isFull) return Promise.resolve();
    this.#room ??= new Promise((resolve) => {
      this.#accumulator.whenRoom(() => {
        this.#room = undefined;
        resolve();
      });
    });
    return untilAborted(this.#room, options?.signal);
  }

  /**
   * Delivers what was sent before, then ends the producer and its connections. Idempotent; later sends reject `CLOSED`.
   *
   * @param options.timeoutMs how long the delivery may take; what is outstanding then rejects `CLOSED`. 30000 by default
   * @throws {@link KafkaError} `SEND_FAILED`: a record that was outstanding was not delivered
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const error = callOptionsError(options, 'close', { timeoutMs: duration });
    if (error !== undefined) return Promise.reject(error);
    // What went wrong is told once: to those who wait for the end, not to who makes sure of it later.
    if (this.#isClosed) return Promise.resolve();
    this.#closing ??= this.#close(options.timeoutMs ?? defaultCloseTimeoutMs);
    return this.#closing;
  }

  /**
   * Runs `body` in a transaction: commits when it has returned, aborts if it throws, and then rejects with what it threw. If a send of it
   * failed, awaited or not, it is aborted as well. While another transaction of this producer is open, it waits for its turn, so one
   * must not be begun and awaited inside of another.
   *
   * @param options.signal ends the wait for the beginning; if it has aborted when `body` returns, the transaction is aborted
   * @example
   * ```ts
   * await producer.transaction(async (tx) => {
   *   await tx.send({ topic: 'invoices', key: 'o-1', value: invoice });
   *   await tx.sendOffsets(batch, consumer.groupMetadata());
   * });
   * ```
   * @throws {@link KafkaError} `TRANSACTION_ABORTED` a send failed, the `cause`; nothing of the transaction will be seen
   * @throws {@link FencedError} another producer took over the transactional id; this one is finished
   */
  async transaction<T>(
    body: (transaction: TransactionScope<R>) => T | PromiseLike<T>,
    options: TransactionWaitOptions = {},
  ): Promise<T> {
    if (typeof body !== 'function')
      throw new UsageError(`Cannot begin a transaction: ${expectedInstead('a function', body)}`, {
        code: 'INVALID_ARGUMENT',
      });
    const transaction = await this.beginTransaction(options);
    let result: T;
    try {
      result = await body(transaction);
      options.signal?.throwIfAborted();
    } catch (error) {
      throw await transaction.abortFor(error);
    }
    await transaction.commit();
    return result;
  }

  /**
   * Begins a transaction, after the one that is open; it is aborted unless {@link Transaction.commit} is called. The first one takes over
   * the transactional id: it ends what another producer of that id has left open, and fences that producer. Java: `initTransactions` and
   * `beginTransaction`.
   *
   * @param options.signal ends the wait for the beginning
   * @throws {@link UsageError} `INVALID_STATE` the producer has no `transactionalId`
   * @throws {@link FencedError} another producer took over the transactional id; this one is finished
   * @throws {@link TimeoutError} `OPERATION_TIMEOUT` no coordinator has answered within `maxBlockMs`
   */
  async beginTransaction(options: TransactionWaitOptions = {}): Promise<Transaction<R>> {
    checkCallOptions(options, 'beginTransaction', waitOptionRules);
    const driver = this.#transactions;
    if (driver === undefined) {
      const why = 'the producer is not transactional; give it a transactionalId';
      throw new UsageError(`Cannot begin a transaction: ${why}`, { code: 'INVALID_STATE' });
    }
    const number = await driver.begin(options.signal);
    const send = (input: R | readonly R[], of: number): Promise<RecordMetadata | RecordMetadata[]> =>
      this.#send(input, of);
    return new Transaction<R>({ driver, number, transactionalId: driver.transactionalId, send });
  }

  /**
   * A stream to write records to. It takes no more while the producer holds `highWaterMarkBytes` that are not acknowledged; it
   * finishes when everything that was written to it is acknowledged, and a record that is not delivered destroys it. The producer
   * stays open.
   *
   * @example
   * ```ts
   * await pipeline(readOrders(), producer.writable());
   * ```
   * @throws {@link UsageError} an option is unknown or has a value that cannot be used
   * @throws {@link ClosedError} the producer has been closed
   */
  writable(options: ProducerWritableOptions = {}): Writable {
    if (this.#closing !== undefined) throw new ClosedError('the producer');
    return new RecordWritable(
      {
        enqueue: (record, onDelivery) => this.enqueue(record as R, onDelivery),
        heldBytes: () => this.#memory.usedBytes,
        hurry: () => this.#accumulator.sealAll(),
      },
      this.#options.bufferMemoryBytes,
      options,
    );
  }

  /** @internal What it holds now, for `kafka.statistics()`. */
  statistics(): ProducerStatistics {
    const { bufferMemoryBytes, maxWaitingSends, transactionalId } = this.#options;
    return {
      lane: this.#laneName,
      transactionalId,
      bufferedBytes: this.#memory.usedBytes,
      bufferMemoryBytes,
      unsettledRecords: this.#flushes.unsettled,
      waitingSends: this.#accumulator.waitingCount,
      maxWaitingSends,
      requestsInFlight: this.#sender.inFlight,
    };
  }

  /** The same as {@link Producer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @param transaction the number of the one that it belongs to, 0 for none */
  #send(input: R | readonly R[], transaction: number): Promise<RecordMetadata | RecordMetadata[]> {
    if (isList(input)) return this.#sendMany(input, transaction);
    const promise = new Promise<RecordMetadata>(catchResolve);
    this.#sendOne(input, caughtResolve, promise, transaction);
    return promise;
  }

  /** Every single record comes by here. */
  #sendOne(
    record: ProducerRecord<unknown, unknown>,
    target: ResolveSend | OnDelivery | undefined,
    promise: Promise<RecordMetadata> | undefined,
    transaction = 0,
  ): void {
    if (this.#interceptors.isEmpty) return this.#addOne(record, target, promise, transaction);
    const seen = this.#interceptors.onSend(record);
    if (promise !== undefined) {
      this.#interceptors.follow(promise, seen);
      return this.#addOne(seen, target, promise, transaction);
    }
    const onDelivery = target as OnDelivery | undefined;
    if (onDelivery !== undefined) {
      return this.#addOne(seen, this.#interceptors.before(onDelivery, seen), undefined, transaction);
    }
    // Nobody waits for it but the interceptors; a callback would count as somebody.
    const followed = new Promise<RecordMetadata>(catchResolve);
    const resolve = caughtResolve;
    this.#interceptors.follow(followed, seen, (error) => this.#cluster.events.publish('producer.error', { error }));
    this.#addOne(seen, resolve, followed, transaction);
  }

  #addOne(
    record: ProducerRecord<unknown, unknown>,
    target: ResolveSend | OnDelivery | undefined,
    promise: Promise<RecordMetadata> | undefined,
    transaction: number,
  ): void {
    const span = this.#flushes.current;
    span.begin(1);
    const refusal = this.#refusal(record, transaction);
    if (refusal !== undefined) return failTarget(target, promise, 0, refusal, span, this.#cluster.events);
    this.#accumulator.add(record, target, promise, 0, this.#timestampMs(), span);
  }

  /**
   * The time for a record that brings none. Reading the clock costs as much as encoding the record, so a reading serves for a few
   * sends, but not beyond the code that runs in one go.
   */
  #timestampMs(): number {
    if (this.#readingsLeft > 0) {
      this.#readingsLeft--;
      return this.#readingMs;
    }
    this.#readingsLeft = sendsPerReading - 1;
    this.#readingMs = this.#cluster.clock.wallMs();
    queueMicrotask(this.#forgetReading);
    return this.#readingMs;
  }

  #sendMany(given: readonly ProducerRecord<unknown, unknown>[], transaction: number): Promise<RecordMetadata[]> {
    if (given.length === 0) return Promise.resolve([]);
    const records = this.#interceptors.isEmpty ? given : given.map((record) => this.#interceptors.onSend(record));
    const span = this.#flushes.current;
    const { clock } = this.#cluster;
    const timestampMs = clock.wallMs();
    const call = new SendCall(records.length, timestampMs, span);
    span.begin(records.length);
    if (!this.#interceptors.isEmpty) this.#interceptors.followMany(call.promise, records);
    if (this.#refusal(records[0], transaction) === undefined) {
      this.#accumulator.addAll(call, records, timestampMs, clock.nowMs());
      return call.promise;
    }
    for (const [index, record] of records.entries()) {
      call.fail(index, this.#refusal(record, transaction) ?? closedFor(record));
    }
    return call.promise;
  }

  /** Why nothing can be sent now, or not in this way. */
  #refusal(record: { readonly topic: string } | undefined, transaction: number): SendError | undefined {
    if (this.#closing !== undefined) return closedFor(record);
    return this.#transactions?.refusal(topicOf(record), transaction);
  }

  #newDriver(): TransactionDriver | undefined {
    const { transactionalId, transactionTimeoutMs, maxBlockMs, deliveryTimeoutMs } = this.#options;
    if (transactionalId === undefined) return undefined;
    const laneName = `${this.#laneName}-transactions`;
    const options = { transactionalId, transactionTimeoutMs, maxBlockMs, deliveryTimeoutMs, laneName };
    return new TransactionDriver(this.#cluster, options, {
      flush: () => this.#flush('Cannot flush').catch(() => undefined),
      giveUpUnsent: () => this.#giveUpUnsent(),
      giveUpAll: (error) => {
        this.#accumulator.rejectAllHeld((topic) => notSentBecause(topic, error));
        this.#sender.giveUpAll((queue, batch) => this.#failure(queue, batch, error));
      },
      isIdle: () => this.#sender.isIdle,
      wake: () => this.#sender.schedule(),
    });
  }

  /** Records of a transaction that will not be committed need not be sent; what is under way is waited for. */
  #giveUpUnsent(): void {
    const reasonFor = (topic: string, partition?: number): KafkaError =>
      this.#transactions?.reasonFor(topic, partition) ?? new ClosedError('the transaction');
    this.#accumulator.rejectAllHeld((topic) => notSentBecause(topic, reasonFor(topic)));
    this.#sender.giveUpAll(
      (queue, batch) => this.#failure(queue, batch, reasonFor(queue.topic.name, queue.partition)),
      (queue, batch) => !queue.machine.isInFlight(batch),
    );
    this.#accumulator.handleMemory();
  }

  #flush(doing: string): Promise<void> {
    this.#accumulator.sealAll();
    return this.#flushes.flush(doing);
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#cluster;
    const transactions = this.#transactions;
    this.#flushes.forgetFailures();
    const delivered = transactions === undefined ? this.#flush('Cannot close the producer') : undefined;
    const timer = clock.setTimer(() => this.#giveUpAll(timeoutMs), timeoutMs);
    try {
      // What was sent in a transaction is none's any more, and who sent it has learned that.
      await (delivered ?? transactions?.close(timeoutMs));
    } finally {
      clock.clearTimer(timer);
      this.#stopListening();
      this.#accumulator.close();
      this.#ids.close();
      this.#sender.close();
      await this.#cluster.closeLane(this.#laneName);
      this.#isClosed = true;
      this.#interceptors.close();
      this.#onClosed?.();
    }
  }

  #giveUpAll(timeoutMs: number): void {
    const why = `the producer was closed, and it could not be delivered within ${timeoutMs} ms`;
    this.#accumulator.rejectAllHeld((topic) => notSent(topic, 'CLOSED', why));
    const cause = new KafkaError(why, { code: 'CLOSED' });
    this.#sender.giveUpAll((queue, batch) => this.#failure(queue, batch, cause));
  }

  #failure(queue: PartitionQueue, batch: ProducerBatch, cause: KafkaError): ReturnType<typeof batchFailed> {
    const outcome = queue.machine.isInFlight(batch) ? 'unknown' : outcomeOf(batch);
    return batchFailed(queue.topic.name, queue.partition, outcome, cause);
  }

  #handleCompressed(queue: PartitionQueue, batch: ProducerBatch): void {
    if (batch.settled) this.#sender.releaseCompressed(queue, batch);
    else this.#sender.wake(queue);
  }
}

function isList<T>(input: T | readonly T[]): input is readonly T[] {
  return Array.isArray(input);
}

function closedFor(record: { readonly topic: string } | undefined): ReturnType<typeof notSent> {
  return notSent(topicOf(record), 'CLOSED', 'the producer has been closed');
}
