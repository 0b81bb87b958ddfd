import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  BatchBuilder,
  BatchReader,
  readHeaders,
  RecordCursor,
  recordSizeBound,
  restamp,
  stampStored,
  type BatchHeader,
  type RecordHeader,
} from '../../../../src/protocol/records/index.ts';
import { plainClosing, sampleBatch } from '../../../support/records/sample-batch.ts';

type Content = string | Uint8Array | null;

describe('BatchBuilder', () => {
  it('BatchBuilder writes what RecordCursor reads, for any keys, values and headers', () => {
    const content = fc.option(fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), fc.string({ maxLength: 300, minLength: 20 }))); // prettier-ignore
    const headers = fc.option(fc.array(fc.record({ key: fc.string({ unit: 'grapheme' }), value: content })), {
      nil: undefined,
    });
    const record = fc.record({
      timestampMs: fc.integer({ min: 0, max: 2 ** 53 - 1 }),
      key: content,
      value: content,
      headers,
    });
    const property = fc.property(fc.array(record, { minLength: 1 }), (records) => {
      const bytes = sampleBatch(
        records.map(({ headers: given, ...rest }) => (given ? { ...rest, headers: given } : rest)),
      );
      const found = readAll(bytes);
      assert.deepEqual(
        found,
        records.map(({ timestampMs, key, value, headers: given = [] }) => [
          timestampMs,
          hex(key),
          hex(value),
          given.map((header: RecordHeader) => [header.key, hex(header.value)]),
        ]),
      );
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('BatchBuilder writes a lone surrogate as U+FFFD, in short and in long texts', () => {
    const [record] = readAll(sampleBatch([{ key: 'a\ud800', value: `${'x'.repeat(40)}\udfff` }]));
    assert.deepEqual(record?.slice(1, 3), [hex('a\ufffd'), hex(`${'x'.repeat(40)}\ufffd`)]);
  });

  it('BatchBuilder takes no record beyond maxBytes and stays as it was', () => {
    const builder = new BatchBuilder({ initialBytes: 64, maxBytes: 200 });
    assert.ok(builder.append(1, 'key', 'x'.repeat(80), undefined));
    const before = builder.sizeBytes;
    assert.equal(builder.append(2, 'key', 'x'.repeat(80), undefined), false);
    assert.equal(builder.append(2, 'key', 'ž'.repeat(40), undefined), false);
    assert.equal(builder.append(2, 'key', Buffer.alloc(80), undefined), false);
    assert.deepEqual([builder.sizeBytes, builder.recordCount], [before, 1]);
    assert.ok(builder.append(2, 'key', 'x'.repeat(20), undefined));
    assert.equal(readAll(builder.close(plainClosing)).length, 2);
  });

  it('BatchBuilder fills a batch up to the last byte of maxBytes', () => {
    const one = sampleBatch([{ value: 'abc' }]).length;
    const exact = new BatchBuilder({ initialBytes: 1, maxBytes: 2 * one - 61 });
    assert.ok(exact.append(1_000, null, 'abc', undefined) && exact.append(1_000, null, 'abc', undefined));
    assert.equal(exact.append(1_000, null, '', undefined), false);
    assert.equal(exact.sizeBytes, 2 * one - 61);
  });

  it('BatchBuilder takes a first record of any size', () => {
    for (const value of ['x'.repeat(5_000), 'ž'.repeat(5_000), Buffer.alloc(5_000, 1)]) {
      const builder = new BatchBuilder({ initialBytes: 64, maxBytes: 100 });
      assert.ok(builder.append(1, null, value, undefined));
      assert.equal(readAll(builder.close(plainClosing))[0]?.[2], hex(value));
    }
  });

  it('BatchBuilder tells the serialized sizes of the last record', () => {
    const builder = new BatchBuilder({ initialBytes: 64, maxBytes: 10_000 });
    builder.append(1, 'ž', Buffer.alloc(7), undefined);
    assert.deepEqual([builder.lastKeyBytes, builder.lastValueBytes], [2, 7]);
    assert.equal(builder.lastRecordBytes, builder.sizeBytes - 61);
    builder.append(1, null, '', undefined);
    assert.deepEqual([builder.lastKeyBytes, builder.lastValueBytes, builder.lastRecordBytes], [-1, 0, 7]);
  });

  it('BatchBuilder refuses a timestamp that is no int64, first or later, and goes on', () => {
    for (const bad of [NaN, 1.5, Infinity, 2 ** 63, -(2 ** 64)]) {
      const builder = new BatchBuilder({ initialBytes: 64, maxBytes: 10_000 });
      const refused = { code: 'INVALID_ARGUMENT', message: /Cannot append a record with timestamp/ };
      assert.throws(() => builder.append(bad, null, null, undefined), refused);
      assert.ok(builder.append(5, null, null, undefined));
      assert.throws(() => builder.append(bad, null, null, undefined), refused);
      assert.equal(readAll(builder.close(plainClosing)).length, 1);
    }
  });

  it('BatchBuilder keeps the largest timestamp, whatever the order', () => {
    const [header] = headersOf(sampleBatch([{ timestampMs: 50 }, { timestampMs: 90 }, { timestampMs: 10 }]));
    assert.deepEqual([header?.baseTimestamp, header?.maxTimestamp], [50, 90]);
  });

  it('BatchBuilder.close gives out no byte of an earlier batch', () => {
    const builder = new BatchBuilder({ initialBytes: 4_096, maxBytes: 4_096 });
    builder.append(1, null, 'secret'.repeat(100), undefined);
    builder.close(plainClosing);
    builder.reset();
    builder.append(1, null, 'x', undefined);
    const batch = builder.close(plainClosing);
    assert.equal(batch.length, 61 + 8);
    assert.ok(!batch.includes('secret'));
    assert.deepEqual(batch, sampleBatch([{ timestampMs: 1, value: 'x' }]));
  });

  it('BatchBuilder.close without the compressed body is refused', () => {
    const builder = new BatchBuilder({ initialBytes: 64, maxBytes: 100 });
    assert.throws(() => builder.close({ ...plainClosing, compression: 'gzip' }), { code: 'INVALID_ARGUMENT' });
  });

  it('restamp renews producer, epoch, sequence and checksum, and nothing else', () => {
    const stamped = { producerId: 99n, producerEpoch: 3, baseSequence: 1_000 };
    const batch = restamp(sampleBatch([{ value: 'v' }], { transactional: true }), stamped);
    assert.deepEqual(batch, sampleBatch([{ value: 'v' }], { transactional: true, ...stamped }));
    const [header] = headersOf(batch);
    assert.deepEqual([header?.producerId, header?.producerEpoch, header?.baseSequence], [99n, 3, 1_000]);
  });

  it('stampStored gives a batch its place, and the time of the log if that is what counts', () => {
    const batch = stampStored(sampleBatch([{ timestampMs: 5 }, { timestampMs: 6 }]), {
      baseOffset: 2n ** 40n,
      partitionLeaderEpoch: 8,
      logAppendTimeMs: 777,
    });
    const [header] = headersOf(batch);
    assert.deepEqual(
      [header?.baseOffset, header?.partitionLeaderEpoch, header?.timestampType],
      [2n ** 40n, 8, 'logAppend'],
    );
    assert.deepEqual(
      readAll(batch).map(([timestamp]) => timestamp),
      [777, 777],
    );
  });

  it('recordSizeBound is at least what a batch with the record alone takes, and near it where that matters', () => {
    const contents: Content[] = [null, '', 'k', 'ž'.repeat(100), 'x'.repeat(1_000), Buffer.alloc(500)];
    for (const key of contents) {
      for (const value of contents) {
        const headers = [{ key: 'h', value: 'w' }];
        const size = sampleBatch([{ key, value, headers }]).length;
        assert.ok(recordSizeBound(key, value, headers, 1e9) >= size);
        const near = recordSizeBound(key, value, headers, 0);
        assert.ok(near >= size && near - size < 31, `${near} for ${size}`);
      }
    }
  });
});

function headersOf(bytes: Buffer): BatchHeader[] {
  const reader = new BatchReader(bytes);
  const headers: BatchHeader[] = [];
  for (let header = reader.next(); header !== undefined; header = reader.next()) headers.push(header);
  return headers;
}

function readAll(bytes: Buffer): (readonly unknown[])[] {
  return headersOf(bytes).flatMap((header) => {
    const cursor = new RecordCursor(header);
    const records: unknown[][] = [];
    while (cursor.next()) {
      records.push([
        cursor.timestampMs,
        cursor.keyLength < 0 ? null : cursor.bytes.toString('hex', cursor.keyStart, cursor.keyStart + cursor.keyLength),
        cursor.valueLength < 0 ? null : cursor.bytes.toString('hex', cursor.valueStart, cursor.valueStart + cursor.valueLength), // prettier-ignore
        readHeaders(cursor.bytes, cursor.headersStart, cursor.headerCount).map(({ key, value }) => [key, hex(value)]),
      ]);
    }
    return records;
  });
}

function hex(content: Content): string | null {
  return content === null ? null : Buffer.from(content as string).toString('hex');
}
