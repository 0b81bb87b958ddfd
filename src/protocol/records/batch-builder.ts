import { UsageError } from '../../errors/kafka-error.ts';
import {
  attributesAt,
  batchHeaderBytes,
  batchLengthAt,
  batchPrefixBytes,
  baseOffsetAt,
  baseSequenceAt,
  baseTimestampAt,
  controlBit,
  crcAt,
  deleteHorizonBit,
  lastOffsetDeltaAt,
  leaderEpochAt,
  logAppendTimeBit,
  magicAt,
  maxTimestampAt,
  producerEpochAt,
  producerIdAt,
  recordCountAt,
  transactionalBit,
} from './batch-layout.ts';
import { compressionNumbers, type CompressionName } from './compression-type.ts';
import { crc32c } from './crc.ts';
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.ts';

/** A header of a record: a key that may occur more than once, and a value that may be null. */
export interface RecordHeader {
  /** The name of the header. */
  readonly key: string;
  /** Text is written as UTF-8. */
  readonly value: string | Uint8Array | null;
}

/** How large a {@link BatchBuilder} may become. */
export interface BatchBuilderOptions {
  /** What is allocated with the first record; it doubles when full. */
  readonly initialBytes: number;
  /** The size of the batch, header included, beyond which only a record that is alone in its batch is taken. */
  readonly maxBytes: number;
  /** Where its buffers come from. @defaultValue new ones, for the garbage collector */
  readonly memory?: BatchMemory;
}

/** Where the buffers of batches come from, and go to when nobody reads them any more. */
export interface BatchMemory {
  /** A buffer of at least so many bytes; what is in it does not matter. */
  allocate(bytes: number): Buffer;
  /** One that came from {@link BatchMemory.allocate}. */
  recycle(buffer: Buffer): void;
}

/** Who wrote a batch: -1, -1, -1 where the producer is not idempotent. */
export interface ProducerStamp {
  /** What the broker gave the producer with InitProducerId. */
  readonly producerId: bigint;
  /** Rises with each producer that takes over the id; the broker refuses the older ones. */
  readonly producerEpoch: number;
  /** The sequence number of the batch's first record in its partition. */
  readonly baseSequence: number;
}

/** What {@link BatchBuilder.close} puts into the header. The optional fields are those that only brokers write. */
export interface CloseOptions extends ProducerStamp {
  /** The codec that the header names. */
  readonly compression: CompressionName;
  /** What the codec made of {@link BatchBuilder.body}; required unless `compression` is `none`. */
  readonly compressed?: Buffer;
  /** Whether the batch belongs to a transaction. */
  readonly transactional: boolean;
  /** Whether it holds a control record. @defaultValue false */
  readonly control?: boolean;
  /** The offset of the first record. @defaultValue 0 */
  readonly baseOffset?: bigint;
  /** The epoch of the leader that appends it. @defaultValue -1 */
  readonly partitionLeaderEpoch?: number;
  /** The time of all records, set by the broker of a topic with `message.timestamp.type=LogAppendTime`. */
  readonly logAppendTimeMs?: number;
  /** Where it is not that of a record any more, because compaction took that record away. */
  readonly maxTimestampMs?: number;
  /** Beyond the last record's where records at the end were compacted away. */
  readonly lastOffsetDelta?: number;
  /** KIP-534: stands in the place of the first timestamp. Allowed only while the batch is empty. */
  readonly deleteHorizonMs?: number;
}

/** Key and value up to here are copied character by character, which beats the call into native code. */
const shortLength = 24;
/**
 * A UTF-8 write that is given this much more room than the string has characters fills more bytes than that exactly when the
 * string is not ASCII: it stops at most three bytes short of the room.
 */
const utf8Slack = 4;
const maxBatchBytes = 0x7fff_ffff;

/**
 * One open batch of one partition: records are encoded as they are appended, straight into one growing buffer.
 *
 * Nothing is allocated per record. The buffer is never handed out twice: {@link BatchBuilder.reset} and {@link BatchBuilder.release}
 * are the only ways to fill it again, and are for the owner to call once nobody reads what {@link BatchBuilder.close} gave out.
 */
