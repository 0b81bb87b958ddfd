import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SendError, SendManyError } from '../../../src/errors/send-error.ts';
import { json } from '../../../src/model/json-serde.ts';
import { int32, required, string, type Serializer } from '../../../src/model/serdes.ts';
import { defineTopics, type ProducerTopics } from '../../../src/model/topics.ts';
import type { ProducerOptions } from '../../../src/producer/options.ts';
import { Producer } from '../../../src/producer/producer.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeCluster } from './fake-cluster.ts';

function setUp(
  topics: ProducerTopics,
  options: ProducerOptions<unknown, unknown> = {},
): { cluster: FakeCluster; producer: Producer<unknown, unknown> } {
  const cluster = new FakeCluster();
  for (const topic of ['orders', 'payments', 'plain', 'other']) cluster.addTopic(topic, 1, { isKnown: true });
  cluster.onRequest = (pending) => cluster.clock.setTimer(() => pending.answer(), 5);
  return { cluster, producer: new Producer<unknown, unknown>(cluster, { ...options, topics }) };
}

async function failure(promise: Promise<unknown>): Promise<SendError> {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  assert.ok(error instanceof SendError, String(error));
  return error;
}

const slowly: Serializer<string> = { serialize: async (value) => value };

describe('Producer with topics', () => {
  it('Producer serializes each record as its topic says, and leaves bytes alone where it says nothing', async () => {
    const topics = defineTopics({
      orders: { key: string, value: required(json<{ n: number }>()) },
      payments: { key: int32, value: slowly },
      plain: {},
    });
    const { cluster, producer } = setUp(topics);
    const sent = producer.send([
      { topic: 'orders', key: 'o', value: { n: 1 } },
      { topic: 'payments', key: 7, value: 'paid' },
      { topic: 'plain', value: Buffer.from('raw') },
    ]);
    await cluster.clock.advance(100);
    assert.deepEqual(
      (await sent).map(({ serializedKeySize }) => serializedKeySize),
      [1, 4, -1],
    );
    assert.deepEqual(
      ['orders', 'payments', 'plain'].map((topic) => cluster.log(topic, 0).values),
      [['{"n":1}'], ['paid'], ['raw']],
    );
  });

  it('Producer refuses topics that are not defined, whatever their name', async () => {
    const { producer } = setUp({ orders: { value: string } });
    for (const topic of ['other', 'toString', 'constructor']) {
      const error = await failure(producer.send({ topic, value: 'x' }));
      assert.deepEqual([error.code, error.outcome], ['INVALID_ARGUMENT', 'not-sent']);
      assert.equal(
        error.message,
        `Cannot send to topic "${topic}": it is not among the topics of the producer; add it to topics`,
      );
    }
  });

  it('Producer names topic and field of what a serde refuses, and keeps what it threw as cause', async () => {
    const { producer } = setUp({ orders: { key: int32, value: required(json()) } });
    const key = await failure(producer.send({ topic: 'orders', key: 'text', value: {} }));
    assert.match(key.message, /^Cannot send to topic "orders": its key could not be serialized: string given/);
    const value = await failure(producer.send({ topic: 'orders', key: 1, value: null }));
    assert.match(value.message, /^Cannot send to topic "orders": its value could not be serialized: null given/);
    assert.ok(value.cause instanceof TypeError);
    assert.deepEqual([key.code, value.code], ['SERIALIZATION_FAILED', 'SERIALIZATION_FAILED']);
  });

  it('Producer holds no memory for records whose serializer refuses, at once or later, however many', async () => {
    const picky: Serializer<unknown> = {
      serialize: (value) => {
        if (value === 'throws') throw new Error('no');
        return value === 'rejects' ? Promise.reject(new Error('no')) : Promise.resolve(String(value));
      },
    };
    const options = { bufferMemoryBytes: 20_000, maxRequestBytes: 20_000, maxWaitingSends: 0 };
    const { cluster, producer } = setUp({ orders: { value: picky }, payments: { value: picky } }, options);
    for (let round = 0; round < 20; round++) {
      const sends = Array.from({ length: 20 }, (_, at) =>
        failure(producer.send({ topic: 'orders', key: 'k'.repeat(100), value: at % 2 === 0 ? 'throws' : 'rejects' })),
      );
      const many = producer.send([
        { topic: 'orders', value: 'throws' },
        { topic: 'orders', value: 'rejects' },
      ]);
      await assert.rejects(many, (error: unknown) => {
        assert.ok(error instanceof SendManyError);
        return error.results.every((result) => result.status === 'rejected');
      });
      for (const error of await Promise.all(sends)) assert.equal(error.code, 'SERIALIZATION_FAILED');
    }
    // Nothing may wait: with anything left over, this would be refused.
    await producer.ready();
    const sent = producer.send({ topic: 'orders', value: 'x'.repeat(15_000) });
    await cluster.clock.advance(100);
    assert.equal((await sent).offset, 0n);
    assert.equal(cluster.log('payments', 0).values.length, 0);
  });

  it('Producer takes care of the promise of a key whose value is refused', async () => {
    let isAsked = false;
    const late: Serializer<unknown> = {
      serialize: () => {
        isAsked = true;
        return Promise.reject(new Error('late'));
      },
    };
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', listen);
    try {
      const { producer } = setUp({ orders: { key: late, value: string } });
      const error = await failure(producer.send({ topic: 'orders', key: 1, value: 5 }));
      assert.match(error.message, /its value could not be serialized/);
      await failure(producer.send({ topic: 'orders', key: 1, value: 'x', headers: 5 as never }));
      await new Promise((resolve) => setImmediate(resolve));
      await eventually(() => isAsked, 'the serializer of the key');
    } finally {
      process.off('unhandledRejection', listen);
    }
    assert.deepEqual(unhandled, []);
  });

  it('Producer keeps the order of calls of a topic with an async serializer; others do not wait', async () => {
    const gates: ((text: string) => void)[] = [];
    const gated: Serializer<unknown> = {
      serialize: (value) => (value === 'now' ? 'now' : new Promise<string>((resolve) => gates.push(resolve))),
    };
    const { cluster, producer } = setUp({ orders: { value: gated }, plain: {} });
    const settled: string[] = [];
    const send = (topic: string, value: string): void =>
      void producer.send({ topic, value }).then(({ topic: to, offset }) => settled.push(`${to} ${offset}`));
    send('orders', 'first');
    send('orders', 'now');
    send('orders', 'second');
    send('plain', 'x');
    gates[1]?.('2');
    await cluster.clock.advance(1000);
    assert.deepEqual(settled, ['plain 0']);
    gates[0]?.('1');
    await cluster.clock.advance(1000);
    assert.deepEqual(cluster.log('orders', 0).values, ['1', 'now', '2']);
    assert.deepEqual(settled, ['plain 0', 'orders 0', 'orders 1', 'orders 2']);
  });
});
