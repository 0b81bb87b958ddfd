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
const UNITS_MS = [86_400_000, 3_600_000, 60_000, 1000];
const DURATION = /^P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d{1,9})?)S)?)?$/i;

/** The reset that was meant; undefined if it cannot be used. */
export function parseOffsetReset(given: unknown): ResolvedOffsetReset | undefined {
  if (given === 'earliest' || given === 'latest' || given === 'none') return given;
  if (typeof given === 'string')
    return given.startsWith(PREFIX) ? byDuration(durationMs(given.slice(PREFIX.length))) : undefined;
  if (typeof given !== 'object' || given === null || Object.keys(given).join() !== 'byDurationMs') return undefined;
  return byDuration((given as { byDurationMs: unknown }).byDurationMs);
}

function byDuration(ms: unknown): OffsetResetByDuration | undefined {
  return typeof ms === 'number' && ms >= 0 && ms <= Number.MAX_SAFE_INTEGER ? { byDurationMs: ms } : undefined;
}

function durationMs(text: string): number | undefined {
  const parts = DURATION.exec(text)?.slice(1);
  if (parts === undefined || parts.every((part) => part === undefined)) return undefined;
  return parts.reduce((sum, part = '0', index) => sum + Number(part.replace(',', '.')) * (UNITS_MS[index] ?? 0), 0);
}
