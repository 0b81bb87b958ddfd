import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { murmur2 } from '../../src/util/murmur2.ts';
import { readKeyVectors } from '../support/records/batch-vectors.ts';

describe('keys hashed by Kafka itself', () => {
  const vectors = readKeyVectors();

  it('are 10,000, half of them texts, many of those not ASCII', () => {
    const texts = vectors.flatMap(([text]) => (text === null ? [] : [text]));
    assert.equal(vectors.length, 10_000);
    assert.equal(texts.length, 5_000);
    assert.ok(texts.filter((text) => Buffer.byteLength(text) > text.length).length > 1_000);
  });

  it('murmur2 gives the same hash, and with it the same partition, for each of them', () => {
    for (const [text, base64, hash, partitions, partition] of vectors) {
      const key = text === null ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text);
      assert.equal(murmur2(key), hash, `key ${key.toString('hex')}`);
      assert.equal((murmur2(key) & 0x7fffffff) % partitions, partition);
    }
  });

  it('murmur2 takes only as many bytes as it is told', () => {
    const longer = Buffer.concat([Buffer.from('a-little-bit-long-string'), Buffer.from('more')]);
    assert.equal(murmur2(longer, 24), -985981536);
  });
});
