/** The function that encodes a struct. */
import { defaultExpression, defaultsToNull, differsFromDefault } from './defaults.ts';
import type { Field, Struct } from './layout.ts';
import { camel, variable } from './names.ts';
import { condition, type Condition } from './version-range.ts';

export function printWriter(struct: Struct): string[] {
  const flexible = condition(struct.flexible, struct.versions);
  const body = [
    ...(needsFlexible(struct, flexible) ? [`const flexible = ${String(flexible)};`] : []),
    ...struct.fields.flatMap((field) => printField(struct, field, flexible)),
    ...printTags(struct, flexible),
  ];
  const version = body.some((line) => /\bversion\b/.test(line)) ? 'version' : '_version';
  const message = body.some((line) => /\bmessage\b/.test(line)) ? 'message' : '_message';
  return [
    `function write${struct.name}(writer: Writer, ${message}: Input<${struct.name}>, ${version}: number): void {`,
    ...indent(body),
    '}',
  ];
}

/** Whether the condition has to be computed. */
export function needsFlexible(struct: Struct, flexible: Condition): boolean {
  return typeof flexible === 'string' && struct.fields.length > 0;
}

export function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function printField(struct: Struct, field: Field, flexible: Condition): string[] {
  const present = condition(field.versions, struct.versions);
  const value = `message.${camel(field.definition.name)}`;
  const refuse = `if (${differsFromDefault(field, value)}) refuseField('${field.path}', version);`;
  if (field.definition.tag !== undefined) {
    if (present === true || field.definition.ignorable) return [];
    return [`if (!(${String(present)}) && ${differsFromDefault(field, value)}) refuseField('${field.path}', version);`];
  }
  const write = printValue(field, value, narrowed(struct, field, flexible));
  if (present === true) return write;
  const branch = [`if (${String(present)}) {`, ...indent(write), '}'];
  return field.definition.ignorable ? branch : [...branch.slice(0, -1), '} else {', `  ${refuse}`, '}'];
}

/** What is known of `flexible` where the field is present: one that came with the flexible versions has no other form. */
export function narrowed(struct: Struct, field: Field, flexible: Condition): Condition {
  if (field.definition.neverFlexible) return false;
  const here = condition(struct.flexible, field.versions);
  return typeof here === 'boolean' ? here : flexible;
}

function printValue(field: Field, value: string, flexible: Condition): string[] {
  return byFlexible(flexible, (compact) =>
    field.array ? printArray(field, value, compact) : printSingle(field, value, compact),
  );
}

/** One way to write for the flexible versions, one for the others; both only where they differ. */
function byFlexible(flexible: Condition, print: (compact: boolean) => string[]): string[] {
  if (typeof flexible === 'boolean') return print(flexible);
  const compact = print(true);
  const plain = print(false);
  if (compact.join('\n') === plain.join('\n')) return plain;
  return ['if (flexible) {', ...indent(compact), '} else {', ...indent(plain), '}'];
}

function printArray(field: Field, value: string, compact: boolean): string[] {
  const method = compact ? 'compactArray' : 'array';
  const list = defaultsToNull(field) ? `${value} ?? null` : value;
  const header = `for (const element of writer.${method}(${list}, ${nullability(field)}, '${field.path}')) {`;
  const write =
    typeof field.element === 'string'
      ? printPrimitive(field.element, 'element', 'false', compact, field.path)
      : `write${field.element.name}(writer, element, version);`;
  return [header, `  ${write}`, '}'];
}

function printSingle(field: Field, value: string, compact: boolean): string[] {
  const { element } = field;
  if (typeof element === 'string') {
    const isReference = element === 'string' || element === 'bytes' || element === 'records';
    const given =
      isReference && defaultExpression(field) !== 'null' && defaultExpression(field) !== "''" && element === 'string';
    const withDefault = defaultsToNull(field)
      ? `${value} ?? null`
      : given
        ? `${value} === undefined ? ${defaultExpression(field)} : ${value}`
        : isReference
          ? value
          : `${value} ?? ${defaultExpression(field)}`;
    return [printPrimitive(element, withDefault, nullability(field), compact, field.path)];
  }
  if (field.nullable === undefined)
    return [`write${element.name}(writer, struct(${value}, '${field.path}'), version);`];
  const name = variable(field.definition.name);
  const given = defaultsToNull(field) ? `${value} ?? null` : `${value} === undefined ? {} : ${value}`;
  return [
    `const ${name} = ${given};`,
    `writer.int8(${name} === null ? -1 : 1, '${field.path}');`,
    `if (${name} !== null) write${element.name}(writer, ${name}, version);`,
  ];
}

function nullability(field: Field): string {
  return String(condition(field.nullable, field.versions));
}

function printPrimitive(type: string, value: string, nullable: string, compact: boolean, path: string): string {
  switch (type) {
    case 'string':
      return `writer.${compact ? 'compactString' : 'string'}(${value}, ${nullable}, '${path}');`;
    case 'bytes':
    case 'records':
      return `writer.${compact ? 'compactBytes' : 'bytes'}(${value}, ${nullable}, '${path}');`;
    default:
      return `writer.${type}(${value}, '${path}');`;
  }
}

function printTags(struct: Struct, flexible: Condition): string[] {
  if (flexible === false) return [];
  const tagged = struct.fields.filter((field) => field.definition.tag !== undefined).sort(byTag);
  if (tagged.length === 0)
    return [
      typeof flexible === 'string'
        ? `if (${struct.fields.length > 0 ? 'flexible' : flexible}) writer.uvarint(0);`
        : 'writer.uvarint(0);',
    ];
  const lines = [
    ...tagged.map((field) => `const has${field.definition.name} = ${isWritten(struct, field)};`),
    `writer.uvarint(${tagged.map((field) => `(has${field.definition.name} ? 1 : 0)`).join(' + ')});`,
    ...tagged.flatMap((field) => printTag(field)),
  ];
  return typeof flexible === 'string' ? ['if (flexible) {', ...indent(lines), '}'] : lines;
}

function byTag(a: Field, b: Field): number {
  return (a.definition.tag?.number ?? 0) - (b.definition.tag?.number ?? 0);
}

function isWritten(struct: Struct, field: Field): string {
  const differs = differsFromDefault(field, `message.${camel(field.definition.name)}`);
  // Tags exist only where the version is flexible, so the condition need not say that again.
  const present = condition(field.versions, struct.flexible ?? struct.versions);
  return present === true ? differs : `${String(present)} && ${differs}`;
}

function printTag(field: Field): string[] {
  const value = `message.${camel(field.definition.name)}`;
  return [
    `if (has${field.definition.name}) {`,
    `  const mark = writer.openTag(${field.definition.tag?.number ?? 0});`,
    ...indent(printValue(field, value, true)),
    '  writer.closeTag(mark);',
    '}',
  ];
}
