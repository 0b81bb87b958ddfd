import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KafkaError } from '../../../../src/errors/kafka-error.ts';
import { BatchReader, controlKey, controlType, RecordCursor } from '../../../../src/protocol/records/index.ts';
import { plainClosing, sampleBatch } from '../../../support/records/sample-batch.ts';

const lengthAt = 8;
const leaderEpochAt = 12;
const magicAt = 16;
const attributesAt = 21;
const lastOffsetDeltaAt = 23;
const recordCountAt = 57;
const firstRecordAt = 61;

describe('BatchReader', () => {
  it('BatchReader reads batches one behind the other and ignores a partial last one, wherever it is cut', () => {
    const batch = sampleBatch([{ value: 'a' }, { value: 'b' }]);
    for (let cut = 0; cut < batch.length; cut++) {
      const reader = new BatchReader(Buffer.concat([batch, batch, batch.subarray(0, cut)]));
      assert.ok(reader.next() && reader.next());
      assert.equal(reader.next(), undefined);
      assert.equal(reader.position, 2 * batch.length);
    }
  });

  it('BatchReader looks at the next batch without taking it, if it is whole and of a known format', () => {
    const batch = sampleBatch([{ value: 'a' }], { compression: 'zstd', compressed: Buffer.alloc(40_000) });
    for (const cut of [0, 1, firstRecordAt, batch.length - 1])
      assert.equal(new BatchReader(batch.subarray(0, cut)).peek(), undefined, `${cut} bytes`);
    const reader = new BatchReader(Buffer.concat([batch, sampleBatch([{ value: 'b' }])]));
    const preview = { bodyBytes: batch.length - firstRecordAt, compression: 'zstd' };
    assert.deepEqual([reader.peek(), reader.peek()], [preview, preview]);
    assert.equal(reader.next()?.baseOffset, 0n);
    assert.equal(reader.peek()?.compression, 'none');
    reader.next();
    assert.equal(reader.peek(), undefined);
    for (const [at, value] of [
      [magicAt, 1],
      [attributesAt + 1, 7],
    ] as const) {
      const strange = Buffer.from(batch);
      strange[at] = value;
      assert.equal(new BatchReader(strange).peek(), undefined);
    }
  });

  it('BatchReader tells a first batch that is not whole by a position of 0', () => {
    const reader = new BatchReader(sampleBatch([{ value: 'a' }]).subarray(0, 40));
    assert.equal(reader.next(), undefined);
    assert.equal(reader.position, 0);
  });

  it('BatchReader hands out a first batch of any size', () => {
    const reader = new BatchReader(sampleBatch([{ value: 'x'.repeat(3_000_000) }]));
    assert.equal(reader.next()?.recordCount, 1);
  });

  it('BatchReader advances over a batch without records', () => {
    const empty = sampleBatch([], { baseOffset: 10n, lastOffsetDelta: 4 });
    const reader = new BatchReader(Buffer.concat([empty, sampleBatch([{}], { baseOffset: 15n })]));
    const header = reader.next();
    assert.deepEqual([header?.baseOffset, header?.lastOffsetDelta, header?.recordCount], [10n, 4, 0]);
    assert.equal(header && new RecordCursor(header).next(), false);
    assert.equal(reader.next()?.baseOffset, 15n);
  });

  it('BatchReader hands out the batches before a corrupt one', () => {
    const corrupt = sampleBatch([{ value: 'b' }]);
    corrupt[corrupt.length - 2] = 0x7f;
    const reader = new BatchReader(Buffer.concat([sampleBatch([{ value: 'a' }]), corrupt]));
    assert.ok(reader.next());
    assert.throws(() => reader.next(), {
      code: 'CORRUPT_BATCH',
      message: /CRC32C is 0x[0-9a-f]{8}, its header says 0x/,
    });
  });

  it('BatchReader compares no checksum if told not to', () => {
    const batch = sampleBatch([{ value: 'a' }]);
    batch[batch.length - 2] = 'b'.charCodeAt(0);
    assert.throws(() => new BatchReader(batch).next(), { code: 'CORRUPT_BATCH' });
    assert.ok(new BatchReader(batch, { checkCrcs: false }).next());
  });

  it('BatchReader does not mind the fields before the checksum, which brokers change', () => {
    const batch = sampleBatch([{ value: 'a' }]);
    batch.writeInt32BE(12_345, leaderEpochAt);
    assert.equal(new BatchReader(batch).next()?.partitionLeaderEpoch, 12_345);
  });

  const headerFaults: [string, (batch: Buffer) => void, RegExp][] = [
    ['a negative length', (batch) => batch.writeInt32BE(-1, lengthAt), /its length is -1/],
    ['the lowest length', (batch) => batch.writeInt32BE(-0x8000_0000, lengthAt), /its length is -2147483648/],
    ['a length shorter than any format', (batch) => batch.writeInt32BE(13, lengthAt), /its length is 13/],
    ['a length shorter than its header', (batch) => batch.writeInt32BE(48, lengthAt), /its length is 48, less than its header/], // prettier-ignore
    ['magic 3', (batch) => batch.writeInt8(3, magicAt), /its magic 3 is not known/],
    ['a negative magic', (batch) => batch.writeInt8(-1, magicAt), /its magic -1 is not known/],
    ['a codec that does not exist', (batch) => batch.writeInt16BE(5, attributesAt), /its codec 5 is not known/],
    ['a negative record count', (batch) => batch.writeInt32BE(-1, recordCountAt), /its record count is -1/],
    ['more records than bytes', (batch) => batch.writeInt32BE(0x7fff_ffff, recordCountAt), /announces 2147483647 records in \d+ bytes/], // prettier-ignore
    [
      'a negative last offset delta',
      (batch) => batch.writeInt32BE(-1, lastOffsetDeltaAt),
      /its last offset delta is -1/,
    ],
    ['a last offset delta below its records', (batch) => batch.writeInt32BE(0, lastOffsetDeltaAt), /its last offset delta is 0, with 2 records/], // prettier-ignore
    ['a negative offset', (batch) => batch.writeBigInt64BE(-5n, 0), /at offset -5: its offset is negative/],
    ['an offset at the end of int64', (batch) => batch.writeBigInt64BE(2n ** 63n - 2n, 0), /no room for a next one/],
  ];
  for (const [fault, make, message] of headerFaults) {
    it(`BatchReader refuses a batch with ${fault}`, () => {
      const batch = sampleBatch([{ value: 'abc' }, { value: 'def' }]);
      make(batch);
      assert.throws(() => new BatchReader(batch, { checkCrcs: false }).next(), { name: 'ProtocolError', code: 'CORRUPT_BATCH', message }); // prettier-ignore
    });
  }
});

