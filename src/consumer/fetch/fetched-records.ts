import { freeContent, isFreeable, keepContent } from '../../compression/index.ts';
import { ProtocolError } from '../../errors/kafka-error.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';
import { BatchReader, controlType, RecordCursor, type BatchHeader } from '../../protocol/records/index.ts';
import { PlaceCollector } from '../../protocol/records/record-places.ts';
import { BufferViews } from '../../util/buffer-views.ts';
import { HeapCounterweight } from '../../util/heap-counterweight.ts';
import type { BatchContext, BatchUse, RecordDeserializers } from '../consumer-record.ts';
import type { LazyRecords } from '../record-list.ts';
import type { Decompressor } from './decompressor.ts';
import type { FrameLease } from './frame-lease.ts';
import { AbortedTransactions, type AbortedTransaction } from './aborted-transactions.ts';

/** How fetched records are to be read. */
export interface FetchedRecordsOptions {
  readonly state: TopicPartition;
  readonly records: Buffer;
  readonly highWatermark: bigint;
  /** Undefined where transactions do not matter (read_uncommitted). */
  readonly aborted: readonly AbortedTransaction[] | undefined;
  readonly checkCrcs: boolean;
  readonly decompressor: Decompressor;
  readonly deserializers: RecordDeserializers;
  /** Which records are somebody's here, by the offset that they count from and their distance to it. @defaultValue all */
  readonly includes?: ((baseOffset: bigint, offsetDelta: number) => boolean) | undefined;
  /** Set where the memory of `records` is to be given back once all is read: then records get copies of their bytes. */
  readonly lease?: FrameLease | undefined;
  /** What stands on the heap for the memory of the records. @defaultValue one for the process */
  readonly counterweight?: Pick<HeapCounterweight, 'add'> | undefined;
}

/**
 * About so many bytes of records share their memory, and are looked through at once where fewer are wanted at a time. With values of 1 KiB,
 * reading costs a fifth more with pieces of 16 KiB, and from 120 KiB on: the allocator of the C library is at its best between them.
 */
const pieceBytes = 96 * 1024;
/** Larger records stay where they are: to copy them would cost more than their memory is worth. */
const maxCopiedBytes = 1024 * 1024;
/** What V8 takes for a record and the view of its value, once they are made. */
const objectBytesPerRecord = 190;
/** Half as much on the heap as outside of it is enough for young collections to come in time. */
const heapShare = 1 / 2;

/** So many records share their memory at most. */
const mostPlaces = 1024;
/** One for all: it is empty before and after each use. */
const collector = new PlaceCollector(mostPlaces);
const ofProcess = new HeapCounterweight();

/** Records that were handed out together. */
interface HandedOut extends BatchUse {
  readonly bytes: number;
  readonly records: number;
}

/** A batch that is being decompressed, or that is done. */
interface Decompression {
  readonly header: BatchHeader;
  body: Buffer | undefined;
  error: unknown;
  /** Never rejects; undefined if it was done at once. */
  finished: Promise<void> | undefined;
}

/**
 * What one fetch brought for one partition, turned into records as they are asked for.
 *
 * Each batch is checked and decompressed when its first record is due, or a few batches before, so that nothing is held twice for longer
 * than needed, and the batches before a corrupt one can be used.
 */
export class FetchedRecords {
  /** What it holds in memory. */
  readonly bytes: number;
  readonly highWatermark: bigint;
  /** Behind the last batch that was begun and, once it is done, behind all its gaps. */
  nextOffset: bigint;
  readonly #options: FetchedRecordsOptions;
  readonly #reader: BatchReader;
  readonly #aborted: AbortedTransactions | undefined;
  #cursor: RecordCursor | undefined;
  #header: BatchHeader | undefined;
  #batchEnd = 0n;
  /** The batch that is due. */
  #pending: Decompression | undefined;
  /** Those behind it that were begun before they are due, in order. */
  readonly #ahead: Decompression[] = [];
  #error: Error | undefined;
  /** What was handed out by the last read. */
  readonly #unweighed: HandedOut[] = [];
  #lease: FrameLease | undefined;

  constructor(options: FetchedRecordsOptions, fetchOffset: bigint) {
    this.#options = options;
    this.#lease = options.lease?.begin();
    this.bytes = options.records.length;
    this.highWatermark = options.highWatermark;
    this.nextOffset = fetchOffset;
    this.#reader = new BatchReader(options.records, { checkCrcs: options.checkCrcs });
    this.#aborted = options.aborted === undefined ? undefined : new AbortedTransactions(options.aborted);
  }

