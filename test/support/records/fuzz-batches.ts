import assert from 'node:assert/strict';
import { ProtocolError } from '../../../src/errors/kafka-error.ts';
import { codecFor } from '../../../src/compression/index.ts';
import { asError } from '../../../src/errors/thrown.ts';
import { PlaceCollector, type RecordPlace } from '../../../src/protocol/records/record-places.ts';
import { readBatches, readHeaders, RecordCursor, type BatchHeader } from '../../../src/protocol/records/index.ts';
import { seededRandom } from '../seeded-random.ts';

/** What a run of {@link fuzzBatches} saw; a run that refused or accepted nothing has tested nothing. */
export interface FuzzReport {
  readonly inputs: number;
  readonly refused: number;
  readonly records: number;
  /** The largest body that a codec gave out. */
  readonly largestBody: number;
}

/** No codec may give out more than this here. */
export const fuzzMaxBytes: number = 1024 * 1024;

/**
 * Reads mutations of good `records` fields to the last header of the last record.
 *
 * @throws whatever is not a ProtocolError, with the input in its message
 */
export async function fuzzBatches(samples: readonly Buffer[], seed: number, inputs: number): Promise<FuzzReport> {
  const random = seededRandom(seed);
  const report = { inputs, refused: 0, records: 0, largestBody: 0 };
  for (let input = 0; input < inputs; input++) {
    const sample = samples[Math.floor(random() * samples.length)] ?? Buffer.alloc(0);
    const mutated = mutate(sample, random);
    try {
      await readToTheEnd(mutated, report);
    } catch (error) {
      if (!(error instanceof ProtocolError)) {
        throw new Error(`Seed ${seed}, input ${input}: ${mutated.toString('base64').slice(0, 2_000)}`, {
          cause: error,
        });
      }
      report.refused++;
    }
  }
  return report;
}

async function readToTheEnd(bytes: Buffer, report: { records: number; largestBody: number }): Promise<void> {
  // Without checksums: almost nothing would get past them.
  for (const batch of readBatches(bytes, { checkCrcs: false })) {
    const body = await decompress(batch);
    report.largestBody = Math.max(report.largestBody, body?.length ?? 0);
    const cursor = new RecordCursor(batch, body);
    const places: RecordPlace[] = [];
    let refusal: Error | undefined;
    try {
      while (cursor.next()) {
        readHeaders(cursor.bytes, cursor.headersStart, cursor.headerCount);
        cursor.bytes.subarray(cursor.valueStart, cursor.valueStart + Math.max(0, cursor.valueLength));
        places.push(placeAt(cursor));
        report.records++;
      }
    } catch (error) {
      refusal = asError(error);
    }
    compareWithCollected(new RecordCursor(batch, body), places, refusal);
    if (refusal !== undefined) throw refusal;
  }
}

/** What many records at once are read as has to be what they are read as one by one, up to the same error. */
function compareWithCollected(cursor: RecordCursor, expected: readonly RecordPlace[], refusal: unknown): void {
  const collector = new PlaceCollector(3);
  const found: RecordPlace[] = [];
  let thrown: unknown;
  for (let isMore = true; isMore;) {
    try {
      isMore = cursor.collect(collector, collector.capacity, 0);
    } catch (error) {
      thrown = error;
      isMore = false;
    }
    const places = collector.finish();
    for (let at = 0; at < places.length; at++) {
      found.push({
        offsetDelta: places.offsetDelta(at),
        timestampMs: places.timestampMs(at),
        keyStart: places.keyStart(at),
        keyLength: places.keyLength(at),
        valueStart: places.valueStart(at),
        valueLength: places.valueLength(at),
        headersStart: places.headersStart(at),
        headerCount: places.headerCount(at),
      });
    }
    collector.clear();
  }
  assert.deepEqual(found, expected);
  assert.equal(String(thrown), String(refusal));
}

function placeAt(cursor: RecordCursor): RecordPlace {
  const { offsetDelta, timestampMs, keyStart, keyLength, valueStart, valueLength, headersStart, headerCount } = cursor;
  return { offsetDelta, timestampMs, keyStart, keyLength, valueStart, valueLength, headersStart, headerCount };
}

async function decompress(batch: BatchHeader): Promise<Buffer | undefined> {
  if (batch.compression === 'none') return undefined;
  const codec = await codecFor(batch.compression);
  return codec.decompress(batch.bytes.subarray(batch.recordsStart, batch.end), fuzzMaxBytes);
}

function mutate(sample: Buffer, random: () => number): Buffer {
  let bytes = Buffer.from(sample);
  const any = (below: number): number => Math.floor(random() * below);
  for (let count = 1 + any(4); count > 0 && bytes.length > 0; count--) {
    const at = any(bytes.length);
    switch (any(8)) {
      case 0:
        bytes = bytes.subarray(0, at);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(any(bytes.length))]);
        break;
      case 2:
        if (at + 4 <= bytes.length) bytes.writeInt32BE([-1, 0, 0x7fff_ffff, -0x8000_0000, 1][any(5)] ?? 0, at);
        break;
      case 3:
        bytes.fill(any(2) * 255, at, Math.min(bytes.length, at + any(12)));
        break;
      case 4:
        bytes[any(Math.min(bytes.length, 70))] = any(256); // the header
        break;
      default:
        bytes[at] = any(2) === 0 ? any(256) : (bytes[at] ?? 0) ^ (1 << any(8));
    }
  }
  return bytes;
}
