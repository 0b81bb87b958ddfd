import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  BatchBuilder,
  controlKey,
  controlValue,
  readBatches,
  type CloseOptions,
  type RecordHeader,
} from '../../src/protocol/records/index.ts';
import {
  readBatchVectors,
  type BatchVector,
  type DescribedBatch,
  type DescribedRecord,
} from '../support/records/batch-vectors.ts';
import { decompressRecords, describeBatches } from '../support/records/describe-batches.ts';

const vectors = readBatchVectors();

describe('record batches made by Kafka itself', () => {
  it('are there for every format, codec, timestamp type, kind and content', () => {
    assert.deepEqual(vectors.map(label).sort(), expectedLabels().sort());
  });

  for (const name of new Set(vectors.map(groupOf))) {
    const ofGroup = vectors.filter((vector) => groupOf(vector) === name);
    it(`readBatches and RecordCursor find what Kafka finds: ${name}`, async () => {
      for (const vector of ofGroup) {
        const found = await describeBatches(Buffer.from(vector.bytes, 'base64'));
        const expected = vector.batches.map(asNumbersAllow);
        if (vector.magic === 2) assert.deepEqual(found, expected, label(vector));
        else assert.deepEqual(flat(found), flat(expected), label(vector));
      }
    });
  }

  it('BatchBuilder writes the same bytes, from bytes and from texts, and the same body for every codec', async () => {
    const left = new Set<string>();
    for (const vector of vectors.filter(({ magic }) => magic === 2)) {
      if (vector.appended.some((timestamp) => BigInt(Number(timestamp)) !== BigInt(timestamp))) {
        left.add(vector.content); // Timestamps are numbers: these cannot be given exactly.
        continue;
      }
      await assertBuilds(vector, false);
      await assertBuilds(vector, true);
    }
    assert.deepEqual([...left], ['int64-back']);
  });
});

function groupOf({ magic, compression }: BatchVector): string {
  return `magic ${magic}, ${compression}`;
}

function label({ magic, compression, timestampType, kind, content }: BatchVector): string {
  return [magic, compression, timestampType, kind, content].join(' ');
}

function expectedLabels(): string[] {
  const labels: string[] = [];
  for (const magic of [0, 1, 2]) {
    for (const compression of magic === 2
      ? ['none', 'gzip', 'snappy', 'lz4', 'zstd']
      : ['none', 'gzip', 'snappy', 'lz4']) {
      for (const timestampType of magic === 0 ? ['create'] : ['create', 'logAppend']) {
        for (const kind of magic === 2 ? ['plain', 'idempotent', 'transactional', 'control'] : ['plain']) {
          const contents = contentsOf(magic, compression, timestampType, kind);
          labels.push(...contents.map((content) => [magic, compression, timestampType, kind, content].join(' ')));
        }
      }
    }
  }
  return labels;
}

function contentsOf(magic: number, compression: string, timestampType: string, kind: string): string[] {
  // Kafka writes no compressed batch without records: what compaction leaves of one is a header alone.
  const empty = magic === 2 && compression === 'none' ? ['empty'] : [];
  if (kind === 'control') return ['commit', 'abort', ...empty];
  const large = kind === 'plain' && timestampType === 'create' ? ['large'] : [];
  const wideTimestamps = magic === 0 ? [] : ['int64', 'int64-back'];
  const headers = magic === 2 ? ['headers'] : [];
  return ['values', 'nulls', 'gaps', 'int32', ...large, ...wideTimestamps, ...headers, ...empty];
}

/** Kafka hands out every uncompressed message of an old format as a batch; here they come together. */
function flat(batches: readonly DescribedBatch[]): unknown[] {
  return batches.flatMap(({ magic, compression, timestampType, isControl, records }) =>
    records.map((record) => ({ magic, compression, timestampType, isControl, ...record })),
  );
}

/** Timestamps above 2 ** 53 become the nearest number. */
function asNumbersAllow(batch: DescribedBatch): DescribedBatch {
  return {
    ...batch,
    maxTimestamp: nearest(batch.maxTimestamp),
    records: batch.records.map((record) => ({ ...record, timestamp: nearest(record.timestamp) })),
  };
}

function nearest(timestamp: string): string {
  return String(BigInt(Number(timestamp)));
}

async function assertBuilds(vector: BatchVector, asTexts: boolean): Promise<void> {
  const expected = Buffer.from(vector.bytes, 'base64');
  const [described] = vector.batches;
  const [header] = readBatches(expected);
  assert.ok(described !== undefined && header !== undefined, label(vector));
  const builder = new BatchBuilder({ initialBytes: 64, maxBytes: 2 ** 30 });
  appendAll(builder, vector, described, asTexts);
  const compressed = vector.compression === 'none' ? undefined : expected.subarray(header.recordsStart);
  if (compressed !== undefined) assert.deepEqual(builder.body(), await decompressRecords(header), label(vector));
  const built = builder.close(closing(vector, described, compressed));
  assert.deepEqual(built.toString('base64'), vector.bytes, label(vector));
}

function appendAll(builder: BatchBuilder, vector: BatchVector, batch: DescribedBatch, asTexts: boolean): void {
  let nextOffset = BigInt(batch.baseOffset);
  for (const [index, record] of batch.records.entries()) {
    builder.skipOffsets(Number(BigInt(record.offset) - nextOffset));
    nextOffset = BigInt(record.offset) + 1n;
    const [key, value] =
      vector.kind === 'control'
        ? controlContent(vector)
        : [content(record.key, asTexts), content(record.value, asTexts)];
    assert.ok(builder.append(Number(vector.appended[index]), key, value, headers(record, asTexts)));
  }
}

function controlContent(vector: BatchVector): [Buffer, Buffer] {
  return [controlKey(vector.content === 'commit' ? 'commit' : 'abort'), controlValue(Number(vector.lastOffset))];
}

function content(base64: string | null, asText: boolean): string | Buffer | null {
  if (base64 === null) return null;
  const bytes = Buffer.from(base64, 'base64');
  const text = bytes.toString('utf8');
  return asText && Buffer.from(text).equals(bytes) ? text : bytes;
}

function headers(record: DescribedRecord, asTexts: boolean): RecordHeader[] | undefined {
  if (record.headers.length === 0) return undefined;
  return record.headers.map(([key, value]) => ({ key, value: content(value, asTexts) }));
}

function closing(vector: BatchVector, batch: DescribedBatch, compressed: Buffer | undefined): CloseOptions {
  return {
    compression: vector.compression,
    ...(compressed === undefined ? {} : { compressed }),
    producerId: BigInt(batch.producerId),
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    transactional: batch.isTransactional,
    control: batch.isControl,
    baseOffset: BigInt(batch.baseOffset),
    partitionLeaderEpoch: batch.partitionLeaderEpoch,
    lastOffsetDelta: Number(BigInt(batch.lastOffset) - BigInt(batch.baseOffset)),
    ...(vector.timestampType === 'logAppend' ? { logAppendTimeMs: Number(batch.maxTimestamp) } : {}),
    ...(vector.content === 'empty' ? { maxTimestampMs: Number(batch.maxTimestamp) } : {}),
  };
}
