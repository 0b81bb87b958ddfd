import type { ProducerCluster } from './producer-cluster.ts';
import { ClosedError, KafkaError } from '../errors/kafka-error.ts';
import type { ProducerRecord } from '../model/producer-record.ts';
import { Accumulator } from './accumulator.ts';
import { BatchPreparation } from './batch-preparation.ts';
import { BufferMemory } from './buffer-memory.ts';
import { FlushTracker } from './flush-tracker.ts';
import { resolveProducerOptions, type ProducerOptions, type ResolvedProducerOptions } from './options.ts';
import type { PartitionQueue } from './partition-queue.ts';
import { ProducerIds } from './producer-ids.ts';
import { failTarget, type ProducerBatch } from './producer-batch.ts';
import type { OnDelivery, ResolveSend } from './send-table.ts';
import type { RecordMetadata } from './record-metadata.ts';
import { SendCall } from './send-call.ts';
import { Sender } from './sender.ts';
import { batchFailed, notSent, outcomeOf } from './send-errors.ts';

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
export class Producer<K = string | Uint8Array | null, V = string | Uint8Array | null> implements AsyncDisposable {
  readonly #cluster: ProducerCluster;
  readonly #options: ResolvedProducerOptions<K, V>;
  readonly #laneName: string;
  readonly #flushes = new FlushTracker();
  readonly #memory: BufferMemory;
  readonly #ids: ProducerIds;
  readonly #accumulator: Accumulator;
  readonly #sender: Sender;
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
  constructor(cluster: ProducerCluster, options?: ProducerOptions<K, V>, onClosed?: () => void) {
    this.#cluster = cluster;
    this.#onClosed = onClosed;
    this.#options = resolveProducerOptions(options, cluster.options.requestTimeoutMs);
    const { bufferMemoryBytes, batchSizeBytes, compression, compressionLevel } = this.#options;
    const anyRecord = this.#options as ResolvedProducerOptions<unknown, unknown>;
    this.#laneName = `produce-${cluster.nextClientNumber()}`;
    this.#memory = new BufferMemory(bufferMemoryBytes, batchSizeBytes);
    this.#accumulator = new Accumulator(cluster, anyRecord, this.#memory);
    const preparation = new BatchPreparation(compression, compressionLevel, this.#memory, {
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
    });
    this.#accumulator.connect(this.#sender);
    this.#stopListening = cluster.onMetadata((snapshot) => this.#accumulator.handleMetadata(snapshot));
  }

  /**
   * Sends one record and resolves when it is acknowledged as `acks` says.
   *
   * Never throws: what is wrong with a record rejects. A send that nobody awaits does not end the process when it fails; the
   * next {@link Producer.flush} tells.
   *
   * @throws {@link SendError} with `outcome`: `not-sent`, `refused`, or `unknown` if the record may be in the log all the same
   */
  send(record: ProducerRecord<K, V>): Promise<RecordMetadata>;
  /**
   * Sends records and resolves, when all are acknowledged, with their metadata in the same order. This is the fastest form.
   *
   * @throws {@link SendManyError} when all have settled and one or more failed; its `results` has one entry for each record
   */
  send(records: readonly ProducerRecord<K, V>[]): Promise<RecordMetadata[]>;
  send(input: ProducerRecord<K, V> | readonly ProducerRecord<K, V>[]): Promise<RecordMetadata | RecordMetadata[]> {
    if (isList(input)) return this.#sendMany(input);
    const promise = new Promise<RecordMetadata>(catchResolve);
    this.#sendOne(input, caughtResolve, promise);
    return promise;
  }

  /**
   * Sends one record without a promise, for those who send many and count.
   *
   * @param onDelivery told once how it ended; without it, an error goes to the event `producer.error` and the next flush
   */
  enqueue(record: ProducerRecord<K, V>, onDelivery?: OnDelivery): void {
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
    if (this.#closing !== undefined) return Promise.reject(new ClosedError('the producer'));
    return untilAborted(this.#flush('Cannot flush'), options.signal);
  }

  /**
   * Resolves when a send would not have to wait for buffer memory: await it before each send that is not awaited, and memory stays
   * bounded without a send being refused.
   */
  ready(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(new ClosedError('the producer'));
    if (!this.#accumulator.isFull) return Promise.resolve();
    this.#room ??= new Promise((resolve) => {
      this.#accumulator.whenRoom(() => {
        this.#room = undefined;
        resolve();
      });
    });
    return untilAborted(this.#room, options.signal);
  }

  /**
   * Delivers what was sent before, then ends the producer and its connections. Idempotent; later sends reject `CLOSED`.
   *
   * @param options.timeoutMs how long the delivery may take; what is outstanding then rejects `CLOSED`. 30000 by default
   * @throws {@link KafkaError} `SEND_FAILED`: a record that was outstanding, or has failed since the last flush, was not delivered
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    // What went wrong is told once: to those who wait for the end, not to who makes sure of it later.
    if (this.#isClosed) return Promise.resolve();
    this.#closing ??= this.#close(options.timeoutMs ?? defaultCloseTimeoutMs);
    return this.#closing;
  }

  /** The same as {@link Producer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #sendOne(
    record: ProducerRecord<K, V>,
    target: ResolveSend | OnDelivery | undefined,
    promise: Promise<RecordMetadata> | undefined,
  ): void {
    const span = this.#flushes.current;
    span.begin(1);
    if (this.#closing !== undefined) {
      failTarget(target, promise, 0, closedFor(record), span, this.#cluster.events);
      return;
    }
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

  #sendMany(records: readonly ProducerRecord<K, V>[]): Promise<RecordMetadata[]> {
    if (records.length === 0) return Promise.resolve([]);
    const span = this.#flushes.current;
    const { clock } = this.#cluster;
    const timestampMs = clock.wallMs();
    const call = new SendCall(records.length, timestampMs, span);
    span.begin(records.length);
    if (this.#closing === undefined) this.#accumulator.addAll(call, records, 0, timestampMs, clock.nowMs());
    else for (const [index, record] of records.entries()) call.fail(index, closedFor(record));
    return call.promise;
  }

  #flush(doing: string): Promise<void> {
    this.#accumulator.sealAll();
    return this.#flushes.flush(doing);
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#cluster;
    const delivered = this.#flush('Cannot close the producer');
    const timer = clock.setTimer(() => this.#giveUpAll(timeoutMs), timeoutMs);
    try {
      await delivered;
    } finally {
      clock.clearTimer(timer);
      this.#stopListening();
      this.#accumulator.close();
      this.#ids.close();
      this.#sender.close();
      await this.#cluster.closeLane(this.#laneName);
      this.#isClosed = true;
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
  return notSent(String(record?.topic), 'CLOSED', 'the producer has been closed');
}

function untilAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  // Whoever gives up the wait has no use for its error.
  work.catch(() => undefined);
  if (signal.aborted) return Promise.reject<never>(signal.reason as Error);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
