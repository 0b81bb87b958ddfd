import type { EventPublisher } from '../instrumentation/event-publisher.ts';
import { isPromiseLike } from '../model/serdes.ts';
import type { Clock } from '../util/clock.ts';
import { ConsumerBatch } from './consumer-batch.ts';
import type { ConsumerRecord } from './consumer-record.ts';
import type { Membership } from './group/membership.ts';
import type { PartitionState } from './partition-state.ts';
import type { Reading } from './reading.ts';
import type { HandlerErrorDecision, ResolvedRunOptions } from './run-options.ts';
import { RunningHandler, RunningHandlers } from './running-handlers.ts';

/** What a run needs of its consumer. */
export interface RunLoopParts {
  readonly reading: Reading;
  /** Undefined for partitions that were assigned by hand; another one after `unsubscribe`. */
  readonly member: () => Membership | undefined;
  readonly clock: Clock;
  readonly events: EventPublisher;
  readonly maxPollIntervalMs: number;
  readonly maxPollRecords: number;
  readonly options: ResolvedRunOptions;
}

/** What a handler is given: a record, or a batch. */
type Item =
  | { readonly record: ConsumerRecord<unknown, unknown>; readonly batch: undefined }
  | { readonly record: undefined; readonly batch: ConsumerBatch<unknown, unknown> };

/** So long a partition may go on with what is ready before the others have their turn. */
const TURN_MS = 10;
/** So many handlers may answer at once, without a promise, between two looks at the clock. */
const HANDLERS_PER_CLOCK_LOOK = 16;

/**
 * Reads with several handlers at a time, each at work on another partition.
 *
 * It is one reader like a loop, with one difference: while a listener is told of some partitions, the others go on.
 */
