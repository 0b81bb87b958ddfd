import { BatchBuilder, type BatchMemory } from '../protocol/records/index.ts';

const smallestBytes = 4096;

/**
 * The memory of a producer: how much of it is taken, and the buffers that lie ready to be filled again.
 *
 * Buffers double in size up to that of a full batch, and a batch that outgrows its buffer changes it for the next larger one: with
 * buffers of any size, those that lie ready would seldom be those that are asked for, and all the memory that is allocated anew makes V8
 * collect garbage. A buffer comes back only through {@link BatchBuilder.release}, whose caller knows that no request holds it any
 * more and has released what was taken for it, or from a batch that is still open.
 */
export class BufferMemory implements BatchMemory {
  readonly #limitBytes: number;
  /** Of the largest buffers that are kept. */
  readonly #largestBytes: number;
  /** By size: each place has buffers twice as large as the one before. */
  readonly #ready: Buffer[][] = [];
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
    // A record that is larger than a full batch.
    if (bytes > this.#largestBytes) return Buffer.allocUnsafeSlow(bytes);
    const place = this.#placeFor(bytes);
    // One that is twice as large is better than a new one; those beyond would count as more than the batch is worth.
    const ready = this.#ready[place]?.pop() ?? this.#ready[place + 1]?.pop();
    if (ready === undefined) return Buffer.allocUnsafeSlow(this.#bytesAt(place));
    this.#readyBytes -= ready.length;
    return ready;
  }

  recycle(buffer: Buffer): void {
    const bytes = buffer.length;
    if (bytes > this.#largestBytes || this.#usedBytes + this.#readyBytes + bytes > this.#limitBytes) return;
    (this.#ready[this.#placeFor(bytes)] ??= []).push(buffer);
    this.#readyBytes += bytes;
  }

  #dropReady(): void {
    this.#ready.length = 0;
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