describe('RecordCursor', () => {
  // Length, attributes, timestamp delta, offset delta, key, value, headers; numbers are zigzag: 2 stands for 1.
  const recordFaults: [string, number[], RegExp][] = [
    ['a length of 0', [0, 0, 0, 0, 1, 1, 0], /its length is 0/],
    ['a negative length', [1, 0, 0, 0, 1, 1, 0], /its length is -1/],
    ['a length beyond the batch', [14, 0, 0, 0, 1, 1, 0], /its length is 7/],
    ['a length shorter than its content', [12, 0, 0, 0, 1, 2, 65, 0], /its content has 1 bytes more|bytes follow/],
    ['a length longer than its content', [14, 0, 0, 0, 1, 1, 0, 0], /-1 bytes more/],
    ['a key longer than the record', [12, 0, 0, 0, 126, 1, 0], /the length of its key is 63/],
    ['a key of 2 GiB', [20, 0, 0, 0, 254, 255, 255, 255, 15, 1, 0], /the length of its key is 2147483647/],
    ['a key of length -2', [12, 0, 0, 0, 3, 1, 0], /the length of its key is -2/],
    ['a value longer than the record', [12, 0, 0, 0, 1, 126, 0], /the length of its value is 63/],
    ['a value of length -2', [12, 0, 0, 0, 1, 3, 0], /the length of its value is -2/],
    ['a negative number of headers', [12, 0, 0, 0, 1, 1, 1], /the number of its headers is -1/],
    ['more headers than bytes', [20, 0, 0, 0, 1, 1, 254, 255, 255, 255, 15], /the number of its headers is 2147483647/],
    ['a header without key', [16, 0, 0, 0, 1, 1, 2, 1, 1], /the length of the key of a header is -1/],
    ['a header key beyond the record', [16, 0, 0, 0, 1, 1, 2, 20, 1], /the length of the key of a header is 10/],
    ['a header value beyond the record', [16, 0, 0, 0, 1, 1, 2, 0, 20], /the length of the value of a header is 10/],
    ['a header value of length -2', [16, 0, 0, 0, 1, 1, 2, 0, 3], /the length of the value of a header is -2/],
    ['an int32 of six bytes', [24, 0, 0, 128, 128, 128, 128, 128, 0, 1, 1, 0, 0], /longer than 5 bytes/],
    ['an int32 above its range', [20, 0, 0, 255, 255, 255, 255, 31, 1, 1, 0], /longer than 5 bytes/],
    ['an int64 of eleven bytes', [32, 0, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0, 0, 1, 1, 0], /longer than 10 bytes/], // prettier-ignore
    ['a varint that the end cuts off', [12, 0, 0, 0, 1, 1, 128], /cut off/],
    ['a negative offset delta', [12, 0, 0, 1, 1, 1, 0], /its offset delta is -1/],
    ['an offset delta beyond the batch', [12, 0, 0, 2, 1, 1, 0], /its offset delta is 1, after -1 and up to 0/],
    ['bytes behind its last record', [12, 0, 0, 0, 1, 1, 0, 0], /1 bytes follow its last record/],
  ];
  for (const [fault, body, message] of recordFaults) {
    it(`RecordCursor refuses ${fault}`, () => {
      assert.throws(() => walk(batchWith(body, 1)), { name: 'ProtocolError', code: 'CORRUPT_BATCH', message });
    });
  }

  it('RecordCursor reads the record that those faults are made from', () => {
    assert.equal(walk(batchWith([12, 0, 0, 0, 1, 1, 0], 1)), 1);
  });

  it('RecordCursor refuses an offset that does not rise', () => {
    const twice = [12, 0, 0, 0, 1, 1, 0, 12, 0, 0, 0, 1, 1, 0];
    assert.throws(() => walk(batchWith(twice, 2)), {
      code: 'CORRUPT_BATCH',
      message: /record 2 of 2.*delta is 0, after 0/,
    });
  });

  it('RecordCursor refuses a decompressed body too small for the record count', () => {
    const batch = sampleBatch([{}, {}], { compression: 'gzip', compressed: Buffer.from('anything') });
    const header = new BatchReader(batch).next();
    assert.ok(header);
    assert.throws(() => new RecordCursor(header, Buffer.alloc(13)), { message: /announces 2 records in 13 bytes/ });
    assert.throws(() => new RecordCursor(header), { code: 'CORRUPT_BATCH', message: /were not decompressed/ });
  });

  it('RecordCursor gives the position of records in the fetched bytes themselves', () => {
    const records = Buffer.concat([
      sampleBatch([{}]),
      sampleBatch([{ key: 'key', value: 'value' }], { baseOffset: 1n }),
    ]);
    const reader = new BatchReader(records);
    reader.next();
    const header = reader.next();
    assert.ok(header);
    const cursor = new RecordCursor(header);
    assert.ok(cursor.next());
    assert.equal(cursor.bytes, records);
    assert.equal(records.toString('utf8', cursor.valueStart, cursor.valueStart + cursor.valueLength), 'value');
    assert.deepEqual([cursor.offset, cursor.sizeBytes], [1n, 15]);
  });
});

