import { TimeoutError, type KafkaError } from '../../errors/kafka-error.ts';
import { systemClock } from '../../util/clock.ts';
import { delay } from '../../util/delay.ts';

/** How long a wait of a {@link TestCluster} may last, in real time: a virtual clock does not move it. */
export interface WaitOptions {
  /** @defaultValue 30000 */
  readonly timeoutMs?: number;
  /** Ends the wait; it rejects with the reason of the signal. */
  readonly signal?: AbortSignal;
}

const pollMs = 5;

/**
 * Waits until `look` answers `true`; anything else it answers tells what was seen instead.
 *
 * Looks again and again, as what tests wait for has no one place that tells of changes.
 *
 * @param what completes "Cannot …: it did not happen within"
 */
export async function awaitCondition(
  what: string,
  look: () => true | string | Promise<true | string>,
  { timeoutMs = 30_000, signal }: WaitOptions,
): Promise<void> {
  const deadline = systemClock.nowMs() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const seen = await look();
    if (seen === true) return;
    if (systemClock.nowMs() >= deadline) throw timedOut(what, timeoutMs, seen);
    await delay(systemClock, pollMs, signal, true);
  }
}

function timedOut(what: string, timeoutMs: number, seen: string): KafkaError {
  return new TimeoutError(`Cannot ${what}: it did not happen within ${timeoutMs} ms; seen last: ${seen}`, {
    code: 'OPERATION_TIMEOUT',
  });
}
