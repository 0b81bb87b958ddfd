import { codecFor } from '../compression/index.ts';
import { BatchReader, readHeaders, RecordCursor, type BatchHeader } from '../protocol/records/index.ts';
import type { BufferMemory } from './buffer-memory.ts';
import type { PartitionQueue } from './partition-queue.ts';
import type { ProducerBatch } from './producer-batch.ts';

/** What happens around a batch that is taken apart. */
export interface BatchSplitHooks {
  /** An empty batch for some of the records of `batch`, as large as the topic takes them, as far as is known. */
  partOf(queue: PartitionQueue, batch: ProducerBatch): ProducerBatch;
  handleParts(queue: PartitionQueue, batch: ProducerBatch, parts: readonly ProducerBatch[]): void;
  handleFailure(queue: PartitionQueue, batch: ProducerBatch, error: unknown): void;
}

/** Takes batches apart that a broker has found too large. No request may hold them any more. */
export class BatchSplit {
  readonly #memory: BufferMemory;
  readonly #hooks: BatchSplitHooks;

  constructor(memory: BufferMemory, hooks: BatchSplitHooks) {
    this.#memory = memory;
    this.#hooks = hooks;
  }

  /** Calls back once, at once unless the records must be decompressed elsewhere. */
  split(queue: PartitionQueue, batch: ProducerBatch): void {
    try {
      const header = headerOf(batch);
      const records = recordsOf(header, batch);
      if (!(records instanceof Promise)) return this.#finish(queue, batch, header, records);
      records.then(
        (decompressed) => {
          try {
            this.#finish(queue, batch, header, decompressed);
          } catch (error) {
            this.#hooks.handleFailure(queue, batch, error);
          }
        },
        (error: unknown) => this.#hooks.handleFailure(queue, batch, error),
      );
    } catch (error) {
      this.#hooks.handleFailure(queue, batch, error);
    }
  }

  #finish(queue: PartitionQueue, batch: ProducerBatch, header: BatchHeader, records: Buffer | undefined): void {
    const cursor = new RecordCursor(header, records);
    const parts: ProducerBatch[] = [];
    let part: ProducerBatch | undefined;
    while (cursor.next()) {
      if (part !== undefined && append(part, cursor)) continue;
      part = this.#hooks.partOf(queue, batch);
      parts.push(part);
      append(part, cursor);
    }
    for (const each of parts) each.recordCount = each.builder?.recordCount ?? 0;
    batch.handOverTo(parts);
    for (const each of parts) {
      each.heldBytes = each.builder?.capacityBytes ?? 0;
      this.#memory.take(each.heldBytes + each.promiseBytes);
    }
    this.#hooks.handleParts(queue, batch, parts);
  }
}

function headerOf({ bytes }: ProducerBatch): BatchHeader {
  const header = bytes === undefined ? undefined : new BatchReader(bytes, { checkCrcs: false }).next();
  if (header === undefined) throw new Error('The batch that was sent cannot be read again');
  return header;
}

/** The records without compression; undefined if they stand in the batch itself. */
function recordsOf(header: BatchHeader, batch: ProducerBatch): Buffer | Promise<Buffer> | undefined {
  if (header.compression === 'none') return undefined;
  const codec = codecFor(header.compression);
  const body = header.bytes.subarray(header.recordsStart, header.end);
  const { uncompressedBytes } = batch;
  if (codec instanceof Promise) return codec.then((found) => found.decompress(body, uncompressedBytes));
  return codec.decompress(body, uncompressedBytes);
}

/** Puts the record under the cursor at the end of a batch; false if it does not fit. */
function append(part: ProducerBatch, cursor: RecordCursor): boolean {
  const { bytes, timestampMs, headersStart, headerCount } = cursor;
  const key = cursor.keyLength < 0 ? null : bytes.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength);
  const value =
    cursor.valueLength < 0 ? null : bytes.subarray(cursor.valueStart, cursor.valueStart + cursor.valueLength);
  const headers = headerCount === 0 ? undefined : readHeaders(bytes, headersStart, headerCount);
  return part.builder?.append(timestampMs, key, value, headers) ?? false;
}
