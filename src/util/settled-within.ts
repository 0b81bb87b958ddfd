import type { Clock } from './clock.ts';
import { deferred } from './deferred.ts';

/** Resolves when `work` settles, or the time is over; of what fails, somebody else is told. */
export async function settledWithin(clock: Clock, timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const isOver = deferred<undefined>();
  const timer = clock.setTimer(() => isOver.resolve(undefined), timeoutMs);
  await Promise.race([work.catch(() => undefined), isOver.promise]);
  clock.clearTimer(timer);
}
