import { BatchBuilder, type BatchMemory } from '../protocol/records/index.ts';

const smallestBytes = 4096;
/** Buffers for records that are larger than a full batch are rounded up to this, so that records of about the same size fit again. */
const largeStepBytes = 64 * 1024;

/**
 * The memory of a producer: how much of it is taken, and the buffers that lie ready to be filled again.
 *
 * Buffers double in size up to that of a full batch (those of records that are larger are kept as they are), and a batch that outgrows
 * its buffer changes it for the next larger one: with buffers of any size, those that lie ready would seldom be those that are asked for,
 * and all the memory that is allocated anew makes V8 collect garbage. A buffer comes back only through {@link BatchBuilder.release}, whose caller knows that no request holds it any
 * more and has released what was taken for it, or from a batch that is still open.
 */
export class BufferMemory implements BatchMemory {
  readonly #limitBytes: number;
  /** Of the buffer of a full batch. */
  readonly #largestBytes: number;
  /** By size: each place has buffers twice as large as the one before. */
  readonly #ready: Buffer[][] = [];
  /** Those of records that are larger than a full batch, in any order. */
  readonly #readyLarge: Buffer[] = [];
  #usedBytes = 0;
  #readyBytes = 0;

  /** @param batchBytes the size of a full batch */
  constructor(limitBytes: number, batchBytes: number) {
    this.#limitBytes = limitBytes;
    this.#largestBytes = BatchBuilder.bufferBytes(batchBytes);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** What lies ready to be filled again. */
  get readyBytes(): number {
    return this.#readyBytes;
  }

  get isFull(): boolean {
    return this.#usedBytes >= this.#limitBytes;
  }

  /**
   * An empty builder for a batch that will likely have the first size, and must not have more than the second; its memory is
   * taken by {@link take} as it is filled.
   */
  builder(expectedBytes: number, maxBytes: number): BatchBuilder {
    const initialBytes = BatchBuilder.bufferBytes(Math.min(expectedBytes, maxBytes));
    return new BatchBuilder({ initialBytes, maxBytes, memory: this });
  }

  /** Counts memory as taken. It may exceed the limit by what one record needs: the caller asks {@link isFull} before. */
  take(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#readyBytes > 0 && this.#usedBytes + this.#readyBytes > this.#limitBytes) this.#dropReady();
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  allocate(bytes: number): Buffer {
    if (bytes > this.#largestBytes) return this.#allocateLarge(bytes);
    const place = this.#placeFor(bytes);
    // One that is twice as large is better than a new one; those beyond would count as more than the batch is worth.
    const ready = this.#ready[place]?.pop() ?? this.#ready[place + 1]?.pop();
    if (ready === undefined) return Buffer.allocUnsafeSlow(this.#bytesAt(place));
    this.#readyBytes -= ready.length;
    return ready;
  }

  recycle(buffer: Buffer): void {
    const bytes = buffer.length;
    if (this.#usedBytes + this.#readyBytes + bytes > this.#limitBytes) return;
    if (bytes > this.#largestBytes) this.#readyLarge.push(buffer);
    else (this.#ready[this.#placeFor(bytes)] ??= []).push(buffer);
    this.#readyBytes += bytes;
  }

  #allocateLarge(bytes: number): Buffer {
    // A much larger one would count as more than the batch is worth.
    const at = this.#readyLarge.findIndex(({ length }) => length >= bytes && length <= 2 * bytes);
    const [ready] = at < 0 ? [] : this.#readyLarge.splice(at, 1);
    if (ready === undefined) return Buffer.allocUnsafeSlow(Math.ceil(bytes / largeStepBytes) * largeStepBytes);
    this.#readyBytes -= ready.length;
    return ready;
  }

  #dropReady(): void {
    this.#ready.length = 0;
    this.#readyLarge.length = 0;
    this.#readyBytes = 0;
  }

  /** Where the smallest buffers lie that hold so many bytes. */
  #placeFor(bytes: number): number {
    let place = 0;
    while (this.#bytesAt(place) < bytes) place++;
    return place;
  }

  #bytesAt(place: number): number {
    return Math.min(smallestBytes * 2 ** place, this.#largestBytes);
  }
}
