import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  RecordCursor,
  apis,
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeResponseFrame,
  peekRequest,
  readBatches,
  readHeaders,
  Reader,
  type AnyApi,
} from '../../../src/protocol/index.ts';
import type { Release } from '../../../tools/protocol-generator/definition.ts';
import { knownMessages } from './messages.ts';
import { fromJson, readVectors, type MessageVector } from './vectors.ts';

/** Valid bytes, and what takes them. */
export interface FuzzSubject {
  readonly label: string;
  readonly sample: Buffer;
  /** Whether a part of the sample is never valid: not so for records, of which a partial last batch is ignored. */
  readonly hasNoValidPart: boolean;
  /** Reads the bytes to their end; must return, or throw a ProtocolError. */
  read(bytes: Buffer): void;
}

/** Every message that Kafka made, as a body and as a whole frame, and its record batches. */
export function fuzzSubjects(release: Release): FuzzSubject[] {
  const { vectors } = readVectors();
  return [...bodies(release, vectors), ...frames(release, vectors), ...recordBatches()];
}

function bodies(release: Release, vectors: readonly MessageVector[]): FuzzSubject[] {
  const byName = new Map(knownMessages(release).map((message) => [message.name, message]));
  return vectors.map(({ message: name, version, kind, bytes }) => {
    const message = byName.get(name);
    if (message === undefined) throw new Error(`Cannot fuzz ${name}: it is not known`);
    return {
      label: `${name} version ${version}, ${kind}`,
      sample: bytes,
      hasNoValidPart: true,
      read(mutated) {
        const decoded = message.decode(mutated, version);
        // What could be decoded can be encoded, so that nothing out of range gets further in.
        message.encode(decoded, version);
      },
    };
  });
}

function frames(release: Release, vectors: readonly MessageVector[]): FuzzSubject[] {
  const filled = vectors.filter(({ kind }) => kind === 'filled');
  return release.definitions.flatMap((definition) => {
    if (definition.kind !== 'api') return [];
    const api = (apis as unknown as Readonly<Record<string, AnyApi>>)[definition.name];
    if (api === undefined) throw new Error(`Cannot fuzz ${definition.name}: it is not known`);
    return filled.flatMap((vector) => {
      if (vector.message === `${definition.name}Request`)
        return [requestFrame(api, fromJson(vector.message, definition.request, vector.values), vector.version)];
      if (vector.message === `${definition.name}Response`)
        return [responseFrame(api, fromJson(vector.message, definition.response, vector.values), vector.version)];
      return [];
    });
  });
}

// Without the size prefix: that belongs to the transport.
function requestFrame(api: AnyApi, message: unknown, version: number): FuzzSubject {
  return {
    label: `frame of ${api.name} request version ${version}`,
    sample: Buffer.concat(encodeRequestFrame(api, message as object, version, 7, 'fuzz')).subarray(4),
    hasNoValidPart: true,
    read(bytes) {
      const reader = new Reader(bytes);
      peekRequest(reader);
      decodeRequestHeader(reader, api.requestHeaderVersion(version));
      api.readRequest(reader, version);
      reader.finish();
    },
  };
}

function responseFrame(api: AnyApi, message: unknown, version: number): FuzzSubject {
  return {
    label: `frame of ${api.name} response version ${version}`,
    sample: Buffer.concat(encodeResponseFrame(api, message as object, version, 7)).subarray(4),
    hasNoValidPart: true,
    read(bytes) {
      const reader = new Reader(bytes);
      decodeResponseHeader(reader, api.responseHeaderVersion(version));
      api.readResponse(reader, version);
      reader.finish();
    },
  };
}

function recordBatches(): FuzzSubject[] {
  const text = gunzipSync(
    readFileSync(join(process.cwd(), 'test/conformance/vectors/record-batches.jsonl.gz')),
  ).toString('utf8');
  const lines = text.split('\n').filter((line) => line.startsWith('{"magic"'));
  return lines.flatMap((line) => {
    const { bytes, magic, compression, kind } = JSON.parse(line) as Record<
      'bytes' | 'magic' | 'compression' | 'kind',
      string
    >;
    const sample = Buffer.from(bytes, 'base64');
    const label = `record batch of magic ${magic}, ${compression}, ${kind}`;
    return [true, false].map((checkCrcs) => ({
      label: checkCrcs ? label : `${label}, checksum not checked`,
      sample,
      hasNoValidPart: false,
      read: (mutated: Buffer) => {
        walkRecords(mutated, checkCrcs);
      },
    }));
  });
}

function walkRecords(records: Buffer, checkCrcs: boolean): void {
  for (const batch of readBatches(records, { checkCrcs })) {
    // The codecs have tests of their own; here their place is taken by bytes that fit as little as those of a hostile broker.
    const cursor =
      batch.compression === 'none'
        ? new RecordCursor(batch)
        : new RecordCursor(batch, batch.bytes.subarray(batch.recordsStart, batch.end));
    while (cursor.next()) readHeaders(cursor.bytes, cursor.headersStart, cursor.headerCount);
  }
}
