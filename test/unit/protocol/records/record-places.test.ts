import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readBatches, RecordCursor } from '../../../../src/protocol/records/index.ts';
import { PlaceCollector, type RecordPlaces } from '../../../../src/protocol/records/record-places.ts';
import { sampleBatch, type SampleRecord } from '../../../support/records/sample-batch.ts';

const baseMs = 1_700_000_000_000;

function cursorOver(records: readonly SampleRecord[], closing: Parameters<typeof sampleBatch>[1] = {}): RecordCursor {
  const given = records.map((record) => ({ key: 'k', value: 'v', timestampMs: baseMs, ...record }));
  const [batch] = readBatches(sampleBatch(given, closing));
  assert.ok(batch);
  return new RecordCursor(batch);
}

/** What stands at the places, as text. */
function texts(cursor: RecordCursor, places: RecordPlaces): string[] {
  return Array.from({ length: places.length }, (_, at) => {
    const [start, length] = [places.valueStart(at), places.valueLength(at)];
    return length < 0 ? 'null' : cursor.bytes.toString('utf8', start, start + length);
  });
}

const numbered = Array.from({ length: 10 }, (_, at): SampleRecord => ({ value: `v${at}` }));

describe('RecordCursor.collect', () => {
  it('stops at the limit and goes on from there, until the batch ends', () => {
    const cursor = cursorOver(numbered);
    const collector = new PlaceCollector(8);
    const seen: string[][] = [];
    for (let isMore = true; isMore;) {
      isMore = cursor.collect(collector, 4, 0);
      seen.push(texts(cursor, collector.finish()));
      collector.clear();
    }
    assert.deepEqual(seen, [
      ['v0', 'v1', 'v2', 'v3'],
      ['v4', 'v5', 'v6', 'v7'],
      ['v8', 'v9'],
    ]);
    assert.equal(cursor.offset, 9n);
  });

  it('adds to what the collector holds already', () => {
    const collector = new PlaceCollector(8);
    const cursor = cursorOver(numbered);
    assert.ok(cursor.next());
    collector.add(cursor);
    assert.equal(cursor.collect(collector, 3, 0), true);
    const places = collector.finish();
    assert.deepEqual(texts(cursor, places), ['v0', 'v1', 'v2']);
    assert.deepEqual(
      [0, 1, 2].map((at) => places.timestampMs(at)),
      [baseMs, baseMs, baseMs],
    );
  });

  it('passes over the records before an offset', () => {
    for (const headers of [undefined, [{ key: 'h', value: 'x' }]]) {
      const cursor = cursorOver(numbered.map((record) => ({ ...record, ...(headers ? { headers } : {}) })));
      const collector = new PlaceCollector(16);
      assert.equal(cursor.collect(collector, 16, 7), false);
      assert.deepEqual(texts(cursor, collector.finish()), ['v7', 'v8', 'v9']);
    }
  });

  it('takes records with headers among those without, nulls, and numbers of every length', () => {
    const records: SampleRecord[] = [
      { key: null, value: null },
      { key: '', value: '' },
      { value: 'x'.repeat(63) },
      { value: 'x'.repeat(64), headers: [{ key: 'h', value: null }] },
      { value: 'x'.repeat(8191) },
      { key: 'x'.repeat(8192), value: 'x'.repeat(8192) },
      { value: 'x'.repeat(1 << 20) },
      { value: 'x'.repeat((1 << 20) + 1) },
      { value: 'last' },
    ];
    const one = cursorOver(records);
    const expected: (readonly number[])[] = [];
    while (one.next()) expected.push([one.keyStart, one.keyLength, one.valueStart, one.valueLength, one.headerCount]);
    const collector = new PlaceCollector(records.length);
    assert.equal(cursorOver(records).collect(collector, records.length + 1, 0), false);
    const places = collector.finish();
    const found = expected.map((_, at) => [
      places.keyStart(at),
      places.keyLength(at),
      places.valueStart(at),
      places.valueLength(at),
      places.headerCount(at),
    ]);
    assert.equal(expected.length, records.length);
    assert.deepEqual(found, expected);
  });

  it('keeps timestamps that lie further from the first than an int32 can say, before and after', () => {
    const times = [baseMs, baseMs + 1, baseMs - 5, baseMs + 3e9, 0, baseMs + 10_000, baseMs + 2e6];
    const cursor = cursorOver(times.map((timestampMs) => ({ timestampMs })));
    const collector = new PlaceCollector(10);
    cursor.collect(collector, 10, 0);
    const places = collector.finish();
    assert.deepEqual(
      times.map((_, at) => places.timestampMs(at)),
      times,
    );
    collector.clear();
    cursorOver([{}, {}]).collect(collector, 10, 0);
    assert.equal(collector.finish().timestampMs(0), baseMs, 'a far time of an earlier use came up again');
  });

  it("gives the broker's time where that is what counts", () => {
    const collector = new PlaceCollector(10);
    cursorOver([{}, { timestampMs: baseMs + 77 }], { logAppendTimeMs: baseMs + 500 }).collect(collector, 10, 0);
    const places = collector.finish();
    assert.deepEqual([places.timestampMs(0), places.timestampMs(1)], [baseMs + 500, baseMs + 500]);
  });

  it('puts the places into memory that it is given', () => {
    const collector = new PlaceCollector(10);
    const cursor = cursorOver(numbered);
    cursor.collect(collector, 10, 0);
    const memory = Buffer.allocUnsafeSlow(collector.sizeBytes + 5).fill(0xee);
    const places = collector.finish(memory.buffer);
    collector.clear();
    cursorOver([{ value: 'another' }]).collect(collector, 10, 0);
    assert.equal(texts(cursor, places)[9], 'v9');
    assert.deepEqual(memory.subarray(-5), Buffer.alloc(5, 0xee));
  });
});
