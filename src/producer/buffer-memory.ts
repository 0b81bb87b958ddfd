import { BatchBuilder } from '../protocol/records/index.ts';

const smallestClassBytes = 4096;
const classFactor = 4;

/**
 * The memory of a producer: how much of it is taken, and the buffers that lie ready to be filled again.
 *
 * A builder comes back only through {@link BufferMemory.giveBack}, whose caller knows that no request holds its buffer any more.
 */
export class BufferMemory {
  readonly #limitBytes: number;
  readonly #batchBytes: number;
  readonly #ready: BatchBuilder[][] = [];
  #usedBytes = 0;
  #readyBytes = 0;

  constructor(limitBytes: number, batchBytes: number) {
    this.#limitBytes = limitBytes;
    this.#batchBytes = batchBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get isFull(): boolean {
    return this.#usedBytes >= this.#limitBytes;
  }

  /**
   * An empty builder for a batch that will likely have the first size, and must not have more than the second; its memory is
   * taken by {@link take} as it is filled.
   */
  builder(expectedBytes: number, maxBytes: number): BatchBuilder {
    const index = this.#classFor(Math.min(expectedBytes, maxBytes));
    const builder = this.#ready[index]?.pop();
    if (builder === undefined) return new BatchBuilder({ initialBytes: this.#classBytes(index), maxBytes });
    this.#readyBytes -= builder.capacityBytes;
    builder.limitTo(maxBytes);
    return builder;
  }

  /** Counts memory as taken. It may exceed the limit by what one record needs: the caller asks {@link isFull} before. */
  take(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#readyBytes > 0 && this.#usedBytes + this.#readyBytes > this.#limitBytes) this.#dropReady();
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /** A builder that nothing reads any more; the memory that was taken for it must have been released. */
  giveBack(builder: BatchBuilder): void {
    const bytes = builder.capacityBytes;
    if (bytes === 0 || this.#usedBytes + this.#readyBytes + bytes > this.#limitBytes) return;
    builder.reset();
    const index = this.#classOf(bytes);
    (this.#ready[index] ??= []).push(builder);
    this.#readyBytes += bytes;
  }

  #dropReady(): void {
    this.#ready.length = 0;
    this.#readyBytes = 0;
  }

  /** The smallest class that holds so many bytes. */
  #classFor(bytes: number): number {
    let index = 0;
    while (this.#classBytes(index) < bytes && this.#classBytes(index) < this.#batchBytes) index++;
    return index;
  }

  /** The largest class that a buffer of so many bytes can serve. */
  #classOf(bytes: number): number {
    let index = 0;
    while (this.#classBytes(index) < this.#batchBytes && this.#classBytes(index + 1) <= bytes) index++;
    return index;
  }

  #classBytes(index: number): number {
    return Math.min(smallestClassBytes * classFactor ** index, this.#batchBytes);
  }
}
