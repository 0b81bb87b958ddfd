import { abortSignal } from '../cluster/call-options.ts';
import { UsageError } from '../errors/kafka-error.ts';
import { integer, oneOf, type OptionRule } from '../util/option-rules.ts';
import { ConsumerBatch } from './consumer-batch.ts';
import type { ConsumerRecord } from './consumer-record.ts';
import type { PartitionState } from './partition-state.ts';
import type { Reading, ReadState } from './reading.ts';

/** How {@link Consumer.records} reads. */
export interface RecordsOptions {
  /** How many records to read. @defaultValue no limit */
  readonly limit?: number | undefined;
  /** `'end'` reads up to where the partitions end when the loop meets them. @defaultValue no end */
  readonly until?: 'end' | undefined;
  /** Ends the loop: what is in hand is finished, and the loop ends normally. */
  readonly signal?: AbortSignal | undefined;
}

/** What {@link RecordsOptions} accept. */
export const recordsOptionRules: Readonly<Record<keyof RecordsOptions, OptionRule>> = {
  limit: integer(0, Number.MAX_SAFE_INTEGER),
  until: oneOf(['end']),
  signal: abortSignal,
};

/** Says where the reading of each partition ends. */
export interface EndOffsets<S extends ReadState = PartitionState> {
  /** Whether the partition is to be read on. */
  wants(state: S): boolean;
  /** Whether `record` lies before the end. */
  includes(state: S, record: ConsumerRecord<unknown, unknown>): boolean;
  /** Whether all partitions are read; asks brokers where they end, if need be. */
  isDone(): Promise<boolean>;
}

/** A loop over records. */
export class RecordLoop<K, V, S extends ReadState = PartitionState> implements AsyncIterableIterator<
  ConsumerRecord<K, V>
> {
  readonly #reading: Reading<S>;
  readonly #signal: AbortSignal | undefined;
  readonly #end: EndOffsets<S> | undefined;
  #left: number;
  #state: S | undefined;
  #isOpen = false;
  #isDone = false;
  #isWaiting = false;

  constructor(reading: Reading<S>, options: Omit<RecordsOptions, 'until'> = {}, end?: EndOffsets<S>) {
    this.#reading = reading;
    this.#signal = options.signal;
    this.#left = options.limit ?? Infinity;
    this.#end = end;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<ConsumerRecord<K, V>, undefined>> {
    const state = this.#state;
    // The short way: the next record of the same partition is ready, and nothing has changed.
    if (
      state !== undefined &&
      this.#left > 0 &&
      state.readyIndex < state.ready.length &&
      !this.#reading.mustLookUp(this.#signal)
    ) {
      const record = state.ready.at(state.readyIndex);
      if (record !== undefined && (this.#end === undefined || this.#end.includes(state, record))) {
        state.settle();
        return Promise.resolve(this.#give(state, record));
      }
    }
    return this.#nextSlowly();
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#finish(true);
    return Promise.resolve({ done: true, value: undefined });
  }

  async #nextSlowly(): Promise<IteratorResult<ConsumerRecord<K, V>, undefined>> {
    this.#state = undefined;
    if (this.#isDone) return { done: true, value: undefined };
    if (this.#isWaiting)
      throw new UsageError('Cannot read: the loop is asked for the next record before it gave the last', {
        code: 'CONSUMER_BUSY',
      });
    if (!this.#isOpen) this.#reading.begin();
    this.#isOpen = true;
    this.#isWaiting = true;
    try {
      for (;;) {
        const end = this.#end;
        const options = { signal: this.#signal, wants: (state: S) => end?.wants(state) ?? true };
        const taken =
          this.#left === 0
            ? await this.#stop()
            : await this.#reading.take(end === undefined ? options : { ...options, isDone: () => end.isDone() });
        if (typeof taken === 'string') {
          this.#finish(false);
          return { done: true, value: undefined };
        }
        const record = taken.ready.at(taken.readyIndex);
        if (record === undefined || end?.includes(taken, record) === false) continue;
        this.#state = taken;
        return this.#give(taken, record);
      }
    } catch (error) {
      this.#finish(true);
      throw error;
    } finally {
      this.#isWaiting = false;
    }
  }

  /** To ask after the last record is to say that it is processed. */
  async #stop(): Promise<'done'> {
    this.#reading.settleInHand();
    return 'done';
  }

  #give(state: S, record: ConsumerRecord<unknown, unknown>): IteratorYieldResult<ConsumerRecord<K, V>> {
    this.#reading.passNext(state);
    this.#left--;
    return { done: false, value: record as ConsumerRecord<K, V> };
  }

  #finish(undecided: boolean): void {
    this.#state = undefined;
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#isOpen) this.#reading.end(undecided);
  }
}

/** A loop over batches: what is ready of one partition at a time. */
export class BatchLoop<K, V> implements AsyncIterableIterator<ConsumerBatch<K, V>> {
  readonly #reading: Reading;
  readonly #signal: AbortSignal | undefined;
  readonly #maxRecords: number;
  #isOpen = false;
  #isDone = false;
  #isWaiting = false;

  /** @param options.maxRecords how many records a batch has at most */
  constructor(reading: Reading, options: { readonly maxRecords: number; readonly signal?: AbortSignal | undefined }) {
    this.#reading = reading;
    this.#signal = options.signal;
    this.#maxRecords = options.maxRecords;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<ConsumerBatch<K, V>, undefined>> {
    if (this.#isDone) return { done: true, value: undefined };
    if (this.#isWaiting)
      throw new UsageError('Cannot read: the loop is asked for the next batch before it gave the last', {
        code: 'CONSUMER_BUSY',
      });
    if (!this.#isOpen) this.#reading.begin();
    this.#isOpen = true;
    this.#isWaiting = true;
    try {
      const taken = this.#reading.takeNow(this.#signal) ?? (await this.#reading.take({ signal: this.#signal }));
      if (typeof taken !== 'string') {
        return { done: false, value: new ConsumerBatch<K, V>(taken, this.#reading.handOut(taken, this.#maxRecords)) };
      }
      this.#finish(false);
      return { done: true, value: undefined };
    } catch (error) {
      this.#finish(true);
      throw error;
    } finally {
      this.#isWaiting = false;
    }
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#finish(true);
    return Promise.resolve({ done: true, value: undefined });
  }

  #finish(undecided: boolean): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#isOpen) this.#reading.end(undecided);
  }
}
