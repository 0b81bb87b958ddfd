import { isPromiseLike, wrongType, type Serde } from './serdes.ts';

/**
 * A validator in the form that validation libraries share (https://standardschema.dev): zod, valibot, arktype and others.
 *
 * `Input` is what is sent, `Output` what is read; they differ where the schema transforms.
 */
export interface StandardSchema<Output = unknown, Input = Output> {
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
          readonly input: Input;
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
      readonly issues: readonly SchemaIssue[];
    };

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  /** In words. */
  readonly message: string;
  /** Where in the value: names and indexes, or objects with a `key`. */
  readonly path?: readonly unknown[] | undefined;
}

/** A value does not match the schema of its serde; the `cause` of the error that `send` or the read rejects with. */
export class SchemaError extends TypeError {
  /** Everything that the schema found, as its library tells it. */
  readonly issues: readonly SchemaIssue[];

  /** @internal */
  constructor(issues: readonly SchemaIssue[]) {
    super(`does not match its schema: ${issues.map(describeIssue).join('; ')}`);
    this.issues = issues;
  }

  static {
    this.prototype.name = 'SchemaError';
  }
}

/** JSON text. Without a schema, `T` is what the program trusts the topic to hold; nothing checks it. */
export function json<T = unknown>(): Serde<T | null>;
/**
 * JSON text whose values `schema` checks: what is sent as it is, what is read as the schema gives it back.
 *
 * A value that does not match rejects its record alone, with a {@link SchemaError} as `cause`. The schema may answer with a
 * promise.
 *
 * @param schema a Standard Schema; it sees neither null (a tombstone) nor text that is not JSON
 */
export function json<Output, Input = Output>(schema: StandardSchema<Output, Input>): Serde<Input | null, Output | null>;
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

function whenValid<T, R>(schema: StandardSchema<T>, value: unknown, use: (valid: T) => R): R | Promise<R> {
  const result = schema['~standard'].validate(value);
  const take = (checked: SchemaResult<T>): R => {
    if (checked.issues === undefined) return use(checked.value);
    throw new SchemaError(checked.issues);
  };
  return isPromiseLike(result) ? Promise.resolve(result).then(take) : take(result);
}

function describeIssue({ message, path = [] }: SchemaIssue): string {
  if (path.length === 0) return message;
  const keys = path.map((part) => String(typeof part === 'object' && part !== null && 'key' in part ? part.key : part));
  return `${keys.join('.')}: ${message}`;
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
