import type { HeadersInput, HeaderValue } from '../model/producer-record.ts';
import type { RecordHeader } from '../protocol/records/index.ts';

/**
 * Headers in the order in which they stand in the record; undefined if there are none.
 *
 * @throws TypeError for what cannot be a header
 */
export function headersOf(input: HeadersInput): readonly RecordHeader[] | undefined {
  if (typeof input !== 'object' || input === null) throw new TypeError(`${typeof input} given for headers`);
  const headers: RecordHeader[] = [];
  if (Symbol.iterator in input) {
    for (const [key, value] of input) headers.push(header(key, value));
  } else {
    for (const [key, value] of Object.entries(input)) {
      if (Array.isArray(value)) for (const each of value as readonly HeaderValue[]) headers.push(header(key, each));
      else headers.push(header(key, value));
    }
  }
  return headers.length === 0 ? undefined : headers;
}

function header(key: unknown, value: unknown): RecordHeader {
  if (typeof key !== 'string') throw new TypeError(`${typeof key} given for the key of a header`);
  if (value === undefined || value === null) return { key, value: null };
  if (typeof value === 'string' || value instanceof Uint8Array) return { key, value };
  throw new TypeError(`${typeof value} given for header "${key}", where a string, a Uint8Array or null was expected`);
}
