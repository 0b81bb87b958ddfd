/**
 * The facts of Kafka's messages, as the generator works with them.
 *
 * Two readers make them: kafka-json.ts from the files of a Kafka release (once per release), definition-text.ts from our own
 * compact form in `definitions/`.
 */

/** Versions from `min` to `max`, both included; `max` is `Infinity` where Kafka writes `5+`. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** `element` is a primitive type's name, or a struct's. */
export interface FieldType {
  readonly array: boolean;
  readonly element: string;
}

export interface FieldDefinition {
  /** Kafka's name, with its capital: `TopicId`. */
  readonly name: string;
  readonly type: FieldType;
  readonly versions: VersionRange;
  readonly nullable: VersionRange | undefined;
  /** Kafka's text; `undefined` where the type's own default holds. */
  readonly defaultText: string | undefined;
  readonly tag: { readonly number: number; readonly versions: VersionRange } | undefined;
  readonly ignorable: boolean;
  /** Java keeps the elements of this array in a map, with this field as (part of) the key. */
  readonly mapKey: boolean;
  /** Stays in the old encoding although the message is flexible: only the client id of the request header. */
  readonly neverFlexible: boolean;
  /** The fields of the struct that `type` names, if it is defined here. */
  readonly fields: readonly FieldDefinition[];
}

/** A struct that several fields of one message share. */
export interface StructDefinition {
  readonly name: string;
  readonly versions: VersionRange;
  readonly fields: readonly FieldDefinition[];
}

export interface MessageDefinition {
  readonly versions: VersionRange;
  readonly flexible: VersionRange | undefined;
  readonly latestVersionUnstable: boolean;
  /** Which version of the header goes with which versions of the message; empty for data. */
  readonly headers: readonly { readonly header: number; readonly versions: VersionRange }[];
  readonly fields: readonly FieldDefinition[];
  readonly structs: readonly StructDefinition[];
}

export interface ApiDefinition {
  readonly kind: 'api';
  readonly name: string;
  readonly key: number;
  readonly listeners: readonly string[];
  readonly request: MessageDefinition;
  readonly response: MessageDefinition;
}

export interface SchemaDefinition {
  readonly kind: 'schema';
  readonly name: string;
  readonly message: MessageDefinition;
}

export type Definition = ApiDefinition | SchemaDefinition;

/** An API that the release still lists, without any version. */
export interface RemovedApi {
  readonly name: string;
  readonly key: number;
}

export interface ErrorDefinition {
  readonly code: number;
  readonly name: string;
  readonly retriable: boolean;
}

/** All facts of one Kafka release. */
export interface Release {
  readonly version: string;
  readonly definitions: readonly Definition[];
  readonly removed: readonly RemovedApi[];
  readonly errors: readonly ErrorDefinition[];
}

export const primitiveTypes = [
  'bool',
  'int8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'float64',
  'uuid',
  'string',
  'bytes',
  'records',
] as const;

export type PrimitiveType = (typeof primitiveTypes)[number];

export function isPrimitive(element: string): element is PrimitiveType {
  return (primitiveTypes as readonly string[]).includes(element);
}
