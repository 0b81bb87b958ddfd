/** The function that decodes a struct. */
import { defaultExpression } from './defaults.ts';
import { minElementBytes, type Field, type Struct } from './layout.ts';
import { camel, variable } from './names.ts';
import { fieldType } from './print-types.ts';
import { indent, narrowed, needsFlexible } from './print-writer.ts';
import { condition, type Condition } from './version-range.ts';

export function printReader(struct: Struct): string[] {
  const flexible = condition(struct.flexible, struct.versions);
  const body = [
    ...(needsFlexible(struct, flexible) ? [`const flexible = ${String(flexible)};`] : []),
    ...struct.fields.flatMap((field) => printField(struct, field, flexible)),
    ...printTags(struct, flexible),
    printResult(struct),
  ];
  const version = body.some((line) => /\bversion\b/.test(line)) ? 'version' : '_version';
  return [`function read${struct.name}(reader: Reader, ${version}: number): ${struct.name} {`, ...indent(body), '}'];
}

function printResult(struct: Struct): string {
  const entries = struct.fields.map((field) => {
    const name = camel(field.definition.name);
    const local = variable(field.definition.name);
    return name === local ? name : `${name}: ${local}`;
  });
  return `return { ${entries.join(', ')} };`;
}

function printField(struct: Struct, field: Field, flexible: Condition): string[] {
  const name = variable(field.definition.name);
  if (field.definition.tag !== undefined) return [`let ${name}: ${fieldType(field)} = ${defaultExpression(field)};`];
  const present = condition(field.versions, struct.versions);
  const compact = narrowed(struct, field, flexible);
  if (field.array) return printArrayField(struct, field, present, compact);
  const value = singleExpression(field, compact);
  if (present === true) return [`const ${name} = ${value};`];
  return [`const ${name} = ${String(present)} ? ${parenthesised(value)} : ${defaultExpression(field)};`];
}

function printArrayField(struct: Struct, field: Field, present: Condition, flexible: Condition): string[] {
  const name = variable(field.definition.name);
  const fill = printArray(struct, field, flexible);
  if (present === true && !isNullableArray(field)) return [`const ${name}: ${fieldType(field)} = [];`, ...fill];
  const start = `let ${name}: ${fieldType(field)} = ${defaultExpression(field)};`;
  if (present === true) return [start, ...fill];
  return [start, `if (${String(present)}) {`, ...indent(fill), '}'];
}

function isNullableArray(field: Field): boolean {
  return fieldType(field).endsWith(' | null');
}

/** Fills the variable of the field. */
function printArray(struct: Struct, field: Field, flexible: Condition): string[] {
  const name = variable(field.definition.name);
  const push = `${name}.push(${elementExpression(field, flexible)})`;
  const count = countExpression(struct, field, flexible);
  if (!isNullableArray(field)) return [`for (let left = ${count}; left > 0; left--) ${push};`];
  return [
    `const ${name}Count = ${count};`,
    `if (${name}Count < 0) {`,
    `  ${name} = null;`,
    '} else {',
    `  ${name} = [];`,
    `  for (let left = ${name}Count; left > 0; left--) ${push};`,
    '}',
  ];
}

function countExpression(struct: Struct, field: Field, flexible: Condition): string {
  const nullable = condition(field.nullable, field.versions);
  const call = (compact: boolean): string => {
    const least = minElementBytes(field, compact, struct.flexible);
    const method = (canBeNull: boolean): string => {
      const name = canBeNull ? 'nullableCount' : 'count';
      return `reader.${compact ? `compact${name.charAt(0).toUpperCase()}${name.slice(1)}` : name}(${least})`;
    };
    return typeof nullable === 'boolean' ? method(nullable) : `(${nullable} ? ${method(true)} : ${method(false)})`;
  };
  return choose(flexible, call(true), call(false));
}

function elementExpression(field: Field, flexible: Condition): string {
  if (typeof field.element !== 'string') return `read${field.element.name}(reader, version)`;
  if (field.element !== 'string') return `reader.${field.element}()`;
  return choose(flexible, 'reader.compactString()', 'reader.string()');
}

function singleExpression(field: Field, flexible: Condition): string {
  const { element } = field;
  const nullable = condition(field.nullable, field.versions);
  if (typeof element !== 'string') {
    const read = `read${element.name}(reader, version)`;
    return nullable === false ? read : `reader.int8() < 0 ? null : ${read}`;
  }
  if (element !== 'string' && element !== 'bytes' && element !== 'records') return `reader.${element}()`;
  const kind = element === 'string' ? 'String' : 'Bytes';
  return choose(flexible, reference(kind, 'compact', nullable), reference(kind, '', nullable));
}

function reference(kind: string, prefix: string, nullable: Condition): string {
  const method = (name: string): string =>
    `reader.${(prefix + name).charAt(0).toLowerCase()}${(prefix + name).slice(1)}()`;
  if (typeof nullable === 'boolean') return method(nullable ? `Nullable${kind}` : kind);
  return `${nullable} ? ${method(`Nullable${kind}`)} : ${method(kind)}`;
}

function choose(flexible: Condition, compact: string, plain: string): string {
  if (typeof flexible === 'boolean') return flexible ? compact : plain;
  return compact === plain ? plain : `flexible ? ${parenthesised(compact)} : ${parenthesised(plain)}`;
}

function parenthesised(expression: string): string {
  return expression.includes(' ? ') ? `(${expression})` : expression;
}

function printTags(struct: Struct, flexible: Condition): string[] {
  if (flexible === false) return [];
  const tagged = struct.fields.filter((field) => field.definition.tag !== undefined);
  if (tagged.length === 0)
    return [
      typeof flexible === 'string'
        ? `if (${struct.fields.length > 0 ? 'flexible' : flexible}) reader.skipTags();`
        : 'reader.skipTags();',
    ];
  const lines = [
    'for (let tags = reader.tagCount(), tag = -1; tags > 0; tags--) {',
    '  tag = reader.nextTag(tag);',
    '  const end = reader.tagEnd();',
    '  switch (tag) {',
    ...indent(indent(tagged.flatMap((field) => printTagCase(struct, field)))),
    '    default:',
    '      reader.skipTo(end);',
    '  }',
    '  reader.endTag(end);',
    '}',
  ];
  return typeof flexible === 'string' ? ['if (flexible) {', ...indent(lines), '}'] : lines;
}

function printTagCase(struct: Struct, field: Field): string[] {
  const name = variable(field.definition.name);
  const present = condition(field.versions, struct.flexible ?? struct.versions);
  const read = field.array
    ? [...startArray(field), ...printArray(struct, field, true)]
    : [`${name} = ${singleExpression(field, true)};`];
  const known =
    present === true ? read : [`if (${String(present)}) {`, ...indent(read), '} else {', '  reader.skipTo(end);', '}'];
  return [`case ${field.definition.tag?.number ?? 0}: {`, ...indent(known), '  break;', '}'];
}

function startArray(field: Field): string[] {
  return isNullableArray(field) ? [] : [`${variable(field.definition.name)} = [];`];
}
