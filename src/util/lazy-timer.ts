import type { Clock, TimerHandle } from './clock.ts';

/**
 * One timer for many deadlines: it is set for the earliest that it was told, and when it fires its owner looks what is due and
 * tells it the next. So a request, or a read, costs a comparison, not a timer. It never keeps the process alive.
 */
export class LazyTimer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #timer: TimerHandle | undefined;
  #dueMs = Infinity;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Makes sure that the owner is called at `dueMs` at the latest. */
  atLatest(dueMs: number): void {
    if (dueMs >= this.#dueMs) return;
    this.clear();
    this.#dueMs = dueMs;
    const fire = (): void => {
      this.#timer = undefined;
      this.#dueMs = Infinity;
      this.#onDue();
    };
    this.#timer = this.#clock.setTimer(fire, dueMs - this.#clock.nowMs());
    this.#timer.unref();
  }

  clear(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#dueMs = Infinity;
  }
}
