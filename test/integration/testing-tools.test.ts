import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { TestCluster } from '../../src/testing/index.ts';
import { kafkaJars } from '../support/kafka/jars.ts';
import { runJvmTool } from '../support/kafka/jvm-cluster.ts';
import { defaultKafkaVersion } from '../support/kafka/options.ts';

/** Kafka's own programs, which run in a JVM on this machine; or why they cannot. */
function jars(): string | { readonly missing: string } {
  try {
    if (spawnSync('java', ['-version']).status !== 0) return { missing: 'there is no Java' };
    return kafkaJars(defaultKafkaVersion, () => undefined);
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

const found = jars();
const libs = typeof found === 'string' ? found : '';
const skipTools = typeof found === 'string' ? false : found.missing;
const skipKcat = spawnSync('kcat', ['-V']).status === 0 ? false : 'there is no kcat';
const deadline = { timeout: 300_000 };
/** Each test has topics and groups of its own, and mostly waits for JVMs to start. */
const together = { concurrency: 3, ...deadline };

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start({ brokers: 3 });
});
after(() => cluster.close());

/** A topic of this test alone. */
function newTopic(partitions = 3): string {
  const topic = `tools-${randomUUID()}`;
  cluster.createTopic(topic, partitions);
  return topic;
}

async function tool(name: string, args: readonly string[], input = ''): Promise<string> {
  const servers = ['--bootstrap-server', cluster.bootstrapServers.join(',')];
  const result = await runJvmTool(libs, defaultKafkaVersion, name, [...servers, ...args], { input });
  assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

/** `timeoutMs` only ends what hangs. */
async function kcat(args: readonly string[], input = '', timeoutMs = 120_000): Promise<string> {
  const child = spawn('kcat', ['-b', cluster.bootstrapServers.join(','), ...args], { timeout: timeoutMs });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  assert.equal(code, 0, stderr);
  return stdout;
}

const lines = (text: string): string[] => text.trim().split('\n').sort();

describe("Kafka's tools on TestCluster", { skip: skipTools, ...together }, () => {
  it('console-producer writes what console-consumer reads, alone and in a group', async () => {
    const topic = newTopic();
    const rows = Array.from({ length: 20 }, (_, index) => `key-${index}:value-${index}`);
    await tool(
      'console-producer',
      ['--topic', topic, '--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:'],
      `${rows.join('\n')}\n`,
    );
    const written = (await cluster.records(topic)).map(({ key, value }) => `${String(key)}:${String(value)}`);
    assert.deepEqual(written.sort(), [...rows].sort());
    const format = ['--formatter-property', 'print.key=true', '--formatter-property', 'key.separator=:'];
    const reading = ['--topic', topic, '--from-beginning', '--max-messages', '20', '--timeout-ms', '60000', ...format];
    assert.deepEqual(lines(await tool('console-consumer', reading)), [...rows].sort());
    const group = `group-${randomUUID()}`;
    assert.deepEqual(lines(await tool('console-consumer', [...reading, '--group', group])), [...rows].sort());
    const committed = await tool('consumer-groups', ['--describe', '--group', group]);
    const lags = committed.split('\n').filter((line) => line.includes(topic));
    assert.equal(lags.length, 3, committed);
    assert.ok(
      lags.every((line) => / 0 +/.test(line)),
      committed,
    );
  });

  it('console-consumer reads committed records only, compressed or not', async () => {
    const topic = newTopic(1);
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
    await Promise.all(
      codecs.map((codec) => tool('console-producer', ['--topic', topic, '--compression-codec', codec], `${codec}\n`)),
    );
    const isolation = ['--isolation-level', 'read_committed', '--timeout-ms', '60000'];
    const read = await tool('console-consumer', [
      '--topic',
      topic,
      '--from-beginning',
      '--max-messages',
      '5',
      ...isolation,
    ]);
    assert.deepEqual(lines(read), ['gzip', 'lz4', 'none', 'snappy', 'zstd']);
  });

  it('console-share-consumer reads a topic as a queue, and share-groups tells, sets and deletes where the group stands', async () => {
    const topic = newTopic(1);
    const group = `share-${randomUUID()}`;
    await tool('configs', ['--alter', '--group', group, '--add-config', 'share.auto.offset.reset=earliest']);
    const values = ['a', 'b', 'c', 'd', 'e'];
    await cluster.append(
      topic,
      values.map((value) => ({ value })),
    );
    const read = (count: number): Promise<string> =>
      tool('console-share-consumer', [
        ...['--topic', topic, '--group', group, '--max-messages', String(count), '--timeout-ms', '60000'],
      ]);
    assert.deepEqual(lines(await read(5)), values);
    await cluster.waitForGroup(group, { members: 0, lag: 0 });
    const ofGroup = ['--group', group];
    assert.match(await tool('share-groups', ['--list', '--state']), new RegExp(`${group} +Empty`));
    await tool('share-groups', ['--reset-offsets', '--to-earliest', '--execute', ...ofGroup, '--topic', topic]);
    await cluster.waitForGroup(group, { lag: 5 });
    const told = await tool('share-groups', ['--describe', '--offsets', ...ofGroup]);
    assert.match(told, new RegExp(`${group} +${topic} +0 +0 +5`));
    assert.deepEqual(lines(await read(5)), values);
    await tool('share-groups', ['--delete-offsets', ...ofGroup, '--topic', topic]);
    await tool('share-groups', ['--delete', ...ofGroup]);
    assert.ok(!(await tool('share-groups', ['--list'])).includes(group));
  });

  it('producer-performance and consumer-performance move 50,000 records', async () => {
    const topic = newTopic();
    const [count, size] = ['50000', '100'];
    const producing = ['--topic', topic, '--num-records', count, '--record-size', size, '--throughput', '-1'];
    const produced = await tool('org.apache.kafka.tools.ProducerPerformance', producing);
    assert.match(produced, /50000 records sent/);
    const ends = [0, 1, 2].map((partition) => Number(cluster.partition(topic, partition).endOffset));
    assert.equal(
      ends.reduce((sum, end) => sum + end),
      50_000,
    );
    const consuming = ['--topic', topic, '--num-records', count, '--timeout', '60000'];
    const consumed = await tool('org.apache.kafka.tools.ConsumerPerformance', consuming);
    assert.match(consumed, /(^|, )50000,/m);
  });

  it('get-offsets and delete-records see and move the ends of a log', async () => {
    const topic = newTopic(1);
    await cluster.append(topic, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
    assert.match(await tool('get-offsets', ['--topic', topic, '--time', 'latest']), new RegExp(`${topic}:0:3`));
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'kavka-')), 'offsets.json');
    writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 2 }] }));
    await tool('delete-records', ['--offset-json-file', file]);
    rmSync(path.dirname(file), { recursive: true });
    assert.match(await tool('get-offsets', ['--topic', topic, '--time', 'earliest']), new RegExp(`${topic}:0:2`));
  });
});