  /**
   * Adds up to `limit` records to `into`. Answers `more` if the limit was reached, `end` if there is nothing left, or a
   * promise after which to ask again.
   *
   * @param isAhead whether small records may come as several times `limit`: memory for ten takes about as long as for a thousand
   * @throws ProtocolError with code CORRUPT_BATCH
   */
  read(into: LazyRecords, limit: number, isAhead = false): 'more' | 'end' | Promise<void> {
    // To go on behind a batch that could not be read would be to lose it.
    if (this.#error !== undefined) throw this.#error;
    this.#weigh();
    try {
      return this.#read(into, limit, isAhead);
    } catch (error) {
      this.#error = toProtocolError(error);
      throw this.#error;
    }
  }

  /**
   * Begins to decompress batches before they are due, so that there are `limit` of them, where the thread pool does it. Answers how many
   * there are.
   */
  decompressAhead(limit: number): number {
    while (this.#ahead.length < limit) {
      const next = this.#reader.peek();
      if (next === undefined || !this.#options.decompressor.isAside(next.compression, next.bodyBytes)) break;
      let header: BatchHeader | undefined;
      try {
        header = this.#reader.next();
      } catch {
        // It is said when it is due: the reader stays before it.
        break;
      }
      if (header === undefined) break;
      this.#ahead.push(this.#startDecompression(header));
    }
    return this.#ahead.length;
  }

  #read(into: LazyRecords, limit: number, isAhead: boolean): 'more' | 'end' | Promise<void> {
    let most = limit;
    for (;;) {
      const cursor = this.#cursor ?? this.#open();
      if (cursor === 'end') {
        this.#lease?.end();
        this.#lease = undefined;
        return 'end';
      }
      if (cursor instanceof Promise) return cursor;
      if (isAhead && into.length === 0) most = limit * Math.max(1, Math.floor(recordsOfPiece(cursor) / limit));
      this.#take(cursor, into, most);
      if (this.#cursor === undefined) continue;
      this.nextOffset = cursor.offset + 1n;
      if (into.length >= most) return 'more';
    }
  }

  /** Adds records of one batch. */
  #take(cursor: RecordCursor, into: LazyRecords, limit: number): void {
    const header = this.#header;
    const from = cursor.position;
    try {
      const most = this.#isCopied(cursor) ? recordsOfPiece(cursor) : collector.capacity;
      if (!this.#collect(cursor, Math.min(limit - into.length, most))) this.#finishBatch();
    } finally {
      // Those before a corrupt one can be used.
      if (collector.count > 0) {
        const use = { bytes: cursor.position - from, records: collector.count, isLookedAt: false };
        into.add(this.#collected(cursor, from, header, use));
        this.#unweighed.push(use);
      }
      collector.clear();
    }
    // All of it is copied, or was kept.
    if (this.#cursor !== cursor) freeContent(cursor.bytes);
  }

  /** False at the end of the batch. */
  #collect(cursor: RecordCursor, limit: number): boolean {
    const { includes } = this.#options;
    const { baseOffset } = cursor;
    // Batches come whole: their first records may lie before the offset that was asked for.
    const first = this.nextOffset > baseOffset ? Number(this.nextOffset - baseOffset) : 0;
    if (includes === undefined) return cursor.collect(collector, limit, first);
    while (collector.count < limit) {
      if (!cursor.next()) return false;
      if (cursor.offsetDelta >= first && includes(baseOffset, cursor.offsetDelta)) collector.add(cursor);
    }
    return true;
  }

  /** What the records whose places were collected share. */
  #collected(cursor: RecordCursor, from: number, header: BatchHeader | undefined, use: BatchUse): BatchContext {
    return {
      ...this.#placesAndBytes(cursor, from),
      state: this.#options.state,
      baseOffset: cursor.baseOffset,
      leaderEpoch: header?.partitionLeaderEpoch ?? -1,
      timestampType: header?.timestampType ?? 'create',
      deserializers: this.#options.deserializers,
      use,
    };
  }

  /** Puts onto the heap what is missing there, now that it is known whether somebody has made records of what was handed out. */
  #weigh(): void {
    const { counterweight = ofProcess, deserializers } = this.#options;
    for (const { bytes, records, isLookedAt } of this.#unweighed) {
      // A deserializer makes something on the heap of all bytes.
      if (isLookedAt && deserializers.areBytes !== true) continue;
      counterweight.add(bytes * heapShare, isLookedAt ? records * objectBytesPerRecord : 0);
    }
    this.#unweighed.length = 0;
  }

  /** Nothing that the user gets may be a view of memory that goes back. */
  #placesAndBytes(cursor: RecordCursor, from: number): Pick<BatchContext, 'places' | 'content'> {
    if (!this.#isCopied(cursor)) return { places: collector.finish(), content: new BufferViews(cursor.bytes) };
    const used = cursor.bytes.subarray(from, cursor.position);
    if (used.length > maxCopiedBytes) {
      this.#keepMemory(cursor);
      return { places: collector.finish(), content: new BufferViews(used, from) };
    }
    // Both in one piece of memory: V8 and the allocator ask about as much time for a small one as for a large one.
    const memory = Buffer.allocUnsafeSlow(collector.sizeBytes + used.length);
    const copy = memory.subarray(collector.sizeBytes);
    used.copy(copy);
    return { places: collector.finish(memory.buffer), content: new BufferViews(copy, from) };
  }

  /** Whether the memory of the batch's bytes serves others as soon as they are read. */
  #isCopied({ bytes }: RecordCursor): boolean {
    return bytes === this.#options.records ? this.#lease !== undefined : isFreeable(bytes);
  }

