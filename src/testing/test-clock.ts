import { UsageError } from '../errors/kafka-error.ts';
import type { Clock, TimerHandle } from '../util/clock.ts';

interface VirtualTimer extends TimerHandle {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

// Taken at import: fake timers that a test installs later must not stop what moves time here.
const { setImmediate } = globalThis;
const wallNow = Date.now;

/** How often the event loop turns after each timer, so that an answer crosses a socket before the next one fires. */
const turnsPerTimer = 20;

/**
 * Time that stands still until {@link TestClock.advance} moves it: for the brokers (`TestCluster.start({ clock })`), the clients
 * (`new Kafka({ clock })`), or both.
 *
 * With it sessions expire, transactions time out and back-offs end when a test says so. Sockets stay real: they need no time
 * of this clock, but turns of the event loop, which `advance` gives.
 */
export class TestClock implements Clock {
  readonly #startMs: number;
  readonly #timers = new Set<VirtualTimer>();
  #nowMs = 0;
  #order = 0;

  /**
   * @param startMs what {@link TestClock.wallMs} begins with, in milliseconds since 1970; the time of this machine if left out,
   * as brokers refuse records of clients whose clock is far ahead of theirs
   */
  constructor(startMs: number = wallNow()) {
    this.#startMs = startMs;
  }

  /** How far it was moved, in milliseconds. */
  nowMs(): number {
    return this.#nowMs;
  }

  /** Milliseconds since 1970 on this clock. */
  wallMs(): number {
    return this.#startMs + this.#nowMs;
  }

  /** How many timers are set. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Calls `callback` once, when time was moved this far. */
  setTimer(callback: () => void, delayMs: number): TimerHandle {
    const timer: VirtualTimer = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      callback,
      ref: () => timer,
      unref: () => timer,
    };
    this.#timers.add(timer);
    return timer;
  }

  /** Takes back a timer that has not fired; does nothing otherwise. */
  clearTimer(timer: TimerHandle): void {
    this.#timers.delete(timer as VirtualTimer);
  }

  /**
   * Moves time on and fires what falls due, in order; between two timers the event loop turns, so that answers arrive and
   * new timers are set.
   *
   * @throws `UsageError` for a number below 0, or not finite: time does not go back
   */
  async advance(ms: number): Promise<void> {
    if (!Number.isFinite(ms) || ms < 0)
      throw new UsageError(`Cannot advance the clock by ${ms} ms: it must be a finite number from 0 on`, {
        code: 'INVALID_ARGUMENT',
      });
    const endMs = this.#nowMs + ms;
    await turnEventLoop();
    for (let timer = this.#nextDue(endMs); timer !== undefined; timer = this.#nextDue(endMs)) {
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.callback();
      await turnEventLoop();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
    await turnEventLoop();
  }

  #nextDue(endMs: number): VirtualTimer | undefined {
    let next: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > endMs) continue;
      const isEarlier = next === undefined || timer.dueMs < next.dueMs;
      if (isEarlier || (timer.dueMs === next?.dueMs && timer.order < next.order)) next = timer;
    }
    return next;
  }
}

async function turnEventLoop(): Promise<void> {
  for (let turn = 0; turn < turnsPerTimer; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
