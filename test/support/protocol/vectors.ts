import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ZERO_UUID } from '../../../src/protocol/index.ts';
import type { MessageDefinition } from '../../../tools/protocol-generator/definition.ts';
import { defaultsToNull } from '../../../tools/protocol-generator/defaults.ts';
import { layOut, type Field, type Struct } from '../../../tools/protocol-generator/layout.ts';
import { camel } from '../../../tools/protocol-generator/names.ts';
import { parseReleaseApis, type ReleaseApi } from '../../../tools/vectors/versions-page.ts';

/** A message that Kafka's own classes made: its values as their JSON converter writes them, and its bytes. */
export interface MessageVector {
  readonly message: string;
  readonly version: number;
  readonly kind: string;
  readonly values: Json;
  readonly bytes: Buffer;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

const folder = join(process.cwd(), 'test/conformance/vectors');

export function readVectors(): { readonly apis: readonly ReleaseApi[]; readonly vectors: readonly MessageVector[] } {
  const text = gunzipSync(readFileSync(join(folder, 'messages.jsonl.gz'))).toString('utf8');
  const lines = text.split('\n').filter((line) => line.startsWith('{"message"'));
  return { apis: parseReleaseApis(text), vectors: lines.map(parseVector) };
}

export function readBrokerApis(version: string): ReleaseApi[] {
  return parseReleaseApis(readFileSync(join(folder, `kafka-${version}-apis.jsonl`), 'utf8'));
}

function parseVector(line: string): MessageVector {
  const parsed = JSON.parse(quoteLongNumbers(line)) as Omit<MessageVector, 'bytes'> & { bytes: string };
  return { ...parsed, bytes: Buffer.from(parsed.bytes, 'base64') };
}

// JSON.parse would round an int64; Node 20 has no reviver that sees the source text.
function quoteLongNumbers(line: string): string {
  return line.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    /^-?\d{16,}$/.test(token) ? `"${token}"` : token,
  );
}

/** What our decoder should make of the message: Java's JSON with our types, and the defaults it leaves out. */
export function fromJson(name: string, definition: MessageDefinition, json: Json): unknown {
  const [message] = layOut(name, definition).structs;
  if (message === undefined) throw new Error(`Cannot read ${name}: it has no layout`);
  return structFromJson(message, json);
}

function structFromJson(struct: Struct, json: Json): unknown {
  if (typeof json !== 'object' || json === null || isList(json))
    throw new Error(`Cannot read ${struct.path}: not an object`);
  const known = new Set(struct.fields.map((field) => camel(field.definition.name)));
  const strangers = Object.keys(json).filter((key) => !known.has(key));
  if (strangers.length > 0) throw new Error(`Cannot read ${struct.path}: Java has ${strangers.join(', ')} too`);
  return Object.fromEntries(
    struct.fields.map((field) => {
      const key = camel(field.definition.name);
      const value = json[key];
      return [key, value === undefined ? defaultValue(field) : fieldFromJson(field, value)];
    }),
  );
}

function fieldFromJson(field: Field, json: Json): unknown {
  if (json === null) return null;
  if (!field.array) return elementFromJson(field, json);
  if (!isList(json)) throw new Error(`Cannot read ${field.path}: not an array`);
  return json.map((element) => elementFromJson(field, element));
}

function elementFromJson(field: Field, json: Json): unknown {
  if (typeof field.element !== 'string') return structFromJson(field.element, json);
  if (field.element === 'int64') return BigInt(json as string | number);
  if (field.element === 'bytes' || field.element === 'records') return Buffer.from(json as string, 'base64');
  return json;
}

/** The default of a field, worked out here a second time: the generator's own way is what is being tested. */
export function defaultValue(field: Field): unknown {
  const text = field.definition.defaultText;
  if (defaultsToNull(field)) return null;
  if (field.array) return [];
  if (typeof field.element !== 'string') {
    return Object.fromEntries(field.element.fields.map((inner) => [camel(inner.definition.name), defaultValue(inner)]));
  }
  if (field.element === 'bool') return text === 'true';
  if (field.element === 'string') return text ?? '';
  if (field.element === 'bytes') return Buffer.alloc(0);
  if (field.element === 'uuid') return ZERO_UUID;
  return field.element === 'int64' ? BigInt(text ?? 0) : Number(text ?? 0);
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}
