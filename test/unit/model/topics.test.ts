import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  defineTopics,
  int64,
  json,
  Kafka,
  required,
  string,
  Consumer,
  Producer,
  type ProducerRecord,
  type StandardSchema,
} from '../../../src/index.ts';

// What is checked here is checked by the compiler: it fails where a line marked as wrong is not, and where a type is another one.

interface Order {
  readonly total: number;
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => undefined;

const price: StandardSchema<bigint, string> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: BigInt(String(value)) }) },
};

const topics = defineTopics({
  orders: { key: string, value: required(json<Order>()) },
  ticks: { key: required(int64), value: json(price) },
  raw: {},
});

const kafka = new Kafka({ bootstrapServers: ['127.0.0.1:1'] });

describe('defineTopics', () => {
  it('defineTopics gives what it was given, frozen', () => {
    assert.ok(Object.isFrozen(topics) && Object.isFrozen(topics.orders));
    assert.equal(topics.orders.key, string);
  });

  it('a producer with topics takes records typed by topic, and the compiler refuses wrong ones', () => {
    const producer = kafka.producer({ topics });
    assert.ok(producer instanceof Producer);
    type Sent = Parameters<typeof producer.enqueue>[0];
    const right: Sent[] = [
      { topic: 'orders', key: 'o', value: { total: 1 } },
      { topic: 'orders', value: { total: 1 }, headers: { a: 'b' }, partition: 0, timestamp: 1 },
      { topic: 'ticks', key: 1n, value: '12' },
      { topic: 'ticks', key: 1 },
      { topic: 'raw', value: Buffer.from('x') },
      { topic: 'raw', key: null },
    ];
    const wrong: Sent[] = [
      // @ts-expect-error there is no such topic
      { topic: 'order', value: { total: 1 } },
      // @ts-expect-error the value is of another topic
      { topic: 'orders', value: '12' },
      // @ts-expect-error a field of the value has another type
      { topic: 'orders', value: { total: '1' } },
      // @ts-expect-error the key is of another type
      { topic: 'orders', key: 1, value: { total: 1 } },
      // @ts-expect-error a required value is missing
      { topic: 'orders', key: 'o' },
      // @ts-expect-error a required value is null
      { topic: 'orders', value: null },
      // @ts-expect-error a required key is missing
      { topic: 'ticks', value: '12' },
      // @ts-expect-error what is sent is the input of the schema, not what it makes of it
      { topic: 'ticks', key: 1, value: 12n },
      // @ts-expect-error there is no such field
      { topic: 'raw', values: 'x' },
    ];
    assert.equal(right.length + wrong.length, 15);
    type Many = (records: Sent[]) => Promise<unknown>;
    same<Many extends (records: typeof right) => Promise<unknown> ? true : false, true>(true);
  });

  it('options of a typed producer: the compiler refuses key and value beside topics, and definitions that cannot write', () => {
    // @ts-expect-error key beside topics
    assert.throws(() => kafka.producer({ topics, key: string }), { code: 'INVALID_OPTION' });
    const readOnly = { orders: { value: { deserialize: () => 1 } } };
    // @ts-expect-error nothing says how to write it
    assert.throws(() => kafka.producer({ topics: readOnly }), { code: 'INVALID_OPTION' });
    // @ts-expect-error a definition has key and value, nothing else
    assert.throws(() => kafka.producer({ topics: defineTopics({ orders: { values: string } }) }), {
      code: 'INVALID_OPTION',
    });
  });

  it('a consumer with topics gives records that the topic tells apart', () => {
    const consumer = kafka.consumer({ topics });
    assert.ok(consumer instanceof Consumer);
    type Read = typeof consumer extends AsyncIterable<infer R> ? R : never;
    const check = (record: Read): void => {
      same<Read['topic'], 'orders' | 'ticks' | 'raw'>(true);
      switch (record.topic) {
        case 'orders':
          same<typeof record.key, string | null>(true);
          same<typeof record.value, Order>(true);
          // @ts-expect-error the value of this topic has no such field
          return void record.value.price;
        case 'ticks':
          same<typeof record.key, bigint>(true);
          same<typeof record.value, bigint | null>(true);
          return;
        case 'raw':
          same<typeof record.value, Buffer | null>(true);
          return;
        default:
          // @ts-expect-error there is no other topic
          return void record.topic;
      }
    };
    type Batch = Awaited<ReturnType<typeof consumer.poll>>['batches'][number];
    const checkBatch = (batch: Batch): void => {
      if (batch.topic === 'orders') same<(typeof batch.records)[number]['value'], Order>(true);
      // @ts-expect-error without a look at the topic nobody knows
      return void batch.records[0]?.value?.total;
    };
    type Polled = Awaited<ReturnType<typeof consumer.poll>>[number];
    same<Polled, Read>(true);
    assert.equal([check, checkBatch].length, 2);
  });

  it('a record of one typed topic can be forwarded to another of the same shape only', () => {
    const mirrored = defineTopics({ ...topics, copies: { key: string, value: required(json<Order>()) } });
    const producer = kafka.producer({ topics: mirrored });
    const consumer = kafka.consumer({ topics });
    const forward = async (): Promise<void> => {
      for await (const record of consumer) {
        if (record.topic !== 'orders') continue;
        await producer.send(record.toProducerRecord({ topic: 'copies' }));
        // @ts-expect-error that topic holds something else
        await producer.send(record.toProducerRecord({ topic: 'ticks' }));
      }
    };
    assert.equal(typeof forward, 'function');
  });

  it('a consumer refuses topics that are not defined when it is told to read them', () => {
    const consumer = kafka.consumer({ topics, groupId: 'g' });
    const refused = {
      code: 'INVALID_ARGUMENT',
      message: /it is not among the topics of the consumer; add it to topics/,
    };
    assert.throws(() => consumer.subscribe(['orders', 'toString']), refused);
    assert.throws(() => kafka.consumer({ topics }).assign([{ topic: 'other', partition: 0 }]), refused);
  });

  it('clients without topics are typed by key and value as before', () => {
    const producer = kafka.producer({ key: string, value: json<Order>() });
    assert.ok(producer instanceof Producer);
    same<typeof producer, Producer<string | null, Order | null>>(true);
    same<Parameters<typeof producer.enqueue>[0], ProducerRecord<string | null, Order | null>>(true);
    const consumer = kafka.consumer({ value: required(json<Order>()) });
    assert.ok(consumer instanceof Consumer);
    same<typeof consumer, Consumer<Buffer | null, Order>>(true);
    // @ts-expect-error an object is no value without a serde
    const record: ProducerRecord = { topic: 't', value: { total: 1 } };
    // @ts-expect-error the value is of another type
    const wrong: ProducerRecord<string, Date> = { topic: 't', value: 'x' };
    assert.ok(record !== undefined && wrong !== undefined);
  });
});
