import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import zlib from 'node:zlib';
import {
  defaultPartitioner,
  defineTopics,
  int64,
  isKafkaError,
  json,
  Kafka,
  partitionOfKey,
  required,
  SchemaError,
  SendError,
  string,
  uuid,
  type ProducerRecord,
  type StandardSchema,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;

describe('Producer', { skip: broker.skip }, () => {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  });
  after(() => kafka.close());

  async function makeTopic(partitions = 1): Promise<string> {
    const topic = `producer-typed-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    return topic;
  }

  /** The values of partition 0, in order. */
  async function read(topic: string): Promise<(string | null)[]> {
    const consumer = kafka.consumer({ value: string });
    consumer.assign([{ topic, partition: 0 }]);
    consumer.seekToBeginning([{ topic, partition: 0 }]);
    const values: (string | null)[] = [];
    for await (const { value } of consumer.records({ until: 'end' })) values.push(value);
    await consumer.close();
    return values;
  }

  it('option topics: records go and come with the serdes of their topics, and no other topic is written to', async () => {
    const [orders, ticks] = [await makeTopic(), await makeTopic()];
    const topics = defineTopics({
      [orders]: { key: string, value: required(json<{ total: number }>()) },
      [ticks]: { key: uuid, value: int64 },
    });
    const producer = kafka.producer({ topics });
    const id = randomUUID();
    await producer.send([
      { topic: orders, key: 'o-1', value: { total: 3 } },
      { topic: ticks, key: id, value: 12n },
    ]);
    await assert.rejects(producer.send({ topic: orders, key: 'o-2', value: null }), (error: unknown) => {
      assert.ok(error instanceof SendError);
      assert.match(error.message, new RegExp(`topic "${orders}": its value could not be serialized`));
      return error.code === 'SERIALIZATION_FAILED' && error.outcome === 'not-sent';
    });
    await assert.rejects(producer.send({ topic: `${orders}-x`, value: 1n }), hasCode('INVALID_ARGUMENT'));
    await producer.close();
    const consumer = kafka.consumer({ topics });
    consumer.assign([orders, ticks].map((topic) => ({ topic, partition: 0 })));
    consumer.seekToBeginning();
    const seen = new Map<string, unknown>();
    for await (const { topic, key, value } of consumer.records({ until: 'end' })) seen.set(topic, [key, value]);
    await consumer.close();
    assert.deepEqual(
      [seen.get(orders), seen.get(ticks)],
      [
        ['o-1', { total: 3 }],
        [id, 12n],
      ],
    );
  });

  it('option value with an async schema: the order of the calls is kept, and what does not match rejects alone', async () => {
    const topic = await makeTopic();
    const delays = [40, 1, 20, 0];
    const schema: StandardSchema<number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => {
          await new Promise((resolve) => setTimeout(resolve, delays[Number(value) % delays.length]));
          return Number(value) < 0 ? { issues: [{ message: 'below 0', path: ['n'] }] } : { value: Number(value) };
        },
      },
    };
    const producer = kafka.producer({ value: json(schema) });
    const sends = [0, 1, -1, 2, 3, 4, 5].map((value) => producer.send({ topic, value }));
    const results = await Promise.allSettled(sends);
    const refused = results[2];
    assert.ok(refused?.status === 'rejected' && refused.reason instanceof SendError);
    assert.match(refused.reason.message, /its value could not be serialized: does not match its schema: n: below 0/);
    assert.ok(refused.reason.cause instanceof SchemaError);
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 6);
    await producer.close().catch(() => undefined);
    assert.deepEqual(await read(topic), ['0', '1', '2', '3', '4', '5']);
  });

  it('option interceptors: they change records on their way, learn the offsets, and cannot break a send', async () => {
    const topic = await makeTopic();
    const learned: unknown[] = [];
    const failures: string[] = [];
    const stop = kafka.on('listener.failed', ({ event }) => failures.push(event));
    const producer = kafka.producer({
      interceptors: [
        { onSend: (record) => ({ ...record, value: `${String(record.value)}!` }) },
        {
          onSend: () => {
            throw new Error('broken');
          },
        },
        { onAcknowledgement: (error, metadata, { value }) => learned.push([error?.code, metadata?.offset, value]) },
      ],
    });
    await producer.send({ topic, value: 'one' });
    await assert.rejects(producer.send({ topic, partition: 7, value: 'two' }), hasCode('INVALID_ARGUMENT'));
    await producer.close().catch(() => undefined);
    stop();
    assert.deepEqual(await read(topic), ['one!']);
    assert.deepEqual(learned, [
      [undefined, 0n, 'one!'],
      ['INVALID_ARGUMENT', undefined, 'two!'],
    ]);
    assert.deepEqual(failures, ['interceptors[1].onSend', 'interceptors[1].onSend']);
  });

  it('option partitioner with ignoreKeys: a key is spread; the default keeps it where partitionOfKey says', async () => {
    const topic = await makeTopic(4);
    const send = async (ignoreKeys: boolean): Promise<Set<number>> => {
      const producer = kafka.producer({ partitioner: defaultPartitioner({ ignoreKeys }), batchSizeBytes: 2000 });
      const records = Array.from({ length: 100 }, () => ({ topic, key: 'same', value: 'x'.repeat(500) }));
      const sent = await producer.send(records);
      await producer.close();
      return new Set(sent.map(({ partition }) => partition));
    };
    assert.deepEqual([...(await send(false))], [partitionOfKey('same', 4)]);
    assert.equal((await send(true)).size, 4);
  });

  it('partitions that a topic gains are written to, with keys and without', async () => {
    const topic = await makeTopic(1);
    const own = new Kafka({ bootstrapServers: broker.bootstrapServers, metadataMaxAgeMs: 200 });
    const producer = own.producer({ batchSizeBytes: 1000 });
    assert.equal((await producer.send({ topic, value: 'x' })).partition, 0);
    await kafka.admin().createPartitions({ topic, count: 4 });
    const used = new Set<number>();
    await eventually(async () => {
      const records = Array.from({ length: 40 }, () => ({ topic, value: 'x'.repeat(300) }));
      for (const { partition } of await producer.send(records)) used.add(partition);
      return used.size === 4;
    }, 'records in all four partitions');
    for (const key of ['a', 'b', 'c', 'd']) {
      assert.equal((await producer.send({ topic, key, value: 'x' })).partition, partitionOfKey(key, 4));
    }
    await own.close();
  });

  it('writable: a pipeline of 20,000 records arrives in order, within little memory; its errors destroy it', async () => {
    const topic = await makeTopic();
    const producer = kafka.producer({ bufferMemoryBytes: 200_000, maxRequestBytes: 50_000, compression: 'gzip' });
    const records = function* (count: number): Generator<ProducerRecord> {
      for (let at = 0; at < count; at++) yield { topic, value: `${at} ${'x'.repeat(200)}` };
    };
    await pipeline(Readable.from(records(20_000)), producer.writable({ highWaterMarkBytes: 100_000 }));
    const values = await read(topic);
    assert.equal(values.length, 20_000);
    assert.ok(values.every((value, at) => value?.startsWith(`${at} `)));
    const bad = [{ topic, value: 'x'.repeat(60_000) }];
    await assert.rejects(pipeline(Readable.from(bad), producer.writable()), hasCode('MESSAGE_TOO_LARGE'));
    const abort = new AbortController();
    const endless = pipeline(Readable.from(records(Infinity)), producer.writable(), { signal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await assert.rejects(endless, { name: 'AbortError' });
    await producer.close();
  });

  for (const compression of ['gzip', 'zstd'] as const) {
    it(`option compression ${compression}: large batches stay in order, and the event loop goes on meanwhile`, async () => {
      const topic = await makeTopic();
      const producer = kafka.producer({ compression, compressionLevel: 9 });
      await producer.send({ topic, value: 'first' });
      // Of different sizes, so that a later batch would be ready before an earlier one.
      const sends: Promise<unknown>[] = [];
      for (let at = 0; at < 3000; at++) {
        const length = at % 20 === 0 ? 60_000 : 10;
        sends.push(
          producer.send({
            topic,
            value: `${at} ${JSON.stringify({ at, seed: (at * 7919) % 9973 }).repeat(length / 10)}`,
          }),
        );
        if (at % 500 === 0) await producer.ready();
      }
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      await Promise.all(sends);
      clearInterval(timer);
      await producer.close();
      // On the main thread, so that there is one turn per batch, works zstd of Nodes without their own, and all of Deno's zlib.
      const isOwn = compression === 'gzip' || typeof zlib.zstdCompress === 'function';
      const threaded = isOwn && !('deno' in process.versions);
      assert.ok(turns > (threaded ? 5 : 0), `${turns} turns of the event loop`);
      const values = await read(topic);
      assert.deepEqual(
        values.slice(1).map((value) => Number(value?.split(' ')[0])),
        Array.from({ length: 3000 }, (_, at) => at),
      );
    });
  }
});
