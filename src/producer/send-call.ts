import { SendManyError, type SendError, type SendResult } from '../errors/send-error.ts';
import { RecordMetadata, type DeliveredBatch } from './record-metadata.ts';
import type { SendSpan } from './flush-tracker.ts';

/** The records of one `send` of an array that went into one batch, one after the other. */
export class BatchRun {
  readonly call: SendCall;
  /** Its place among the runs of its call; the first is 1, and 0 stands for none. */
  readonly number: number;
  /** The offset of its first record within the batch. */
  firstDelta: number;
  count = 0;
  delivered: DeliveredBatch | undefined;
  /** The broker's time, where the topic takes that; -1 otherwise. */
  logAppendTimeMs = -1;
  errorOf: ((offsetDelta: number) => SendError) | undefined;
  /** While the results are made: how many of its records have theirs. */
  made = 0;

  constructor(call: SendCall, number: number, firstDelta: number) {
    this.call = call;
    this.number = number;
    this.firstDelta = firstDelta;
  }
}

/** In place of the number of a run: the record is in none, or in none yet. */
const noRun = 0;
/** What is kept of a record: the number of its run, then these. */
const keyBytesAt = 1;
const valueBytesAt = 2;
const numbersPerRecord = 3;

/**
 * One `send` of an array: a promise for all of it, and per record no more than three numbers until all are settled.
 */
export class SendCall {
  readonly promise: Promise<RecordMetadata[]>;
  readonly span: SendSpan;
  readonly #total: number;
  readonly #timestampMs: number;
  readonly #runs: BatchRun[] = [];
  readonly #numbers: Int32Array;
  #timestamps: Float64Array | undefined;
  #errors: Map<number, SendError> | undefined;
  #unsettled: number;
  #resolve: (metadata: RecordMetadata[]) => void = () => undefined;
  #reject: (error: SendManyError<RecordMetadata>) => void = () => undefined;

  /** @param timestampMs the time of all records that bring none of their own */
  constructor(total: number, timestampMs: number, span: SendSpan) {
    this.#total = total;
    this.#unsettled = total;
    this.#timestampMs = timestampMs;
    this.span = span;
    this.#numbers = new Int32Array(total * numbersPerRecord);
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** A run that begins; the records that follow are put into it by {@link place}. */
  beginRun(firstDelta: number): BatchRun {
    const run = new BatchRun(this, this.#runs.length + 1, firstDelta);
    this.#runs.push(run);
    return run;
  }

  /**
   * The first `count` records of a run are in another batch now: answers the run for them, and takes them out of this one.
   *
   * @param firstDelta the offset of the first one within the other batch
   */
  cutRun(run: BatchRun, count: number, firstDelta: number): BatchRun {
    const cut = this.beginRun(firstDelta);
    // The records of a run stand in the order of their places in the array.
    for (let index = 0; index < this.#total && cut.count < count; index++) {
      if (this.#runOf(index) !== run) continue;
      this.#numbers[index * numbersPerRecord] = cut.number;
      cut.count++;
    }
    run.count -= count;
    run.firstDelta += count;
    return cut;
  }

  /** The record at `index` was put at the end of `run`. */
  place(index: number, run: BatchRun, timestampMs: number, keyBytes: number, valueBytes: number): void {
    run.count++;
    const first = index * numbersPerRecord;
    const numbers = this.#numbers;
    numbers[first] = run.number;
    numbers[first + keyBytesAt] = keyBytes;
    numbers[first + valueBytesAt] = valueBytes;
    if (timestampMs !== this.#timestampMs || this.#timestamps !== undefined) this.#keepTimestamp(index, timestampMs);
  }

  /** The record at `index` failed before it came into a batch. */
  fail(index: number, error: SendError): void {
    this.#numbers[index * numbersPerRecord] = noRun;
    this.#errors ??= new Map();
    this.#errors.set(index, error);
    this.span.fail(error);
    this.#settle(1);
  }

  /** The batch of a run was acknowledged. */
  deliverRun(run: BatchRun, batch: DeliveredBatch, logAppendTimeMs: number): void {
    run.delivered = batch;
    run.logAppendTimeMs = logAppendTimeMs;
    this.span.end(run.count);
    this.#settle(run.count);
  }

  /** The batch of a run was given up. */
  failRun(run: BatchRun, errorOf: (offsetDelta: number) => SendError): void {
    run.errorOf = errorOf;
    this.#errors ??= new Map();
    for (let at = 0; at < run.count; at++) this.span.fail(errorOf(run.firstDelta + at));
    this.#settle(run.count);
  }

  #settle(records: number): void {
    this.#unsettled -= records;
    if (this.#unsettled > 0) return;
    if (this.#errors === undefined) return this.#resolve(this.#metadata());
    // A send that nobody awaits must not end the process; who awaits it gets the error all the same.
    this.promise.catch(() => undefined);
    this.#reject(new SendManyError(this.#results(this.#errors)));
  }

  #metadata(): RecordMetadata[] {
    const metadata = new Array<RecordMetadata>(this.#total);
    for (let index = 0; index < this.#total; index++) {
      const run = this.#runOf(index);
      if (run?.delivered !== undefined) metadata[index] = this.#metadataOf(index, run, run.delivered);
    }
    return metadata;
  }

  #metadataOf(index: number, run: BatchRun, batch: DeliveredBatch): RecordMetadata {
    const own = this.#timestamps === undefined ? this.#timestampMs : (this.#timestamps[index] ?? 0);
    const timestamp = run.logAppendTimeMs >= 0 ? run.logAppendTimeMs : own;
    const first = index * numbersPerRecord;
    const numbers = this.#numbers;
    return new RecordMetadata(
      batch,
      run.firstDelta + run.made++,
      timestamp,
      numbers[first + keyBytesAt] ?? 0,
      numbers[first + valueBytesAt] ?? 0,
    );
  }

  #results(errors: ReadonlyMap<number, SendError>): SendResult<RecordMetadata>[] {
    return Array.from({ length: this.#total }, (_, index): SendResult<RecordMetadata> => {
      const run = this.#runOf(index);
      const reason = errors.get(index) ?? run?.errorOf?.(run.firstDelta + run.made++);
      if (reason !== undefined) return { status: 'rejected', reason };
      if (run?.delivered === undefined) throw new Error('A send of many has settled before all of its records');
      return { status: 'fulfilled', value: this.#metadataOf(index, run, run.delivered) };
    });
  }

  #runOf(index: number): BatchRun | undefined {
    return this.#runs[(this.#numbers[index * numbersPerRecord] ?? noRun) - 1];
  }

  #keepTimestamp(index: number, timestampMs: number): void {
    this.#timestamps ??= new Float64Array(this.#total).fill(this.#timestampMs);
    this.#timestamps[index] = timestampMs;
  }
}
