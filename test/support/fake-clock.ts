import type { Clock, TimerHandle } from '../../src/util/clock.ts';

interface FakeTimer extends TimerHandle {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  readonly #timers = new Set<FakeTimer>();
  #nowMs = 0;

  readonly wallStartMs: number;

  constructor(wallStartMs = 1_700_000_000_000) {
    this.wallStartMs = wallStartMs;
  }

  /** How much time goes by each time that somebody looks at the clock, as it does in a real process. */
  creepMs = 0;
  /** How much too early timers fire: Node cuts fractions of milliseconds off their delays. */
  earlyMs = 0;

  nowMs(): number {
    this.#nowMs += this.creepMs;
    return this.#nowMs;
  }

  wallMs(): number {
    this.#nowMs += this.creepMs;
    return Math.floor(this.wallStartMs + this.#nowMs);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  setTimer(callback: () => void, delayMs: number): TimerHandle {
    const timer: FakeTimer = {
      dueMs: this.#nowMs + Math.max(0, delayMs - this.earlyMs),
      callback,
      ref: () => timer,
      unref: () => timer,
    };
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(timer: TimerHandle): void {
    this.#timers.delete(timer as FakeTimer);
  }

  /** Moves time on, firing what falls due in order, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = [...this.#timers].filter((timer) => timer.dueMs <= end).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
      await settle();
    }
    this.#nowMs = Math.max(this.#nowMs, end);
    await settle();
  }
}

/** Lets every promise that can settle now settle. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
