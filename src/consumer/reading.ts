import { ClosedError, UsageError } from '../errors/kafka-error.ts';
import type { Clock } from '../util/clock.ts';
import { deferred } from '../util/deferred.ts';
import type { ConsumerRecord } from './consumer-record.ts';
import type { Membership } from './group/membership.ts';
import type { PartitionState } from './partition-state.ts';
import type { RecordList } from './record-list.ts';

// Taken at import, as the clock's timers are: a test's fake timers must not stop a read.
const { setImmediate } = globalThis;

/** What a reader has in its hands of: a partition of a consumer, or records that a share group has locked for it. */
export interface ReadState {
  /** Whether it is not the reader's any more. */
  readonly dropped: boolean;
  /** Whether the user has records of it that are not known to be processed. */
  readonly hasInHand: boolean;
  /** Records that are next to be handed out, from `readyIndex` on. */
  ready: RecordList;
  readyIndex: number;
  /** This record of a list is given to the user now. */
  handOut(list: RecordList, index: number): void;
  /** The same for consecutive records. */
  handOutAll(records: RecordList): void;
  /** What is in hand is processed. */
  settle(): void;
  /** What is in hand was not processed. */
  rewind(): void;
}

/** What the reader waits for. */
export interface TakeOptions<S extends ReadState = PartitionState> {
  readonly signal?: AbortSignal | undefined;
  readonly deadlineMs?: number | undefined;
  /** Which partitions it takes records of. @defaultValue all */
  readonly wants?: ((state: S) => boolean) | undefined;
  /** Whether it has what it came for without any records; asked before each wait. */
  readonly isDone?: (() => boolean | Promise<boolean>) | undefined;
  /** The reader has records of this same read already: they stay in hand, and nothing may happen to the assignment. */
  readonly more?: boolean | undefined;
}

/** Why no partition was given: the time was over, the reader should end, or it has what it came for. */
export type NoRecords = 'timeout' | 'stopped' | 'done';

/** Where a reader's records come from. */
export interface ReadSource<S extends ReadState = PartitionState> {
  /** Something with records ready to be handed out; undefined if there is none. */
  next(wants: (state: S) => boolean, isTaken?: (state: S) => boolean): S | undefined;
}

/** What a read needs of its consumer. */
export interface ReadingParts<S extends ReadState = PartitionState> {
  readonly clock: Clock;
  readonly source: ReadSource<S>;
  readonly member: () => Membership | undefined;
  /** Something to do at the beginning of a read, before anything is handed out: joining, fetching. */
  readonly onRead: () => void;
}

/** The handlers of a `run`, which work on several partitions at once. */
export interface Handlers<S extends ReadState = PartitionState> {
  /** The partitions that they work on. */
  readonly states: readonly S[];
  /** Tells the handlers of these partitions by their signal that they are not wanted; resolves when none is left. */
  done(states: readonly S[]): Promise<void>;
  /** Resolves when no handler is left, save the one that asks. */
  finished(): Promise<void>;
  /** Tells all handlers by their signal that nobody waits for them. */
  abandon(): void;
}

/** How long the reader may keep the event loop from sockets and timers. */
const YIELD_AFTER_MS = 10;
/** So many records are handed out between two looks at the clock. */
const RECORDS_PER_CLOCK_LOOK = 16;
/** A timer that is only there to keep the process alive while a reader waits. */
const KEEP_ALIVE_MS = 0x7fff_ffff;

/**
 * The one reader of a consumer: who may read, what is in its hands, and the wait for the next records, in which rebalances
 * happen.
 */
export class Reading<S extends ReadState = PartitionState> {
  readonly #parts: ReadingParts<S>;
  /** The partitions of which something may be in hand. */
  readonly #handed = new Set<S>();
  #isBusy = false;
  /** A loop ended with something in hand: it is neither processed nor not, until somebody says so. */
  #isUndecided = false;
  #isClosed = false;
  #fatal: Error | undefined;
  #wake: (() => void) | undefined;
  #hasNews = false;
  #lastYieldMs = 0;
  #waiting: Promise<unknown> | undefined;
  #handlers: Handlers<S> | undefined;
  /** Whether the next read has to set going what it needs before anything else. */
  #isBeginDue = true;
  #isBeginScheduled = false;

  /** Whether the reader must not go on with what is ready before it has looked up: set by whatever changes under it. */
  attention = false;
  /** How often the reader has asked for something. */
  asks = 0;

