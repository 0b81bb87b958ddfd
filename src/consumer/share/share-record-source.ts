import type { Clock } from '../../util/clock.ts';
import type { ConsumerRecord } from '../consumer-record.ts';
import { LazyRecords } from '../record-list.ts';
import type { DeserializationDecision, DeserializationErrorPolicy, DeserializationFailure } from '../options.ts';
import type { ReadSource } from '../reading.ts';
import { prepareRecords, type PreparedRecords } from '../record-values.ts';
import { acknowledgeTypes } from './acquired-records-machine.ts';
import { acquiredOf, type AcquiredRecords } from './acquired-records.ts';
import type { ResolvedShareConsumerOptions } from './share-options.ts';
import { acquiredIndexOf, shareRecords, type ShareRecord } from './share-record.ts';

/** What the source of records needs of its consumer. */
export interface ShareRecordSourceParts {
  readonly clock: Clock;
  readonly options: ResolvedShareConsumerOptions;
  /** Whether records have to be deserialized before they are handed out. */
  readonly isEager: boolean;
  /** Gives back what it is too late to hand out. */
  readonly onLook: (acquired: AcquiredRecords, nowMs: number) => void;
  /** The reader has nothing to read (and waits), or something again. */
  readonly onDemand: (isWaiting: boolean) => void;
  /** What is there will be read within a moment. */
  readonly onNearlyRead: () => void;
  /** Something for which it took a moment can be handed out now. */
  readonly onReady: () => void;
  /** The bytes of these records cannot be read. */
  readonly onCorrupt: (acquired: AcquiredRecords, error: Error) => void;
}

type Records = ConsumerRecord<unknown, unknown>[];

/** What is read within so many milliseconds is about to run out: time to fetch more. More would be locked for nothing. */
const NEARLY_READ_MS = 50;
/** So many answers share what may be in the hands of slow deserializers. */
const PREPARING_AT_ONCE = 4;

/** Makes records of what was acquired, in the order in which it came, and measures how fast they are read. */
export class ShareRecordSource implements ReadSource<AcquiredRecords> {
  readonly #parts: ShareRecordSourceParts;
  readonly #policy: DeserializationErrorPolicy<unknown>;
  #queue: AcquiredRecords[] = [];
  /** Whether the reader takes an error now; else it is kept for the next read. */
  mayThrow = true;
  #isSlow = false;
  #preparing = 0;
  #paceMs: number | undefined;
  /** What is being read now. */
  #chunk: { readonly acquired: AcquiredRecords; readonly handed: number; readonly sinceMs: number } | undefined;
  /** Where reading ended the last time; see {@link prepareRecords}. */
  readonly #failed = new Map<AcquiredRecords, ConsumerRecord<unknown, unknown>>();

  constructor(parts: ShareRecordSourceParts) {
    this.#parts = parts;
    this.#policy = (failure) => this.#decide(failure);
  }

  /** How long a record takes the reader, in milliseconds; undefined while that is not known. */
  get paceMs(): number | undefined {
    return this.#paceMs;
  }

  /** Whether the next read ends with an error. */
  get hasFailure(): boolean {
    return this.#queue.some(({ failure, hasReady }) => failure !== undefined && !hasReady);
  }

  add(acquired: AcquiredRecords): void {
    this.#queue.push(acquired);
  }

