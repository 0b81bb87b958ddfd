import type { HeaderValue } from '../index.ts';
import { nearestName } from '../util/nearest-name.ts';
import { visible } from './visible-text.ts';

/** What a line of the input says of a record. */
export interface LineRecord {
  readonly key: string | Uint8Array | null;
  readonly value: string | Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: HeaderValue])[];
  readonly partition?: number;
  readonly timestamp?: number;
}

/** A line that is no record; the message says why. */
export class LineError extends Error {
  override readonly name = 'LineError';
}

const fields = ['key', 'value', 'headers', 'partition', 'timestamp'];
/** What `kavka consume` writes beside them: where the record was. */
const ignored = ['topic', 'offset'];
const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws LineError for anything but a record as JSON */
export function parseJsonRecord(line: Uint8Array): LineRecord {
  const record = objectOf(line);
  for (const name of Object.keys(record)) {
    if (fields.includes(name) || ignored.includes(name)) continue;
    const near = nearestName(name, fields);
    throw new LineError(`there is no field "${visible(name)}"${near === undefined ? '' : `; did you mean "${near}"?`}`);
  }
  const { key, value, headers, partition, timestamp } = record;
  // A value under another name must not become a tombstone.
  if (value === undefined) throw new LineError('it has no "value"; null makes a tombstone');
  return {
    key: key === undefined ? null : dataOf(key, 'key'),
    value: dataOf(value, 'value'),
    headers: headersOf(headers),
    ...wholeNumber('partition', partition),
    ...wholeNumber('timestamp', timestamp),
  };
}

function objectOf(line: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(line));
  } catch (error) {
    throw new LineError(`it is no JSON: ${visible(error instanceof Error ? error.message : String(error))}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LineError('it is no JSON object such as { "value": "…" }');
  return value as Readonly<Record<string, unknown>>;
}

/** Texts are sent as they are, bytes come as base64, everything else is sent as JSON. */
function dataOf(value: unknown, name: string): string | Uint8Array | null {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'object' && Object.keys(value).join() === 'base64') {
    const { base64 } = value as { readonly base64: unknown };
    // Buffer.from leaves out what is no base64, and with it what somebody wanted to send.
    if (typeof base64 === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(base64) && base64.length % 4 === 0)
      return Buffer.from(base64, 'base64');
    throw new LineError(`the base64 of "${name}" is none`);
  }
  return JSON.stringify(value);
}

function headersOf(headers: unknown): [string, HeaderValue][] {
  if (headers === undefined || headers === null) return [];
  if (typeof headers !== 'object' || Array.isArray(headers))
    throw new LineError('"headers" is no object such as { "source": "web" }');
  return Object.entries(headers).flatMap(([name, value]: [string, unknown]) => {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    return values.map((each): [string, HeaderValue] => [name, dataOf(each, `headers.${visible(name)}`)]);
  });
}

function wholeNumber<Name extends 'partition' | 'timestamp'>(name: Name, value: unknown): { [N in Name]?: number } {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new LineError(`"${name}" is no whole number`);
  return { [name]: value } as { [N in Name]?: number };
}
