import type { Clock, TimerHandle } from '../util/clock.ts';

/** What ends a wait before its time. */
export type CallEnd = { readonly kind: 'aborted'; readonly reason: unknown } | { readonly kind: 'timeout' };

/** Watches a signal and a deadline for one call, and tells at most once that one of them came. */
export class CallGuard {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #timer: TimerHandle;

  constructor(clock: Clock, signal: AbortSignal | undefined, timeoutMs: number, onEnd: (end: CallEnd) => void) {
    this.#clock = clock;
    this.#signal = signal;
    this.#onAbort = () => {
      this.dispose();
      onEnd({ kind: 'aborted', reason: signal?.reason });
    };
    this.#timer = clock.setTimer(() => {
      this.dispose();
      onEnd({ kind: 'timeout' });
    }, timeoutMs);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  dispose(): void {
    this.#clock.clearTimer(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

/** Waits, unless the signal ends the wait: then it rejects with the signal's reason. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, onReject) => {
    const reject: (reason: unknown) => void = onReject;
    if (signal?.aborted === true) return reject(signal.reason);
    void new CallGuard(clock, signal, delayMs, (end) => {
      if (end.kind === 'aborted') reject(end.reason);
      else resolve();
    });
  });
}

/** A signal holds even where what is waited for does not heed it; whoever gives up the wait has no use for its error. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, onReject) => {
    const reject: (reason: unknown) => void = onReject;
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void promise
      .then(resolve, (error: unknown) => reject(signal.aborted ? signal.reason : error))
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
