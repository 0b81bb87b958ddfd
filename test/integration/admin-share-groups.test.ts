import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { isKafkaError, Kafka, type Admin } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1, needs: ['tools'] });
const deadline = { timeout: 300_000 };

/** Share groups whose members are Java's, seen and moved by us and by Kafka's own tool. */
describe('Admin share groups beside Java', { skip: broker.skip }, () => {
  let kafka: Kafka;
  let admin: Admin;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    admin = kafka.admin();
  });
  after(() => kafka.close());

  const tool = async (name: string, args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await broker.tool(name, ['--bootstrap-server', '{bootstrap}', ...args], {});
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    return stdout;
  };

  /** Start offset and lag of partition 0, as Kafka's tool prints them. */
  const described = async (groupId: string, topic: string): Promise<readonly (string | undefined)[]> => {
    const lines = (await tool('share-groups', ['--describe', '--offsets', '--group', groupId])).split('\n');
    const heading = lines.find((line) => line.startsWith('GROUP'))?.split(/\s+/) ?? [];
    const row = lines.find((line) => line.includes(topic))?.split(/\s+/) ?? [];
    return ['START-OFFSET', 'LAG'].map((column) => row[heading.indexOf(column)]);
  };

  it(
    'a Java member is described, its reading lowers the lag, and offsets that are set hold for it',
    deadline,
    async () => {
      const [topic, groupId] = [`jobs-${randomUUID()}`, `share-${randomUUID()}`];
      await admin.createTopics({ topic, partitions: 1, replicationFactor: 1 });
      const group = { type: 'group', name: groupId } as const;
      await admin.incrementalAlterConfigs({ ...group, set: { 'share.auto.offset.reset': 'earliest' } });
      const read = (count: number): Promise<string> =>
        tool('console-share-consumer', [
          ...['--topic', topic, '--group', groupId, '--max-messages', String(count), '--timeout-ms', '120000'],
        ]);
      const reading = read(5);
      await eventually(async () => {
        const found = await admin.describeShareGroups(groupId, { settled: true });
        const members = found.status === 'fulfilled' ? found.value.members : [];
        return members.length === 1 && members[0]?.assignment.length === 1;
      });
      const { members } = await admin.describeShareGroups(groupId);
      assert.deepEqual(members[0]?.subscription, [topic]);
      assert.deepEqual(members[0]?.assignment, [{ topic, partition: 0 }]);
      assert.match(members[0]?.clientId ?? '', /share/);
      const producer = kafka.producer();
      await producer.send(['a', 'b', 'c', 'd', 'e'].map((value) => ({ topic, value })));
      assert.equal((await reading).trim(), 'a\nb\nc\nd\ne');
      await eventually(async () => (await admin.describeShareGroups(groupId)).state === 'Empty');
      const [done] = await admin.listShareGroupOffsets(groupId);
      assert.deepEqual([done?.topic, done?.partition, done?.lag], [topic, 0, 0n]);

      await admin.alterShareGroupOffsets(groupId, { topic, partition: 0, startOffset: 3n });
      const [moved] = await admin.listShareGroupOffsets(groupId);
      assert.deepEqual([moved?.startOffset, moved?.lag], [3n, 2n]);
      assert.deepEqual(await described(groupId, topic), ['3', '2']);
      assert.equal((await read(2)).trim(), 'd\ne');
      await eventually(async () => (await admin.describeShareGroups(groupId)).state === 'Empty');

      await tool('share-groups', ['--delete-offsets', '--group', groupId, '--topic', topic]);
      assert.deepEqual(await admin.listShareGroupOffsets(groupId), []);
      const listed = await tool('share-groups', ['--list']);
      assert.ok(listed.includes(groupId));
      await admin.deleteGroups(groupId);
      await assert.rejects(admin.describeShareGroups(groupId), (error) => isKafkaError(error, 'GROUP_ID_NOT_FOUND'));
    },
  );
});
