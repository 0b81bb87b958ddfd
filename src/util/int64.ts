/** The part of the `long` package's Long that is needed to read one. */
export interface LongLike {
  /** The lower 32 bits. */
  readonly low: number;
  /** The upper 32 bits, with the sign. */
  readonly high: number;
}

/** What a caller may give for an int64: offsets, producer ids, timestamps. */
export type Int64Input = bigint | number | string | LongLike;

/** The int64 that was given, or `undefined` if it is none: out of range, not an integer, a number that has lost digits. */
export function parseInt64(value: unknown): bigint | undefined {
  const parsed = toInteger(value);
  return parsed !== undefined && BigInt.asIntN(64, parsed) === parsed ? parsed : undefined;
}

function toInteger(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  // BigInt() alone would take '' for 0, and hexadecimal.
  if (typeof value === 'string') return /^-?\d{1,19}$/.test(value) ? BigInt(value) : undefined;
  return isLong(value) ? (BigInt(value.high | 0) << 32n) | BigInt(value.low >>> 0) : undefined;
}

function isLong(value: unknown): value is LongLike {
  if (typeof value !== 'object' || value === null) return false;
  const { low, high } = value as Partial<LongLike>;
  return Number.isInteger(low) && Number.isInteger(high);
}
