import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { Kafka } from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
/** `npm run soak` takes five. */
const losses = Number(process.env['LEADER_LOSSES'] ?? 2);

describe('Producer while leaders are lost', { skip: brokers.skip }, () => {
  after(() => brokers.restore());

  it(`loses, doubles and reorders nothing, and rejects nothing, while a leader is killed and comes back ${losses} times`, async () => {
    const kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    const topic = `leader-loss-${randomUUID()}`;
    const admin = kafka.admin();
    const configs = { 'min.insync.replicas': '2' };
    await admin.createTopics({ topic, partitions: 3, replicationFactor: 3, configs });
    const leaderOf = async (partition: number): Promise<number> => {
      const description = await admin.describeTopics(topic);
      return description.partitions[partition]?.leaderId ?? -1;
    };
    const producer = kafka.producer({ batchSizeBytes: 5000 });
    let [next, acknowledged, retried] = [0, 0, 0];
    const rejected: unknown[] = [];
    kafka.on('producer.batch.retried', () => retried++);
    let over = false;
    const load = (async () => {
      while (!over) {
        for (let burst = 0; burst < 30; burst++) {
          const value = String(next++).padStart(20, '0');
          producer.send({ topic, partition: Number(value) % 3, value }).then(
            () => acknowledged++,
            (error: unknown) => rejected.push(error),
          );
        }
        await producer.ready();
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();

    await eventually(() => acknowledged > 1000, 'records before the first loss');
    try {
      for (let loss = 0; loss < losses; loss++) {
        const victim = await leaderOf(0);
        assert.ok(victim > 0);
        await brokers.kill(victim);
        await eventually(async () => ![victim, -1].includes(await leaderOf(0)), 'another leader', 120_000);
        const during = acknowledged;
        await eventually(() => acknowledged > during + 1000, 'records while it is gone', 120_000);
        await brokers.start(victim);
        const afterwards = acknowledged;
        await eventually(() => acknowledged > afterwards + 1000, 'records after it came back', 120_000);
      }
    } finally {
      over = true; // a load that goes on would keep the process from telling what failed
      await load;
    }
    await producer.flush();
    assert.ok(retried > 0, 'no batch was under way when the leaders were lost');
    assert.deepEqual(rejected, []);
    assert.equal(acknowledged, next);

    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign([0, 1, 2].map((partition) => ({ topic, partition })));
    const seen: number[][] = [[], [], []];
    for await (const record of consumer.records({ until: 'end' })) seen[record.partition]?.push(Number(record.value));
    for (const [partition, numbers] of seen.entries()) {
      const expected = Array.from({ length: next }, (_, at) => at).filter((at) => at % 3 === partition);
      assert.deepEqual(numbers, expected);
    }
    await kafka.close();
  });
});
