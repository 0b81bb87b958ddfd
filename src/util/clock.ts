// Taken at import, so that a test's fake timers, installed later, do not stop a client that runs beside it.
const { setTimeout, clearTimeout, performance } = globalThis;
const wallNow = Date.now;

/** A timer that has been set and can be cleared by the clock that set it. */
export interface TimerHandle {
  /** Lets the process end although this timer is set. */
  unref(): unknown;
  /** Keeps the process alive until this timer fires. */
  ref(): unknown;
}

/** Where the client takes its time from; tests pass a virtual one. */
export interface Clock {
  /** Milliseconds since an arbitrary start, never going back; for deadlines and durations. */
  nowMs(): number;
  /** Milliseconds since 1970, for timestamps of records. */
  wallMs(): number;
  /** Calls `callback` once, after `delayMs` milliseconds. */
  setTimer(callback: () => void, delayMs: number): TimerHandle;
  /** Takes back a timer that has not fired; does nothing otherwise. */
  clearTimer(timer: TimerHandle): void;
}

const MAX_DELAY_MS = 0x7fff_ffff;

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => wallNow(),
  // Node fires a delay that is negative or above 2^31-1 at once and warns; both are bounded here instead.
  setTimer: (callback, delayMs) => setTimeout(callback, Math.min(Math.max(delayMs, 0), MAX_DELAY_MS)),
  clearTimer: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};
