import type { VersionRange } from './definition.ts';

/** Reads Kafka's way to write versions: `0+`, `3-5`, `4`, `none`. */
export function parseRange(text: string): VersionRange | undefined {
  if (text === 'none') return undefined;
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text);
  if (match === null) throw new Error(`Cannot read the versions ${JSON.stringify(text)}: expected 0+, 3-5, 4 or none`);
  const min = Number(match[1]);
  if (match[2] !== undefined) return { min, max: Infinity };
  return { min, max: match[3] === undefined ? min : Number(match[3]) };
}

export function printRange(range: VersionRange | undefined): string {
  if (range === undefined) return 'none';
  if (range.max === Infinity) return `${range.min}+`;
  return range.min === range.max ? String(range.min) : `${range.min}-${range.max}`;
}

/** What both have, `undefined` if nothing. */
export function intersect(a: VersionRange | undefined, b: VersionRange | undefined): VersionRange | undefined {
  if (a === undefined || b === undefined) return undefined;
  const min = Math.max(a.min, b.min);
  const max = Math.min(a.max, b.max);
  return min <= max ? { min, max } : undefined;
}

/** The smallest range that holds both. */
export function hull(a: VersionRange, b: VersionRange): VersionRange {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

export function contains(range: VersionRange | undefined, version: number): boolean {
  return range !== undefined && version >= range.min && version <= range.max;
}

/** A condition in the generated code: known beforehand, or an expression of `version`. */
export type Condition = boolean | string;

/** When `range` holds, for a version that is known to be in `within`. */
export function condition(range: VersionRange | undefined, within: VersionRange): Condition {
  const both = intersect(range, within);
  if (both === undefined) return false;
  const lower = both.min > within.min;
  const upper = both.max < within.max;
  if (lower && upper)
    return both.min === both.max ? `version === ${both.min}` : `version >= ${both.min} && version <= ${both.max}`;
  if (lower) return `version >= ${both.min}`;
  if (upper) return `version <= ${both.max}`;
  return true;
}
