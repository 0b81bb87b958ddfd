/**
 * The compact form of a definition: one line per field, nested fields indented by two spaces.
 *
 *     api Heartbeat 12
 *     listeners broker
 *
 *     request 0-4 flexible 4+
 *     header 1 0-3
 *     header 2 4+
 *       GroupId string 0+
 *       GroupInstanceId string 3+ nullable 3+ default null
 *
 *     response 0-4 flexible 4+
 *     ...
 *
 * After type and versions a field may have: `nullable <versions>`, `default <text>`, `tag <number> <versions>`, `ignorable`,
 * `mapKey`, `neverFlexible`. A struct shared by several fields is `struct <name> <versions>` behind the fields of its message.
 */
import type {
  Definition,
  FieldDefinition,
  FieldType,
  MessageDefinition,
  StructDefinition,
  VersionRange,
} from './definition.ts';
import { parseRange, printRange } from './version-range.ts';

export function printDefinition(definition: Definition): string {
  if (definition.kind === 'schema')
    return [`schema ${definition.name}`, '', ...printMessage('message', definition.message), ''].join('\n');
  const head = [`api ${definition.name} ${definition.key}`, `listeners ${definition.listeners.join(' ')}`.trimEnd()];
  return [
    ...head,
    '',
    ...printMessage('request', definition.request),
    '',
    ...printMessage('response', definition.response),
    '',
  ].join('\n');
}

function printMessage(keyword: string, message: MessageDefinition): string[] {
  const unstable = message.latestVersionUnstable ? ' latestVersionUnstable' : '';
  return [
    `${keyword} ${printRange(message.versions)} flexible ${printRange(message.flexible)}${unstable}`,
    ...message.headers.map(({ header, versions }) => `header ${header} ${printRange(versions)}`),
    ...printFields(message.fields, 1),
    ...message.structs.flatMap((struct) => [
      `struct ${struct.name} ${printRange(struct.versions)}`,
      ...printFields(struct.fields, 1),
    ]),
  ];
}

function printFields(fields: readonly FieldDefinition[], depth: number): string[] {
  return fields.flatMap((field) => ['  '.repeat(depth) + printField(field), ...printFields(field.fields, depth + 1)]);
}

function printField(field: FieldDefinition): string {
  const words = [field.name, printType(field.type), printRange(field.versions)];
  if (field.nullable !== undefined) words.push('nullable', printRange(field.nullable));
  if (field.defaultText !== undefined) words.push('default', field.defaultText);
  if (field.tag !== undefined) words.push('tag', String(field.tag.number), printRange(field.tag.versions));
  if (field.ignorable) words.push('ignorable');
  if (field.mapKey) words.push('mapKey');
  if (field.neverFlexible) words.push('neverFlexible');
  return words.join(' ');
}

function printType(type: FieldType): string {
  return (type.array ? '[]' : '') + type.element;
}

export function parseType(text: string): FieldType {
  return text.startsWith('[]') ? { array: true, element: text.slice(2) } : { array: false, element: text };
}

interface Line {
  readonly depth: number;
  readonly words: readonly string[];
  readonly number: number;
}

export function parseDefinition(text: string): Definition {
  const lines = new Lines(text);
  const [keyword, name = '', key] = lines.next().words;
  if (keyword === 'schema') return { kind: 'schema', name, message: parseMessage(lines, 'message') };
  if (keyword !== 'api') throw lines.error('expected "api" or "schema"');
  const [listenersKeyword, ...listeners] = lines.next().words;
  if (listenersKeyword !== 'listeners') throw lines.error('expected "listeners"');
  const request = parseMessage(lines, 'request');
  return { kind: 'api', name, key: Number(key), listeners, request, response: parseMessage(lines, 'response') };
}

function parseMessage(lines: Lines, expected: string): MessageDefinition {
  const [keyword, versions, flexibleKeyword, flexible, unstable] = lines.next().words;
  if (keyword !== expected || flexibleKeyword !== 'flexible')
    throw lines.error(`expected "${expected} <versions> flexible <versions>"`);
  const headers: { header: number; versions: VersionRange }[] = [];
  while (lines.peek()?.words[0] === 'header' && lines.peek()?.depth === 0) {
    const [, header, range] = lines.next().words;
    headers.push({ header: Number(header), versions: lines.range(range) });
  }
  const fields = parseFields(lines, 1);
  const structs: StructDefinition[] = [];
  while (lines.peek()?.words[0] === 'struct' && lines.peek()?.depth === 0) {
    const [, name = '', range] = lines.next().words;
    structs.push({ name, versions: lines.range(range), fields: parseFields(lines, 1) });
  }
  const latestVersionUnstable = unstable === 'latestVersionUnstable';
  return {
    versions: lines.range(versions),
    flexible: parseRange(flexible ?? ''),
    latestVersionUnstable,
    headers,
    fields,
    structs,
  };
}

function parseFields(lines: Lines, depth: number): FieldDefinition[] {
  const fields: FieldDefinition[] = [];
  while (lines.peek()?.depth === depth) {
    const [name = '', type = '', versions, ...attributes] = lines.next().words;
    const own = parseAttributes(lines, attributes);
    fields.push({
      name,
      type: parseType(type),
      versions: lines.range(versions),
      ...own,
      fields: parseFields(lines, depth + 1),
    });
  }
  return fields;
}

type Attributes = Pick<FieldDefinition, 'nullable' | 'defaultText' | 'tag' | 'ignorable' | 'mapKey' | 'neverFlexible'>;

function parseAttributes(lines: Lines, words: readonly string[]): Attributes {
  const attributes = {
    nullable: undefined as VersionRange | undefined,
    defaultText: undefined as string | undefined,
    tag: undefined as FieldDefinition['tag'],
    ignorable: false,
    mapKey: false,
    neverFlexible: false,
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === 'nullable') attributes.nullable = lines.range(words[++i]);
    else if (word === 'default') attributes.defaultText = words[++i];
    else if (word === 'tag') attributes.tag = { number: Number(words[++i]), versions: lines.range(words[++i]) };
    else if (word === 'ignorable' || word === 'mapKey' || word === 'neverFlexible') attributes[word] = true;
    else throw lines.error(`unknown word ${JSON.stringify(word)}`);
  }
  return attributes;
}

class Lines {
  readonly #lines: readonly Line[];
  #next = 0;

  constructor(text: string) {
    this.#lines = text
      .split('\n')
      .map((line, index) => ({ depth: depthOf(line), words: line.trim().split(/\s+/), number: index + 1 }))
      .filter(({ words }) => words[0] !== '' && words[0]?.startsWith('#') === false);
  }

  peek(): Line | undefined {
    return this.#lines[this.#next];
  }

  next(): Line {
    const line = this.#lines[this.#next];
    if (line === undefined) throw this.error('the text ends too early');
    this.#next++;
    return line;
  }

  range(text: string | undefined): VersionRange {
    const range = parseRange(text ?? '');
    if (range === undefined) throw this.error('versions must not be "none" here');
    return range;
  }

  error(reason: string): Error {
    return new Error(`Cannot read line ${this.#lines[Math.max(0, this.#next - 1)]?.number ?? 0}: ${reason}`);
  }
}

function depthOf(line: string): number {
  return (/^ */.exec(line)?.[0].length ?? 0) / 2;
}
