import type { Clock } from '../util/clock.ts';
import type { Watchable } from './watch.ts';

/** How a wait ended: what it waited for is there, its time is over, or nobody needs the answer any more. */
export type WaitOutcome = 'done' | 'timeout' | 'gone';

/** What a delayed answer waits for. */
export interface Wait {
  readonly clock: Clock;
  /** Asked at once and after each change. */
  readonly condition: () => boolean;
  /** What has to change for the condition to become true. */
  readonly watched: Iterable<Watchable>;
  /** On the brokers' clock; 0 does not wait. */
  readonly timeoutMs: number;
  /** The connection or its broker is gone. */
  readonly signal: AbortSignal;
}

/** Waits for a condition as a broker holds back an answer: until it is met, or the time that the request grants is over. */
export function waitUntil(wait: Wait): Promise<WaitOutcome> {
  const { clock, condition, watched, timeoutMs, signal } = wait;
  if (signal.aborted) return Promise.resolve('gone');
  if (condition()) return Promise.resolve('done');
  if (timeoutMs <= 0) return Promise.resolve('timeout');
  return new Promise((resolve) => {
    const end = (outcome: WaitOutcome): void => {
      clock.clearTimer(timer);
      for (const unwatch of unwatches) unwatch();
      signal.removeEventListener('abort', abandon);
      resolve(outcome);
    };
    const abandon = (): void => end('gone');
    const timer = clock.setTimer(() => end('timeout'), timeoutMs);
    const unwatches = [...watched].map((each) =>
      each.watch(() => {
        if (condition()) end('done');
      }),
    );
    signal.addEventListener('abort', abandon, { once: true });
  });
}
