import { parseIsoDurationMs } from '../util/iso-duration.ts';
import { CliError } from './cli-error.ts';

/** Where a group shall go on. */
export type ResetTarget =
  | { readonly kind: 'offset'; readonly offset: bigint }
  /** The first record, the end, or the first record of this time or later. */
  | { readonly kind: 'place'; readonly at: 'earliest' | 'latest' | number };

/**
 * Reads `earliest`, `latest`, an offset, a time as ISO 8601 writes it, or a minus and a duration, which is so long ago.
 *
 * @throws CliError for anything else; a time without a zone as well, since nobody can tell which was meant
 */
export function parseResetTarget(text: string, nowMs: number): ResetTarget {
  if (text === 'earliest' || text === 'latest') return { kind: 'place', at: text };
  if (/^\d{1,18}$/.test(text)) return { kind: 'offset', offset: BigInt(text) };
  const ago = text.startsWith('-') ? parseIsoDurationMs(text.slice(1)) : undefined;
  if (ago !== undefined) return { kind: 'place', at: Math.max(0, Math.floor(nowMs - ago)) };
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  const timeMs = Date.parse(text);
  if (time === null || !(timeMs >= 0))
    throw new CliError(
      `Cannot reset to "${text}": give earliest, latest, an offset, a time such as 2026-01-31T12:00:00Z, or a minus and a duration, such as -PT1H`,
    );
  if (time[1] === undefined)
    throw new CliError(`Cannot reset to "${text}": say the zone of the time, such as ${text}Z or ${text}+01:00`);
  return { kind: 'place', at: timeMs };
}
