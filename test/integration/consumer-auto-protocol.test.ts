import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { isKafkaError, Kafka } from '../../src/index.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

for (const [version, expected] of [
  ['4.3.1', 'consumer'],
  ['3.9.1', 'classic'],
] as const) {
  const broker = await kafkaUnderTest({ brokers: 1, version });

  describe(`Consumer with groupProtocol auto on Kafka ${version}`, { skip: broker.skip }, () => {
    it(`is a member of a ${expected} group, and gets its partitions`, async () => {
      const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
      const topic = `auto-${randomUUID()}`;
      const groupId = `group-${randomUUID()}`;
      await kafka.admin().createTopics({ topic, partitions: 2, replicationFactor: 1 });
      const consumer = kafka.consumer({ groupId, groupProtocol: 'auto' });
      consumer.subscribe(topic);
      while ((await consumer.waitForAssignment()).length < 2) await consumer.poll({ timeoutMs: 100 });
      const [listed] = (await kafka.admin().listGroups()).filter((group) => group.groupId === groupId);
      assert.equal(listed?.type?.toLowerCase(), expected);
      await kafka.close();
    });

    it('says that it needs the new protocol where a pattern of the broker was asked for and there is none', async () => {
      const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
      const consumer = kafka.consumer({ groupId: `group-${randomUUID()}`, groupProtocol: 'auto' });
      consumer.subscribe({ re2: `none-${randomUUID()}` });
      if (expected === 'consumer') await consumer.poll({ timeoutMs: 500 });
      else await assert.rejects(consumer.poll(), (error) => isKafkaError(error, 'UNSUPPORTED_VERSION'));
      await kafka.close();
    });
  });
}
