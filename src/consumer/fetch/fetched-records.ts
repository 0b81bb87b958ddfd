import { ProtocolError } from '../../errors/kafka-error.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';
import { BatchReader, controlType, RecordCursor, type BatchHeader } from '../../protocol/records/index.ts';
import { BufferViews } from '../../util/buffer-views.ts';
import { ConsumerRecord, type BatchContext, type RecordDeserializers } from '../consumer-record.ts';
import type { Decompress } from './decompressor.ts';
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
  readonly decompress: Decompress;
  readonly deserializers: RecordDeserializers;
  /** Makes records of another kind, or none where the place is nobody's here. @defaultValue each place is a `ConsumerRecord` */
  readonly make?: MakeRecord | undefined;
  /** Set where the memory of `records` is to be given back once all is read: then records get copies of their bytes. */
  readonly lease?: FrameLease | undefined;
}

/** Records that take more together, as large ones do, stay where they are: to copy them would cost more than their memory is worth. */
const maxCopiedBytes = 256 * 1024;

/** A context whose bytes are only known when the last of its records is. */
type OpenContext = { -readonly [Name in keyof BatchContext]: BatchContext[Name] };

/** Makes the record at the place where the cursor stands. */
export type MakeRecord = (context: BatchContext, cursor: RecordCursor) => ConsumerRecord<unknown, unknown> | undefined;

/**
 * What one fetch brought for one partition, turned into records as they are asked for.
 *
 * Each batch is checked and decompressed when its first record is due, so that nothing is held twice for longer than needed,
 * and the batches before a corrupt one can be used.
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
  /** A batch whose decompression is under way, or done. */
  #pending: { readonly header: BatchHeader; body: Buffer | undefined; error: unknown } | undefined;
  #promise: Promise<void> | undefined;
  #error: Error | undefined;
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
   * @throws ProtocolError with code CORRUPT_BATCH
   */
  read(into: ConsumerRecord<unknown, unknown>[], limit: number): 'more' | 'end' | Promise<void> {
    // To go on behind a batch that could not be read would be to lose it.
    if (this.#error !== undefined) throw this.#error;
    try {
      return this.#read(into, limit);
    } catch (error) {
      this.#error = toProtocolError(error);
      throw this.#error;
    }
  }

  #read(into: ConsumerRecord<unknown, unknown>[], limit: number): 'more' | 'end' | Promise<void> {
    for (;;) {
      const cursor = this.#cursor ?? this.#open();
      if (cursor === 'end') {
        this.#lease?.end();
        this.#lease = undefined;
        return 'end';
      }
      if (cursor instanceof Promise) return cursor;
      this.#take(cursor, into, limit);
      if (this.#cursor !== undefined) {
        this.nextOffset = cursor.offset + 1n;
        return 'more';
      }
    }
  }

  /** Adds records of one batch. */
  #take(cursor: RecordCursor, into: ConsumerRecord<unknown, unknown>[], limit: number): void {
    const { make } = this.#options;
    // Batches come whole: their first records may lie before the offset that was asked for.
    const skipBefore = this.nextOffset > cursor.baseOffset ? Number(this.nextOffset - cursor.baseOffset) : 0;
    let context: OpenContext | undefined;
    let from = 0;
    try {
      while (into.length < limit) {
        if (!cursor.next()) {
          this.#finishBatch();
          break;
        }
        if (cursor.offsetDelta < skipBefore) continue;
        if (context === undefined) {
          context = this.#contextOf(cursor);
          from = cursor.position - cursor.sizeBytes;
        }
        if (make === undefined) into.push(new ConsumerRecord<unknown, unknown>(context, cursor));
        else {
          const record = make(context, cursor);
          if (record !== undefined) into.push(record);
        }
      }
    } finally {
      if (context !== undefined) this.#settleBytes(context, cursor, from);
    }
  }

  /** What the record under the cursor shares with those that follow it. */
  #contextOf(cursor: RecordCursor): OpenContext {
    return {
      state: this.#options.state,
      content: new BufferViews(cursor.bytes),
      baseOffset: cursor.baseOffset,
      leaderEpoch: this.#header?.partitionLeaderEpoch ?? -1,
      timestampType: this.#header?.timestampType ?? 'create',
      deserializers: this.#options.deserializers,
    };
  }

  /** Nothing that the user gets may be a view of memory that goes back. */
  #settleBytes(context: OpenContext, cursor: RecordCursor, from: number): void {
    if (this.#lease === undefined || cursor.bytes !== this.#options.records) return;
    const place = cursor.bytes.subarray(from, cursor.position);
    if (place.length > maxCopiedBytes) {
      this.#lease.keep();
      context.content = new BufferViews(place, from);
    } else {
      const copy = Buffer.allocUnsafeSlow(place.length);
      place.copy(copy);
      context.content = new BufferViews(copy, from);
    }
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
      const header = this.#reader.next();
      if (header === undefined) return 'end';
      this.#batchEnd = header.baseOffset + BigInt(header.lastOffsetDelta) + 1n;
      if (this.#batchEnd <= this.nextOffset) continue;
      if (header.recordCount === 0 || this.#isHidden(header)) {
        this.#finishBatch();
        continue;
      }
      if (header.compression === 'none') return this.#begin(header, undefined);
      this.#startDecompression(header);
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

  #startDecompression(header: BatchHeader): void {
    const body = header.bytes.subarray(header.recordsStart, header.end);
    const pending: { header: BatchHeader; body: Buffer | undefined; error: unknown } = {
      header,
      body: undefined,
      error: undefined,
    };
    this.#pending = pending;
    const result = this.#options.decompress(header.compression, body);
    if (!(result instanceof Promise)) {
      pending.body = result;
      return;
    }
    this.#promise = result.then(
      (decompressed) => {
        pending.body = decompressed;
      },
      (error: unknown) => {
        pending.error = error;
      },
    );
  }

  #takePending(): { readonly header: BatchHeader; readonly body: Buffer } | Promise<void> | undefined {
    const pending = this.#pending;
    if (pending === undefined) return undefined;
    if (pending.body === undefined && pending.error === undefined && this.#promise !== undefined) return this.#promise;
    this.#pending = undefined;
    this.#promise = undefined;
    if (pending.body === undefined) throw pending.error;
    return { header: pending.header, body: pending.body };
  }
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
