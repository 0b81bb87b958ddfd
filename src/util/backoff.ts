/** How long to wait between tries: doubling from `initialMs` to `maxMs`, with jitter (KIP-580). */
export interface BackoffPolicy {
  readonly initialMs: number;
  readonly maxMs: number;
}

const JITTER = 0.2;

/**
 * The wait before the next try, in milliseconds.
 *
 * @param failures how many tries have failed so far, from 1
 * @param random a number in [0, 1), passed in so that a test can repeat it
 */
export function backoffMs(policy: BackoffPolicy, failures: number, random: number): number {
  const base = Math.min(policy.initialMs * 2 ** Math.max(0, failures - 1), policy.maxMs);
  return base * (1 - JITTER + 2 * JITTER * random);
}
