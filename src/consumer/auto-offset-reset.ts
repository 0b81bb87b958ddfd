import { parseIsoDurationMs } from '../util/iso-duration.ts';

/** So far back from now, in place of the beginning or the end (KIP-1106). */
export interface OffsetResetByDuration {
  /** In milliseconds: reading begins with the first record that is at most so old. */
  readonly byDurationMs: number;
}

/**
 * What to read where a group has no offset yet, or the offset does not exist any more.
 *
 * `'by_duration:PT1H'` is Kafka's own way to write `{ byDurationMs: 3_600_000 }`: a duration of ISO 8601 of days, hours, minutes and seconds.
 */
export type AutoOffsetReset = 'earliest' | 'latest' | 'none' | `by_duration:${string}` | OffsetResetByDuration;

/** {@link AutoOffsetReset} after checking. */
export type ResolvedOffsetReset = 'earliest' | 'latest' | 'none' | OffsetResetByDuration;

const PREFIX = 'by_duration:';

/** The reset that was meant; undefined if it cannot be used. */
export function parseOffsetReset(given: unknown): ResolvedOffsetReset | undefined {
  if (given === 'earliest' || given === 'latest' || given === 'none') return given;
  if (typeof given === 'string')
    return given.startsWith(PREFIX) ? byDuration(parseIsoDurationMs(given.slice(PREFIX.length))) : undefined;
  if (typeof given !== 'object' || given === null || Object.keys(given).join() !== 'byDurationMs') return undefined;
  return byDuration((given as { byDurationMs: unknown }).byDurationMs);
}

function byDuration(ms: unknown): OffsetResetByDuration | undefined {
  return typeof ms === 'number' && ms >= 0 && ms <= Number.MAX_SAFE_INTEGER ? { byDurationMs: ms } : undefined;
}
