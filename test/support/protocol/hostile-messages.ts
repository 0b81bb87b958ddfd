import { ZERO_UUID } from '../../../src/protocol/index.ts';
import { layOut, type Field, type Struct } from '../../../tools/protocol-generator/layout.ts';
import { camel } from '../../../tools/protocol-generator/names.ts';
import { contains } from '../../../tools/protocol-generator/version-range.ts';
import type { KnownMessage } from './messages.ts';

/** Bytes that become as many objects as bytes of that kind can: one array of a message, filled with its smallest elements. */
export interface HostileMessage {
  readonly label: string;
  readonly bytes: Buffer;
}

type Element = 'empty' | 'smallest' | 'one of each';

/** The arrays of a message in one version, each as the fields that lead to it. */
export function arraysOf(message: KnownMessage, version: number): Field[][] {
  const [root] = layOut(message.name, message.definition).structs;
  return root === undefined ? [] : [...arrayPaths(root, version)];
}

/** Messages of about `targetBytes` of which one array takes all. */
export function hostileMessages(
  message: KnownMessage,
  version: number,
  path: readonly Field[],
  targetBytes: number,
): HostileMessage[] {
  return (['empty', 'smallest', 'one of each'] as const).map((kind) => {
    const without = message.encode(valueWith(path, 0, kind, version), version).length;
    const elementBytes = Math.max(1, message.encode(valueWith(path, 1, kind, version), version).length - without);
    const count = Math.max(1, Math.floor((targetBytes - without) / elementBytes));
    const bytes = message.encode(valueWith(path, count, kind, version), version);
    return { label: `${message.name} version ${version}, ${count} ${kind} in ${path.at(-1)?.path ?? ''}`, bytes };
  });
}

function* arrayPaths(struct: Struct, version: number, prefix: readonly Field[] = []): Generator<Field[]> {
  for (const field of struct.fields) {
    if (!contains(field.versions, version)) continue;
    const path = [...prefix, field];
    if (field.array) yield path;
    if (typeof field.element !== 'string') yield* arrayPaths(field.element, version, path);
  }
}

/** A message whose arrays on the path have one element, the last of them `count`. */
function valueWith(path: readonly Field[], count: number, kind: Element, version: number): Record<string, unknown> {
  const [field, ...rest] = path;
  if (field === undefined) return {};
  const key = camel(field.definition.name);
  if (rest.length === 0) {
    const element = elementOf(field, kind, version);
    return { [key]: new Array<unknown>(count).fill(element) };
  }
  const inner = { ...requiredOf(field.element as Struct, version), ...valueWith(rest, count, kind, version) };
  return { [key]: field.array ? [inner] : inner };
}

/** Records are null by default, also where they must not be. */
function requiredOf(struct: Struct, version: number): Record<string, unknown> {
  const required = struct.fields.filter((field) => field.element === 'records' && contains(field.versions, version));
  return Object.fromEntries(required.map((field) => [camel(field.definition.name), Buffer.alloc(0)]));
}

function elementOf(field: Field, kind: Element, version: number): unknown {
  if (typeof field.element === 'string') return primitiveOf(field.element, kind);
  const fields = field.element.fields.filter((inner) => contains(inner.versions, version));
  const values = fields.map((inner): [string, unknown] => [
    camel(inner.definition.name),
    fieldOf(inner, kind, version),
  ]);
  return Object.fromEntries(values);
}

function fieldOf(field: Field, kind: Element, version: number): unknown {
  if (field.array) return kind === 'one of each' ? [elementOf(field, kind, version)] : [];
  // A struct that takes one byte when it is null takes many objects when it is not.
  if (typeof field.element !== 'string' && contains(field.nullable, version) && kind === 'smallest') return null;
  return elementOf(field, kind, version);
}

function primitiveOf(type: string, kind: Element): unknown {
  switch (type) {
    case 'bool':
      return false;
    case 'string':
      // Not of Latin-1 and not cached by the engine: a string object of its own.
      return kind === 'empty' ? '' : 'Ā';
    case 'bytes':
    case 'records':
      return kind === 'empty' ? Buffer.alloc(0) : Buffer.of(1);
    case 'uuid':
      return kind === 'empty' ? ZERO_UUID : 'AAAAAAAAAAAAAAAAAAAAAQ';
    case 'int64':
      return 1n;
    default:
      return 0;
  }
}
