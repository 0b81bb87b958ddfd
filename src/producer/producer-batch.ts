import type { SendError } from '../errors/send-error.ts';
import type { EventPublisher } from '../instrumentation/event-publisher.ts';
import type { BatchBuilder } from '../protocol/records/index.ts';
import type { SendSpan } from './flush-tracker.ts';
import type { SequencedBatch } from './partition-machine.ts';
import { RecordMetadata, type DeliveredBatch } from './record-metadata.ts';
import { SendCall, type BatchRun } from './send-call.ts';
import type { OnDelivery, ResolveSend, SendTable, SendTables } from './send-table.ts';

/** What a promise, with what settles it and what it will be settled with, takes of the JavaScript heap, about. */
export const promiseBytes: number = 256;

/** Each time that an open batch has grown by so much, it is looked whether it can leave at once. */
export const lookEveryBytes: number = 64 * 1024;

/**
 * Who learns how a record ended: a promise by its resolver, an array by its {@link SendCall}, a callback, or nobody.
 */
export type SendTarget = ResolveSend | OnDelivery | SendCall | undefined;

/**
 * The records of one batch, and who waits for them. Nothing here is made per record: what the promises need at the end stands
 * in arrays.
 */
export class ProducerBatch implements SequencedBatch {
  readonly span: SendSpan;
  readonly createdMs: number;
  readonly deadlineMs: number;
  readonly #events: EventPublisher;
  /** Undefined once the batch is compressed: then its bytes have memory of their own. */
  builder: BatchBuilder | undefined;
  /** The batch as it goes over the wire. */
  bytes: Buffer | undefined;
  /** The size of the batch before compression. */
  uncompressedBytes = 0;
  /** What the codec made of the records. */
  compressed: Buffer | undefined;
  /** The epoch and the sequence number that stand in `bytes`. */
  bytesEpoch = -1;
  bytesSequence = -1;
  isCompressing = false;
  /** What of the buffer memory is taken for its bytes. */
  heldBytes = 0;
  /** What of it is taken for the promises of its sends. */
  promiseBytes = 0;
  lastError: Error | undefined;

  /** The size at which it is looked next. */
  lookAtBytes: number = lookEveryBytes;

  recordCount = 0;
  producerId = -1n;
  producerEpoch = -1;
  baseSequence = -1;
  attempts = 0;
  maybeWritten = false;
  order = -1;
  settled = false;
  maybeWrittenWhole = false;

  readonly #tables: SendTables;
  #singles: SendTable | undefined;
  readonly #runs: BatchRun[] = [];
  /** The one that the last record belongs to. */
  #lastRun: BatchRun | undefined;

  constructor(
    builder: BatchBuilder,
    span: SendSpan,
    createdMs: number,
    deadlineMs: number,
    tables: SendTables,
    events: EventPublisher,
  ) {
    this.#tables = tables;
    this.builder = builder;
    this.span = span;
    this.createdMs = createdMs;
    this.deadlineMs = deadlineMs;
    this.#events = events;
  }

  /** The record that the builder has just taken belongs to `target`. */
  expect(
    target: SendTarget,
    promise: Promise<RecordMetadata> | undefined,
    index: number,
    timestampMs: number,
    keyBytes: number,
    valueBytes: number,
  ): void {
    if (target instanceof SendCall) {
      this.expectOf(target, index, timestampMs, keyBytes, valueBytes);
      return;
    }
    const delta = this.recordCount++;
    this.#lastRun = undefined;
    this.#singles ??= this.#tables.take();
    this.#singles.add(target, promise, delta, timestampMs, keyBytes, valueBytes);
  }

  /** The same for a record of an array. */
  expectOf(call: SendCall, index: number, timestampMs: number, keyBytes: number, valueBytes: number): void {
    const run = this.#lastRun?.call === call ? this.#lastRun : this.#beginRun(call);
    this.recordCount++;
    call.place(index, run, timestampMs, keyBytes, valueBytes);
  }

