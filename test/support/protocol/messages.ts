import { join } from 'node:path';
import * as protocol from '../../../src/protocol/index.ts';
import type { Input, Reader, Writer } from '../../../src/protocol/index.ts';
import type { Definition, MessageDefinition, Release } from '../../../tools/protocol-generator/definition.ts';
import { readRelease } from '../../../tools/protocol-generator/release-folder.ts';

/** One message of the protocol with its codec, whatever it belongs to: `FetchRequest`, `RequestHeader`. */
export interface KnownMessage {
  readonly name: string;
  readonly definition: MessageDefinition;
  encode(message: unknown, version: number): Buffer;
  decode(bytes: Uint8Array, version: number): unknown;
  write(writer: Writer, message: unknown, version: number): void;
  read(reader: Reader, version: number): unknown;
}

/** The definitions lie beside the tests also when those run compiled, so they are found from the working folder. */
export function readCommittedRelease(): Promise<Release> {
  return readRelease(join(process.cwd(), 'tools/protocol-generator/definitions'));
}

/** All messages that the definitions name. */
export function knownMessages(release: Release): KnownMessage[] {
  return release.definitions.flatMap(messagesOf);
}

function messagesOf(definition: Definition): KnownMessage[] {
  if (definition.kind === 'schema') {
    const schema = property(protocol.schemas, definition.name) as protocol.DataSchema<object>;
    return [
      {
        name: definition.name,
        definition: definition.message,
        encode: (message, version) => schema.encode(message as Input<object>, version),
        decode: schema.decode,
        write: (writer, message, version) => schema.write(writer, message as Input<object>, version),
        read: schema.read,
      },
    ];
  }
  const api = property(protocol.apis, definition.name) as protocol.AnyApi;
  return [
    {
      name: `${definition.name}Request`,
      definition: definition.request,
      encode: (message, version) => api.encodeRequest(message as object, version),
      decode: api.decodeRequest,
      write: (writer, message, version) => api.writeRequest(writer, message as object, version),
      read: api.readRequest,
    },
    {
      name: `${definition.name}Response`,
      definition: definition.response,
      encode: (message, version) => api.encodeResponse(message as object, version),
      decode: api.decodeResponse,
      write: (writer, message, version) => api.writeResponse(writer, message as object, version),
      read: api.readResponse,
    },
  ];
}

function property(owner: object, name: string): unknown {
  const value: unknown = (owner as Record<string, unknown>)[name];
  if (value === undefined)
    throw new Error(`Cannot find ${name}: the definitions name it, kavka/protocol does not have it`);
  return value;
}
