import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  bytes,
  Kafka,
  string,
  type ClientOptions,
  type ShareConsumer,
  type ShareConsumerOptions,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });

// Each option changes something that is seen at the broker; those that decide what becomes of records are in share-consumer.test.ts.
describe('ShareConsumerOptions', { skip: broker.skip, concurrency: 6 }, () => {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  });
  after(() => kafka.close());

  async function topicOf(values: readonly (string | Buffer)[]): Promise<string> {
    const topic = `share-options-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    const producer = kafka.producer();
    for (const value of values) await producer.send({ topic, key: 'k', value });
    await producer.close();
    return topic;
  }

  async function subscribed(
    topic: string,
    options: Partial<ShareConsumerOptions> = {},
    of = kafka,
  ): Promise<ShareConsumer> {
    const groupId = `share-options-${randomUUID()}`;
    const set = { 'share.auto.offset.reset': 'earliest' };
    await kafka.admin().incrementalAlterConfigs({ type: 'group', name: groupId, set });
    const consumer = of.shareConsumer({ groupId, ...options });
    consumer.subscribe(topic);
    return consumer;
  }

  /** A client of its own, whose fetches are counted. */
  function counting(options: Partial<ClientOptions> = {}): {
    own: Kafka;
    fetches: { durationMs: number; bytes: number }[];
  } {
    const own = new Kafka({ bootstrapServers: broker.bootstrapServers, ...options });
    const fetches: { durationMs: number; bytes: number }[] = [];
    own.on('request.answered', (event) => {
      if (event.api === 'ShareFetch') fetches.push(event);
    });
    return { own, fetches };
  }

  it('maxPollRecords bounds what a poll gives', async () => {
    const consumer = await subscribed(await topicOf(['a', 'b', 'c']), { maxPollRecords: 2 });
    const first = await consumer.poll({ minRecords: 3, timeoutMs: 10_000 });
    assert.equal(first.length, 2);
    assert.equal((await consumer.poll({ timeoutMs: 10_000 })).length, 1);
    await consumer.close();
  });

  it('fetchMinBytes makes a broker wait for so many, and fetchMaxWaitMs for so long', async () => {
    const { own, fetches } = counting();
    const consumer = await subscribed(await topicOf(['a']), { fetchMinBytes: 1_000_000, fetchMaxWaitMs: 1500 }, own);
    assert.equal((await consumer.poll({ timeoutMs: 20_000 })).length, 1);
    const waited = Math.max(...fetches.map(({ durationMs }) => durationMs));
    assert.ok(waited >= 1300, `the broker waited ${waited} ms`);
    await own.close();
    const hasty = counting();
    const other = await subscribed(await topicOf([]), { fetchMaxWaitMs: 20 }, hasty.own);
    await other.waitForAssignment();
    await other.poll({ timeoutMs: 700 });
    assert.ok(hasty.fetches.length > 3, `${hasty.fetches.length} fetches`);
    await hasty.own.close();
  });

  it('fetchMaxBytes bounds an answer', async () => {
    const { own, fetches } = counting();
    const values = Array.from({ length: 8 }, () => randomBytes(50_000));
    const consumer = await subscribed(await topicOf(values), { fetchMaxBytes: 120_000 }, own);
    assert.equal((await consumer.poll({ minRecords: 8, timeoutMs: 20_000 })).length, 8);
    const largest = Math.max(...fetches.map((fetch) => fetch.bytes));
    assert.ok(largest < 121_000 && largest > 50_000, `the largest answer had ${largest} bytes`);
    await own.close();
  });

  it('maxBufferedBytes stops the fetches while so much is not acknowledged', async () => {
    const values = Array.from({ length: 8 }, () => randomBytes(50_000));
    const options = { maxBufferedBytes: 150_000, acknowledgementMode: 'explicit' } as const;
    const consumer = await subscribed(await topicOf(values), options);
    const held = await consumer.poll({ minRecords: 8, timeoutMs: 5000 });
    assert.ok(held.length >= 2 && held.length < 8, `${held.length} records`);
    consumer.acknowledge(held);
    const more = await consumer.poll({ timeoutMs: 20_000 });
    assert.ok(more.length > 0);
    await consumer.close();
  });

  it('allowAutoCreateTopics says whether a topic that is missing may be created', async () => {
    const [wanted, refused] = [`share-options-${randomUUID()}`, `share-options-${randomUUID()}`];
    const consumers = [await subscribed(wanted), await subscribed(refused, { allowAutoCreateTopics: false })];
    const polls = consumers.map((consumer) => consumer.poll({ timeoutMs: 2000 }));
    await Promise.all(polls);
    await eventually(
      async () => (await kafka.admin().listTopics()).some(({ topic }) => topic === wanted),
      'the topic to be made',
    );
    assert.ok(!(await kafka.admin().listTopics()).some(({ topic }) => topic === refused));
    await Promise.all(consumers.map((consumer) => consumer.close()));
  });

  it('options key and value: they make what is read of the bytes', async () => {
    const topic = await topicOf(['text']);
    const consumer = await subscribed(topic, { key: string, value: bytes } as Partial<ShareConsumerOptions>);
    const [record] = await consumer.poll({ timeoutMs: 20_000 });
    assert.deepEqual([record?.key, record?.value], ['k', Buffer.from('text')]);
    await consumer.close();
  });
});