  /** Gives back whatever nobody has read. */
  releaseUnread(): void {
    for (const acquired of this.#queue) acquired.releaseUnread();
    this.#queue = [];
  }

  /** @throws what the read ends with */
  next(wants: (acquired: AcquiredRecords) => boolean): AcquiredRecords | undefined {
    const nowMs = this.#parts.clock.nowMs();
    this.#measure(nowMs);
    let found: AcquiredRecords | undefined;
    for (let index = 0; index < this.#queue.length && found === undefined;) {
      const acquired = this.#queue[index];
      if (acquired === undefined) break;
      this.#parts.onLook(acquired, nowMs);
      if (wants(acquired) && this.#makeReady(acquired)) found = acquired;
      else if (acquired.machine.hasUnread) index++;
      else this.#queue.splice(index, 1);
    }
    this.#parts.onDemand(found === undefined);
    if (found !== undefined) this.#beginChunk(found, nowMs);
    return found;
  }

  #measure(nowMs: number): void {
    const chunk = this.#chunk;
    if (chunk === undefined || chunk.acquired.hasReady) return;
    this.#chunk = undefined;
    // Not all of it may have been read, if it took too long.
    const count = chunk.acquired.handed - chunk.handed;
    if (count === 0) return;
    const paceMs = (nowMs - chunk.sinceMs) / count;
    this.#paceMs = this.#paceMs === undefined ? paceMs : (this.#paceMs + paceMs) / 2;
  }

  #beginChunk(acquired: AcquiredRecords, nowMs: number): void {
    if (this.#chunk !== undefined) return;
    this.#chunk = { acquired, handed: acquired.handed, sinceMs: nowMs };
    if (this.#paceMs === undefined) return;
    const unread = this.#queue.reduce((sum, { machine }) => sum + machine.unreadCount, 0);
    if (unread * this.#paceMs <= NEARLY_READ_MS) this.#parts.onNearlyRead();
  }

  #makeReady(acquired: AcquiredRecords): boolean {
    if (acquired.hasReady) return true;
    if (acquired.isPreparing || (acquired.failure !== undefined && !this.mayThrow)) return false;
    this.#throwFailure(acquired);
    while (acquired.fetched !== undefined && !acquired.isPreparing) {
      const { fetched } = acquired;
      const limit = this.#roomToPrepare();
      if (limit === 0) return false;
      let records: Records = acquired.rest;
      acquired.rest = [];
      let outcome: 'more' | 'end' | Promise<void> = 'more';
      if (records.length === 0) {
        const list = new LazyRecords();
        try {
          outcome = fetched.read(list, limit);
        } catch (error) {
          if (list.length === 0) {
            this.#parts.onCorrupt(acquired, error as Error);
            acquired.releaseUnread();
            return false;
          }
        }
        records = shareRecords(list, acquired, acquired.baseOffset);
      }
      if (records.length > 0) {
        if (this.#setReady(acquired, records)) return true;
      } else if (outcome === 'end') acquired.finish(fetched.nextOffset);
      else if (outcome !== 'more') this.#prepare(acquired, 0, outcome);
    }
    return false;
  }

  #roomToPrepare(): number {
    const { maxPollRecords } = this.#parts.options;
    if (!this.#isSlow) return maxPollRecords;
    return Math.min(Math.ceil(maxPollRecords / PREPARING_AT_ONCE), maxPollRecords - this.#preparing);
  }

  /** False if there is nothing to hand out yet. */
  #setReady(acquired: AcquiredRecords, records: Records): boolean {
    if (!this.#parts.isEager) {
      acquired.ready = records;
      acquired.readyIndex = 0;
      return true;
    }
    const prepared = prepareRecords(records, this.#policy);
    if (!(prepared instanceof Promise)) {
      this.#takePrepared(acquired, records, prepared);
      return acquired.hasReady;
    }
    this.#isSlow = true;
    this.#prepare(acquired, records.length, prepared, records);
    return false;
  }

  /** These have to wait; others do not. */
  #prepare(
    acquired: AcquiredRecords,
    count: number,
    work: Promise<PreparedRecords | void>,
    records: Records = [],
  ): void {
    acquired.isPreparing = true;
    this.#preparing += count;
    const finish = (settle: () => void): void => {
      this.#preparing -= count;
      acquired.isPreparing = false;
      // They may have been given back meanwhile.
      if (acquired.fetched !== undefined) settle();
      this.#parts.onReady();
    };
    work.then(
      (prepared) => finish(() => prepared === undefined || this.#takePrepared(acquired, records, prepared)),
      (error: unknown) => {
        const failure = error instanceof Error ? error : new Error(String(error));
        finish(() => (acquired.failure = { error: failure, index: undefined }));
      },
    );
  }

  #takePrepared(acquired: AcquiredRecords, records: Records, { records: ready, failure }: PreparedRecords): void {
    acquired.ready = ready;
    acquired.readyIndex = 0;
    const failed = this.#failed.get(acquired);
    this.#failed.delete(acquired);
    if (failure === undefined) return;
    acquired.failure = { error: failure, index: failed === undefined ? undefined : acquiredIndexOf(failed) };
    if (failed !== undefined) acquired.rest = records.slice(records.indexOf(failed) + 1);
  }

  /** The record that ends the read goes back; what comes behind it is for the next read. */
  #throwFailure(acquired: AcquiredRecords): void {
    const { failure } = acquired;
    if (failure === undefined) return;
    acquired.failure = undefined;
    if (failure.index === undefined) acquired.releaseUnread();
    else {
      acquired.refuse(failure.index, acknowledgeTypes.release);
      acquired.passOver(failure.index + 1);
    }
    throw failure.error;
  }

  #decide(
    failure: DeserializationFailure,
  ): DeserializationDecision<unknown> | Promise<DeserializationDecision<unknown>> {
    const { onDeserializationError: policy } = this.#parts.options;
    const record = failure.record as ShareRecord<unknown, unknown>;
    if (typeof policy !== 'function') return this.#apply(record, policy);
    const decision = policy({ error: failure.error, record });
    if (!(decision instanceof Promise)) return this.#apply(record, decision);
    return decision.then((settled) => this.#apply(record, settled));
  }

  #apply(
    record: ShareRecord<unknown, unknown>,
    decision: 'release' | 'reject' | DeserializationDecision<unknown>,
  ): DeserializationDecision<unknown> {
    const acquired = acquiredOf(record);
    if (acquired === undefined || decision === 'retry' || typeof decision === 'object') return decision as 'retry';
    if (decision === 'release' || decision === 'reject') {
      acquired.refuse(acquiredIndexOf(record), acknowledgeTypes[decision]);
      return 'skip';
    }
    this.#failed.set(acquired, record);
    return 'fail';
  }
}