export class BatchBuilder {
  readonly #initialBytes: number;
  readonly #memory: BatchMemory;
  #maxBytes: number;
  #buffer: Buffer = emptyBuffer;
  #position = batchHeaderBytes;
  #recordCount = 0;
  #nextOffsetDelta = 0;
  #baseTimestamp = -1;
  #maxTimestamp = -1;
  #lastKeyBytes = -1;
  #lastValueBytes = -1;
  #lastRecordBytes = 0;
  // Texts of one topic are alike: once one was not ASCII, measuring first is cheaper than trying.
  #measureFirst = false;

  /** The size of the buffer that holds a batch of so many bytes. */
  static bufferBytes(batchBytes: number): number {
    return batchBytes + utf8Slack;
  }

  constructor(options: BatchBuilderOptions) {
    this.#initialBytes = Math.max(options.initialBytes, batchHeaderBytes);
    this.#maxBytes = options.maxBytes;
    this.#memory = options.memory ?? newMemory;
  }

  /** How many records were taken. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** The size of the batch as it is now, header included, uncompressed. */
  get sizeBytes(): number {
    return this.#position;
  }

  /** What the buffer takes in memory. */
  get capacityBytes(): number {
    return this.#buffer.length;
  }

  /** The serialized size of the last record's key; -1 if it was null. */
  get lastKeyBytes(): number {
    return this.#lastKeyBytes;
  }

  /** The serialized size of the last record's value; -1 if it was null. */
  get lastValueBytes(): number {
    return this.#lastValueBytes;
  }

  /** What the last record takes in the batch. */
  get lastRecordBytes(): number {
    return this.#lastRecordBytes;
  }

  /** The largest timestamp of the batch; -1 while it is empty. */
  get maxTimestampMs(): number {
    return this.#maxTimestamp;
  }

  /**
   * Takes a record, or answers false if it does not fit any more; an empty batch takes a record of any size.
   *
   * Strings are written as UTF-8; a lone surrogate becomes U+FFFD, as everywhere in Node.
   */
  append(
    timestampMs: number,
    key: string | Uint8Array | null,
    value: string | Uint8Array | null,
    headers: readonly RecordHeader[] | undefined,
  ): boolean {
    if (!this.#measureFirst) {
      // The fast path takes every text for ASCII, so that a string's length is its size, and notices if it was wrong.
      const taken = this.#write(timestampMs, key, value, headers, false);
      if (taken !== undefined) return taken;
    }
    return this.#appendMeasured(timestampMs, key, value, headers);
  }

