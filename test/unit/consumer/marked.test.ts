import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import type { Consumer } from '../../../src/consumer/consumer.ts';
import type { ConsumerRecord } from '../../../src/consumer/consumer-record.ts';
import { brokerErrorCodes as codes } from '../../../src/errors/broker-error-codes.ts';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { FakeKafka } from './fake-kafka.ts';

const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;
const text = ({ value }: ConsumerRecord): string => value?.toString() ?? 'null';
const t0 = { topic: 't', partition: 0 };

function marking(kafka: FakeKafka, autoCommit: boolean | 'marked' = 'marked'): Consumer {
  const { consumer } = kafka.consumer({ groupId: 'g', autoCommit });
  consumer.assign(kafka.logs.map((_, partition) => ({ topic: 't', partition })));
  return consumer;
}

async function take(kafka: FakeKafka, consumer: Consumer, count: number): Promise<ConsumerRecord[]> {
  return kafka.run(consumer.poll({ minRecords: count, maxRecords: count, timeoutMs: 5000 }));
}

describe('Consumer.markProcessed', () => {
  it('counts records in any order: committed is the unbroken run, at intervals and at close', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c', 'd']);
    const consumer = marking(kafka);
    const [a, b, c] = await take(kafka, consumer, 4);
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    assert.equal(consumer.markProcessed(b), true);
    await kafka.clock.advance(6000);
    assert.equal(kafka.committed.get(0), 0n);
    consumer.markProcessed(a);
    await kafka.clock.advance(6000);
    assert.equal(kafka.committed.get(0), 2n);
    await take(kafka, consumer, 1);
    await kafka.run(consumer.commit());
    assert.equal(kafka.committed.get(0), 2n, 'neither asking for more nor commit() says that the rest is done');
    consumer.markProcessed(c);
    await kafka.run(consumer.close());
    assert.equal(kafka.committed.get(0), 3n);
  });

  it('takes a whole batch', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const consumer = marking(kafka);
    const records = await kafka.run(consumer.poll({ timeoutMs: 5000 }));
    const [batch] = records.batches;
    assert.ok(batch !== undefined);
    consumer.markProcessed(batch);
    await kafka.run(consumer.close());
    assert.equal(kafka.committed.get(0), 3n);
  });

  it('is refused where autoCommit is not "marked"', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a']);
    const consumer = marking(kafka, true);
    const [record] = await take(kafka, consumer, 1);
    assert.ok(record !== undefined);
    assert.throws(() => consumer.markProcessed(record), hasCode('INVALID_STATE'));
    await kafka.run(consumer.close());
  });

  it('answers false after the partition was given up, and commits nothing of it', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const { consumer } = kafka.consumer({ groupId: 'g', autoCommit: 'marked' });
    consumer.subscribe('t');
    const [a, b] = await take(kafka, consumer, 2);
    assert.ok(a !== undefined && b !== undefined);
    assert.equal(consumer.markProcessed(a), true);
    const generation = kafka.generation;
    kafka.heartbeatCode = codes.UNKNOWN_MEMBER_ID;
    await kafka.clock.advance(4000);
    assert.equal(consumer.markProcessed(b), false);
    const again = await take(kafka, consumer, 2);
    assert.ok(kafka.generation > generation);
    assert.deepEqual(again.map(text), ['a', 'b']);
    await kafka.run(consumer.close());
  });

  it('keeps apart what a seek has left behind', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const consumer = marking(kafka);
    await take(kafka, consumer, 3);
    consumer.seek({ ...t0, offset: 1 });
    const [b] = await take(kafka, consumer, 1);
    assert.ok(b !== undefined);
    consumer.markProcessed(b);
    await kafka.run(consumer.commit());
    assert.equal(kafka.committed.get(0), 2n);
    await kafka.run(consumer.close());
  });

  it('lets rewind() deliver again all that is not marked', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c', 'd']);
    const consumer = marking(kafka);
    const [a] = await take(kafka, consumer, 2);
    await take(kafka, consumer, 1);
    assert.ok(a !== undefined);
    consumer.markProcessed(a);
    consumer.rewind();
    assert.deepEqual((await take(kafka, consumer, 3)).map(text), ['b', 'c', 'd']);
    await kafka.run(consumer.close());
  });
});

describe('Consumer.stream', () => {
  it('gives records as objects, and ends where the loop would', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const consumer = marking(kafka);
    const seen: string[] = [];
    const work = new Writable({
      objectMode: true,
      write: (record: ConsumerRecord, _, done) => {
        seen.push(text(record));
        consumer.markProcessed(record);
        done();
      },
    });
    await kafka.run(pipeline(consumer.stream({ until: 'end' }), work));
    assert.deepEqual(seen, ['a', 'b', 'c']);
    await kafka.run(consumer.close());
    assert.equal(kafka.committed.get(0), 3n);
  });

  it('reads on only while there is room', async () => {
    const kafka = new FakeKafka();
    kafka.append(
      0,
      Array.from({ length: 100 }, (_, index) => String(index)),
    );
    const consumer = marking(kafka);
    const stream = consumer.stream({ highWaterMark: 10 });
    stream.read(0);
    await kafka.clock.advance(5000);
    assert.equal(stream.readableLength, 10);
    assert.equal(consumer.position(t0), 10n);
    stream.destroy();
    await kafka.run(consumer.close());
  });

  it('hands back what nobody took out of it when it is destroyed', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c', 'd', 'e']);
    const consumer = marking(kafka);
    const stream = consumer.stream({ highWaterMark: 3 });
    const taken: string[] = [];
    const reading = (async () => {
      for await (const record of stream) {
        taken.push(text(record));
        consumer.markProcessed(record);
        if (taken.length === 1) break;
      }
    })();
    await kafka.run(reading);
    assert.deepEqual(taken, ['a']);
    assert.deepEqual((await take(kafka, consumer, 4)).map(text), ['b', 'c', 'd', 'e']);
    await kafka.run(consumer.close());
  });

  it('refuses autoCommit true, which would commit what waits in the stream', async () => {
    const consumer = marking(new FakeKafka(), true);
    assert.throws(() => consumer.stream(), hasCode('INVALID_STATE'));
    await consumer.close();
  });

  it('is destroyed with what the read ends with', async () => {
    const kafka = new FakeKafka();
    kafka.intercept = ({ api }) =>
      api === 'OffsetFetch'
        ? { groups: [{ groupId: 'g', topics: [], errorCode: codes.GROUP_AUTHORIZATION_FAILED }] }
        : undefined;
    const consumer = marking(kafka);
    const stream = consumer.stream();
    const next = (async () => {
      for await (const record of stream) assert.fail(`a record: ${text(record)}`);
    })();
    await assert.rejects(kafka.run(next), hasCode('GROUP_AUTHORIZATION_FAILED'));
    await kafka.run(consumer.close());
  });
});
