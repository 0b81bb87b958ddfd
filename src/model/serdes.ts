import type { RecordHeaders } from './record-headers.ts';

/** Where a value that is serialized or deserialized stands. */
export interface SerdeContext {
  /** The topic of the record. */
  readonly topic: string;
  /** Which of the two it is. */
  readonly field: 'key' | 'value';
  /** The headers of the record; undefined where it has none, and for a record that is being sent. */
  readonly headers?: RecordHeaders | undefined;
}

/** What a serializer makes: text is sent as UTF-8; null is the absence of a key or value, a tombstone. */
export type Serialized = string | Uint8Array | null;

/** Turns values into what a record carries. */
export interface Serializer<T> {
  /**
   * May answer with a promise; later sends to the same topic then wait behind it, in the order of the calls.
   *
   * What it throws rejects this one record, with the code `SERIALIZATION_FAILED`.
   */
  serialize(value: T, context: SerdeContext): Serialized | PromiseLike<Serialized>;
}

/** Turns what a record carries into values. */
export interface Deserializer<T> {
  /** May answer with a promise, which is awaited before the record is handed out. `bytes` is a view of the fetched frame. */
  deserialize(bytes: Buffer | null, context: SerdeContext): T | PromiseLike<T>;
  /** Whether it is cheap and cannot fail for well-formed data, so that it may wait until the value is read. @defaultValue false */
  readonly lazy?: boolean | undefined;
}

/**
 * Both directions of a key or value. `In` is what `send` takes, `Out` the type of `record.value` or `record.key`.
 *
 * All built-in ones take and give null; {@link required} makes one that does not.
 */
export interface Serde<In, Out = In> extends Serializer<In>, Deserializer<Out> {}

/** Bytes as they are; text is sent as UTF-8. What clients use where no serde is given. */
export const bytes: Serde<string | Uint8Array | null, Buffer | null> = {
  lazy: true,
  serialize: (value) => {
    if (value === null || value === undefined || typeof value === 'string' || value instanceof Uint8Array) {
      return value ?? null;
    }
    throw wrongType(value, 'a string, a Uint8Array or null');
  },
  deserialize: (data) => data,
};

/** UTF-8 text. */
export const string: Serde<string | null> = {
  lazy: true,
  serialize: (value) => {
    if (typeof value === 'string' || value === null || value === undefined) return value ?? null;
    throw wrongType(value, 'a string or null');
  },
  deserialize: (data) => (data === null ? null : data.toString('utf8')),
};

/** `true` and `false` as one byte, 1 and 0. Java: `BooleanSerializer` (KIP-907). */
export const boolean: Serde<boolean | null> = {
  lazy: true,
  serialize: (value) => {
    if (value === null || value === undefined) return null;
    if (typeof value !== 'boolean') throw wrongType(value, 'true, false or null');
    return Buffer.from([value ? 1 : 0]);
  },
  deserialize: (data) => {
    if (data === null) return null;
    if (data.length !== 1 || (data[0] ?? 2) > 1) throw new TypeError(`0x${data.toString('hex', 0, 8)} is no boolean`);
    return data[0] === 1;
  },
};

/** A UUID as its text of 36 characters, which is how Java's `UUIDSerializer` writes it (KIP-206). */
export const uuid: Serde<string | null> = {
  lazy: true,
  serialize: (value) => (value === null || value === undefined ? null : checkUuid(value)),
  deserialize: (data) => (data === null ? null : checkUuid(data.toString('utf8'))),
};

/** An 8-bit signed integer: one byte. Java has no serializer of its own for it. */
export const int8: Serde<number | null> = fixed(
  1,
  integerFrom(-(2 ** 7), 2 ** 7 - 1),
  (data, value) => data.writeInt8(value),
  (data) => data.readInt8(),
);

/** A 16-bit signed integer, big-endian. Java: `ShortSerializer`. */
export const int16: Serde<number | null> = fixed(
  2,
  integerFrom(-(2 ** 15), 2 ** 15 - 1),
  (data, value) => data.writeInt16BE(value),
  (data) => data.readInt16BE(),
);

/** A 32-bit signed integer, big-endian. Java: `IntegerSerializer`. */
export const int32: Serde<number | null> = fixed(
  4,
  integerFrom(-(2 ** 31), 2 ** 31 - 1),
  (data, value) => data.writeInt32BE(value),
  (data) => data.readInt32BE(),
);

/** A 64-bit signed integer, big-endian; a safe `number` is taken too. Java: `LongSerializer`. */
export const int64: Serde<bigint | number | null, bigint | null> = fixed(
  8,
  (value: bigint | number) => {
    if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return;
    if (typeof value === 'number' && Number.isSafeInteger(value)) return;
    throw wrongType(value, 'a bigint of 64 bits, a safe integer or null');
  },
  (data, value) => data.writeBigInt64BE(BigInt(value)),
  (data) => data.readBigInt64BE(),
);

/** A 32-bit floating point number, big-endian. Java: `FloatSerializer`. */
export const float32: Serde<number | null> = fixed(
  4,
  numberOnly,
  (data, value) => data.writeFloatBE(value),
  (data) => data.readFloatBE(),
);

/** A 64-bit floating point number, big-endian. Java: `DoubleSerializer`. */
export const float64: Serde<number | null> = fixed(
  8,
  numberOnly,
  (data, value) => data.writeDoubleBE(value),
  (data) => data.readDoubleBE(),
);

/** The same serde without null: neither is a tombstone sent, nor does one pass as a value when read. */
export function required<In, Out>(serde: Serde<In, Out>): Serde<NonNullable<In>, NonNullable<Out>> {
  return {
    // A tombstone must be found when the record is handed out, not whenever its value happens to be read.
    lazy: false,
    serialize: (value, context) => serde.serialize(present(value), context),
    deserialize: (data, context) => {
      if (data === null) throw new TypeError(`${context.field} is null, and the serde is required()`);
      const value = serde.deserialize(data, context);
      return isPromiseLike(value) ? value.then(present) : present(value);
    },
  };
}

function present<T>(value: T): NonNullable<T> {
  if (value === null || value === undefined) throw new TypeError(`${String(value)} given, and the serde is required()`);
  return value;
}

const uuidShape = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

function checkUuid(value: unknown): string {
  if (typeof value === 'string' && uuidShape.test(value)) return value;
  throw wrongType(value, 'the text of a UUID or null');
}

function fixed<In, Out>(
  size: number,
  check: (value: NonNullable<In>) => void,
  write: (data: Buffer, value: NonNullable<In>) => void,
  read: (data: Buffer) => Out,
): Serde<In | null, Out | null> {
  return {
    lazy: true,
    serialize: (value) => {
      if (value === null || value === undefined) return null;
      check(value);
      const data = Buffer.allocUnsafe(size);
      write(data, value);
      return data;
    },
    deserialize: (data) => {
      if (data === null) return null;
      if (data.length !== size) throw new TypeError(`${data.length} bytes where ${size} were expected`);
      return read(data);
    },
  };
}

function integerFrom(min: number, max: number): (value: number) => void {
  return (value) => {
    if (!Number.isInteger(value) || value < min || value > max)
      throw wrongType(value, `an integer from ${min} to ${max}`);
  };
}

function numberOnly(value: number): void {
  if (typeof value !== 'number') throw wrongType(value, 'a number or null');
}

/** The error of a value that a serde does not take. */
export function wrongType(value: unknown, expected: string): TypeError {
  const given = typeof value === 'object' ? Object.prototype.toString.call(value) : typeof value;
  return new TypeError(`${given} given where ${expected} was expected`);
}

/** Whether a serde answered with a promise. */
export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
