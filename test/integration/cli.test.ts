import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Kafka, type Consumer } from '../../src/index.ts';
import { kavkaProgram } from '../support/cli/kavka-program.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1, needs: ['tools'] });
const deadline = { timeout: 300_000 };

interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string | null;
  readonly endOffset: string;
  readonly lag: string | null;
}

describe('kavka, the program', { skip: broker.skip }, () => {
  const topic = `cli-${randomUUID()}`;
  const groupId = `cli-${randomUUID()}`;
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers, clientId: 'cli-test' });
  });
  after(() => kafka.close());

  const kavka = kavkaProgram(broker.skip === false ? broker.bootstrapServers : []);

  /** What it printed, of a command that must succeed. */
  async function json(...args: readonly string[]): Promise<unknown> {
    const { code, stdout, stderr } = await kavka(...args);
    assert.deepEqual([code, stderr], [0, ''], stdout);
    return JSON.parse(stdout);
  }

  async function offsets(): Promise<readonly PartitionOffset[]> {
    const [group] = (await json('groups', 'describe', groupId)) as { readonly offsets: readonly PartitionOffset[] }[];
    return group?.offsets ?? [];
  }

  async function tool(name: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await broker.tool(name, ['--bootstrap-server', '{bootstrap}', ...args], {});
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    return stdout;
  }

  it("creates a topic that Kafka's tool describes in the same way", deadline, async () => {
    const config = ['--config', 'retention.ms=3600000', '--config', 'cleanup.policy=compact,delete'];
    await json('topics', 'create', topic, '--partitions', '3', '--replicas', '1', ...config);
    const [described] = (await json('topics', 'describe', topic)) as {
      readonly topicId: string;
      readonly partitions: readonly { readonly partition: number; readonly leaderId: number; readonly isr: number[] }[];
      readonly configs: Readonly<Record<string, string>>;
    }[];
    assert.ok(described);
    const told = await tool('topics', '--describe', '--topic', topic);
    assert.equal(/TopicId: (\S+)/.exec(told)?.[1], described.topicId);
    assert.equal(/PartitionCount: (\d+)/.exec(told)?.[1], '3');
    const configs = /Configs: (\S+)/.exec(told)?.[1] ?? '';
    assert.match(configs, /cleanup\.policy=compact,delete/);
    assert.match(configs, /retention\.ms=3600000/);
    assert.equal(described.configs['cleanup.policy'], 'compact,delete');
    assert.equal(described.configs['retention.ms'], '3600000');
    const rows = [...told.matchAll(/Partition: (\d+)\s+Leader: (\d+)\s+Replicas: (\S+)\s+Isr: (\S+)/g)];
    assert.deepEqual(
      rows.map(([, partition, leader, , isr]) => [partition, leader, isr].join(' ')),
      described.partitions.map(({ partition, leaderId, isr }) => [partition, leaderId, isr.join(',')].join(' ')),
    );
    const listed = (await json('topics')) as { readonly topic: string; readonly partitions: number }[];
    assert.equal(listed.find((each) => each.topic === topic)?.partitions, 3);
  });

  it('tells what could not be done without a stack, and ends with 1', deadline, async () => {
    const again = await kavka('topics', 'create', topic);
    assert.deepEqual([again.code, again.stdout], [1, '[]\n']);
    assert.match(again.stderr, /^kavka: Cannot create topic "cli-.*TOPIC_ALREADY_EXISTS\)?\n$/);
    const unasked = await kavka('topics', 'delete', topic);
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /give --yes/);
  });

  it("changes configs, which Kafka's tool reads", deadline, async () => {
    await json('configs', 'topic', topic, '--set', 'retention.ms=7200000', '--unset', 'cleanup.policy');
    const { entries } = (await json('configs', 'topic', topic)) as { readonly entries: Record<string, unknown>[] };
    const set = entries.map(({ name, value }) => [name, value]);
    assert.ok(set.some(([name, value]) => name === 'retention.ms' && value === '7200000'));
    assert.ok(set.every(([name]) => name !== 'cleanup.policy'));
    const told = await tool('configs', '--describe', '--entity-type', 'topics', '--entity-name', topic);
    assert.match(told, /retention\.ms=7200000/);
    assert.doesNotMatch(told, /cleanup\.policy/);
  });

  for (const groupProtocol of ['classic', 'consumer'] as const) {
    const isUnknown = groupProtocol === 'consumer' && broker.skip === false && broker.version.startsWith('3.');
    const options = { ...deadline, skip: isUnknown ? 'needs Kafka 4' : false };
    it(`describes a group of the ${groupProtocol} protocol as Kafka's tool does`, options, async () => {
      const own = `${groupId}-${groupProtocol}`;
      const producer = kafka.producer();
      await producer.send([0, 0, 1].map((partition) => ({ topic, partition, value: 'one' })));
      const consumer: Consumer = kafka.consumer({ groupId: own, groupProtocol, autoCommit: false });
      consumer.subscribe(topic);
      await consumer.waitForAssignment();
      await consumer.commit([{ topic, partition: 0, offset: 1n }]);
      const [group] = (await json('groups', 'describe', own)) as {
        readonly state: string;
        readonly members: readonly { readonly clientId: string; readonly assignment: readonly object[] }[];
        readonly offsets: readonly PartitionOffset[];
      }[];
      assert.equal(group?.state, 'Stable');
      assert.deepEqual(
        group.members.map(({ clientId, assignment }) => [clientId, assignment.length]),
        [['cli-test', 3]],
      );
      const told = await tool('consumer-groups', '--describe', '--group', own);
      const heading = told.split('\n').find((line) => line.startsWith('GROUP')) ?? '';
      const columns = heading.trim().split(/\s+/);
      const cells = (line: string): readonly (string | undefined)[] => {
        const row = line.trim().split(/\s+/);
        return ['PARTITION', 'CURRENT-OFFSET', 'LOG-END-OFFSET', 'LAG'].map((name) => row[columns.indexOf(name)]);
      };
      const rows = told.split('\n').filter((line) => line.startsWith(own));
      assert.deepEqual(
        rows.map((line) => cells(line).join(' ')).sort(),
        group.offsets.map((at) => [at.partition, at.offset ?? '-', at.endOffset, at.lag ?? '-'].join(' ')),
      );
      await consumer.close();
    });
  }

  it("resets a group, which Kafka's tool sees, and deletes it", deadline, async () => {
    const reset = ['groups', 'reset', groupId, '--topic', topic];
    const shown = await kavka(...reset, '--to', 'latest');
    assert.equal(shown.code, 0);
    assert.equal(shown.stderr, 'Nothing was changed: give --yes to set these offsets\n');
    assert.equal((await kavka('groups', 'describe', groupId)).code, 1);
    await json(...reset, '--to', 'latest', '--yes');
    assert.deepEqual(
      (await offsets()).map(({ offset, endOffset, lag }) => [offset === endOffset, lag]),
      Array.from({ length: 3 }, () => [true, '0']),
    );
    await json('groups', 'reset', groupId, '--topic', `${topic}:0`, '--to', '-PT1H', '--yes');
    const [first] = await offsets();
    assert.equal(first?.offset, '0');
    const told = await tool('consumer-groups', '--describe', '--group', groupId);
    assert.match(told, new RegExp(`${topic} +0 +0 +${first.endOffset} +${first.endOffset} `));
    await json('groups', 'delete', groupId, '--yes');
    const listed = (await json('groups')) as { readonly groupId: string }[];
    assert.ok(!listed.some((each) => each.groupId === groupId));
  });

  it('refuses to reset a group that has members', deadline, async () => {
    const consumer = kafka.consumer({ groupId: `${groupId}-busy` });
    consumer.subscribe(topic);
    await consumer.waitForAssignment();
    const args = ['groups', 'reset', `${groupId}-busy`, '--topic', topic, '--to', 'earliest', '--yes'];
    const { code, stderr } = await kavka(...args);
    assert.equal(code, 1);
    assert.match(stderr, /it has 1 member \(cli-test\); stop its consumers first\n$/);
    await consumer.close();
  });

  it('grows a topic and deletes it', deadline, async () => {
    await json('topics', 'grow', topic, '--partitions', '5');
    const told = await tool('topics', '--describe', '--topic', topic);
    assert.equal(/PartitionCount: (\d+)/.exec(told)?.[1], '5');
    assert.deepEqual(await json('topics', 'delete', topic, '--yes'), [{ topic, deleted: true }]);
    await eventually(async () => !(await tool('topics', '--list')).split('\n').includes(topic));
  });
});
