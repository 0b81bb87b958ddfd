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

/**
 * A validator in the form that validation libraries share (https://standardschema.dev): zod, valibot, arktype and others.
 */
export interface StandardSchema<Output = unknown> {
  /** What the specification puts here, so that it is in nobody's way. */
  readonly '~standard': {
    /** The version of the specification. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Checks a value, and may change it. */
    validate(value: unknown): SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** For the compiler only. */
    readonly types?:
      | {
          /** What may be checked. */
          readonly input: unknown;
          /** What is given back. */
          readonly output: Output;
        }
      | undefined;
  };
}

/** What a {@link StandardSchema} answers: a value, or what is wrong with it. */
export type SchemaResult<Output> =
  | {
      /** The value as the schema gives it back. */
      readonly value: Output;
      /** Absent: that is what tells the two apart. */
      readonly issues?: undefined;
    }
  | {
      /** What is wrong with it; at least one. */
      readonly issues: readonly {
        /** In words. */
        readonly message: string;
        /** Where in the value. */
        readonly path?: readonly unknown[] | undefined;
      }[];
    };

/** JSON text. Without a schema, `T` is what the program trusts the topic to hold; nothing checks it. */
export function json<T = unknown>(): Serde<T | null>;
/**
 * JSON text whose values `schema` checks: what is sent as it is, what is read as the schema gives it back.
 *
 * @param schema a Standard Schema; it sees neither null (a tombstone) nor text that is not JSON
 */
export function json<T>(schema: StandardSchema<T>): Serde<T | null>;
export function json<T>(schema?: StandardSchema<T>): Serde<T | null> {
  if (schema === undefined) return { lazy: true, serialize: toJson, deserialize: (data) => fromJson(data) as T | null };
  return {
    lazy: false,
    serialize: (value) => {
      if (value === null || value === undefined) return null;
      return whenValid(schema, value, () => toJson(value));
    },
    deserialize: (data) => {
      if (data === null) return null;
      return whenValid(schema, fromJson(data), (valid) => valid);
    },
  };
}

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

function whenValid<T, R>(schema: StandardSchema<T>, value: unknown, use: (valid: T) => R): R | Promise<R> {
  const result = schema['~standard'].validate(value);
  const take = (checked: SchemaResult<T>): R => {
    if (checked.issues === undefined) return use(checked.value);
    throw new TypeError(`does not match its schema: ${checked.issues.map((issue) => issue.message).join('; ')}`);
  };
  return isPromiseLike(result) ? result.then(take) : take(result);
}

function toJson(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  // A function or a symbol has no JSON, for which JSON.stringify answers undefined although its type does not say so.
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw wrongType(value, 'something that JSON can express');
  return text;
}

function fromJson(data: Buffer | null): unknown {
  return data === null ? null : JSON.parse(data.toString('utf8'));
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

function wrongType(value: unknown, expected: string): TypeError {
  const given = typeof value === 'object' ? Object.prototype.toString.call(value) : typeof value;
  return new TypeError(`${given} given where ${expected} was expected`);
}

/** Whether a serde answered with a promise. */
export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
