import { UsageError } from '../errors/kafka-error.ts';
import type { Input } from './wire/input.ts';
import { Reader } from './wire/reader.ts';
import { Writer } from './wire/writer.ts';

export type { Input } from './wire/input.ts';

/** One direction of an API, or a schema of its own: how its messages become bytes and back. */
export interface MessageCodec<T> {
  write(this: void, writer: Writer, message: Input<T>, version: number): void;
  read(this: void, reader: Reader, version: number): T;
}

/** What the generated file of an API states about it. */
export interface ApiFacts<Req, Res> {
  readonly key: number;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly unstableVersion?: number;
  readonly firstFlexibleVersion: number;
  requestHeaderVersion(this: void, version: number): number;
  responseHeaderVersion(this: void, version: number): number;
  readonly request: MessageCodec<Req>;
  readonly response: MessageCodec<Res>;
}

/**
 * One API of Kafka's protocol: its number, its versions, and how its requests and responses become bytes and back.
 *
 * `read…` and `write…` work within a larger frame and trust the version; `encode…` and `decode…` are whole bodies (without a
 * header), check the version, and refuse bytes that are left over.
 */
export interface Api<Req, Res> {
  /** The API's number on the wire. */
  readonly key: number;
  /** Kafka's name, without `Request` or `Response`: `Metadata`. */
  readonly name: string;
  /** The lowest version that can be encoded and decoded. */
  readonly minVersion: number;
  /** The highest stable version. */
  readonly maxVersion: number;
  /** A version above {@link Api.maxVersion} that Kafka does not yet promise to keep: it can be encoded, but is never negotiated. */
  readonly unstableVersion: number | undefined;
  /** The first version with compact lengths and tagged fields (KIP-482); `Infinity` if there is none. */
  readonly firstFlexibleVersion: number;
  /** The version of the header that stands before a request of this version. */
  requestHeaderVersion(this: void, version: number): number;
  /** The version of the header that stands before a response of this version. */
  responseHeaderVersion(this: void, version: number): number;
  /** Adds the body of a request to what `writer` holds. */
  writeRequest(this: void, writer: Writer, message: Input<Req>, version: number): void;
  /** Reads the body of a request and leaves `reader` behind it. */
  readRequest(this: void, reader: Reader, version: number): Req;
  /** Adds the body of a response to what `writer` holds. */
  writeResponse(this: void, writer: Writer, message: Input<Res>, version: number): void;
  /** Reads the body of a response and leaves `reader` behind it. */
  readResponse(this: void, reader: Reader, version: number): Res;
  /**
   * The body of a request.
   *
   * @throws `UsageError` for a version that does not exist, or a value that does not fit its field
   */
  encodeRequest(this: void, message: Input<Req>, version: number): Buffer;
  /**
   * The request that these bytes are; its bytes and records are views of them.
   *
   * @throws `ProtocolError` for bytes that are not such a message
   */
  decodeRequest(this: void, bytes: Uint8Array, version: number): Req;
  /**
   * The body of a response.
   *
   * @throws `UsageError` for a version that does not exist, or a value that does not fit its field
   */
  encodeResponse(this: void, message: Input<Res>, version: number): Buffer;
  /**
   * The response that these bytes are; its bytes and records are views of them.
   *
   * @throws `ProtocolError` for bytes that are not such a message
   */
  decodeResponse(this: void, bytes: Uint8Array, version: number): Res;
}

/**
 * A message of Kafka's that no API carries: a header, what a consumer tells its group, the content of a control record.
 *
 * `decode` refuses bytes that are left over. Where a newer peer may have written more (the schemas of the consumer protocol, of
 * which Java reads the highest version it knows), use `read`, which leaves them.
 */
export interface DataSchema<T> {
  /** Kafka's name of it. */
  readonly name: string;
  /** The lowest version that can be encoded and decoded. */
  readonly minVersion: number;
  /** The highest version that can be encoded and decoded. */
  readonly maxVersion: number;
  /** The first version with compact lengths and tagged fields (KIP-482); `Infinity` if there is none. */
  readonly firstFlexibleVersion: number;
  /** Adds the message to what `writer` holds. */
  write(this: void, writer: Writer, message: Input<T>, version: number): void;
  /** Reads the message and leaves `reader` behind it. */
  read(this: void, reader: Reader, version: number): T;
  /**
   * The message as bytes.
   *
   * @throws `UsageError` for a version that does not exist, or a value that does not fit its field
   */
  encode(this: void, message: Input<T>, version: number): Buffer;
  /**
   * The message that these bytes are; its fields of bytes are views of them.
   *
   * @throws `ProtocolError` for bytes that are not such a message
   */
  decode(this: void, bytes: Uint8Array, version: number): T;
}

/** The highest version that can be encoded and decoded, an unstable one included. */
export function lastVersion(api: Pick<Api<never, never>, 'maxVersion' | 'unstableVersion'>): number {
  return api.unstableVersion ?? api.maxVersion;
}

/** Throws unless the API has this version. */
export function checkVersion(
  api: Pick<Api<never, never>, 'name' | 'minVersion' | 'maxVersion' | 'unstableVersion'>,
  version: number,
): void {
  requireVersion(api.name, api.minVersion, lastVersion(api), version);
}

/** Makes an {@link Api} of what its generated file states. */
export function defineApi<Req, Res>(facts: ApiFacts<Req, Res>): Api<Req, Res> {
  const { name, request, response, minVersion, maxVersion, unstableVersion } = facts;
  const last = unstableVersion ?? maxVersion;
  const requests = wholeMessage(request, `${name} request`, minVersion, last);
  const responses = wholeMessage(response, `${name} response`, minVersion, last);
  return Object.freeze({
    key: facts.key,
    name,
    minVersion,
    maxVersion,
    unstableVersion,
    firstFlexibleVersion: facts.firstFlexibleVersion,
    requestHeaderVersion: facts.requestHeaderVersion,
    responseHeaderVersion: facts.responseHeaderVersion,
    writeRequest: request.write,
    readRequest: request.read,
    writeResponse: response.write,
    readResponse: response.read,
    encodeRequest: requests.encode,
    decodeRequest: requests.decode,
    encodeResponse: responses.encode,
    decodeResponse: responses.decode,
  });
}

/** Makes a {@link DataSchema} of what its generated file states. */
export function defineSchema<T>(
  facts: MessageCodec<T> & Pick<DataSchema<T>, 'name' | 'minVersion' | 'maxVersion' | 'firstFlexibleVersion'>,
): DataSchema<T> {
  return Object.freeze({ ...facts, ...wholeMessage(facts, facts.name, facts.minVersion, facts.maxVersion) });
}

interface WholeMessage<T> {
  encode(this: void, message: Input<T>, version: number): Buffer;
  decode(this: void, bytes: Uint8Array, version: number): T;
}

function wholeMessage<T>(codec: MessageCodec<T>, what: string, min: number, max: number): WholeMessage<T> {
  return {
    encode(message, version) {
      requireVersion(what, min, max, version);
      const writer = new Writer();
      codec.write(writer, message, version);
      return writer.toBuffer();
    },
    decode(bytes, version) {
      requireVersion(what, min, max, version);
      const reader = new Reader(bytes, `${what} version ${version}`);
      const message = codec.read(reader, version);
      reader.finish();
      return message;
    },
  };
}

function requireVersion(what: string, min: number, max: number, version: number): void {
  if (Number.isInteger(version) && version >= min && version <= max) return;
  throw new UsageError(`Cannot use version ${version} of ${what}: this release knows versions ${min} to ${max}`, {
    code: 'INVALID_ARGUMENT',
  });
}
