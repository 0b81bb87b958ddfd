import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { isKafkaError, Kafka, SendError, type ProducerOptions, type RecordMetadata } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { startProduceProxy } from '../support/produce-proxy.ts';

const broker = await kafkaUnderTest({ brokers: 1 });

describe('Producer on a connection or topic that makes trouble', { skip: broker.skip }, () => {
  async function newTopic(kafka: Kafka, configs: Record<string, string> = {}): Promise<string> {
    const topic = `faults-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1, configs });
    return topic;
  }

  async function valuesOf(kafka: Kafka, topic: string): Promise<string[]> {
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign([{ topic, partition: 0 }]);
    const values: string[] = [];
    for await (const record of consumer.records({ until: 'end' })) values.push(String(record.value));
    await consumer.close();
    return values;
  }

  for (const cut of ['cut-before', 'cut-after'] as const) {
    for (const [name, options] of [
      ['five requests under way', { idempotence: true }],
      ['one request under way, not idempotent', { idempotence: false, maxInFlightRequests: 1 }],
    ] as const) {
      it(`50 concurrent sends to one partition, ${name}, a request ${cut === 'cut-before' ? 'lost' : 'written and not answered'} in the middle: the log has the order of the calls`, async () => {
        await using proxy = await startProduceProxy(broker.bootstrapServers[0] ?? '');
        const kafka = new Kafka({ bootstrapServers: [proxy.address] });
        const topic = await newTopic(kafka);
        const producer = kafka.producer({ ...options, batchSizeBytes: 200 } satisfies ProducerOptions);
        await producer.send({ topic, partition: 0, value: 'first' });
        const before = proxy.produced;
        proxy.fateOf = (number) => (number === before + 5 ? cut : 'pass');
        const values = Array.from({ length: 50 }, (_, at) => `${at}`.padStart(60, '.'));
        const sent = await Promise.all(values.map((value) => producer.send({ topic, partition: 0, value })));
        assert.equal(proxy.cuts, 1, 'no request was lost');
        assert.ok(proxy.produced - before > 20, `${proxy.produced - before} requests: too few to have a middle`);
        const log = await valuesOf(kafka, topic);
        // Without idempotence, what was written and not answered is written once more.
        const doubled = options.idempotence || cut === 'cut-before' ? 0 : 2;
        assert.equal(log.length, 51 + doubled);
        assert.deepEqual([...new Set(log)], ['first', ...values]);
        assert.deepEqual(
          sent.map(({ offset }) => log[Number(offset)]),
          values,
        );
        await kafka.close();
      });
    }
  }

  it('a batch above max.message.bytes of its topic is taken apart, compressed or not; later ones fit', async () => {
    const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    for (const compression of ['none', 'gzip', 'lz4'] as const) {
      const topic = await newTopic(kafka, { 'max.message.bytes': '20000' });
      const producer = kafka.producer({ compression });
      let retried = 0;
      const off = kafka.on('producer.batch.retried', ({ error }) => {
        if (isKafkaError(error, 'MESSAGE_TOO_LARGE')) retried++;
      });
      // Half of each is noise, so that compression does not make the batch small enough.
      const values = Array.from({ length: 2000 }, (_, at) => `${at}`.padStart(50, '.') + randomUUID());
      const sent = await producer.send(values.map((value) => ({ topic, partition: 0, value })));
      const atFirst = retried;
      assert.ok(atFirst > 0, 'no batch was too large');
      assert.deepEqual(
        sent.map(({ offset }) => offset),
        values.map((_, at) => BigInt(at)),
      );
      await producer.send(values.map((value) => ({ topic, partition: 0, value })));
      if (compression === 'none') assert.equal(retried, atFirst, 'the limit was not learnt');
      assert.deepEqual(await valuesOf(kafka, topic), [...values, ...values]);
      const huge = await producer.send({ topic, partition: 0, value: randomUUID().repeat(2000) }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (compression === 'none') {
        assert.ok(huge instanceof SendError);
        assert.deepEqual([huge.code, huge.outcome], ['MESSAGE_TOO_LARGE', 'refused']);
      }
      assert.equal((await producer.send({ topic, partition: 0, value: 'after' })).partition, 0);
      off();
    }
    await kafka.close().catch(() => undefined); // it tells of the record that was too large
  });

  it('results say where a record is and how large its key and value are, with acks all, 1 and 0', async () => {
    const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const topic = await newTopic(kafka);
    const results: RecordMetadata[] = [];
    for (const acks of ['all', 1, 0] as const) {
      const producer = kafka.producer({ acks });
      results.push(await producer.send({ topic, key: 'kä', value: null, timestamp: 1_700_000_000_000 }));
      await producer.close();
    }
    const plain = results.map((metadata) => metadata.toJSON());
    const common = { topic, partition: 0, timestamp: 1_700_000_000_000, serializedKeySize: 3, serializedValueSize: -1 };
    assert.deepEqual(
      plain,
      ['0', '1', '-1'].map((offset) => ({ ...common, offset })),
    );
    await eventually(async () => (await valuesOf(kafka, topic)).length === 3, 'the record without an answer');
    await kafka.close();
  });
});