describe('kcat on TestCluster', { skip: skipKcat, ...deadline }, () => {
  it('lists, produces, asks for offsets, and consumes alone and in a group', async () => {
    const topic = newTopic();
    assert.match(await kcat(['-L', '-t', topic]), /3 brokers:[^]*3 partitions:/);
    const rows = Array.from({ length: 30 }, (_, index) => `k${index}:v${index}`);
    const producing = ['-P', '-t', topic, '-K:'];
    await kcat([...producing, '-z', 'lz4'], `${rows.slice(0, 10).join('\n')}\n`);
    await kcat([...producing, '-z', 'zstd', '-X', 'enable.idempotence=true'], `${rows.slice(10, 20).join('\n')}\n`);
    await kcat([...producing, '-X', 'acks=1'], `${rows.slice(20).join('\n')}\n`);
    const end = await kcat(['-Q', '-t', `${topic}:0:-1`]);
    assert.match(end, new RegExp(`${topic} \\[0\\] offset ${cluster.partition(topic, 0).endOffset}`));
    const reading = ['-o', 'beginning', '-e', '-q', '-K:', '-X', 'check.crcs=true'];
    assert.deepEqual(lines(await kcat(['-C', '-t', topic, ...reading])), [...rows].sort());
    const group = ['-G', `group-${randomUUID()}`, '-X', 'auto.offset.reset=earliest', '-e', '-q', '-K:', topic];
    assert.deepEqual(lines(await kcat(group)), [...rows].sort());
  });
});

describe("Kafka's tools for administration on TestCluster", { skip: skipTools, ...together }, () => {
  it('topics creates, describes, alters, lists and deletes', async () => {
    const topic = `tools-${randomUUID()}`;
    const named = ['--topic', topic];
    const sizes = ['--partitions', '4', '--replication-factor', '3', '--config', 'retention.ms=1234'];
    await tool('topics', ['--create', ...named, ...sizes]);
    assert.equal(cluster.partition(topic, 3).replicas.length, 3);
    await tool('topics', ['--alter', ...named, '--partitions', '6']);
    const described = await tool('topics', ['--describe', ...named]);
    assert.match(described, /PartitionCount: 6\s+ReplicationFactor: 3\s+Configs: .*retention\.ms=1234/);
    assert.equal(described.match(/Leader: [123]\s+Replicas: /g)?.length, 6, described);
    assert.ok(lines(await tool('topics', ['--list'])).includes(topic));
    await tool('topics', ['--delete', ...named]);
    assert.ok(!cluster.topics.includes(topic));
  });

  it('configs sets, describes and takes back settings and users', async () => {
    const topic = newTopic(1);
    const ofTopic = ['--entity-type', 'topics', '--entity-name', topic];
    await tool('configs', ['--alter', ...ofTopic, '--add-config', 'cleanup.policy=[compact,delete],segment.ms=5000']);
    const described = await tool('configs', ['--describe', ...ofTopic]);
    assert.match(described, /cleanup\.policy=compact,delete/);
    assert.match(described, /segment\.ms=5000/);
    await tool('configs', ['--alter', ...ofTopic, '--delete-config', 'segment.ms']);
    assert.doesNotMatch(await tool('configs', ['--describe', ...ofTopic]), /segment\.ms/);
    const ofUser = ['--entity-type', 'users', '--entity-name', 'jay'];
    await tool('configs', ['--alter', ...ofUser, '--add-config', 'producer_byte_rate=1024']);
    assert.match(await tool('configs', ['--describe', ...ofUser]), /producer_byte_rate=1024/);
  });

  it('acls adds, lists and removes rules of access', async (test) => {
    const guarded = await TestCluster.start({ authorizer: { superUsers: ['User:ANONYMOUS'] } });
    test.after(() => guarded.close());
    const acls = async (...args: string[]): Promise<string> => {
      const all = ['--bootstrap-server', guarded.bootstrapServers.join(','), ...args];
      const result = await runJvmTool(libs, defaultKafkaVersion, 'acls', all, {});
      assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
      return result.stdout;
    };
    const rule = ['--allow-principal', 'User:jay', '--operation', 'Read', '--topic', 'orders'];
    await acls('--add', ...rule);
    assert.match(
      await acls('--list', '--topic', 'orders'),
      /principal=User:jay, host=\*, operation=READ, permissionType=ALLOW/,
    );
    await acls('--remove', '--force', ...rule);
    assert.doesNotMatch(await acls('--list'), /User:jay/);
  });
});
