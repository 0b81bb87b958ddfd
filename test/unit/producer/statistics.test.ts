import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setUp } from './producer-rig.ts';

const value = 'x'.repeat(1000);

describe('Producer.statistics', () => {
  it('tells what is buffered and under way while a broker does not answer, and nothing once it has', async () => {
    const { cluster, producer } = setUp({ bufferMemoryBytes: 2_000_000, maxWaitingSends: 7 });
    const bounds = { lane: 'produce-1', transactionalId: undefined, bufferMemoryBytes: 2_000_000, maxWaitingSends: 7 };
    const idle = { ...bounds, bufferedBytes: 0, unsettledRecords: 0, waitingSends: 0, requestsInFlight: 0 };
    assert.deepEqual(producer.statistics(), idle);
    cluster.onRequest = () => undefined;
    const sent = producer.send([0, 1].map((partition) => ({ topic: 't', partition, value })));
    await cluster.clock.advance(50);
    const { bufferedBytes, ...busy } = producer.statistics();
    assert.ok(bufferedBytes >= 2000 && bufferedBytes < 20_000, `${bufferedBytes} bytes are buffered`);
    // The two partitions have different leaders.
    assert.deepEqual(busy, { ...bounds, unsettledRecords: 2, waitingSends: 0, requestsInFlight: 2 });
    for (const pending of [...cluster.pending]) pending.answer();
    await cluster.clock.advance(50);
    await sent;
    assert.deepEqual(producer.statistics(), idle);
  });

  it('counts the sends that wait for memory', async () => {
    const { cluster, producer } = setUp({ bufferMemoryBytes: 32_768, batchSizeBytes: 16_384, maxRequestBytes: 32_768 });
    cluster.onRequest = () => undefined;
    const sent: Promise<unknown>[] = [];
    await producer.ready();
    await cluster.clock.advance(50);
    for (let at = 0; at < 100; at++) sent.push(producer.send({ topic: 't', partition: 0, value }));
    await cluster.clock.advance(50);
    const { unsettledRecords, waitingSends, bufferedBytes } = producer.statistics();
    assert.equal(unsettledRecords, 100);
    assert.ok(bufferedBytes >= 32_768, `${bufferedBytes} bytes are buffered`);
    assert.ok(waitingSends > 50 && waitingSends < 100, `${waitingSends} sends wait`);
    cluster.onRequest = (pending) => pending.answer();
    for (const pending of [...cluster.pending]) pending.answer();
    await cluster.clock.advance(1000);
    await Promise.all(sent);
    assert.equal(producer.statistics().waitingSends, 0);
  });
});
