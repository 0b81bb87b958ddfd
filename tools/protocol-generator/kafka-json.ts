/** Reads the message definitions of a Kafka release: JSON with comments, one file per message. */
import type {
  Definition,
  FieldDefinition,
  MessageDefinition,
  RemovedApi,
  StructDefinition,
  VersionRange,
} from './definition.ts';
import { parseType } from './definition-text.ts';
import { intersect, parseRange } from './version-range.ts';

interface FieldJson {
  readonly name: string;
  readonly type: string;
  readonly versions: string;
  readonly nullableVersions?: string;
  readonly default?: string | number | boolean | null;
  readonly tag?: number;
  readonly taggedVersions?: string;
  readonly ignorable?: boolean;
  readonly mapKey?: boolean;
  readonly flexibleVersions?: string;
  readonly fields?: readonly FieldJson[];
}

interface StructJson {
  readonly name: string;
  readonly versions: string;
  readonly fields: readonly FieldJson[];
}

export interface MessageJson {
  readonly type: 'request' | 'response' | 'header' | 'data';
  readonly name: string;
  readonly apiKey?: number;
  readonly listeners?: readonly string[];
  readonly validVersions: string;
  readonly flexibleVersions: string;
  readonly latestVersionUnstable?: boolean;
  readonly fields?: readonly FieldJson[];
  readonly commonStructs?: readonly StructJson[];
}

export function parseMessageJson(text: string): MessageJson {
  const withoutComments = text.replaceAll(/^\s*\/\/.*$/gm, '');
  return JSON.parse(withoutComments) as MessageJson;
}

/** Pairs requests with responses. */
export function toDefinitions(messages: readonly MessageJson[]): { definitions: Definition[]; removed: RemovedApi[] } {
  const definitions: Definition[] = [];
  const removed: RemovedApi[] = [];
  for (const message of messages) {
    if (message.type === 'data' || message.type === 'header') {
      definitions.push({ kind: 'schema', name: message.name, message: toMessage(message, []) });
      continue;
    }
    if (message.type === 'response') continue;
    const name = message.name.replace(/Request$/, '');
    const key = message.apiKey ?? NaN;
    const response = messages.find((other) => other.name === `${name}Response`);
    if (response === undefined || response.apiKey !== key)
      throw new Error(`Cannot find the response of ${message.name}`);
    if (message.validVersions === 'none') removed.push({ name, key });
    else definitions.push(toApi(name, key, message, response));
  }
  definitions.sort((a, b) => (a.name < b.name ? -1 : 1));
  removed.sort((a, b) => a.key - b.key);
  return { definitions, removed };
}

function toApi(name: string, key: number, request: MessageJson, response: MessageJson): Definition {
  return {
    kind: 'api',
    name,
    key,
    listeners: request.listeners ?? [],
    request: toMessage(request, headersOf(request, 1, 2)),
    // A client cannot know how the broker frames an answer to the very request that asks for its versions (KIP-511).
    response: toMessage(
      response,
      name === 'ApiVersions' ? [{ header: 0, versions: versionsOf(response) }] : headersOf(response, 0, 1),
    ),
  };
}

function versionsOf(message: MessageJson): VersionRange {
  return requireRange(message.validVersions);
}

function headersOf(message: MessageJson, plain: number, flexible: number): MessageDefinition['headers'] {
  const versions = versionsOf(message);
  const flexibleVersions = intersect(parseRange(message.flexibleVersions), versions);
  if (flexibleVersions === undefined) return [{ header: plain, versions }];
  const headers = [{ header: flexible, versions: flexibleVersions }];
  if (flexibleVersions.min > versions.min)
    headers.unshift({ header: plain, versions: { min: versions.min, max: flexibleVersions.min - 1 } });
  return headers;
}

function toMessage(json: MessageJson, headers: MessageDefinition['headers']): MessageDefinition {
  return {
    versions: versionsOf(json),
    flexible: parseRange(json.flexibleVersions),
    latestVersionUnstable: json.latestVersionUnstable ?? false,
    headers,
    fields: (json.fields ?? []).map(toField),
    structs: (json.commonStructs ?? []).map(toStruct),
  };
}

function toStruct(json: StructJson): StructDefinition {
  return { name: json.name, versions: requireRange(json.versions), fields: json.fields.map(toField) };
}

function toField(json: FieldJson): FieldDefinition {
  const versions = requireRange(json.versions);
  return {
    name: json.name,
    type: parseType(json.type),
    versions,
    nullable: json.nullableVersions === undefined ? undefined : parseRange(json.nullableVersions),
    defaultText: json.default === undefined || json.default === '' ? undefined : String(json.default),
    tag:
      json.tag === undefined ? undefined : { number: json.tag, versions: requireRange(json.taggedVersions ?? 'none') },
    ignorable: json.ignorable ?? false,
    mapKey: json.mapKey ?? false,
    neverFlexible: json.flexibleVersions === 'none',
    fields: (json.fields ?? []).map(toField),
  };
}

function requireRange(text: string): VersionRange {
  const range = parseRange(text);
  if (range === undefined) throw new Error('Cannot use "none" for the versions of something that exists');
  return range;
}
