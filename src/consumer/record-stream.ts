import { Readable } from 'node:stream';
import { asError } from '../errors/thrown.ts';
import { integer, type OptionRule } from '../util/option-rules.ts';
import { stateOf } from './consumer-batch.ts';
import type { ConsumerRecord } from './consumer-record.ts';
import type { PartitionState } from './partition-state.ts';
import { recordsOptionRules, type RecordsOptions } from './read-loops.ts';

/** How {@link Consumer.stream} reads. */
export interface StreamOptions extends RecordsOptions {
  /** How many records may wait in the stream. @defaultValue 16, Node's own for streams of objects */
  readonly highWaterMark?: number | undefined;
}

/** What {@link StreamOptions} accept. */
export const streamOptionRules: Readonly<Record<keyof StreamOptions, OptionRule>> = {
  ...recordsOptionRules,
  highWaterMark: integer(0, Number.MAX_SAFE_INTEGER),
};

/**
 * Records as a stream of objects: it reads on only while there is room in it, and ends where the loop over them would. What it holds
 * when it is destroyed is delivered again by the next read.
 */
export class RecordStream<R extends ConsumerRecord<unknown, unknown>> extends Readable {
  readonly #records: AsyncIterableIterator<R>;
  #isAsking = false;
  /** What may still be in the stream, in order: at its end stand those that are. */
  #given: R[] = [];

  /** @internal Use `consumer.stream()`. */
  constructor(records: AsyncIterableIterator<R>, highWaterMark?: number) {
    super({ objectMode: true, ...(highWaterMark === undefined ? {} : { highWaterMark }) });
    this.#records = records;
  }

  /** @internal */
  override _read(): void {
    if (!this.#isAsking) void this.#fill();
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const done = (): void => callback(error);
    this.#handBack();
    // A read that waits ends with the consumer or its signal; nobody waits for it here.
    Promise.resolve(this.#records.return?.()).then(done, done);
  }

  /** The records, for `for await`; one that ends the loop early ends the stream. */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<R> {
    return super[Symbol.asyncIterator]() as NodeJS.AsyncIterator<R>;
  }

  async #fill(): Promise<void> {
    this.#isAsking = true;
    try {
      for (let hasRoom = true; hasRoom && !this.destroyed;) {
        const next = await this.#records.next();
        hasRoom = next.done === true ? this.push(null) : this.#give(next.value);
        if (next.done === true) break;
      }
      this.#isAsking = false;
    } catch (error) {
      this.destroy(asError(error));
    }
  }

  #give(record: R): boolean {
    // The stream was destroyed while it waited for this one.
    if (this.destroyed) this.#given = [record];
    else this.#given.push(record);
    if (this.destroyed) this.#handBack(1);
    const hasRoom = this.push(record);
    const { readableLength } = this;
    if (this.#given.length > 2 * readableLength + 16)
      this.#given = readableLength === 0 ? [] : this.#given.slice(-readableLength);
    return hasRoom;
  }

  /** Records that nobody has taken out of the stream are as if they had not been read. */
  #handBack(count: number = this.readableLength): void {
    const first = new Map<PartitionState, bigint>();
    for (const record of count === 0 ? [] : this.#given.slice(-count)) {
      const state = stateOf(record);
      if (!first.has(state)) first.set(state, record.offset);
    }
    this.#given = [];
    for (const [state, offset] of first) if (!state.dropped) state.handBack(offset);
  }
}
