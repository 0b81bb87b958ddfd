import { BatchReader } from '../../protocol/records/batch-reader.ts';
import type { BatchHeader } from '../../protocol/records/batch-header.ts';
import {
  baseOffsetAt,
  batchLengthAt,
  batchPrefixBytes,
  lastOffsetDeltaAt,
} from '../../protocol/records/batch-layout.ts';

/** How many bytes of batches lie between two entries of the index, as in Kafka's `log.index.interval.bytes`. */
const INDEX_INTERVAL_BYTES = 4096;
const FIRST_BYTES = 4096;

interface IndexEntry {
  readonly offset: bigint;
  readonly position: number;
}

/** Where a batch goes, whatever its header says before it is stamped. */
export interface BatchPlace {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly maxTimestamp: number;
}

/**
 * A stretch of a partition's log: batches one after the other in one piece of memory, so that any run of them is handed out as a
 * view. What was written never changes; when the memory becomes too small, a larger copy takes its place and old views stay valid.
 */
export class LogSegment {
  /** The offset that the segment was begun at; the first batch may begin later after compaction. */
  readonly baseOffset: bigint;
  /** On the wall clock, in milliseconds: when the first batch came; retention of an empty segment counts from it. */
  readonly createdMs: number;
  #nextOffset: bigint;
  #maxTimestamp = -1;
  #bytes: Buffer;
  #size = 0;
  readonly #index: IndexEntry[] = [];
  #indexedTo = -Infinity;

  constructor(baseOffset: bigint, createdMs: number) {
    this.baseOffset = baseOffset;
    this.#nextOffset = baseOffset;
    this.createdMs = createdMs;
    this.#bytes = Buffer.allocUnsafeSlow(0);
  }

  /** The offset after the last one of the segment. */
  get nextOffset(): bigint {
    return this.#nextOffset;
  }

  /** What its batches take. */
  get sizeBytes(): number {
    return this.#size;
  }

  /** What it takes in memory. */
  get capacityBytes(): number {
    return this.#bytes.length;
  }

  /** The highest timestamp of its records; -1 if there is none. */
  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  /** Its batches, as a view. */
  get batches(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Copies one batch to the end, which must be the batch of the next offset or later, and gives back the copy. */
  append(batch: Buffer, place: BatchPlace, maxBytes: number): Buffer {
    const { baseOffset, lastOffset, maxTimestamp } = place;
    const position = this.#size;
    const end = position + batch.length;
    if (end > this.#bytes.length) this.#grow(end, maxBytes);
    this.#bytes.set(batch, position);
    if (position - this.#indexedTo >= INDEX_INTERVAL_BYTES) {
      this.#index.push({ offset: baseOffset, position });
      this.#indexedTo = position;
    }
    this.#size = end;
    this.#nextOffset = lastOffset + 1n;
    if (maxTimestamp > this.#maxTimestamp) this.#maxTimestamp = maxTimestamp;
    return this.#bytes.subarray(position, end);
  }

  /** Gives back memory that no batch will fill any more. */
  seal(): void {
    if (this.#bytes.length - this.#size <= this.#bytes.length / 4) return;
    this.#bytes = copyOf(this.#bytes.subarray(0, this.#size), this.#size);
  }

  /** The same segment with the batches that end below this offset alone, in memory of its own. */
  cutTo(offset: bigint): LogSegment {
    const kept = new LogSegment(this.baseOffset, this.createdMs);
    for (const batch of this.headers()) {
      const lastOffset = batch.baseOffset + BigInt(batch.lastOffsetDelta);
      if (lastOffset >= offset) break;
      const { baseOffset, maxTimestamp } = batch;
      kept.append(batch.bytes.subarray(batch.start, batch.end), { baseOffset, lastOffset, maxTimestamp }, this.#size);
    }
    return kept;
  }

  /** Where the batch stands that holds this offset or, where it was compacted away, the next one; undefined behind the last. */
  positionOf(offset: bigint): number | undefined {
    if (offset >= this.#nextOffset) return undefined;
    let position = this.#indexedBefore(offset);
    while (position < this.#size && this.#lastOffsetAt(position) < offset) position += this.#batchBytesAt(position);
    return position < this.#size ? position : undefined;
  }

  /** Where the first batch stands that begins at this offset or later: everything before it is below. */
  endBefore(offset: bigint): number {
    if (offset >= this.#nextOffset) return this.#size;
    let position = this.#indexedBefore(offset);
    while (position < this.#size && this.#bytes.readBigInt64BE(position + baseOffsetAt) < offset)
      position += this.#batchBytesAt(position);
    return position;
  }

  /** The size of the batch that stands here. */
  batchBytesAt(position: number): number {
    return this.#batchBytesAt(position);
  }

  /** The headers from a position on; their positions count in {@link LogSegment.batches}. */
  *headers(from = 0): Generator<BatchHeader, void, undefined> {
    const reader = new BatchReader(this.#bytes.subarray(from, this.#size), { checkCrcs: false });
    for (let batch = reader.next(); batch !== undefined; batch = reader.next()) yield batch;
  }

  #indexedBefore(offset: bigint): number {
    let low = 0;
    let high = this.#index.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#index[middle];
      if (entry !== undefined && entry.offset <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#index[low - 1]?.position ?? 0;
  }

  #batchBytesAt(position: number): number {
    return batchPrefixBytes + this.#bytes.readInt32BE(position + batchLengthAt);
  }

  #lastOffsetAt(position: number): bigint {
    return (
      this.#bytes.readBigInt64BE(position + baseOffsetAt) +
      BigInt(this.#bytes.readInt32BE(position + lastOffsetDeltaAt))
    );
  }

  #grow(neededBytes: number, maxBytes: number): void {
    const doubled = Math.min(Math.max(this.#bytes.length * 2, FIRST_BYTES), maxBytes);
    this.#bytes = copyOf(this.#bytes.subarray(0, this.#size), Math.max(neededBytes, doubled));
  }
}

function copyOf(bytes: Buffer, capacity: number): Buffer {
  // Not from the pool: a segment lives long, and a pooled slice would keep its neighbours alive.
  const larger = Buffer.allocUnsafeSlow(capacity);
  larger.set(bytes);
  return larger;
}
