import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProducerIds } from '../../../../src/testing/transactions/producer-ids.ts';

describe('ProducerIds', () => {
  it('gives each broker ids from blocks of its own, none of them twice', () => {
    const ids = new ProducerIds();
    assert.deepEqual([ids.take(1), ids.take(2), ids.take(1), ids.take(2)], [0n, 1_000n, 1n, 1_001n]);
    const given = new Set<bigint>();
    for (let count = 0; count < 5_000; count++) given.add(ids.take(count % 3));
    assert.equal(given.size, 5_000);
  });

  it('goes on behind the blocks that were given out before', () => {
    const before = new ProducerIds();
    before.take(1);
    assert.equal(new ProducerIds(before.nextBlock).take(1), 1_000n);
  });
});