describe('controlType', () => {
  it('controlType knows the markers of transactions, of later versions too, and nothing else', () => {
    assert.equal(controlType(controlKey('commit')), 'commit');
    assert.equal(controlType(controlKey('abort')), 'abort');
    assert.equal(controlType(Buffer.from([0, 9, 0, 1, 1, 2, 3])), 'commit');
    for (const other of [[], [0, 0, 0], [0, 0, 0, 2], [0, 0, 1, 1], [255, 255, 0, 1]]) {
      assert.equal(controlType(Buffer.from(other)), 'unknown');
    }
  });
});

function batchWith(body: number[], recordCount: number): Buffer {
  const batch = Buffer.concat([
    sampleBatch([], { ...plainClosing, lastOffsetDelta: recordCount - 1 }),
    Buffer.from(body),
  ]);
  batch.writeInt32BE(batch.length - 12, lengthAt);
  batch.writeInt32BE(recordCount, recordCountAt);
  assert.equal(batch[firstRecordAt], body[0]);
  return batch;
}

function walk(batch: Buffer): number {
  const header = new BatchReader(batch, { checkCrcs: false }).next();
  if (header === undefined) throw new KafkaError('The batch is partial', { code: 'INVALID_STATE' });
  const cursor = new RecordCursor(header);
  let count = 0;
  while (cursor.next()) count++;
  return count;
}
