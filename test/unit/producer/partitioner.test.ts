import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { partitionOfKey } from '../../../src/producer/key-hash.ts';
import { readKeyVectors } from '../../support/records/batch-vectors.ts';
import { RoundRobinPartition, StickyPartition } from '../../../src/producer/partitioner.ts';

const all = (): boolean => true;

describe('partitionOfKey', () => {
  it('partitionOfKey takes text and its UTF-8 bytes for the same key', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 100 }),
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.string({ unit: 'grapheme', maxLength: 3000, size: 'max' }),
    );
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 1000 }), (key, count) => {
        assert.equal(partitionOfKey(key, count), partitionOfKey(Buffer.from(key), count));
      }),
      { numRuns: 1000 },
    );
  });

  it('partitionOfKey gives a partition that exists, also where the hash is negative', () => {
    for (let at = 0; at < 1000; at++) {
      const partition = partitionOfKey(`key-${at}`, 7);
      assert.ok(partition >= 0 && partition < 7);
    }
  });

  it('partitionOfKey puts 10,000 keys where the Java client puts them, texts as well as bytes', () => {
    for (const [text, base64, , partitions, partition] of readKeyVectors()) {
      const key = text ?? Buffer.from(base64 ?? '', 'base64');
      assert.equal(partitionOfKey(key, partitions), partition);
    }
  });
});

describe('StickyPartition', () => {
  it('StickyPartition stays until enough bytes went to the partition, then takes another', () => {
    const chances = [0.1, 0.6];
    const sticky = new StickyPartition(100, () => chances.shift() ?? 0.9);
    assert.equal(sticky.next(4, all), 0);
    sticky.count(99);
    assert.equal(sticky.next(4, all), 0);
    sticky.count(1);
    assert.equal(sticky.next(4, all), 2);
  });

  it('StickyPartition takes another partition even if chance says the same', () => {
    const sticky = new StickyPartition(1, () => 0);
    assert.equal(sticky.next(3, all), 0);
    sticky.count(1);
    assert.equal(sticky.next(3, all), 1);
  });

  it('StickyPartition avoids partitions without a leader, unless none has one', () => {
    const sticky = new StickyPartition(1, () => 0);
    assert.equal(
      sticky.next(4, (partition) => partition === 2),
      2,
    );
    sticky.count(1);
    assert.equal(
      sticky.next(4, (partition) => partition === 2),
      2,
    );
    assert.equal(
      new StickyPartition(1, () => 0.5).next(4, () => false),
      2,
    );
  });

  it('StickyPartition spreads evenly over many records', () => {
    let seed = 7;
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const sticky = new StickyPartition(1000, random);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let at = 0; at < 60_000; at++) {
      const partition = sticky.next(6, all);
      counts[partition] = (counts[partition] ?? 0) + 1;
      sticky.count(100);
    }
    for (const count of counts) assert.ok(count > 8000 && count < 12_000, counts.join());
  });
});

describe('RoundRobinPartition', () => {
  it('RoundRobinPartition takes each in turn, those without a leader left out', () => {
    const turns = new RoundRobinPartition();
    assert.deepEqual(
      [1, 2, 3, 4].map(() => turns.next(3, all)),
      [0, 1, 2, 0],
    );
    assert.deepEqual(
      [1, 2, 3].map(() => turns.next(3, (partition) => partition !== 1)),
      [2, 0, 2],
    );
    assert.deepEqual(
      [1, 2].map(() => turns.next(3, () => false)),
      [0, 1],
    );
  });
});
