/** The interfaces of the messages. */
import { defaultsToNull } from './defaults.ts';
import type { Field, Struct } from './layout.ts';
import { camel } from './names.ts';
import { printRange } from './version-range.ts';

const typeScript = {
  bool: 'boolean',
  int8: 'number',
  int16: 'number',
  uint16: 'number',
  int32: 'number',
  uint32: 'number',
  int64: 'bigint',
  float64: 'number',
  uuid: 'string',
  string: 'string',
  bytes: 'Buffer',
  records: 'Buffer',
} as const;

/** The type of an array's elements, or of the field itself. */
function elementType(field: Field): string {
  return typeof field.element === 'string' ? typeScript[field.element] : field.element.name;
}

export function fieldType(field: Field): string {
  const type = field.array ? `${elementType(field)}[]` : elementType(field);
  return field.nullable !== undefined || defaultsToNull(field) ? `${type} | null` : type;
}

export function printInterface(struct: Struct, summary: string): string[] {
  return [
    `/** ${summary} */`,
    `export interface ${struct.name} {`,
    ...struct.fields.flatMap((field) => [
      `  /** ${fieldComment(field)} */`,
      `  ${camel(field.definition.name)}: ${fieldType(field)};`,
    ]),
    '}',
  ];
}

function fieldComment(field: Field): string {
  const { definition, nullable } = field;
  const notes = [
    `Kafka's ${(definition.type.array ? '[]' : '') + definition.type.element}, ${versionsInWords(printRange(field.versions))}`,
  ];
  if (nullable !== undefined)
    notes.push(
      same(nullable, field.versions) ? 'may be null' : `may be null in ${versionsInWords(printRange(nullable))}`,
    );
  if (definition.defaultText !== undefined) notes.push(`default ${definition.defaultText}`);
  if (definition.tag !== undefined) notes.push(`tag ${definition.tag.number}`);
  return `${notes.join('; ')}.`;
}

function versionsInWords(range: string): string {
  return /^\d+$/.test(range) ? `version ${range}` : `versions ${range}`;
}

function same(a: { min: number; max: number }, b: { min: number; max: number }): boolean {
  return a.min === b.min && a.max === b.max;
}
