import { checkVersion, type Api, type Input } from './api.ts';
import { RequestHeader } from './generated/request-header.ts';
import { ResponseHeader } from './generated/response-header.ts';
import type { Reader } from './wire/reader.ts';
import { Writer } from './wire/writer.ts';

const SIZE_BYTES = 4;

/**
 * A whole request: size prefix, header and body, as pieces to be sent one after the other.
 *
 * Large bytes and records are in it by reference: they must not change until the pieces have been sent.
 */
export function encodeRequestFrame<Req>(
  api: Api<Req, unknown>,
  message: Input<Req>,
  version: number,
  correlationId: number,
  clientId: string | null,
): Buffer[] {
  checkVersion(api, version);
  const writer = new Writer();
  writer.int32(0, 'size');
  const header = { requestApiKey: api.key, requestApiVersion: version, correlationId, clientId };
  RequestHeader.write(writer, header, api.requestHeaderVersion(version));
  api.writeRequest(writer, message, version);
  return takeFrame(writer);
}

/** A whole response, the broker's side of {@link encodeRequestFrame}. */
export function encodeResponseFrame<Res>(
  api: Api<unknown, Res>,
  message: Input<Res>,
  version: number,
  correlationId: number,
): Buffer[] {
  checkVersion(api, version);
  const writer = new Writer();
  writer.int32(0, 'size');
  ResponseHeader.write(writer, { correlationId }, api.responseHeaderVersion(version));
  api.writeResponse(writer, message, version);
  return takeFrame(writer);
}

/** Reads the header of a response; the body follows in the same reader. */
export function decodeResponseHeader(reader: Reader, headerVersion: number): ResponseHeader {
  return ResponseHeader.read(reader, headerVersion);
}

/** Reads the header of a request; the body follows in the same reader. */
export function decodeRequestHeader(reader: Reader, headerVersion: number): RequestHeader {
  return RequestHeader.read(reader, headerVersion);
}

/** Which API and version a request is of, without moving on: the version of its header depends on it. */
export function peekRequest(reader: Reader): {
  /** The number of the API. */
  readonly apiKey: number;
  /** The version of the request. */
  readonly version: number;
} {
  const { offset } = reader;
  const apiKey = reader.int16();
  const version = reader.int16();
  reader.offset = offset;
  return { apiKey, version };
}

function takeFrame(writer: Writer): Buffer[] {
  const size = writer.length - SIZE_BYTES;
  const pieces = writer.takePieces();
  pieces[0]?.writeInt32BE(size, 0);
  return pieces;
}
