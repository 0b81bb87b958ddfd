import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Kafka } from '../../src/index.ts';
import { TestCluster } from '../../src/testing/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaJars } from '../support/kafka/jars.ts';
import { runJvmTool } from '../support/kafka/jvm-cluster.ts';
import { defaultKafkaVersion } from '../support/kafka/options.ts';

/** Kafka's own programs, which run in a JVM on this machine; or why they cannot. */
function jars(): { readonly libs: string; readonly skip: string | false } {
  try {
    if (spawnSync('java', ['-version']).status !== 0) return { libs: '', skip: 'there is no Java' };
    return { libs: kafkaJars(defaultKafkaVersion, () => undefined), skip: false };
  } catch (error) {
    return { libs: '', skip: error instanceof Error ? error.message : String(error) };
  }
}

const { libs, skip } = jars();

// Each has a group and a topic of its own, and mostly starts JVMs.
describe('Groups of TestCluster', { skip, timeout: 300_000, concurrency: 3 }, () => {
  let cluster: TestCluster;
  let kafka: Kafka;
  before(async () => {
    cluster = await TestCluster.start({ brokers: 3, configs: { 'group.initial.rebalance.delay.ms': '0' } });
    kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
  });
  after(async () => {
    await kafka.close();
    await cluster.close();
  });

  async function tool(name: string, ...args: readonly string[]): Promise<string> {
    const servers = ['--bootstrap-server', cluster.bootstrapServers.join(',')];
    const result = await runJvmTool(libs, defaultKafkaVersion, name, [...servers, ...args], {});
    assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
    return result.stdout;
  }

  async function filledTopic(partitions: number, count: number): Promise<string> {
    const topic = `groups-${randomUUID()}`;
    cluster.createTopic(topic, partitions);
    const producer = kafka.producer();
    const records = Array.from({ length: count }, (_, at) => ({ topic, partition: at % partitions, value: `${at}` }));
    await producer.send(records);
    await producer.close();
    return topic;
  }

  it('ConsumerGroupCommand lists, describes, resets and deletes groups', async () => {
    const topic = await filledTopic(2, 10);
    const groupId = `group-${randomUUID()}`;
    const consumer = kafka.consumer({ groupId, autoOffsetReset: 'earliest' });
    consumer.subscribe(topic);
    for await (const records of consumer.records({ limit: 10 })) assert.ok(records);
    await consumer.commit();
    const describeIt = ['--describe', '--group', groupId];
    const [names, states, types, offsets, members, state] = await Promise.all([
      tool('consumer-groups', '--list'),
      tool('consumer-groups', '--list', '--state'),
      tool('consumer-groups', '--list', '--type'),
      tool('consumer-groups', ...describeIt),
      tool('consumer-groups', ...describeIt, '--members', '--verbose'),
      tool('consumer-groups', ...describeIt, '--state'),
    ]);
    assert.match(names, new RegExp(`^${groupId}$`, 'm'));
    assert.match(states, new RegExp(`${groupId} +Stable`));
    assert.match(types, new RegExp(`${groupId} +Classic`));
    assert.match(offsets, new RegExp(`${topic} +0 +5 +5 +0 `));
    assert.match(members, /127\.0\.0\.1/);
    assert.match(state, /Stable +1/);
    await consumer.close();
    const reset = ['--reset-offsets', '--group', groupId, '--topic', topic, '--to-offset', '2', '--execute'];
    assert.match(await tool('consumer-groups', ...reset), new RegExp(`${topic} +0 +2`));
    assert.match(await tool('consumer-groups', ...describeIt), new RegExp(`${topic} +0 +2 +5 +3 `));
    await tool('consumer-groups', '--delete-offsets', '--group', groupId, '--topic', `${topic}:0`);
    assert.doesNotMatch(await tool('consumer-groups', ...describeIt), new RegExp(`${topic} +0 +2`));
    assert.match(await tool('consumer-groups', '--delete', '--group', groupId), /successful/);
    assert.doesNotMatch(await tool('consumer-groups', '--list'), new RegExp(groupId));
  });

  it('a Java console consumer and ours share the partitions of one group', async () => {
    const topic = await filledTopic(4, 0);
    const groupId = `group-${randomUUID()}`;
    const consumer = kafka.consumer({ groupId, autoOffsetReset: 'earliest', heartbeatIntervalMs: 200 });
    consumer.subscribe(topic);
    const ours: string[] = [];
    const loop = (async (): Promise<void> => {
      for await (const record of consumer) ours.push(record.value?.toString() ?? '');
    })();
    await eventually(() => consumer.assignment().length === 4);
    const java = tool(
      'console-consumer',
      ...['--topic', topic, '--group', groupId, '--from-beginning', '--timeout-ms', '60000', '--max-messages', '10'],
      ...['--command-property', 'heartbeat.interval.ms=200'],
    );
    await cluster.waitForGroup(groupId, { members: 2, timeoutMs: 120_000 });
    await eventually(() => consumer.assignment().length === 2);
    const producer = kafka.producer();
    const values = Array.from({ length: 20 }, (_, at) => `${at}`);
    await producer.send(values.map((value, at) => ({ topic, partition: at % 4, value })));
    const theirs = (await java).trim().split('\n');
    await eventually(() => ours.length + theirs.length >= 20);
    assert.equal(theirs.length, 10);
    assert.deepEqual(
      [...ours, ...theirs].map(Number).sort((a, b) => a - b),
      values.map(Number),
    );
    // The Java consumer has left, and we have everything again.
    await eventually(() => consumer.assignment().length === 4);
    await producer.close();
    await consumer.close();
    await loop;
  });

  it('Java consumers of the new protocol share the partitions of one group, one after the other', async () => {
    const topic = await filledTopic(4, 20);
    const groupId = `group-${randomUUID()}`;
    const consume = (count: number): Promise<string> =>
      tool(
        'console-consumer',
        ...['--topic', topic, '--group', groupId, '--from-beginning', '--timeout-ms', '60000'],
        ...['--max-messages', `${count}`, '--command-property', 'group.protocol=consumer'],
      );
    const first = (await consume(8)).trim().split('\n');
    const second = (await consume(12)).trim().split('\n');
    assert.deepEqual(
      [...first, ...second].map(Number).sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, at) => at),
    );
    assert.match(await tool('consumer-groups', '--list', '--type'), new RegExp(`${groupId} +Consumer`));
    assert.match(await tool('consumer-groups', '--describe', '--group', groupId), new RegExp(`${topic} +0 +5 +5 +0 `));
  });
});