  /** Another limit than the one it was made with; what it has taken already stays. */
  limitTo(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  /** Leaves out offsets before the next record, as compaction does. Only brokers write such batches. */
  skipOffsets(count: number): void {
    this.#nextOffsetDelta += count;
  }

  /** The records as they are, uncompressed, for a codec; valid until {@link BatchBuilder.reset} or the next record. */
  body(): Buffer {
    return this.#buffer.subarray(batchHeaderBytes, this.#position);
  }

  /**
   * Gives out the batch with its header and checksum.
   *
   * Uncompressed, it is a view of this builder's buffer; compressed, it has memory of its own.
   */
  close(options: CloseOptions): Buffer {
    const batch = this.#batchBytes(options);
    const lastOffsetDelta = options.lastOffsetDelta ?? this.#nextOffsetDelta - 1;
    const empty = this.#recordCount === 0;
    if (options.deleteHorizonMs !== undefined && !empty) {
      throw new UsageError(
        'Cannot set a delete horizon: the timestamps of the records are already relative to the first',
        {
          code: 'INVALID_ARGUMENT',
        },
      );
    }
    batch.writeBigInt64BE(options.baseOffset ?? 0n, baseOffsetAt);
    batch.writeInt32BE(batch.length - batchPrefixBytes, batchLengthAt);
    batch.writeInt32BE(options.partitionLeaderEpoch ?? -1, leaderEpochAt);
    batch[magicAt] = 2;
    batch.writeInt16BE(attributesOf(options), attributesAt);
    batch.writeInt32BE(lastOffsetDelta, lastOffsetDeltaAt);
    batch.writeBigInt64BE(BigInt(options.deleteHorizonMs ?? this.#baseTimestamp), baseTimestampAt);
    batch.writeBigInt64BE(
      BigInt(options.logAppendTimeMs ?? options.maxTimestampMs ?? this.#maxTimestamp),
      maxTimestampAt,
    );
    batch.writeInt32BE(this.#recordCount, recordCountAt);
    return stamp(batch, options);
  }

  /**
   * Empties the builder and keeps its buffer for the next batch.
   *
   * Only for an owner who knows that nobody reads the last batch any more: the answer to its request is there, or the socket
   * is closed. A buffer that is filled again while a request still holds it puts records into another topic.
   */
  reset(): void {
    this.#position = batchHeaderBytes;
    this.#recordCount = 0;
    this.#nextOffsetDelta = 0;
    this.#baseTimestamp = -1;
    this.#maxTimestamp = -1;
    this.#lastKeyBytes = -1;
    this.#lastValueBytes = -1;
    this.#lastRecordBytes = 0;
  }

  /** Empties the builder and gives its buffer back to where it came from; the same caution as with {@link BatchBuilder.reset}. */
  release(): void {
    const buffer = this.#buffer;
    this.reset();
    this.#buffer = emptyBuffer;
    if (buffer.length > 0) this.#memory.recycle(buffer);
  }

  #appendMeasured(
    timestampMs: number,
    key: string | Uint8Array | null,
    value: string | Uint8Array | null,
    headers: readonly RecordHeader[] | undefined,
  ): boolean {
    const taken = this.#write(timestampMs, key, value, headers, true) ?? false;
    if (taken) {
      this.#measureFirst = this.#lastKeyBytes !== (key?.length ?? -1) || this.#lastValueBytes !== (value?.length ?? -1);
    }
    return taken;
  }

  /** Answers undefined if a text that was taken for ASCII is not; nothing has happened then. */
  #write(
    timestampMs: number,
    key: string | Uint8Array | null,
    value: string | Uint8Array | null,
    headers: readonly RecordHeader[] | undefined,
    isMeasured: boolean,
  ): boolean | undefined {
    const first = this.#recordCount === 0;
    const offsetDelta = this.#nextOffsetDelta;
    const delta = first ? 0 : timestampMs - this.#baseTimestamp;
    const isShortDelta = (delta | 0) === delta;
    const wideDelta = isShortDelta && !first ? 0n : this.#wideDelta(timestampMs);
    const keyBytes = isMeasured ? exactSize(key) : (key?.length ?? -1);
    const valueBytes = isMeasured ? exactSize(value) : (value?.length ?? -1);
    const bodyBytes =
      1 +
      (isShortDelta ? varintSize(delta) : varlongSize(wideDelta)) +
      varintSize(offsetDelta) +
      varintSize(keyBytes) +
      (keyBytes > 0 ? keyBytes : 0) +
      varintSize(valueBytes) +
      (valueBytes > 0 ? valueBytes : 0) +
      (headers === undefined ? 1 : headersSize(headers));
    const start = this.#position;
    const end = start + varintSize(bodyBytes) + bodyBytes;
    if (end > this.#maxBytes && !first) return false;
    if (end + utf8Slack > this.#buffer.length) this.#grow(end + utf8Slack);

    const buffer = this.#buffer;
    let at = writeVarint(buffer, start, bodyBytes);
    buffer[at++] = 0;
    at = isShortDelta ? writeVarint(buffer, at, delta) : writeVarlong(buffer, at, wideDelta);
    at = writeVarint(buffer, at, offsetDelta);
    at = writeVarint(buffer, at, keyBytes);
    if (keyBytes > 0 && key !== null) {
      if (!writeContent(buffer, at, key, keyBytes)) return undefined;
      at += keyBytes;
    }
    at = writeVarint(buffer, at, valueBytes);
    if (valueBytes > 0 && value !== null) {
      if (!writeContent(buffer, at, value, valueBytes)) return undefined;
      at += valueBytes;
    }
    if (headers === undefined) buffer[at++] = 0;
    else at = writeHeaders(buffer, at, headers);

    if (first) this.#baseTimestamp = timestampMs;
    if (first || timestampMs > this.#maxTimestamp) this.#maxTimestamp = timestampMs;
    this.#position = at;
    this.#recordCount++;
    this.#nextOffsetDelta = offsetDelta + 1;
    this.#lastKeyBytes = keyBytes;
    this.#lastValueBytes = valueBytes;
    this.#lastRecordBytes = at - start;
    return true;
  }

  /** The difference to the first timestamp, exact where a number is not; also the place where a bad timestamp is found. */
  #wideDelta(timestampMs: number): bigint {
    if (!Number.isInteger(timestampMs) || timestampMs < -(2 ** 63) || timestampMs >= 2 ** 63) {
      throw new UsageError(
        `Cannot append a record with timestamp ${timestampMs}: it must be an integer, in milliseconds`,
        {
          code: 'INVALID_ARGUMENT',
        },
      );
    }
    return this.#recordCount === 0 ? 0n : BigInt(timestampMs) - BigInt(this.#baseTimestamp);
  }

  #grow(neededBytes: number): void {
    if (neededBytes > maxBatchBytes) {
      throw new UsageError(
        `Cannot append a record: the batch would have ${neededBytes} bytes, more than Kafka can store`,
        {
          code: 'INVALID_ARGUMENT',
        },
      );
    }
    const doubled = Math.min(this.#buffer.length * 2, BatchBuilder.bufferBytes(this.#maxBytes));
    const smaller = this.#buffer;
    const larger = this.#memory.allocate(Math.max(neededBytes, doubled, this.#initialBytes));
    smaller.copy(larger, 0, 0, this.#position);
    this.#buffer = larger;
    // While the batch is open, nobody else has seen it.
    if (smaller.length > 0) this.#memory.recycle(smaller);
  }

  #batchBytes(options: CloseOptions): Buffer {
    if (options.compression === 'none') {
      if (this.#buffer.length < batchHeaderBytes) this.#grow(batchHeaderBytes);
      return this.#buffer.subarray(0, this.#position);
    }
    const { compressed } = options;
    if (compressed === undefined) {
      throw new UsageError(
        `Cannot close a batch with compression ${options.compression}: the compressed body is missing`,
        {
          code: 'INVALID_ARGUMENT',
        },
      );
    }
    const batch = Buffer.allocUnsafeSlow(batchHeaderBytes + compressed.length);
    batch.set(compressed, batchHeaderBytes);
    return batch;
  }
}

/**
 * Renews the producer's identity and sequence of a closed batch, and its checksum; for a retry under another producer id.
 *
 * It writes into `batch` itself, so no request may still hold it.
 */
export function restamp(batch: Buffer, stamped: ProducerStamp): Buffer {
  return stamp(batch, stamped);
}

/** What a broker sets when it stores a closed batch: its offset, its leader epoch and, if it decides, the time of its records. */
export function stampStored(
  batch: Buffer,
  stored: { readonly baseOffset: bigint; readonly partitionLeaderEpoch: number; readonly logAppendTimeMs?: number },
): Buffer {
  batch.writeBigInt64BE(stored.baseOffset, baseOffsetAt);
  batch.writeInt32BE(stored.partitionLeaderEpoch, leaderEpochAt);
  if (stored.logAppendTimeMs === undefined) return batch; // both stand before what the checksum covers
  batch.writeInt16BE(batch.readInt16BE(attributesAt) | logAppendTimeBit, attributesAt);
  batch.writeBigInt64BE(BigInt(stored.logAppendTimeMs), maxTimestampAt);
  return renewCrc(batch);
}

/**
 * An upper bound of what a record takes in a batch of its own, the batch's header included: what `maxRequestBytes` is held against.
 *
 * Texts are measured only if the guess of three bytes per character exceeds `enoughBytes`.
 */
export function recordSizeBound(
  key: string | Uint8Array | null,
  value: string | Uint8Array | null,
  headers: readonly RecordHeader[] | undefined,
  enoughBytes: number,
): number {
  const overhead = batchHeaderBytes + maxRecordOverheadBytes + (headers === undefined ? 1 : headersSize(headers));
  const guess = overhead + guessedSize(key) + guessedSize(value);
  if (guess <= enoughBytes) return guess;
  return overhead + Math.max(0, exactSize(key)) + Math.max(0, exactSize(value));
}

const emptyBuffer: Buffer = Buffer.alloc(0);
const newMemory: BatchMemory = {
  // Not from Node's pool: a batch lives long, and a pooled slice would keep its neighbours alive.
  allocate: (bytes) => Buffer.allocUnsafeSlow(bytes),
  recycle: () => undefined,
};
/** Length 5, attributes 1, timestamp 10, offset 5, two lengths of 5. */
const maxRecordOverheadBytes = 31;

function guessedSize(content: string | Uint8Array | null): number {
  if (content === null) return 0;
  return typeof content === 'string' ? content.length * 3 : content.length;
}

function exactSize(content: string | Uint8Array | null): number {
  if (content === null) return -1;
  return typeof content === 'string' ? utf8Size(content) : content.length;
}

function utf8Size(text: string): number {
  const length = text.length;
  if (length > shortLength) return Buffer.byteLength(text);
  for (let index = 0; index < length; index++) {
    if (text.charCodeAt(index) >= 0x80) return Buffer.byteLength(text);
  }
  return length;
}

/** Answers false if `content` is a text of another size than `size`, which is its length or, where it differs, its exact size. */
function writeContent(buffer: Buffer, position: number, content: string | Uint8Array, size: number): boolean {
  if (typeof content === 'string') return writeText(buffer, position, content, size);
  writeBytes(buffer, position, content, size);
  return true;
}

function writeText(buffer: Buffer, position: number, text: string, size: number): boolean {
  const { length } = text;
  if (size !== length) return buffer.write(text, position, size) === size;
  if (size > shortLength) return buffer.write(text, position, size + utf8Slack) === size;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0x80) return false;
    buffer[position + index] = code;
  }
  return true;
}

function writeBytes(buffer: Buffer, position: number, bytes: Uint8Array, size: number): void {
  if (size > shortLength) return buffer.set(bytes, position);
  for (let index = 0; index < size; index++) buffer[position + index] = bytes[index] ?? 0;
}

function headersSize(headers: readonly RecordHeader[]): number {
  let size = varintSize(headers.length);
  for (const { key, value } of headers) {
    const keyBytes = utf8Size(key);
    const valueBytes = exactSize(value);
    size += varintSize(keyBytes) + keyBytes + varintSize(valueBytes) + Math.max(0, valueBytes);
  }
  return size;
}

function writeHeaders(buffer: Buffer, position: number, headers: readonly RecordHeader[]): number {
  let at = writeVarint(buffer, position, headers.length);
  for (const { key, value } of headers) {
    at = writeSized(buffer, at, key);
    if (value === null) at = writeVarint(buffer, at, -1);
    else at = writeSized(buffer, at, value);
  }
  return at;
}

function writeSized(buffer: Buffer, position: number, content: string | Uint8Array): number {
  const size = exactSize(content);
  const at = writeVarint(buffer, position, size);
  writeContent(buffer, at, content, size);
  return at + size;
}

function attributesOf(options: CloseOptions): number {
  return (
    compressionNumbers[options.compression] |
    (options.logAppendTimeMs === undefined ? 0 : logAppendTimeBit) |
    (options.transactional ? transactionalBit : 0) |
    (options.control === true ? controlBit : 0) |
    (options.deleteHorizonMs === undefined ? 0 : deleteHorizonBit)
  );
}

function stamp(batch: Buffer, stamped: ProducerStamp): Buffer {
  batch.writeBigInt64BE(stamped.producerId, producerIdAt);
  batch.writeInt16BE(stamped.producerEpoch, producerEpochAt);
  batch.writeInt32BE(stamped.baseSequence, baseSequenceAt);
  return renewCrc(batch);
}

function renewCrc(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(attributesAt)), crcAt);
  return batch;
}
