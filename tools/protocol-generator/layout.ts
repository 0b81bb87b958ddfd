/** Resolves a message into the structs that the generated code has an interface, a reader and a writer for. */
import {
  isPrimitive,
  type FieldDefinition,
  type MessageDefinition,
  type PrimitiveType,
  type VersionRange,
} from './definition.ts';
import { camel } from './names.ts';
import { contains, hull, intersect } from './version-range.ts';

export interface Layout {
  /** The message itself comes first, every struct before those inside of it. */
  readonly structs: readonly Struct[];
}

export interface Struct {
  /** The name of the interface, unique over all APIs: it starts with that of the message. */
  readonly name: string;
  /** How error messages name it: `FetchRequest.topics.partitions`. */
  readonly path: string;
  /** The versions in which it can occur. */
  versions: VersionRange;
  readonly flexible: VersionRange | undefined;
  fields: readonly Field[];
}

export interface Field {
  readonly definition: FieldDefinition;
  readonly versions: VersionRange;
  readonly nullable: VersionRange | undefined;
  readonly array: boolean;
  /** A primitive type, or a struct. */
  readonly element: PrimitiveType | Struct;
  readonly path: string;
}

/** @param name the message's, `FetchRequest` */
export function layOut(name: string, message: MessageDefinition): Layout {
  return new LayoutBuilder(name, message).build();
}

class LayoutBuilder {
  readonly #name: string;
  readonly #message: MessageDefinition;
  readonly #structs: Struct[] = [];
  /** The structs being laid out, to refuse one that contains itself: its depth on the wire would have no bound. */
  readonly #open: string[] = [];
  /** The versions in which any of its uses needs a shared struct. */
  readonly #sharedVersions = new Map<string, VersionRange>();

  constructor(name: string, message: MessageDefinition) {
    this.#name = name;
    this.#message = message;
  }

  build(): Layout {
    this.#findSharedVersions(this.#message.fields, this.#message.versions, []);
    this.#struct(this.#name, this.#name, this.#message.versions, this.#message.fields);
    for (const struct of this.#structs) for (const field of struct.fields) checkField(field);
    return { structs: this.#structs };
  }

  #findSharedVersions(fields: readonly FieldDefinition[], within: VersionRange, open: readonly string[]): void {
    for (const field of fields) {
      const versions = intersect(field.versions, within);
      if (versions === undefined) continue;
      const { element } = field.type;
      const shared =
        field.fields.length > 0 ? undefined : this.#message.structs.find((struct) => struct.name === element);
      if (shared === undefined) {
        this.#findSharedVersions(field.fields, versions, open);
        continue;
      }
      if (open.includes(element)) throw new Error(`Cannot lay out ${element}: it contains itself`);
      this.#sharedVersions.set(element, hull(this.#sharedVersions.get(element) ?? versions, versions));
      this.#findSharedVersions(shared.fields, versions, [...open, element]);
    }
  }

  #struct(name: string, path: string, versions: VersionRange, fields: readonly FieldDefinition[]): Struct {
    if (this.#open.includes(name)) throw new Error(`Cannot lay out ${name}: it contains itself`);
    if (this.#structs.some((struct) => struct.name === name))
      throw new Error(`Cannot lay out ${name}: it is defined twice`);
    this.#open.push(name);
    const struct: Struct = { name, path, versions, flexible: intersect(this.#message.flexible, versions), fields: [] };
    this.#structs.push(struct);
    struct.fields = fields.flatMap((field) => this.#field(struct, field) ?? []);
    this.#open.pop();
    return struct;
  }

  // A field of versions that Kafka no longer has is left out.
  #field(owner: Struct, definition: FieldDefinition): Field | undefined {
    const versions = intersect(definition.versions, owner.versions);
    if (versions === undefined) return undefined;
    const path = `${owner.path}.${camel(definition.name)}`;
    return {
      definition,
      versions,
      nullable: intersect(definition.nullable, versions),
      array: definition.type.array,
      element: this.#element(definition, versions, path),
      path,
    };
  }

  #element(definition: FieldDefinition, versions: VersionRange, path: string): PrimitiveType | Struct {
    const { element } = definition.type;
    if (isPrimitive(element)) return element;
    const name = element.startsWith(this.#name) ? element : this.#name + element;
    if (definition.fields.length > 0) return this.#struct(name, path, versions, definition.fields);
    const shared = this.#message.structs.find((struct) => struct.name === element);
    if (shared === undefined) throw new Error(`Cannot lay out ${path}: nothing is named ${element}`);
    return this.#shared(name, shared.fields, this.#sharedVersions.get(element) ?? versions);
  }

  #shared(name: string, fields: readonly FieldDefinition[], versions: VersionRange): Struct {
    const known = this.#structs.find((struct) => struct.name === name);
    return known ?? this.#struct(name, name, versions, fields);
  }
}

function checkField(field: Field): void {
  const { definition, versions, nullable, array, element, path } = field;
  const tagged = intersect(definition.tag?.versions, versions);
  if (tagged !== undefined && (tagged.min !== versions.min || tagged.max !== versions.max)) {
    throw new Error(
      `Cannot lay out ${path}: a field that is tagged only in some of its versions is not known to the generator yet`,
    );
  }
  if (!array && typeof element !== 'string' && nullable !== undefined && nullable.min !== versions.min) {
    throw new Error(
      `Cannot lay out ${path}: a struct that is nullable only in some of its versions is not known to the generator yet`,
    );
  }
  if (array && typeof element !== 'string') {
    for (let version = versions.min; version <= versions.max; version++) {
      // Such an array could declare 2^31 elements and cost nothing on the wire.
      if (minStructBytes(element, version) === 0)
        throw new Error(`Cannot lay out ${path}: its elements take no bytes in version ${version}`);
    }
  }
}

/** The fewest bytes that an element of the array takes, over the flexible versions or over the others. */
export function minElementBytes(field: Field, flexible: boolean, flexibleVersions: VersionRange | undefined): number {
  let least = Infinity;
  for (let version = field.versions.min; version <= field.versions.max; version++) {
    if (contains(flexibleVersions, version) !== flexible) continue;
    const bytes =
      typeof field.element === 'string'
        ? minPrimitiveBytes(field.element, flexible)
        : minStructBytes(field.element, version);
    least = Math.min(least, bytes);
  }
  return least;
}

function minStructBytes(struct: Struct, version: number): number {
  const flexible = contains(struct.flexible, version);
  let bytes = flexible ? 1 : 0;
  for (const field of struct.fields) {
    if (!contains(field.versions, version) || field.definition.tag !== undefined) continue;
    bytes += minFieldBytes(field, version, flexible && !field.definition.neverFlexible);
  }
  return bytes;
}

function minFieldBytes(field: Field, version: number, flexible: boolean): number {
  if (field.array) return flexible ? 1 : 4;
  if (typeof field.element === 'string') return minPrimitiveBytes(field.element, flexible);
  return contains(field.nullable, version) ? 1 : minStructBytes(field.element, version);
}

const fixedBytes = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
} as const;

function minPrimitiveBytes(type: PrimitiveType, flexible: boolean): number {
  if (type === 'string') return flexible ? 1 : 2;
  if (type === 'bytes' || type === 'records') return flexible ? 1 : 4;
  return fixedBytes[type];
}
