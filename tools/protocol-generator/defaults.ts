/** What a field holds when it is absent, and how the generated code asks whether a value is just that. */
import type { Field, Struct } from './layout.ts';
import { camel } from './names.ts';

/** The default as an expression of the generated code. */
export function defaultExpression(field: Field): string {
  const { defaultText } = field.definition;
  if (defaultText === 'null') return 'null';
  if (field.array) return '[]';
  if (typeof field.element !== 'string') return `default${field.element.name}()`;
  switch (field.element) {
    case 'bool':
      return defaultText ?? 'false';
    case 'int64':
      return `${BigInt(defaultText ?? 0)}n`;
    case 'uuid':
      return 'ZERO_UUID';
    case 'string':
      return JSON.stringify(defaultText ?? '').replaceAll('"', "'");
    case 'bytes':
      return 'Buffer.alloc(0)';
    case 'records':
      return 'null';
    case 'int8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'float64':
      return String(Number(defaultText ?? 0));
  }
}

/** Whether the default is null. */
export function defaultsToNull(field: Field): boolean {
  return field.definition.defaultText === 'null' || (field.element === 'records' && !field.array);
}

/** An expression that holds if `value`, as an encoder takes it, is something else than the default. */
export function differsFromDefault(field: Field, value: string): string {
  if (defaultsToNull(field)) return `(${value} ?? null) !== null`;
  if (field.array || field.element === 'bytes') return `${value} !== undefined && ${value}?.length !== 0`;
  if (typeof field.element !== 'string') return `!isDefault${field.element.name}(${value})`;
  const expression = defaultExpression(field);
  // An int64 may come as a number or as a bigint.
  const operator = field.element === 'int64' ? '!=' : '!==';
  return `(${value} ?? ${expression}) ${operator} ${expression}`;
}

/** The structs of which the generated code makes a default value. */
export function structsWithDefault(structs: readonly Struct[]): ReadonlySet<Struct> {
  return collect(structs, (struct, field) => {
    const absent = field.versions.min > struct.versions.min || field.versions.max < struct.versions.max;
    return absent || field.definition.tag !== undefined;
  });
}

/** The structs that the generated code compares with their default. */
export function structsCompared(structs: readonly Struct[]): ReadonlySet<Struct> {
  return collect(structs, (struct, field) => {
    const absent = field.versions.min > struct.versions.min || field.versions.max < struct.versions.max;
    return field.definition.tag !== undefined || (absent && !field.definition.ignorable);
  });
}

function collect(structs: readonly Struct[], wanted: (struct: Struct, field: Field) => boolean): ReadonlySet<Struct> {
  const found = new Set<Struct>();
  const add = (struct: Struct): void => {
    if (found.has(struct)) return;
    found.add(struct);
    for (const field of struct.fields) if (isPlainStruct(field)) add(field.element as Struct);
  };
  for (const struct of structs) {
    for (const field of struct.fields) if (isPlainStruct(field) && wanted(struct, field)) add(field.element as Struct);
  }
  return found;
}

function isPlainStruct(field: Field): boolean {
  return typeof field.element !== 'string' && !field.array && !defaultsToNull(field);
}

/** The function that makes the default value of a struct. */
export function printDefault(struct: Struct): string[] {
  const fields = struct.fields.map((field) => `${camel(field.definition.name)}: ${defaultExpression(field)}`);
  return [`function default${struct.name}(): ${struct.name} {`, `  return { ${fields.join(', ')} };`, '}'];
}

/** The function that compares with the default value of a struct. */
export function printIsDefault(struct: Struct): string[] {
  const tests = struct.fields.map(
    (field) => `!(${differsFromDefault(field, `value.${camel(field.definition.name)}`)})`,
  );
  return [
    `function isDefault${struct.name}(value: Input<${struct.name}> | null | undefined): boolean {`,
    '  if (value === undefined) return true;',
    `  return value !== null && ${tests.join(' && ')};`,
    '}',
  ];
}
