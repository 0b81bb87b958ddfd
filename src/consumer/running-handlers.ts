import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock, TimerHandle } from '../util/clock.ts';
import { HandlerSignal } from './handler-signal.ts';
import type { PartitionState } from './partition-state.ts';
import type { Handlers } from './reading.ts';
import type { HandlerContext } from './run-options.ts';

/** Knows in which handler the code runs that is running, also behind an `await`. */
const handlerScope = new AsyncLocalStorage<RunningHandler>();

/** One handler at work, and the partition that nobody else may have meanwhile. */
export class RunningHandler extends HandlerSignal implements HandlerContext {
  readonly state: PartitionState;
  startedMs: number;

  constructor(state: PartitionState, stop: () => void, nowMs: number) {
    super(stop);
    this.state = state;
    this.startedMs = nowMs;
  }
}

/** What {@link RunningHandlers} needs of its run. */
export interface RunningHandlersParts {
  readonly clock: Clock;
  /** How long a handler may take. */
  readonly maxPollIntervalMs: number;
  /** A handler takes longer. */
  readonly onOverdue: (handler: RunningHandler) => void;
  /** No handler takes longer any more. */
  readonly onNoneOverdue: () => void;
}

/** The handlers of a `run` that are at work: who waits for them, and how long they may take. */
export class RunningHandlers implements Handlers {
  readonly #parts: RunningHandlersParts;
  readonly #running = new Map<PartitionState, RunningHandler>();
  readonly #overdue = new Set<RunningHandler>();
  #watchers: (() => void)[] = [];
  #timer: TimerHandle | undefined;

  constructor(parts: RunningHandlersParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#running.size;
  }

  get states(): readonly PartitionState[] {
    return [...this.#running.keys()];
  }

  /** Whether some handler has taken so long that the member has left its group. */
  get isAnyOverdue(): boolean {
    return this.#overdue.size > 0;
  }

  has(state: PartitionState): boolean {
    return this.#running.has(state);
  }

  /** Runs `work` as the handler of its partition, until it resolves; it must not reject. */
  async run(handler: RunningHandler, work: () => Promise<void>): Promise<void> {
    this.#running.set(handler.state, handler);
    this.#arm();
    await handlerScope.run(handler, work);
    this.#running.delete(handler.state);
    if (this.#overdue.delete(handler) && this.#overdue.size === 0) this.#parts.onNoneOverdue();
    this.#tellWatchers();
  }

  async done(states: readonly PartitionState[]): Promise<void> {
    const concerns = (handler: RunningHandler): boolean => states.includes(handler.state) || handler.state.dropped;
    for (const handler of this.#running.values())
      if (concerns(handler)) handler.abort('The partition is given up to another member of the group');
    await this.#until(() => ![...this.#running.values()].some((handler) => concerns(handler) && !handler.isLeft));
  }

  async finished(): Promise<void> {
    const asking = handlerScope.getStore();
    // Walkthrough: 1. a handler awaits close(); 2. close() waits for all handlers. Without this they would wait for each other.
    if (asking !== undefined && this.#running.get(asking.state) === asking) {
      asking.isLeft = true;
      this.#tellWatchers();
    }
    await this.#until(() => [...this.#running.values()].every(({ isLeft }) => isLeft));
  }

  abandon(): void {
    for (const handler of this.#running.values()) handler.abort('The consumer is closed');
  }

  /** Tells the handlers of partitions that the group has taken away. */
  abandonLost(): void {
    for (const handler of this.#running.values())
      if (handler.state.dropped) handler.abort('The partition belongs to another member of the group');
  }

  stopWatching(): void {
    if (this.#timer !== undefined) this.#parts.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  #tellWatchers(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const tell of watchers) tell();
  }

  /** One timer for the handler that is longest at work; those that end meanwhile leave it as it is. */
  #arm(): void {
    const { maxPollIntervalMs, clock } = this.#parts;
    if (this.#timer !== undefined) return;
    let firstMs = Infinity;
    for (const handler of this.#running.values())
      if (!this.#overdue.has(handler)) firstMs = Math.min(firstMs, handler.startedMs);
    if (firstMs === Infinity) return;
    this.#timer = clock.setTimer(
      () => {
        this.#timer = undefined;
        this.#checkOverdue(maxPollIntervalMs);
        this.#arm();
      },
      firstMs + maxPollIntervalMs - clock.nowMs(),
    );
    this.#timer.unref();
  }

  #checkOverdue(maxPollIntervalMs: number): void {
    const nowMs = this.#parts.clock.nowMs();
    for (const handler of this.#running.values()) {
      if (this.#overdue.has(handler) || nowMs - handler.startedMs < maxPollIntervalMs) continue;
      this.#overdue.add(handler);
      this.#parts.onOverdue(handler);
      handler.abort(`The handler took longer than maxPollIntervalMs (${maxPollIntervalMs} ms)`);
    }
  }
}
