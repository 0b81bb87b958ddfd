import type { SendError } from '../errors/send-error.ts';
import type { RecordMetadata } from './record-metadata.ts';

/**
 * Told how a record ended: with its metadata, or with the error.
 *
 * @param error undefined if the record was acknowledged
 */
export type OnDelivery = (error: SendError | undefined, metadata: RecordMetadata | undefined) => void;

/** Resolves the promise of one `send`; the promise stands beside it, and tells it from an {@link OnDelivery}. */
export type ResolveSend = (metadata: RecordMetadata | Promise<never>) => void;

/** Offset within the batch, timestamp, size of key, size of value. */
const numbersPerSend = 4;
const readyTables = 16;
/** A longer one is left to the garbage collector: what a burst has needed must not be kept for ever. */
const longestReady = 32_768;

/** The sends of single records that went into one batch: what their promises need at the end, in arrays, an object for none. */
export class SendTable {
  readonly #targets: (ResolveSend | OnDelivery | undefined)[] = [];
  readonly #promises: (Promise<RecordMetadata> | undefined)[] = [];
  readonly #numbers: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** How many it has room for without growing. */
  get capacity(): number {
    return this.#targets.length;
  }

  add(
    target: ResolveSend | OnDelivery | undefined,
    promise: Promise<RecordMetadata> | undefined,
    offsetDelta: number,
    timestampMs: number,
    keyBytes: number,
    valueBytes: number,
  ): void {
    const at = this.#count++;
    const numbers = this.#numbers;
    const first = at * numbersPerSend;
    this.#targets[at] = target;
    this.#promises[at] = promise;
    numbers[first] = offsetDelta;
    numbers[first + 1] = timestampMs;
    numbers[first + 2] = keyBytes;
    numbers[first + 3] = valueBytes;
  }

  target(at: number): ResolveSend | OnDelivery | undefined {
    return this.#targets[at];
  }

  promise(at: number): Promise<RecordMetadata> | undefined {
    return this.#promises[at];
  }

  offsetDelta(at: number): number {
    return this.#numbers[at * numbersPerSend] ?? 0;
  }

  timestampMs(at: number): number {
    return this.#numbers[at * numbersPerSend + 1] ?? 0;
  }

  keyBytes(at: number): number {
    return this.#numbers[at * numbersPerSend + 2] ?? 0;
  }

  valueBytes(at: number): number {
    return this.#numbers[at * numbersPerSend + 3] ?? 0;
  }

  /** Forgets the sends, and keeps the room. */
  clear(): void {
    this.#targets.fill(undefined, 0, this.#count);
    void this.#promises.fill(undefined, 0, this.#count);
    this.#count = 0;
  }
}

/** Tables that lie ready: arrays that grow anew with each batch would be the most of a producer's garbage. */
export class SendTables {
  readonly #ready: SendTable[] = [];

  take(): SendTable {
    return this.#ready.pop() ?? new SendTable();
  }

  giveBack(table: SendTable): void {
    table.clear();
    if (this.#ready.length < readyTables && table.capacity <= longestReady) this.#ready.push(table);
  }
}