  /** Tells everybody: acknowledged. */
  deliver(delivered: DeliveredBatch, logAppendTimeMs: number): void {
    this.settled = true;
    for (const run of this.#runs) run.call.deliverRun(run, delivered, logAppendTimeMs);
    if (this.#singles !== undefined) this.#deliverSingles(this.#singles, delivered, logAppendTimeMs);
    this.#forget();
  }

  /** Tells everybody: given up. */
  fail(errorOf: (offsetDelta: number) => SendError): void {
    this.settled = true;
    for (const run of this.#runs) run.call.failRun(run, errorOf);
    const singles = this.#singles;
    for (let at = 0; singles !== undefined && at < singles.count; at++) {
      const error = errorOf(singles.offsetDelta(at));
      failTarget(singles.target(at), singles.promise(at), 0, error, this.span, this.#events);
    }
    this.#forget();
  }

  /** Leaves who waits for the records to the batches that now hold them, in the same order. */
  handOverTo(parts: readonly ProducerBatch[]): void {
    let from = 0;
    for (const part of parts) {
      const end = from + part.recordCount;
      for (const run of this.#runs) {
        const count = Math.min(run.count, end - run.firstDelta);
        if (count > 0) part.#runs.push(run.call.cutRun(run, count, run.firstDelta - from));
      }
      from = end;
    }
    if (this.#singles !== undefined) handOverSingles(this.#singles, parts);
    this.#forget();
  }

  /** The single send at place `at` of the table of another batch belongs to the record at `offsetDelta` of this one. */
  adopt(singles: SendTable, at: number, offsetDelta: number): void {
    const promise = singles.promise(at);
    if (promise !== undefined) this.promiseBytes += promiseBytes;
    const [timestampMs, keyBytes, valueBytes] = [singles.timestampMs(at), singles.keyBytes(at), singles.valueBytes(at)];
    this.#singles ??= this.#tables.take();
    this.#singles.add(singles.target(at), promise, offsetDelta, timestampMs, keyBytes, valueBytes);
  }

  #beginRun(call: SendCall): BatchRun {
    const run = call.beginRun(this.recordCount);
    this.#runs.push(run);
    this.#lastRun = run;
    return run;
  }

  #deliverSingles(singles: SendTable, delivered: DeliveredBatch, logAppendTimeMs: number): void {
    const { count } = singles;
    for (let at = 0; at < count; at++) {
      const target = singles.target(at);
      if (target === undefined) continue;
      const metadata = new RecordMetadata(
        delivered,
        singles.offsetDelta(at),
        logAppendTimeMs >= 0 ? logAppendTimeMs : singles.timestampMs(at),
        singles.keyBytes(at),
        singles.valueBytes(at),
      );
      if (singles.promise(at) !== undefined) (target as ResolveSend)(metadata);
      else callBack(target as OnDelivery, undefined, metadata, this.#events);
    }
    this.span.end(count);
  }

  #forget(): void {
    if (this.#singles !== undefined) this.#tables.giveBack(this.#singles);
    this.#singles = undefined;
    this.#runs.length = 0;
    this.#lastRun = undefined;
  }
}

function handOverSingles(singles: SendTable, parts: readonly ProducerBatch[]): void {
  let at = 0;
  let from = 0;
  for (const part of parts) {
    const end = from + part.recordCount;
    for (; at < singles.count && singles.offsetDelta(at) < end; at++)
      part.adopt(singles, at, singles.offsetDelta(at) - from);
    from = end;
  }
}

/** Tells the one who waits for a record that it failed. */
export function failTarget(
  target: SendTarget,
  promise: Promise<RecordMetadata> | undefined,
  index: number,
  error: SendError,
  span: SendSpan,
  events: EventPublisher,
): void {
  if (target instanceof SendCall) return target.fail(index, error);
  if (promise !== undefined) {
    // A send that nobody awaits must not end the process; who awaits it gets the error all the same.
    promise.catch(() => undefined);
    const rejected = Promise.reject<never>(error);
    rejected.catch(() => undefined);
    (target as ResolveSend)(rejected);
    return span.fail(error);
  }
  if (target !== undefined) {
    callBack(target as OnDelivery, error, undefined, events);
    return span.end(1);
  }
  events.publish('producer.error', { error });
  span.fail(error);
}

/** What a callback throws must not keep the others from learning what became of their records. */
function callBack(
  onDelivery: OnDelivery,
  error: SendError | undefined,
  metadata: RecordMetadata | undefined,
  events: EventPublisher,
): void {
  try {
    onDelivery(error, metadata);
  } catch (thrown) {
    events.publish('listener.failed', { event: 'onDelivery', error: thrown });
  }
}
