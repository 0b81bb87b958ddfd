import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { Kafka } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1, own: true, needs: ['control'] });

describe('Consumer through an outage of its broker', { skip: broker.skip }, () => {
  after(() => broker.release());

  for (const outage of ['killed and restarted', 'silent, then back'] as const) {
    it(`reads on by itself after the broker was ${outage}: nothing lost, order kept`, async () => {
      const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers, requestTimeoutMs: 3000 });
      const topic = `outage-${randomUUID()}`;
      await kafka.admin().createTopics({ topic, partitions: 2, replicationFactor: 1 });
      const consumer = kafka.consumer({
        groupId: `group-${randomUUID()}`,
        autoOffsetReset: 'earliest',
        sessionTimeoutMs: 10_000,
        heartbeatIntervalMs: 500,
      });
      consumer.subscribe(topic);
      const seen: string[][] = [[], []];
      const loop = (async () => {
        for await (const record of consumer) seen[record.partition]?.push(record.value?.toString() ?? '');
      })();
      const producer = kafka.producer();
      const send = async (value: string): Promise<unknown> =>
        producer.send([0, 1].map((partition) => ({ topic, partition, value })));
      await send('before');
      await eventually(() => seen.flat().length === 2);

      let failures = 0;
      const stop = kafka.on('consumer.fetch.failed', () => failures++);
      const [id] = broker.brokerIds;
      assert.ok(id !== undefined);
      if (outage === 'silent, then back') {
        await broker.pause(id);
        await eventually(() => failures > 0, 'a fetch to fail', 120_000);
        await broker.unpause(id);
      } else {
        await broker.kill(id);
        await eventually(() => failures > 2, 'fetches to fail', 120_000);
        await broker.start(id);
      }
      stop();
      await send('after');
      await eventually(
        () => [0, 1].every((partition) => seen[partition]?.includes('after')),
        'the records after the outage',
        120_000,
      );
      // At least once: the outage may have ended the session before the last commit.
      for (const values of seen) assert.deepEqual([...new Set(values)], ['before', 'after']);
      await kafka.close();
      await loop;
    });
  }
});
