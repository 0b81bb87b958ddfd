import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Kafka } from '../../src/index.ts';
import { kavkaProgram } from '../support/cli/kavka-program.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1, needs: ['tools'] });
/** Kafka's own tool for measuring. */
const performance = 'org.apache.kafka.tools.ProducerPerformance';
const deadline = { timeout: 300_000 };

interface Measured {
  readonly records: number;
  readonly bytes: number;
  readonly recordsPerSecond: number;
  readonly latencyMs: Readonly<Record<string, number>>;
  readonly acknowledgedLatencyMs: Readonly<Record<string, number>>;
  readonly consumedLatencyMs: Readonly<Record<string, number>>;
  readonly isInterrupted: boolean;
}

describe('kavka perf, counted by the broker', { skip: broker.skip }, () => {
  let kafka: Kafka;
  let kavka: ReturnType<typeof kavkaProgram>;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    kavka = kavkaProgram(broker.bootstrapServers);
  });
  after(() => kafka.close());

  async function newTopic(partitions = 3): Promise<string> {
    const topic = `cli-perf-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    return topic;
  }

  /** How many records there are, by the ends of all partitions. */
  async function counted(topic: string): Promise<number> {
    const { partitions } = await kafka.admin().describeTopics(topic);
    const ends = await kafka
      .admin()
      .listOffsets(partitions.map(({ partition }) => ({ topic, partition, at: 'latest' as const })));
    return ends.reduce((sum, { offset }) => sum + Number(offset), 0);
  }

  async function json(...args: readonly string[]): Promise<Measured> {
    const { code, stdout, stderr } = await kavka('perf', ...args);
    assert.deepEqual([code, stderr], [0, ''], stdout);
    return JSON.parse(stdout) as Measured;
  }

  const productions: readonly (readonly [what: string, ...args: string[]])[] = [
    ['100,000 small records', '--records', '100000', '--keys', '50'],
    ['large records, compressed', '--records', '500', '--size', '100000', '--compression', 'zstd'],
    ['records that only their leader has', '--records', '20000', '--acks', '1', '--compression', 'lz4'],
    ['records at a rate', '--seconds', '2', '--rate', '1000'],
  ];
  for (const [what, ...args] of productions) {
    it(`sends ${what}: as many as it says`, deadline, async () => {
      const topic = await newTopic();
      const { records, recordsPerSecond } = await json('produce', topic, ...args);
      assert.equal(await counted(topic), records);
      if (args.includes('--rate')) assert.ok(Math.abs(recordsPerSecond - 1000) < 100, `${recordsPerSecond}`);
      else assert.equal(records, Number(args[1]));
    });
  }

  it('reads as many records and bytes as there are, also in a group', deadline, async () => {
    const topic = await newTopic();
    const sent = await json('produce', topic, '--records', '50000', '--keys', '1000', '--compression', 'gzip');
    for (const group of [[], ['--group', topic]]) {
      const { records, bytes } = await json('consume', topic, ...group);
      assert.deepEqual([records, bytes], [50_000, sent.bytes]);
    }
    const committed = await kafka.admin().listGroupOffsets(topic);
    assert.equal(
      committed.reduce((sum, { offset }) => sum + Number(offset), 0),
      50_000,
    );
    assert.equal((await json('consume', topic, '--records', '777')).records, 777);
  });

  it("reads what Kafka's own tool has sent", deadline, async () => {
    const topic = await newTopic(1);
    const server = broker.version.startsWith('3.')
      ? ['--producer-props', 'bootstrap.servers={bootstrap}']
      : ['--bootstrap-server', '{bootstrap}'];
    const size = ['--record-size', '200', '--throughput', '-1', '--num-records', '3000'];
    const { code, stdout, stderr } = await broker.tool(performance, ['--topic', topic, ...size, ...server], {});
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    const { records, bytes } = await json('consume', topic);
    assert.deepEqual([records, bytes], [3000, 600_000]);
  });

  it('sees each record come through to a consumer', deadline, async () => {
    const topic = await newTopic();
    const { records, acknowledgedLatencyMs, consumedLatencyMs } = await json('latency', topic, '--records', '200');
    assert.equal(records, 200);
    // One more opens the connections.
    assert.equal(await counted(topic), 201);
    for (const { p50 = 0, max = 0 } of [acknowledgedLatencyMs, consumedLatencyMs]) assert.ok(p50 > 0 && p50 <= max);
  });

  it('says at Ctrl-C what was done until then', deadline, async () => {
    const topic = await newTopic();
    const args = [...process.execArgv, new URL('../../src/cli/main.ts', import.meta.url).pathname];
    const env = { ...process.env, KAFKA_BOOTSTRAP: broker.bootstrapServers.join(',') };
    const ended = new Promise<{ readonly stdout: string; readonly code: number | null }>((resolve) => {
      const child = execFile(
        process.execPath,
        [...args, 'perf', 'produce', topic, '--seconds', '100'],
        { env },
        (_error, stdout) => resolve({ stdout, code: child.exitCode }),
      );
      void eventually(async () => (await counted(topic)) > 0).then(() => child.kill('SIGINT'));
    });
    const { stdout, code } = await ended;
    assert.equal(code, 0);
    const { records, isInterrupted } = JSON.parse(stdout) as Measured;
    assert.equal(isInterrupted, true);
    assert.equal(await counted(topic), records);
  });
});
