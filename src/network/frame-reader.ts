import { ProtocolError } from '../errors/kafka-error.ts';
import { freeMemory } from '../util/free-memory.ts';
import { guessFromFirstBytes } from './not-kafka.ts';

const SIZE_BYTES = 4;
/** Less than a correlation id cannot be a response. */
const MIN_FRAME_BYTES = 4;
/** Where small frames land before they are copied out; larger ones are read where they stay. */
const SCRATCH_BYTES = 16 * 1024;
/** Up to this size a frame's announced size is believed; beyond, memory grows with what has really arrived. */
const TRUSTED_FRAME_BYTES = 1024 * 1024;
/** Memory of frames from this size on can be given back, and is rounded up so that frames of about the same size fit again. */
const LENT_FRAME_BYTES = 64 * 1024;
/**
 * So much that was given back is kept for the frames to come, at most: what a consumer of many partitions has in use, as they come back at
 * about the same time.
 */
const SPARE_BYTES = 64 * 1024 * 1024;

/**
 * Cuts a stream into frames: a size in four bytes, then that many bytes.
 *
 * The socket asks for {@link space}, the kernel writes there, and {@link advance} is told how much. Once the size of a frame is
 * known, the space is the rest of the frame itself, so its bytes are not copied again. A frame owns its memory, until whoever got it
 * gives it back by {@link leaseOf}: then another frame is read into it.
 */
export class FrameReader {
  readonly #maxFrameBytes: number;
  readonly #onFrame: (frame: Buffer) => void;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #space: Buffer = this.#scratch;
  #size = 0;
  #sizeBytes = 0;
  #frame: Buffer | undefined;
  #filled = 0;
  #frames = 0;
  // What a peer has once sent in full it may announce again: allocating it at once wastes no more than it has given.
  #trustedBytes = TRUSTED_FRAME_BYTES;
  #stopped = false;
  /** What was handed out and may come back; weak, since most is simply forgotten. */
  readonly #lent = new WeakSet<ArrayBufferLike>();
  /** What came back, smallest first. */
  #spare: Buffer[] = [];

  /** @param onFrame takes each frame without its size; what it throws comes out of {@link advance} */
  constructor(maxFrameBytes: number, onFrame: (frame: Buffer) => void) {
    this.#maxFrameBytes = maxFrameBytes;
    this.#onFrame = onFrame;
  }

  /** Where the next bytes go; never empty. */
  space(): Buffer {
    return this.#space;
  }

  /**
   * Takes the first `count` bytes of {@link space} as read.
   *
   * @throws ProtocolError, NetworkError for a size that cannot be, before anything is allocated for it
   */
  advance(count: number): void {
    if (this.#frame === undefined) {
      this.#cut(this.#scratch, count);
    } else {
      this.#filled += count;
      this.#settleFrame(this.#frame);
    }
    this.#space = this.#frame === undefined ? this.#scratch : this.#frame.subarray(this.#filled);
  }

  /** No frame is handed out any more, not even from bytes that are already here. */
  stop(): void {
    this.#stopped = true;
    // Who opens and closes consumers would wait for a collection with many megabytes.
    for (const { buffer } of this.#spare) freeMemory(buffer);
    this.#spare = [];
  }

  /**
   * How to give the memory of a frame back, for the one who got the frame and knows that nothing reads it any more, nor any view of
   * it; undefined for memory that is not worth it. To give nothing back is always right: it is collected then.
   */
  leaseOf(memory: ArrayBufferLike): (() => void) | undefined {
    if (!this.#lent.has(memory)) return undefined;
    return () => {
      // Once only: twice, and two frames would be read into the same memory.
      if (!this.#lent.delete(memory)) return;
      if (this.#stopped) freeMemory(memory);
      else this.#keep(Buffer.from(memory));
    };
  }

  #cut(bytes: Buffer, end: number): void {
    let at = 0;
    while (at < end && !this.#stopped) {
      if (this.#frame === undefined) {
        this.#size = (this.#size << 8) | (bytes[at++] ?? 0);
        if (++this.#sizeBytes === SIZE_BYTES) this.#beginFrame();
        continue;
      }
      const count = Math.min(this.#frame.length - this.#filled, end - at);
      bytes.copy(this.#frame, this.#filled, at, at + count);
      at += count;
      this.#filled += count;
      this.#settleFrame(this.#frame);
    }
  }

  #beginFrame(): void {
    this.#checkSize(this.#size);
    this.#frame = this.#allocate(this.#size);
    this.#filled = 0;
  }

  #allocate(size: number): Buffer {
    if (size < LENT_FRAME_BYTES) {
      // Small answers come when there is little to read: what lies ready for much more goes.
      this.#spare.pop();
      return Buffer.allocUnsafe(size);
    }
    const at = this.#spare.findIndex(({ length }) => length >= size);
    const [spare] = at < 0 ? [] : this.#spare.splice(at, 1);
    if (spare !== undefined) return spare.subarray(0, size);
    const trusted = Math.min(size, this.#trustedBytes);
    return Buffer.allocUnsafeSlow(Math.ceil(trusted / LENT_FRAME_BYTES) * LENT_FRAME_BYTES).subarray(0, trusted);
  }

  #keep(memory: Buffer): void {
    this.#spare.push(memory);
    this.#spare.sort((a, b) => a.length - b.length);
    let bytes = this.#spare.reduce((sum, { length }) => sum + length, 0);
    // The smallest serve least.
    while (bytes > SPARE_BYTES) bytes -= this.#spare.shift()?.length ?? bytes;
  }

  #settleFrame(frame: Buffer): void {
    if (this.#filled < frame.length) return;
    if (frame.length < this.#size) {
      this.#frame = Buffer.allocUnsafeSlow(Math.min(this.#size, frame.length * 2));
      frame.copy(this.#frame);
      return;
    }
    this.#trustedBytes = Math.max(this.#trustedBytes, frame.length);
    this.#frame = undefined;
    this.#size = 0;
    this.#sizeBytes = 0;
    this.#frames++;
    if (frame.length >= LENT_FRAME_BYTES) this.#lent.add(frame.buffer);
    if (!this.#stopped) this.#onFrame(frame);
  }

  #checkSize(size: number): void {
    if (this.#frames === 0) {
      const guess = guessFromFirstBytes(size);
      if (guess !== undefined) throw guess;
    }
    if (size < MIN_FRAME_BYTES) throw new ProtocolError(`Cannot read a response: its size is ${size} bytes`);
    if (size > this.#maxFrameBytes) {
      const advice = `raise maxResponseBytes if the broker is right to send so much`;
      throw new ProtocolError(
        `Cannot read a response: it announces ${size} bytes, more than maxResponseBytes (${this.#maxFrameBytes}); ${advice}`,
        { code: 'RESPONSE_TOO_LARGE' },
      );
    }
  }
}
