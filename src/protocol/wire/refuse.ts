import { UsageError } from '../../errors/kafka-error.ts';

/** The error for a value that its field cannot hold. */
export function refuse(field: string, value: unknown, what: string): UsageError {
  return new UsageError(`Cannot encode ${field}: ${describe(value)} is not ${what}`, { code: 'INVALID_ARGUMENT' });
}

/** Throws for a field that has a value although this version has no place for it, and Kafka does not call it ignorable. */
export function refuseField(field: string, version: number): never {
  throw new UsageError(
    `Cannot encode ${field}: version ${version} has no such field; leave it out or use another version`,
    {
      code: 'INVALID_ARGUMENT',
    },
  );
}

// A value may be a secret (a SASL token, a SCRAM password): only its kind is told, except for numbers.
function describe(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value === null) return 'null';
  return `a value of type ${Array.isArray(value) ? 'array' : typeof value}`;
}