  #keepMemory({ bytes }: RecordCursor): void {
    if (bytes === this.#options.records) this.#lease?.keep();
    else keepContent(bytes);
  }

  #finishBatch(): void {
    this.#cursor = undefined;
    this.#header = undefined;
    if (this.#batchEnd > this.nextOffset) this.nextOffset = this.#batchEnd;
  }

  /** Finds the next batch with records to hand out. */
  #open(): RecordCursor | 'end' | Promise<void> {
    for (;;) {
      const pending = this.#takePending();
      if (pending instanceof Promise) return pending;
      if (pending !== undefined) return this.#begin(pending.header, pending.body);
      const ahead = this.#ahead.shift();
      const header = ahead?.header ?? this.#reader.next();
      if (header === undefined) return 'end';
      this.#batchEnd = header.baseOffset + BigInt(header.lastOffsetDelta) + 1n;
      if (this.#batchEnd <= this.nextOffset) continue;
      if (header.recordCount === 0 || this.#isHidden(header)) {
        this.#finishBatch();
        continue;
      }
      if (header.compression === 'none') return this.#begin(header, undefined);
      this.#pending = ahead ?? this.#startDecompression(header);
    }
  }

  #begin(header: BatchHeader, body: Buffer | undefined): RecordCursor {
    const cursor = new RecordCursor(header, body);
    this.#cursor = cursor;
    this.#header = header;
    return cursor;
  }

  /** Control records are never handed out, records of aborted transactions only where the user wants uncommitted ones. */
  #isHidden(header: BatchHeader): boolean {
    const lastOffset = this.#batchEnd - 1n;
    if (header.isControl) {
      if (this.#aborted !== undefined && isAbortMarker(header))
        this.#aborted.handleAbortMarker(header.producerId, lastOffset);
      return true;
    }
    return header.isTransactional && this.#aborted?.isAborted(header.producerId, lastOffset) === true;
  }

  #startDecompression(header: BatchHeader): Decompression {
    const body = header.bytes.subarray(header.recordsStart, header.end);
    const decompression: Decompression = { header, body: undefined, error: undefined, finished: undefined };
    const result = this.#options.decompressor.decompress(header.compression, body);
    if (!(result instanceof Promise)) {
      decompression.body = result;
      return decompression;
    }
    decompression.finished = result.then(
      (decompressed) => {
        decompression.body = decompressed;
      },
      (error: unknown) => {
        decompression.error = error;
      },
    );
    return decompression;
  }

  #takePending(): { readonly header: BatchHeader; readonly body: Buffer } | Promise<void> | undefined {
    const pending = this.#pending;
    if (pending === undefined) return undefined;
    const { header, body, error, finished } = pending;
    if (body === undefined && error === undefined && finished !== undefined) return finished;
    this.#pending = undefined;
    if (body === undefined) throw error;
    return { header, body };
  }
}

/** How many records of the batch a piece has, by their average size. */
function recordsOfPiece({ contentBytes, recordCount }: RecordCursor): number {
  const fitting = Math.floor((pieceBytes / Math.max(1, contentBytes)) * recordCount);
  return Math.max(1, Math.min(collector.capacity, fitting));
}

function isAbortMarker(header: BatchHeader): boolean {
  const cursor = new RecordCursor(header);
  if (!cursor.next() || cursor.keyLength < 0) return false;
  return controlType(cursor.bytes.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength)) === 'abort';
}

function toProtocolError(error: unknown): Error {
  if (error instanceof Error) return error;
  return new ProtocolError('Cannot decompress a record batch', { code: 'COMPRESSION_FAILED', cause: error });
}
