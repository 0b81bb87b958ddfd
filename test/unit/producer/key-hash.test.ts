import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { partitionOfKey } from '../../../src/producer/key-hash.ts';
import { readKeyVectors } from '../../support/records/batch-vectors.ts';

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
