import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SendError, SendManyError } from '../../../src/errors/send-error.ts';
import { BatchSplit } from '../../../src/producer/batch-split.ts';
import type { ProducerOptions } from '../../../src/producer/options.ts';
import { compressionNames } from '../../../src/protocol/records/index.ts';
import { settle } from '../../support/fake-clock.ts';
import type { FakeCluster } from './fake-cluster.ts';
import { answerAll, setUp, texts, watch } from './producer-rig.ts';

/** One full batch of a hundred values of 100 characters is under way; the broker takes about 2,000 bytes. */
function tooLarge(options: ProducerOptions = {}): ReturnType<typeof setUp> & { values: string[] } {
  const rig = setUp(options);
  rig.cluster.limitBatches('t', 2000);
  return { ...rig, values: texts(100, 100) };
}

async function untilAnswered(cluster: FakeCluster): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await cluster.clock.advance(200);
}

describe('BatchSplit', () => {
  it('BatchSplit takes a batch apart that the broker finds too large; each record gets its own metadata, in order', async () => {
    // Without idempotence, what is under way beside the batch overtakes its parts.
    for (const options of [{}, { idempotence: false, maxInFlightRequests: 1 }]) {
      const { cluster, producer, values } = tooLarge(options);
      const single = watch(producer.send({ topic: 't', partition: 0, key: 'k', value: 'first', headers: { h: 'x' } }));
      const many = watch(producer.send(values.map((value) => ({ topic: 't', partition: 0, value }))));
      const callbacks: (bigint | undefined)[] = [];
      producer.enqueue({ topic: 't', partition: 0, value: 'called' }, (_, metadata) =>
        callbacks.push(metadata?.offset),
      );
      const last = watch(producer.send({ topic: 't', partition: 0, value: 'last', timestamp: 5 }));
      const flushed = watch(producer.flush());
      await untilAnswered(cluster);
      assert.ok(cluster.tooLarge > 0, 'the batch was not too large');
      assert.deepEqual(cluster.log('t', 0).values, ['first', ...values, 'called', 'last']);
      const { offset, serializedKeySize, serializedValueSize } = single.value ?? {};
      assert.deepEqual([offset, serializedKeySize, serializedValueSize], [0n, 1, 5]);
      assert.deepEqual(
        many.value?.map((metadata) => [metadata.offset, metadata.serializedKeySize, metadata.serializedValueSize]),
        values.map((_, at) => [BigInt(at + 1), -1, 100]),
      );
      assert.deepEqual(callbacks, [101n]);
      assert.deepEqual([last.value?.offset, last.value?.timestamp], [102n, 5]);
      assert.equal(flushed.state, 'fulfilled');
      assert.deepEqual(cluster.problems, []);
    }
  });

  it('BatchSplit leaves key, value, time and headers of a record as they were', async () => {
    const { cluster, producer } = tooLarge();
    const seen: (readonly [number, string | null, number])[] = [];
    cluster.onAppend = (record) => seen.push(record);
    const records = texts(60, 100).map((value, at) => ({
      topic: 't',
      partition: 0,
      key: at % 2 === 0 ? null : `k${at}`,
      value,
      timestamp: 1000 + at * 1_000_000,
      headers: at % 3 === 0 ? { a: 'ä', b: null } : undefined,
    }));
    const sent = watch(
      producer.send(records.map(({ headers, ...rest }) => (headers === undefined ? rest : { ...rest, headers }))),
    );
    await untilAnswered(cluster);
    assert.equal(sent.state, 'fulfilled');
    assert.deepEqual(
      seen,
      records.map(({ timestamp, key, headers }) => [timestamp, key, headers === undefined ? 0 : 2]),
    );
  });

  for (const compression of compressionNames) {
    it(`BatchSplit takes batches with compression ${compression} apart`, async () => {
      const { cluster, producer } = setUp({ compression });
      cluster.limitBatches('t', 1000);
      // Not to be compressed below the limit.
      const values = texts(200, 12).map((text, at) => text + Math.sin(at).toString(36));
      const sent = watch(producer.send(values.map((value) => ({ topic: 't', partition: 0, value }))));
      for (let turn = 0; turn < 50 && sent.state === 'pending'; turn++) {
        await cluster.clock.advance(200);
        await new Promise((resolve) => setTimeout(resolve, 1)); // the thread pool has no fake clock
      }
      assert.equal(sent.state, 'fulfilled');
      assert.ok(cluster.tooLarge > 0, 'the batch was not too large');
      assert.deepEqual(
        sent.value?.map(({ offset }) => offset),
        values.map((_, at) => BigInt(at)),
      );
    });
  }

  it('BatchSplit makes later batches of the topic as small as it takes them; those of others stay large', async () => {
    const { cluster, producer } = tooLarge();
    cluster.addTopic('other', 1, { isKnown: true });
    const sendAll = async (topic: string, from: number): Promise<void> => {
      const sent = producer.send(texts(100, 100, from).map((value) => ({ topic, partition: 0, value })));
      await untilAnswered(cluster);
      await sent;
    };
    await sendAll('t', 0);
    const refused = cluster.tooLarge;
    assert.ok(refused > 0 && refused < 10, `${refused} batches were too large`);
    for (let round = 1; round < 5; round++) await sendAll('t', round * 100);
    assert.equal(cluster.tooLarge, refused, 'the producer has learnt the limit');
    const before = cluster.requests.length;
    await sendAll('other', 0);
    assert.equal(cluster.requests.length, before + 1, 'one batch');
    const sizes = cluster.requests
      .slice(0, before)
      .flatMap(({ request }) => request.topicData.flatMap(({ partitionData }) => partitionData))
      .map(({ records }) => records?.length ?? 0);
    assert.ok(
      sizes.slice(-5).some((size) => size > 1000),
      'no smaller than half of the limit',
    );
  });

  it('BatchSplit lets what was sent after the batch wait for its parts, also with five under way', async () => {
    const { cluster, producer } = setUp({ batchSizeBytes: 4000 });
    await Promise.all([producer.send({ topic: 't', partition: 0, value: 'first' }), cluster.clock.advance(100)]);
    cluster.onRequest = undefined;
    const values = texts(200, 100);
    const sent = watch(producer.send(values.map((value) => ({ topic: 't', partition: 0, value }))));
    await settle();
    assert.equal(cluster.pending.length, 5);
    cluster.limitBatches('t', 1500);
    answerAll(cluster);
    await untilAnswered(cluster);
    assert.equal(sent.state, 'fulfilled');
    assert.ok(cluster.tooLarge >= 1);
    assert.deepEqual(cluster.log('t', 0).values, ['first', ...values]);
  });

  it('BatchSplit fails a single record that is too large alone, saying what to do', async () => {
    const { cluster, producer } = tooLarge();
    const small = watch(producer.send({ topic: 't', partition: 0, value: 'small' }));
    const large = watch(producer.send({ topic: 't', partition: 0, value: 'x'.repeat(3000) }));
    const after = watch(producer.send({ topic: 't', partition: 0, value: 'after' }));
    await untilAnswered(cluster);
    assert.equal(small.state, 'fulfilled');
    assert.equal(after.state, 'fulfilled');
    assert.ok(large.error instanceof SendError);
    assert.deepEqual([large.error.code, large.error.outcome], ['MESSAGE_TOO_LARGE', 'refused']);
    assert.match(large.error.message, /raise max\.message\.bytes of the topic/);
    assert.deepEqual(cluster.log('t', 0).values, ['small', 'after']);
  });

  it('BatchSplit tells a send of many which of its records were too large', async () => {
    const { cluster, producer } = tooLarge();
    const values = ['a', 'b'.repeat(3000), 'c', 'd'.repeat(4000), 'e'];
    const sent = watch(producer.send(values.map((value) => ({ topic: 't', partition: 0, value }))));
    await untilAnswered(cluster);
    assert.ok(sent.error instanceof SendManyError);
    assert.deepEqual(
      sent.error.results.map((result) =>
        result.status === 'fulfilled' ? (result.value as { offset: bigint }).offset : result.reason.code,
      ),
      [0n, 'MESSAGE_TOO_LARGE', 1n, 'MESSAGE_TOO_LARGE', 2n],
    );
  });

  it('BatchSplit gives back all memory, and a producer that is closed meanwhile settles every send', async () => {
    const { cluster, producer, values } = tooLarge({ bufferMemoryBytes: 100_000, maxRequestBytes: 50_000 });
    const sent = watch(producer.send(values.map((value) => ({ topic: 't', partition: 0, value }))));
    await untilAnswered(cluster);
    assert.equal(sent.state, 'fulfilled');
    // All of the memory again, many times: none was lost.
    for (let round = 0; round < 20; round++) {
      const again = watch(producer.send(texts(400, 100).map((value) => ({ topic: 't', partition: 1, value }))));
      await untilAnswered(cluster);
      assert.equal(again.state, 'fulfilled', `round ${round}`);
    }
    cluster.onRequest = undefined;
    cluster.limitBatches('t', 300);
    const open = watch(producer.send(values.map((value) => ({ topic: 't', partition: 0, value }))));
    await settle();
    for (const pending of [...cluster.pending]) pending.answer();
    const closed = watch(producer.close({ timeoutMs: 100 }));
    await cluster.clock.advance(200);
    assert.deepEqual([open.state, closed.state], ['rejected', 'rejected']);
    assert.equal(cluster.clock.pending, 0);
  });

  it('BatchSplit counts memory for the parts as for any batch: afterwards as much fits as before', async () => {
    const options = { bufferMemoryBytes: 60_000, maxRequestBytes: 50_000, batchSizeBytes: 5000 };
    const untilFull = async ({ cluster, producer }: ReturnType<typeof setUp>): Promise<number> => {
      cluster.addTopic('other', 1, { isKnown: true });
      cluster.onRequest = undefined;
      for (let count = 1; ; count++) {
        void producer.send({ topic: 'other', value: 'x'.repeat(100) });
        const room = watch(producer.ready());
        await Promise.resolve();
        await Promise.resolve();
        if (room.state === 'pending') return count;
      }
    };
    const fresh = await untilFull(setUp(options));
    const rig = setUp(options);
    rig.cluster.limitBatches('t', 1500);
    const sent = texts(100, 100).map((value) => watch(rig.producer.send({ topic: 't', partition: 0, value })));
    await untilAnswered(rig.cluster);
    assert.deepEqual(new Set(sent.map(({ state }) => state)), new Set(['fulfilled']));
    assert.ok(rig.cluster.tooLarge > 0, 'no batch was too large');
    assert.equal(await untilFull(rig), fresh);
  });

  it('BatchSplit says so if a batch cannot be read again', () => {
    const failed: unknown[] = [];
    const memory = { take: () => undefined } as never;
    const split = new BatchSplit(memory, {
      partOf: () => assert.fail('nothing to part'),
      handleParts: () => assert.fail('nothing to part'),
      handleFailure: (_queue, _batch, error) => failed.push(error),
    });
    split.split({} as never, { bytes: Buffer.from('nonsense') } as never);
    split.split({} as never, { bytes: undefined } as never);
    assert.equal(failed.length, 2);
    assert.match(String(failed[0]), /cannot be read again/);
  });
});
