import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { isKafkaError, Kafka, SendError } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({
  brokers: 1,
  own: true,
  needs: ['control'],
  config: { 'auto.create.topics.enable': 'false' },
});

describe('Producer and a broker that comes and goes', { skip: broker.skip }, () => {
  after(() => broker.release());

  async function readAll(kafka: Kafka, topic: string, partitions: number): Promise<string[][]> {
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition })));
    const seen: string[][] = Array.from({ length: partitions }, () => []);
    for await (const record of consumer.records({ until: 'end' })) seen[record.partition]?.push(String(record.value));
    await consumer.close();
    return seen;
  }

  it('an unknown topic is named within its time, by a broker that does not create topics', async () => {
    const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const producer = kafka.producer();
    const topic = `no-such-topic-${randomUUID()}`;
    await assert.rejects(producer.send({ topic, value: 'x' }), (error: unknown) => {
      assert.ok(error instanceof SendError);
      assert.deepEqual([error.code, error.outcome], ['UNKNOWN_TOPIC_OR_PARTITION', 'not-sent']);
      assert.ok(error.message.includes(topic));
      return true;
    });
    await kafka.close().catch(() => undefined);
  });

  it('a topic that is deleted under the producer rejects what cannot be written any more', async () => {
    const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const topic = `deleted-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    const producer = kafka.producer();
    await producer.send({ topic, value: 'x' });
    await kafka.admin().deleteTopics([topic]);
    await assert.rejects(producer.send({ topic, value: 'y' }), (error: unknown) => {
      assert.ok(isKafkaError(error));
      assert.match(error.code, /^UNKNOWN_TOPIC/);
      return true;
    });
    await kafka.close().catch(() => undefined);
  });

  for (const outage of ['killed and restarted', 'silent, then back'] as const) {
    it(`rejects nothing when the broker is ${outage} within deliveryTimeoutMs; nothing lost, doubled or out of order`, async () => {
      const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers, requestTimeoutMs: 3000 });
      const topic = `outage-${randomUUID()}`;
      await kafka.admin().createTopics({ topic, partitions: 2, replicationFactor: 1 });
      const producer = kafka.producer();
      const [id] = broker.brokerIds;
      assert.ok(id !== undefined);
      let [next, acknowledged, retried, failedConnections] = [0, 0, 0, 0];
      const rejected: unknown[] = [];
      kafka.on('producer.batch.retried', () => retried++);
      kafka.on('connection.failed', () => failedConnections++);
      let over = false;
      // Heeds back-pressure; singles and arrays in turn.
      const load = (async () => {
        while (!over) {
          const values = [next++, next++, next++].map(String);
          const sends = [
            producer.send({ topic, partition: 0, value: values[0] ?? '' }),
            producer.send([
              { topic, partition: 0, value: values[1] ?? '' },
              { topic, partition: 1, value: values[2] ?? '' },
            ]),
          ];
          for (const sent of sends) {
            sent.then(
              (metadata) => (acknowledged += Array.isArray(metadata) ? metadata.length : 1),
              (error: unknown) => rejected.push(error),
            );
          }
          await producer.ready();
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      })();

      try {
        await eventually(() => acknowledged > 100, 'records before the outage');
        if (outage === 'killed and restarted') {
          await broker.kill(id);
          await eventually(() => failedConnections > 2, 'connections to fail');
          await broker.start(id);
        } else {
          await broker.pause(id);
          await eventually(() => retried > 0, 'a request to run out of time');
          await broker.unpause(id);
        }
        const during = acknowledged;
        await eventually(() => acknowledged > during + 100, 'records after the outage', 120_000);
      } finally {
        over = true; // a load that goes on would keep the process from telling what failed
        await load;
      }
      await producer.flush();
      assert.deepEqual(rejected, []);
      assert.equal(acknowledged, next);
      const seen = await readAll(kafka, topic, 2);
      assert.deepEqual(
        seen[0]?.map(Number),
        Array.from({ length: next }, (_, at) => at).filter((at) => at % 3 !== 2),
      );
      assert.deepEqual(
        seen[1]?.map(Number),
        Array.from({ length: next }, (_, at) => at).filter((at) => at % 3 === 2),
      );
      await kafka.close();
    });
  }

  it('rejects when the outage is longer than deliveryTimeoutMs, and works again afterwards', async () => {
    const patient = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const topic = `long-outage-${randomUUID()}`;
    await patient.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    await patient.close();
    const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers, requestTimeoutMs: 500 });
    const producer = kafka.producer({ deliveryTimeoutMs: 1500 });
    const [id] = broker.brokerIds;
    assert.ok(id !== undefined);
    await producer.send({ topic, value: 'before' });
    await broker.kill(id);
    // 10,000 sends that nobody awaits, through an outage longer than their deadline.
    for (let at = 0; at < 10_000; at++) void producer.send({ topic, value: String(at) });
    await assert.rejects(producer.flush(), (error: unknown) => {
      assert.ok(isKafkaError(error) && error.cause instanceof SendError);
      assert.equal(error.cause.code, 'DELIVERY_TIMEOUT');
      return true;
    });
    await broker.start(id);
    await producer.send({ topic, value: 'after' }).catch(() => undefined);
    await eventually(async () => (await producer.send({ topic, value: 'end' })).offset > 0n, 'a send to succeed');
    const [seen = []] = await readAll(kafka, topic, 1);
    assert.equal(seen[0], 'before');
    assert.ok(seen.includes('end'));
    await kafka.close().catch(() => undefined);
  });
});
