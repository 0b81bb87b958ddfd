import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AuthorizationError } from '../../../src/errors/kafka-error.ts';
import { SendError, SendManyError } from '../../../src/errors/send-error.ts';
import { settle } from '../../support/fake-clock.ts';
import { answerAll, setUp, texts, watch } from './producer-rig.ts';

describe('Sender', () => {
  it('Sender fails the records that the broker names with their reasons, and the others of the batch with one of their own', async () => {
    const { cluster, producer } = setUp();
    const recordErrors = [
      { batchIndex: 1, batchIndexErrorMessage: 'no key' },
      { batchIndex: 3, batchIndexErrorMessage: null },
    ];
    cluster.onRequest = (pending) =>
      pending.answer(() => ({ kind: 'error', code: 'INVALID_TIMESTAMP', message: 'bad records', recordErrors }));
    const sent = watch(producer.send(texts(5, 3).map((value) => ({ topic: 't', partition: 0, value }))));
    await cluster.clock.advance(100);
    assert.ok(sent.error instanceof SendManyError);
    const seen = sent.error.results.map((result) => (result.status === 'rejected' ? result.reason : undefined));
    assert.deepEqual(
      seen.map((error) => [error?.code, error?.outcome, error?.retriable]),
      [
        ['INVALID_TIMESTAMP', 'refused', true],
        ['INVALID_RECORD', 'refused', false],
        ['INVALID_TIMESTAMP', 'refused', true],
        ['INVALID_RECORD', 'refused', false],
        ['INVALID_TIMESTAMP', 'refused', true],
      ],
    );
    assert.match(seen[0]?.message ?? '', /other records of its batch are invalid/);
    assert.match(seen[1]?.message ?? '', /no key/);
    assert.match(seen[3]?.message ?? '', /bad records/);
    answerAll(cluster);
    const again = watch(producer.send({ topic: 't', partition: 0, value: 'valid' }));
    await cluster.clock.advance(100);
    assert.equal(again.state, 'fulfilled');
    assert.deepEqual(cluster.log('t', 0).values, ['valid']);
  });

  it('Sender takes the code of the answer for the one record that is named', async () => {
    const { cluster, producer } = setUp();
    const recordErrors = [{ batchIndex: 0, batchIndexErrorMessage: 'too old' }];
    cluster.onRequest = (pending) => pending.answer(() => ({ kind: 'error', code: 'INVALID_TIMESTAMP', recordErrors }));
    const sent = watch(producer.send({ topic: 't', partition: 0, value: 'x' }));
    await cluster.clock.advance(100);
    assert.ok(sent.error instanceof SendError);
    assert.equal(sent.error.code, 'INVALID_TIMESTAMP');
    assert.match(sent.error.message, /too old/);
  });

  it('Sender goes on under another epoch when the broker does not know the producer, and doubles nothing', async () => {
    for (const code of ['UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH', 'OUT_OF_ORDER_SEQUENCE_NUMBER'] as const) {
      const { cluster, producer } = setUp({ batchSizeBytes: 200 });
      const first = watch(producer.send({ topic: 't', partition: 0, value: 'first' }));
      await cluster.clock.advance(100);
      assert.equal(first.state, 'fulfilled');
      cluster.onRequest = undefined;
      const values = texts(12, 60);
      const sent = watch(producer.send(values.map((value) => ({ topic: 't', partition: 0, value }))));
      await settle();
      assert.equal(cluster.pending.length, 5, 'five batches are under way');
      for (const pending of [...cluster.pending]) pending.answer(() => ({ kind: 'error', code }));
      answerAll(cluster);
      await cluster.clock.advance(3000);
      assert.equal(sent.state, 'fulfilled', code);
      assert.deepEqual(cluster.log('t', 0).values, ['first', ...values]);
      assert.ok(cluster.log('t', 0).epochs.has(1), 'no other epoch was taken');
      assert.equal(cluster.initProducerIds, 1, 'an epoch more needs no broker');
    }
  });

  it('Sender takes a duplicate for written: the record is acknowledged without an offset', async () => {
    const { cluster, producer } = setUp();
    cluster.onRequest = (pending) => pending.answer(() => ({ kind: 'error', code: 'DUPLICATE_SEQUENCE_NUMBER' }));
    const sent = watch(producer.send({ topic: 't', partition: 0, value: 'x' }));
    await cluster.clock.advance(100);
    assert.equal(sent.value?.offset, -1n);
  });

  it('Sender goes on after a batch whose outcome stays unknown, whether it was written or not', async () => {
    for (const arrived of [0, 1]) {
      const { cluster, producer } = setUp({ deliveryTimeoutMs: 4000 }, { requestTimeoutMs: 500 });
      const first = watch(producer.send({ topic: 't', partition: 0, value: 'first' }));
      await cluster.clock.advance(100);
      assert.equal(first.state, 'fulfilled');
      cluster.onRequest = undefined;
      const lost = watch(producer.send({ topic: 't', partition: 0, value: 'lost' }));
      await settle();
      assert.equal(cluster.pending.length, 1);
      cluster.down.add(1);
      cluster.cut(1, arrived);
      await cluster.clock.advance(4500);
      assert.ok(lost.error instanceof SendError);
      assert.equal(lost.error.outcome, 'unknown');
      cluster.down.clear();
      answerAll(cluster);
      const after = watch(producer.send({ topic: 't', partition: 0, value: 'after' }));
      await cluster.clock.advance(3000);
      assert.equal(after.state, 'fulfilled');
      assert.deepEqual(cluster.log('t', 0).values, arrived === 1 ? ['first', 'lost', 'after'] : ['first', 'after']);
    }
  });

  it('Sender does not use sequence numbers again for a topic that was denied for a while', async () => {
    const { cluster, producer } = setUp();
    const before = watch(producer.send({ topic: 't', partition: 0, value: 'before' }));
    await cluster.clock.advance(100);
    assert.equal(before.state, 'fulfilled');
    const denied = cluster.topicsNow.get('t');
    assert.ok(denied);
    cluster.topicsNow.delete('t');
    cluster.topicsError = new AuthorizationError('Cannot look up topic "t": no', {
      code: 'TOPIC_AUTHORIZATION_FAILED',
    });
    cluster.onRequest = (pending) => pending.answer(() => ({ kind: 'error', code: 'TOPIC_AUTHORIZATION_FAILED' }));
    cluster.readMetadata();
    await cluster.clock.advance(100);
    const meanwhile = watch(producer.send({ topic: 't', partition: 0, value: 'denied' }));
    await cluster.clock.advance(100);
    assert.equal(meanwhile.state, 'rejected');
    cluster.topicsNow.set('t', denied);
    cluster.topicsError = undefined;
    answerAll(cluster);
    const after = watch(producer.send({ topic: 't', partition: 0, value: 'after' }));
    await cluster.clock.advance(500);
    assert.equal(after.state, 'fulfilled');
    assert.deepEqual(cluster.log('t', 0).values, ['before', 'after'], 'what is acknowledged is there');
    assert.equal(after.value?.offset, 1n);
  });

  it('Sender fails what was sequenced for a re-created topic, and what is for partitions that it has no more', async () => {
    const { cluster, producer } = setUp({ batchSizeBytes: 100 });
    cluster.onRequest = undefined;
    const [value = ''] = texts(1, 60);
    const sequenced = watch(producer.send({ topic: 't', partition: 0, value }));
    const missing = watch(producer.send({ topic: 't', partition: 1, value }));
    await settle();
    const buffered = watch(producer.send({ topic: 't', partition: 0, value: `${value}!` }));
    const forMissing = watch(producer.send({ topic: 't', partition: 1, value: `${value}!` }));
    await settle();
    cluster.addTopic('t', 1, { id: 'BBBBBBBBBBBBBBBBBBBBBA', isKnown: true });
    await settle();
    for (const { error } of [sequenced, missing, forMissing]) {
      assert.ok(error instanceof SendError);
      assert.equal(error.code, 'UNKNOWN_TOPIC_ID');
      assert.match(error.message, /the topic was re-created/);
    }
    assert.deepEqual(
      [sequenced, missing, forMissing].map(({ error }) => (error as SendError).outcome),
      ['unknown', 'unknown', 'not-sent'],
    );
    answerAll(cluster);
    await cluster.clock.advance(1000);
    assert.equal(buffered.state, 'fulfilled');
    assert.deepEqual(cluster.log('t', 0).values, [`${value}!`]);
    const named = watch(producer.send({ topic: 't', partition: 1, value }));
    await cluster.clock.advance(100);
    assert.equal((named.error as SendError).code, 'INVALID_ARGUMENT');
  });

  it('Sender finds another partition for what waited for memory when its topic was re-created with fewer', async () => {
    const { cluster, producer } = setUp(
      { batchSizeBytes: 1000, bufferMemoryBytes: 1000, maxRequestBytes: 1000 },
      { requestTimeoutMs: 500 },
    );
    cluster.onRequest = undefined;
    const first = watch(producer.send({ topic: 't', partition: 0, value: 'x'.repeat(500) }));
    const keys = Array.from({ length: 10 }, (_, at) => `key-${at}`);
    const waiting = keys.map((key) => watch(producer.send({ topic: 't', key, value: 'y' })));
    await settle();
    cluster.addTopic('t', 1, { id: 'BBBBBBBBBBBBBBBBBBBBBA', isKnown: true });
    await settle();
    assert.equal(first.state, 'rejected');
    answerAll(cluster);
    await cluster.clock.advance(2000);
    assert.deepEqual(
      waiting.map(({ state, value }) => [state, value?.partition]),
      keys.map(() => ['fulfilled', 0]),
    );
  });

  it('Sender writes to partitions that a topic gains', async () => {
    const { cluster, producer } = setUp();
    await Promise.all([producer.send({ topic: 't', partition: 0, value: 'x' }), cluster.clock.advance(100)]);
    cluster.growTopic('t', 3);
    const early = watch(producer.send({ topic: 't', partition: 2, value: 'early' }));
    await cluster.clock.advance(100);
    assert.equal((early.error as SendError).code, 'INVALID_ARGUMENT', 'not yet known; but now it is looked for');
    const sent = watch(producer.send({ topic: 't', partition: 2, value: 'new' }));
    await cluster.clock.advance(100);
    assert.equal(sent.state, 'fulfilled');
    assert.deepEqual(cluster.log('t', 2).values, ['new']);
  });

  it('Sender goes on with other topics while one is deleted, and with that one when it is there again', async () => {
    const { cluster, producer } = setUp();
    cluster.addTopic('other', 1, { isKnown: true });
    await Promise.all([producer.send({ topic: 't', partition: 0, value: 'x' }), cluster.clock.advance(100)]);
    cluster.topicsNow.delete('t');
    cluster.readMetadata();
    const gone = watch(producer.send({ topic: 't', partition: 0, value: 'gone' }));
    const other = watch(producer.send({ topic: 'other', partition: 0, value: 'other' }));
    await cluster.clock.advance(100);
    assert.deepEqual([gone.state, other.state], ['pending', 'fulfilled']);
    await cluster.clock.advance(130_000);
    assert.equal(gone.state, 'rejected');
    cluster.addTopic('t', 2, { id: 'CCCCCCCCCCCCCCCCCCCCCA' });
    const back = watch(producer.send({ topic: 't', partition: 0, value: 'back' }));
    await cluster.clock.advance(1000);
    assert.equal(back.state, 'fulfilled');
    assert.deepEqual(cluster.log('t', 0).values, ['back']);
  });
});
