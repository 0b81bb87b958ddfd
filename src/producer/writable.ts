import { Writable } from 'node:stream';
import { UsageError } from '../errors/kafka-error.ts';
import type { ProducerRecord } from '../model/producer-record.ts';
import { findOptionProblem, integer, type OptionRule } from '../util/option-rules.ts';
import type { OnDelivery } from './send-table.ts';

/** Options of `producer.writable()`. */
export interface ProducerWritableOptions {
  /**
   * The stream takes no more records while the producer, whoever sent them, holds so many bytes that are not acknowledged; at
   * least one record of the stream is always under way. Java has no stream.
   *
   * @defaultValue bufferMemoryBytes of the producer
   */
  readonly highWaterMarkBytes?: number | undefined;
  /** Destroys the stream; records that it has taken go on. @defaultValue none */
  readonly signal?: AbortSignal | undefined;
}

const rules: Readonly<Record<keyof ProducerWritableOptions, OptionRule>> = {
  highWaterMarkBytes: integer(1, Number.MAX_SAFE_INTEGER),
  signal: { expected: 'an AbortSignal', accepts: (value) => value instanceof AbortSignal },
};

const otherNames: Readonly<Record<string, string>> = {
  highWaterMark: 'use highWaterMarkBytes: it counts bytes, not records',
  objectMode: 'the stream takes records and nothing else',
};

/** What the stream needs of its producer. */
export interface WritableProducer {
  enqueue(record: ProducerRecord<unknown, unknown>, onDelivery: OnDelivery): void;
  /** How much the producer holds that is not acknowledged. */
  heldBytes(): number;
  /** What waits in open batches leaves as soon as it can. */
  hurry(): void;
}

/** Records that are written to it are sent; it finishes when they are acknowledged. */
export class RecordWritable extends Writable {
  readonly #producer: WritableProducer;
  readonly #highWaterMarkBytes: number;
  #outstanding = 0;
  /** Node waits for it: with the next record, or to finish. */
  #goOn: (() => void) | undefined;
  #isFinishing = false;
  #isLookScheduled = false;
  readonly #onDelivery: OnDelivery = (error) => {
    this.#outstanding--;
    if (error !== undefined) this.destroy(error);
    this.#lookSoon();
  };

  /** @throws UsageError UNKNOWN_OPTION or INVALID_OPTION */
  constructor(producer: WritableProducer, bufferMemoryBytes: number, options: ProducerWritableOptions) {
    const problem = findOptionProblem(options, rules, 'the stream', otherNames);
    if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
    super({ objectMode: true, ...(options.signal === undefined ? {} : { signal: options.signal }) });
    this.#producer = producer;
    this.#highWaterMarkBytes = options.highWaterMarkBytes ?? bufferMemoryBytes;
  }

  override _write(record: unknown, _encoding: BufferEncoding, callback: () => void): void {
    this.#outstanding++;
    this.#producer.enqueue(record as ProducerRecord<unknown, unknown>, this.#onDelivery);
    this.#wait(callback);
  }

  override _final(callback: () => void): void {
    this.#isFinishing = true;
    this.#wait(callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#goOn = undefined;
    callback(error);
  }

  get #mayGoOn(): boolean {
    if (this.#outstanding === 0) return true;
    return !this.#isFinishing && this.#producer.heldBytes() < this.#highWaterMarkBytes;
  }

  #wait(goOn: () => void): void {
    if (this.#mayGoOn) return goOn();
    this.#goOn = goOn;
    this.#producer.hurry();
  }

  /** Once for all records of a batch, and after its memory has been given back. */
  #lookSoon(): void {
    if (this.#goOn === undefined || this.#isLookScheduled) return;
    this.#isLookScheduled = true;
    queueMicrotask(() => {
      this.#isLookScheduled = false;
      const goOn = this.#goOn;
      if (goOn === undefined || !this.#mayGoOn) return;
      this.#goOn = undefined;
      goOn();
    });
  }
}
