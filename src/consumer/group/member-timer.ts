import type { Clock, TimerHandle } from '../../util/clock.ts';

/** The one timer of a membership; it never keeps the process alive. */
export class MemberTimer {
  readonly #clock: Clock;
  readonly #onTick: () => void;
  #timer: TimerHandle | undefined;

  constructor(clock: Clock, onTick: () => void) {
    this.#clock = clock;
    this.#onTick = onTick;
  }

  set(deadlineMs: number | undefined): void {
    this.clear();
    if (deadlineMs === undefined) return;
    this.#timer = this.#clock.setTimer(() => this.#onTick(), Math.max(0, deadlineMs - this.#clock.nowMs()));
    this.#timer.unref();
  }

  clear(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
