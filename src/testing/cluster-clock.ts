import type { Clock, TimerHandle } from '../util/clock.ts';

/** The clock of one cluster: its timers end with it, so that none keeps the process alive or finds what is gone. */
export class ClusterClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<TimerHandle>();
  #hasEnded = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  setTimer(callback: () => void, delayMs: number): TimerHandle {
    const timer = this.#clock.setTimer(() => {
      this.#timers.delete(timer);
      callback();
    }, delayMs);
    if (this.#hasEnded) this.#clock.clearTimer(timer);
    else this.#timers.add(timer);
    return timer;
  }

  clearTimer(timer: TimerHandle): void {
    this.#timers.delete(timer);
    this.#clock.clearTimer(timer);
  }

  /** Clears what is set; whatever is set later never fires. */
  end(): void {
    this.#hasEnded = true;
    for (const timer of this.#timers) this.#clock.clearTimer(timer);
    this.#timers.clear();
  }
}
