import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { ConsumerBatch } from '../../../src/consumer/consumer-batch.ts';
import type { BatchContext, RecordDeserializers } from '../../../src/consumer/consumer-record.ts';
import { PartitionState } from '../../../src/consumer/partition-state.ts';
import { LazyRecords } from '../../../src/consumer/record-list.ts';
import { recordDeserializers } from '../../../src/consumer/record-values.ts';
import { json } from '../../../src/model/json-serde.ts';
import { bytes, string, type Deserializer } from '../../../src/model/serdes.ts';
import { PlaceCollector } from '../../../src/protocol/records/record-places.ts';
import { BufferViews } from '../../../src/util/buffer-views.ts';

const state = new PartitionState('t', 0, { ended: false }, 0n);

function reading(value: Deserializer<unknown>): RecordDeserializers {
  return recordDeserializers({ topics: undefined, key: bytes, value, onDeserializationError: 'fail' });
}

/** Records with these values of one character, the first of them at an offset. */
function batchOf(values: string, baseOffset: bigint, value: Deserializer<unknown> = bytes): BatchContext {
  const collector = new PlaceCollector(values.length);
  for (let index = 0; index < values.length; index++) collector.put(index, 0, 0, -1, index, 1, 0, 0);
  return {
    state,
    content: new BufferViews(Buffer.from(values)),
    places: collector.finish(),
    baseOffset,
    leaderEpoch: 0,
    timestampType: 'create',
    deserializers: reading(value),
    use: { isLookedAt: false },
  };
}

function lazy(...batches: readonly BatchContext[]): LazyRecords {
  const list = new LazyRecords();
  for (const batch of batches) list.add(batch);
  return list;
}

const texts = (records: Iterable<{ readonly value: unknown }>): string =>
  Array.from(records, ({ value }) => String(value)).join('');

describe('LazyRecords', () => {
  it('is what its batches hold, one after the other', () => {
    const list = lazy(batchOf('abc', 0n), batchOf('d', 10n), batchOf('ef', 20n));
    assert.equal(list.length, 6);
    assert.equal(texts(list), 'abcdef');
    assert.deepEqual(
      Array.from(list, ({ offset }) => offset),
      [0n, 1n, 2n, 10n, 20n, 21n],
    );
  });

  it('finds records in any order, from the end as well, and none outside', () => {
    const list = lazy(batchOf('abc', 0n), batchOf('d', 10n), batchOf('ef', 20n));
    const at = (index: number): string => String(list.at(index)?.value);
    assert.deepEqual([4, 0, 3, 5, -1, -6, 2].map(at), ['e', 'a', 'd', 'f', 'f', 'a', 'c']);
    assert.deepEqual([6, -7].map(at), ['undefined', 'undefined']);
    assert.equal(list.at(1), list.at(1), 'the one that somebody has in hand is the same');
  });

  it('tells its batches when somebody has begun to look at records, also at those of a part', () => {
    const looks: readonly ((list: LazyRecords) => unknown)[] = [
      (list) => list.at(0),
      (list) => list.at(-1),
      (list) => [...list],
      (list) => list.toArray(),
      (list) => list.map(() => undefined),
    ];
    for (const look of looks) {
      const batches = [batchOf('ab', 0n), batchOf('cd', 2n), batchOf('ef', 4n)];
      const list = lazy(...batches);
      const part = list.slice(1, 4);
      assert.deepEqual(
        [list.length, part.length, list.at(6), part.at(-4), list.areBytes],
        [6, 3, undefined, undefined, true],
      );
      assert.ok(batches.every(({ use }) => !use.isLookedAt));
      look(part);
      assert.deepEqual(
        batches.map(({ use }) => use.isLookedAt),
        [true, true, false],
      );
      look(list);
      assert.ok(batches.every(({ use }) => use.isLookedAt));
    }
  });

  it('gives parts of itself, and parts of parts', () => {
    const list = lazy(batchOf('abc', 0n), batchOf('d', 10n), batchOf('ef', 20n));
    assert.equal(texts(list.slice(2, 5)), 'cde');
    assert.equal(texts(list.slice(2, 5).slice(1, Infinity)), 'de');
    assert.equal(list.slice(2, 2).length, 0);
    assert.equal(texts(list.slice(5, Infinity)), 'f');
  });

  it('makes something else of each place', () => {
    const list = lazy(batchOf('abc', 5n), batchOf('d', 10n)).slice(1, 4);
    assert.deepEqual(
      list.map((context, index) => context.baseOffset + BigInt(index)),
      [6n, 7n, 10n],
    );
  });
});

describe('ConsumerBatch', () => {
  it('keeps the records that were asked for as an array, and goes through the same', () => {
    const batch = new ConsumerBatch(state, lazy(batchOf('abc', 0n)));
    const { records } = batch;
    assert.equal(batch.length, 3);
    assert.equal(batch.records, records);
    assert.deepEqual([...batch], records);
    assert.equal([...batch][1], records[1]);
  });

  it('goes through records of bytes without keeping them, except the one in hand', () => {
    const batch = new ConsumerBatch(state, lazy(batchOf('abc', 0n)));
    const [first, second] = batch;
    assert.equal(String(second?.value), 'b');
    assert.notEqual([...batch][0], first, 'it was kept');
    for (const record of batch) if (record.offset === 1n) assert.equal(batch.records[1], record);
    assert.equal(texts(batch), 'abc');
  });

  it('gives the same records again where something was made of their bytes', () => {
    for (const serde of [string, json()]) {
      const batch = new ConsumerBatch(state, lazy(batchOf('123', 0n, serde)));
      const first = [...batch];
      assert.equal([...batch][2], first[2]);
      assert.equal(batch.records[2], first[2]);
    }
  });

  it('shows its records', () => {
    const batch = new ConsumerBatch(state, lazy(batchOf('abc', 0n, string)));
    assert.match(inspect(batch, { depth: 4 }), /^ConsumerBatch \{[^]*topic: 't'[^]*value: 'c'/);
  });
});
