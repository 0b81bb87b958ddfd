import {
  boolean,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  uuid,
  type ConsumerRecord,
  type Deserializer,
} from '../index.ts';
import { CliError } from './cli-error.ts';
import { visible } from './visible-text.ts';

/** The names of the formats that there are for keys and values. */
export const dataFormatNames = [
  'string',
  'json',
  'hex',
  'base64',
  'boolean',
  'int8',
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'uuid',
] as const;
export type DataFormatName = (typeof dataFormatNames)[number];

/** How the bytes of a key or value are shown. */
interface DataFormat {
  /** @throws an error that says why, if they are not what they should be */
  text(data: Buffer): string;
  /** The same as JSON text. */
  json(data: Buffer): string;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that bytes are; undefined if they are no UTF-8. */
export function utf8Of(data: Uint8Array): string | undefined {
  try {
    return utf8.decode(data);
  } catch {
    return undefined;
  }
}

/** Bytes as JSON: a text where they are one, and else what `kavka produce --json` makes the same bytes of. */
export function jsonOfBytes(data: Buffer): string {
  const text = utf8Of(data);
  return JSON.stringify(text ?? { base64: data.toString('base64') });
}

const formats: Readonly<Record<DataFormatName, DataFormat>> = {
  string: { text: (data) => utf8Of(data) ?? `0x${data.toString('hex')}`, json: jsonOfBytes },
  json: { text: compactJson, json: compactJson },
  hex: inWords((data) => data.toString('hex')),
  base64: inWords((data) => data.toString('base64')),
  boolean: decoded(boolean),
  int8: decoded(int8),
  int16: decoded(int16),
  int32: decoded(int32),
  int64: decoded(int64),
  float32: decoded(float32),
  float64: decoded(float64),
  uuid: decoded(uuid),
};

/**
 * The key or value of a record as a format shows it; null if it is null.
 *
 * @throws CliError with the place of the record, if its bytes are not what they should be
 */
export function shown(
  record: ConsumerRecord,
  field: 'key' | 'value',
  name: DataFormatName,
  as: keyof DataFormat,
): string | null {
  const data = field === 'key' ? record.keyBytes : record.valueBytes;
  if (data === null) return null;
  try {
    return formats[name][as](data);
  } catch (error) {
    const { topic, partition, offset } = record;
    const why = visible(error instanceof Error ? error.message : String(error));
    throw new CliError(`Cannot read the ${field} of ${topic}-${partition}@${offset} as ${name}: ${why}`, {
      exitCode: 1,
    });
  }
}

function inWords(text: (data: Buffer) => string): DataFormat {
  return { text, json: (data) => JSON.stringify(text(data)) };
}

function decoded(serde: Deserializer<boolean | number | bigint | string | null>): DataFormat {
  const valueOf = (data: Buffer): unknown => serde.deserialize(data, { topic: '', field: 'value' });
  return {
    text: (data) => String(valueOf(data)),
    json: (data) => {
      const value = valueOf(data);
      // Most readers of JSON would round a number of 64 bits, and JSON knows no NaN.
      const isPlain = typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
      return isPlain ? String(value) : JSON.stringify(String(value));
    },
  };
}

/** JSON in one line. Its text is kept, as numbers could not all be read and written again without a loss. */
function compactJson(data: Buffer): string {
  const text = utf8Of(data);
  if (text === undefined) throw new TypeError('it is no UTF-8');
  JSON.parse(text);
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
}