export class RunLoop {
  readonly #parts: RunLoopParts;
  readonly #handlers: RunningHandlers;
  /** The membership that knows that this reader waits. */
  #member: Membership | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isStopped = false;
  /** Listeners at work on a change of the assignment. */
  #tasks: Promise<void> | undefined;
  readonly #stop = (): void => {
    this.#isStopped = true;
    this.#parts.reading.interrupt();
  };

  constructor(parts: RunLoopParts) {
    this.#parts = parts;
    const { clock, maxPollIntervalMs } = parts;
    this.#handlers = new RunningHandlers({
      clock,
      maxPollIntervalMs,
      onOverdue: () => {
        // As of a loop whose body takes too long: no reader waits until it is done, and then the group is joined again.
        this.#member?.readerLeft();
        this.#member?.readerOverdue();
      },
      onNoneOverdue: () => this.#member?.readerCame(),
    });
  }

  /**
   * Resolves when the run has ended and no handler is at work.
   *
   * @throws what a handler has thrown, if `onError` does not answer otherwise; what every read ends with
   */
  async run(): Promise<void> {
    const { reading } = this.#parts;
    reading.beginRun(this.#handlers);
    try {
      await this.#drive();
    } catch (error) {
      this.#fail(error);
    } finally {
      // Handlers that are under way finish, and what the group asks for meanwhile is done.
      await this.#windUp();
      this.#handlers.stopWatching();
      this.#member?.readerLeft();
      reading.endRun();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #drive(): Promise<void> {
    const { reading, options } = this.#parts;
    for (;;) {
      const isOpen = reading.look();
      this.#handlers.abandonLost();
      if (!isOpen || this.#isEnding()) return;
      this.#serveGroup();
      this.#fill();
      await reading.news(options.signal);
    }
  }

  async #windUp(): Promise<void> {
    const { reading } = this.#parts;
    while (this.#handlers.count > 0 || this.#tasks !== undefined) {
      reading.attend();
      this.#handlers.abandonLost();
      this.#serveGroup();
      await reading.news(undefined);
    }
  }

  #isEnding(): boolean {
    return this.#failure !== undefined || this.#isStopped || this.#parts.options.signal?.aborted === true;
  }

  /** Listeners run beside the handlers, which is what lets the partitions that stay go on. */
  #serveGroup(): void {
    const { reading } = this.#parts;
    const member = this.#parts.member();
    // As long as a handler is overdue, no reader waits, and the group has nothing to say to it.
    if (this.#handlers.isAnyOverdue) return;
    if (member !== this.#member) member?.readerCame();
    this.#member = member;
    if (member?.needsReader !== true || this.#tasks !== undefined || reading.isClosed) return;
    this.#tasks = member
      .runReaderTasks()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#tasks = undefined;
        reading.resume();
      });
    reading.waitsFor(this.#tasks);
  }

  /** Gives partitions with records to handlers, until all are at work. */
  #fill(): void {
    const { reading, options } = this.#parts;
    const isTaken = (state: PartitionState): boolean => state.held || this.#handlers.has(state);
    while (this.#handlers.count < options.concurrency && !this.#handlers.isAnyOverdue && !this.#isEnding()) {
      const state = reading.nextReady(isTaken);
      if (state === undefined) return;
      const handler = new RunningHandler(state, this.#stop, this.#parts.clock.nowMs());
      void this.#handlers.run(handler, () => this.#serve(handler)).then(() => reading.notify());
    }
  }

  /** One turn of a partition. */
  async #serve(handler: RunningHandler): Promise<void> {
    const { state } = handler;
    const endMs = handler.startedMs + TURN_MS;
    try {
      for (let turn = 1; ; turn++) {
        const item = this.#take(state);
        const outcome = this.#process(handler, item);
        if (outcome !== true && !(await outcome)) {
          // Not processed: whoever reads next reads it again.
          if (!state.dropped) state.rewind();
          return;
        }
        const isClockDue = outcome !== true || item.batch !== undefined || turn % HANDLERS_PER_CLOCK_LOOK === 0;
        if ((isClockDue && this.#parts.clock.nowMs() >= endMs) || !this.#mayGoOn(handler)) return;
      }
    } catch (error) {
      if (!state.dropped) state.rewind();
      this.#fail(error);
    }
  }

  #mayGoOn(handler: RunningHandler): boolean {
    const { state } = handler;
    if (handler.isUnwanted || handler.isLeft || state.held || state.paused || state.dropped) return false;
    return state.hasReady && !this.#parts.reading.isClosed && !this.#isEnding();
  }

  #take(state: PartitionState): Item {
    const { reading, options, maxPollRecords } = this.#parts;
    if (options.eachBatch !== undefined) {
      const records = reading.giveOut(state, maxPollRecords);
      return { record: undefined, batch: new ConsumerBatch<unknown, unknown>(state, records) };
    }
    const record = reading.giveOutNext(state);
    if (record === undefined) throw new TypeError('Cannot hand out a record: none is ready');
    return { record, batch: undefined };
  }

  /** Answers whether the item is processed: at once if its handler answers at once, as a promise costs more than most such handlers. */
  #process(handler: RunningHandler, item: Item): true | Promise<boolean> {
    const work = this.#begin(handler, item);
    if (isPromiseLike(work)) return this.#follow(handler, item, work);
    // A handler that went on although its partition was lost has done its work for nothing.
    handler.state.settle();
    return true;
  }

  /** Answers whether the item is processed, by the handler that has begun with it or by a later attempt. */
  async #follow(handler: RunningHandler, item: Item, begun: unknown): Promise<boolean> {
    let left = item;
    let work = begun;
    for (let attempt = 1; ; attempt++) {
      handler.startedMs = this.#parts.clock.nowMs();
      try {
        await work;
        handler.state.settle();
        return true;
      } catch (error) {
        if (handler.isUnwanted) return this.#reportUnwanted(handler, error);
        const decision = await this.#decide(handler, left, attempt, error);
        if (decision === 'skip') {
          handler.state.settle();
          return true;
        }
        // While the run is ending, a handler that fails for ever must not hold it up.
        if (handler.isUnwanted || this.#isEnding()) return false;
        left = unmarked(handler.state, left);
        if (left.batch?.length === 0) return true;
        work = this.#begin(handler, left);
      }
    }
  }

  /** Calls the handler; what it throws is as if its promise had rejected. */
  #begin(handler: RunningHandler, { record, batch }: Item): unknown {
    const { eachRecord, eachBatch } = this.#parts.options;
    try {
      return batch === undefined ? eachRecord?.(record, handler) : eachBatch?.(batch, handler);
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the user's own, whatever it is
      return Promise.reject(error);
    }
  }

  /** @throws the handler's error, to end the run */
  async #decide(
    handler: RunningHandler,
    item: Item,
    attempt: number,
    error: unknown,
  ): Promise<Exclude<HandlerErrorDecision, 'fail'>> {
    const failure = { ...item, attempt, signal: handler.signal };
    const decision = await this.#parts.options.onError(error, failure);
    if (decision === 'skip' || decision === 'retry') return decision;
    throw error;
  }

  #reportUnwanted(handler: RunningHandler, error: unknown): false {
    const { topic, partition } = handler.state;
    // That a handler throws what its signal gave it is what the signal is for.
    if (error !== handler.signal.reason && error instanceof Error) {
      const message = `A handler of ${topic}-${partition} failed after its signal had aborted; its records are read again`;
      this.#parts.events.publish('warning', { message, error });
    }
    return false;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#parts.reading.interrupt();
  }
}

/** What of a batch its handler has not marked as processed. */
function unmarked(state: PartitionState, item: Item): Item {
  const { batch } = item;
  if (batch === undefined) return item;
  const processed = state.processed ?? -1n;
  const records = batch.records.filter(({ offset }) => offset >= processed);
  return { record: undefined, batch: new ConsumerBatch<unknown, unknown>(state, records) };
}