  constructor(parts: ReadingParts<S>) {
    this.#parts = parts;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether handlers of a `run` read: then what they have in hand is theirs until they are done. */
  get isRunning(): boolean {
    return this.#handlers !== undefined;
  }

  /** The partitions of which records are in the user's hands. */
  get inHand(): S[] {
    return [...(this.#handlers?.states ?? this.#handed)].filter((state) => state.hasInHand && !state.dropped);
  }

  /** @throws UsageError CONSUMER_BUSY, ClosedError */
  begin(): void {
    if (this.#isClosed) throw new ClosedError('the consumer');
    if (this.#isBusy) {
      throw new UsageError(
        'Cannot read: another read of this consumer is under way; a consumer has one reader at a time',
        {
          code: 'CONSUMER_BUSY',
        },
      );
    }
    this.#isBusy = true;
    this.#isBeginDue = true;
    if (this.#isUndecided) for (const state of this.#handed) if (!state.dropped) state.rewind();
    this.#isUndecided = false;
    this.#settle();
  }

  /** @param undecided whether what is in hand is left open: a loop cannot tell whether its body was done with it */
  end(undecided: boolean): void {
    this.#isBusy = false;
    this.#isUndecided = undecided && this.inHand.length > 0;
  }

  /** The caller's word: what is in hand is processed. */
  settleInHand(): void {
    this.#isUndecided = false;
    for (const state of this.#handed) state.settle();
  }

  /** What is in hand is handed out again. */
  rewind(): void {
    for (const state of this.#handed) if (!state.dropped) state.rewind();
    this.#isUndecided = false;
    this.#handed.clear();
    this.interrupt();
  }

  /** Resolves when no handler of a `run` works on records of these partitions. */
  async handlersDone(states: readonly S[]): Promise<void> {
    await this.#handlers?.done(states);
  }

  /** Something that the reader waits for may be there. */
  notify(): void {
    this.#hasNews = true;
    this.#wake?.();
  }

  /** Something has changed under the reader: it looks up before it hands out anything more. */
  interrupt(): void {
    this.attention = true;
    this.#isBeginDue = true;
    this.notify();
  }

  /** Every read from now on ends with this error. */
  fail(error: Error): void {
    this.#fatal ??= error;
    this.interrupt();
  }

  /** A waiting read ends; one whose body is at work ends when it asks again. Resolves when no listener runs in a read. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.interrupt();
    await this.#waiting;
  }

  // A reader that has several partitions in its hands at once: `run` ---------------------------------------------------

  /** @throws UsageError CONSUMER_BUSY, ClosedError */
  beginRun(handlers: Handlers<S>): void {
    this.begin();
    this.#handlers = handlers;
    this.#parts.onRead();
  }

  endRun(): void {
    this.#handlers = undefined;
    this.end(false);
  }

  /**
   * Looks up: what happens from now on is news. False if the consumer is closed.
   *
   * @throws what every read ends with
   */
  look(): boolean {
    this.attend();
    if (this.#fatal !== undefined) throw this.#fatal;
    return !this.#isClosed;
  }

  /** What happens from now on is news. */
  attend(): void {
    this.asks++;
    this.#hasNews = false;
    this.attention = false;
  }

  /** A partition with records ready that is not taken. */
  nextReady(isTaken: (state: S) => boolean): S | undefined {
    return this.#parts.source.next(everyPartition, isTaken);
  }

  /** Resolves when there is news since {@link Reading.look}. */
  async news(signal: AbortSignal | undefined): Promise<void> {
    if (this.#isDueToYield()) await this.#yield();
    if (!this.#hasNews) await this.#wait(Infinity, signal);
  }

  /** The assignment has changed: what it needs is set going. */
  resume(): void {
    if (!this.#isClosed) this.#parts.onRead();
    this.interrupt();
  }

  /** `close()` waits for a listener that runs. */
  waitsFor(listener: Promise<void>): void {
    this.#waiting = listener;
  }

  /** Resolves when no handler is at work any more; at once if the caller is the last one. */
  async handlersFinished(): Promise<void> {
    await this.#handlers?.finished();
  }

  /** Nobody waits for the handlers any longer. */
  abandonHandlers(): void {
    this.#handlers?.abandon();
  }

  /** Called for each record on the short way; true if the reader has to take the long one. */
  mustLookUp(signal: AbortSignal | undefined): boolean {
    if (this.attention || signal?.aborted === true) return true;
    return ++this.asks % RECORDS_PER_CLOCK_LOOK === 0 && this.#isDueToYield();
  }

  /**
   * The short way of {@link Reading.take}: a partition with records ready, where nothing else is to be done first. The long way has its
   * turn every few milliseconds.
   */
  takeNow(signal: AbortSignal | undefined): S | undefined {
    if (this.attention || signal?.aborted === true || this.#isDueToYield()) return undefined;
    this.#settle();
    return this.#parts.source.next(everyPartition);
  }

  /** A partition with records ready, whose records the caller hands out now; or why there is none. */
  async take(options: TakeOptions<S>): Promise<S | NoRecords> {
    this.asks++;
    if (options.more !== true) this.#settle();
    const member = this.#parts.member();
    member?.readerCame();
    const waiting = this.#take(options, member);
    this.#waiting = waiting.catch(() => undefined);
    try {
      const taken = await waiting;
      if (typeof taken !== 'string') this.#handed.add(taken);
      return taken;
    } finally {
      member?.readerLeft();
      this.#waiting = undefined;
    }
  }

  /** Hands out up to `limit` records that are ready. */
  handOut(state: S, limit: number): RecordList {
    this.#handed.add(state);
    return this.giveOut(state, limit);
  }

  /** The same for a handler, which says itself when it is done. */
  giveOut(state: S, limit: number): RecordList {
    const { ready, readyIndex } = state;
    const records = readyIndex === 0 && ready.length <= limit ? ready : ready.slice(readyIndex, readyIndex + limit);
    state.readyIndex += records.length;
    state.handOutAll(records);
    // They are the user's alone now: what every partition handed out last would otherwise live on until its next turn.
    if (state.readyIndex >= ready.length) state.ready = [];
    return records;
  }

  /** The same for one record, without an array for it. */
  giveOutNext(state: S): ConsumerRecord<unknown, unknown> | undefined {
    const record = state.ready.at(state.readyIndex);
    if (record !== undefined) this.passNext(state);
    return record;
  }

  /** The caller has the next record, which is ready, and gives it out itself. */
  passNext(state: S): void {
    const { ready } = state;
    const index = state.readyIndex++;
    state.handOut(ready, index);
    if (index + 1 === ready.length) state.ready = [];
  }

  async #take(options: TakeOptions<S>, member: Membership | undefined): Promise<S | NoRecords> {
    const { source, clock } = this.#parts;
    const { signal, deadlineMs = Infinity, wants = everyPartition } = options;
    if (this.#isDueToYield()) await this.#yield();
    let hasBegun = this.#isBeginDue;
    if (hasBegun) this.#beginNow();
    for (;;) {
      this.#hasNews = false;
      this.attention = false;
      if (this.#isClosed || signal?.aborted === true) return 'stopped';
      if (this.#fatal !== undefined) throw this.#fatal;
      if (member?.needsReader === true) {
        if (options.more === true) return 'done';
        await member.runReaderTasks();
        this.#beginNow();
        continue;
      }
      const found = source.next(wants);
      if (found !== undefined) {
        if (!hasBegun) this.#beginSoon();
        return found;
      }
      if (!hasBegun) {
        hasBegun = true;
        this.#beginNow();
        continue;
      }
      if (options.isDone !== undefined && (await options.isDone())) return 'done';
      if (this.#hasNews) continue;
      if (clock.nowMs() >= deadlineMs) return 'timeout';
      await this.#wait(deadlineMs, signal);
    }
  }

  #beginNow(): void {
    this.#isBeginDue = false;
    this.#parts.onRead();
  }

  /**
   * Beginning looks through all partitions: as long as there are records at hand and nothing has changed, once per turn of the event loop
   * is often enough, and a reader of thousands of small batches does not pay for it with each of them.
   */
  #beginSoon(): void {
    if (this.#isBeginScheduled) return;
    this.#isBeginScheduled = true;
    setImmediate(() => {
      this.#isBeginScheduled = false;
      if (this.#isBusy && !this.#isClosed) this.#beginNow();
    });
  }

  async #wait(deadlineMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#parts;
    const wake = deferred<undefined>();
    const onWake = (): void => wake.resolve(undefined);
    this.#wake = onWake;
    // Not un-ref'd: a script that waits for records is not done.
    const timer = clock.setTimer(onWake, Math.min(deadlineMs - clock.nowMs(), KEEP_ALIVE_MS));
    signal?.addEventListener('abort', onWake, { once: true });
    await wake.promise;
    clock.clearTimer(timer);
    signal?.removeEventListener('abort', onWake);
    this.#wake = undefined;
    this.#lastYieldMs = clock.nowMs();
  }

  /** The reader asks for more: what it had in hand is processed. */
  #settle(): void {
    for (const state of this.#handed) state.settle();
    this.#handed.clear();
  }

  #isDueToYield(): boolean {
    return this.#parts.clock.nowMs() - this.#lastYieldMs > YIELD_AFTER_MS;
  }

  /**
   * Lets the event loop turn. Promises alone never do: a loop over records that are ready would keep heartbeats, and the answers
   * of brokers, waiting until the last of them.
   */
  async #yield(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#lastYieldMs = this.#parts.clock.nowMs();
  }
}

function everyPartition(): boolean {
  return true;
}
