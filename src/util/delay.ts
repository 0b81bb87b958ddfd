import type { Clock } from './clock.ts';

/** Resolves after `ms`, or as soon as `signal` aborts; never rejects. Does not keep the process alive unless `ref` says so. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal, ref = false): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clock.clearTimer(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimer(done, ms);
    if (!ref) timer.unref();
    signal?.addEventListener('abort', done, { once: true });
  });
}
