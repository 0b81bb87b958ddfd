import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { installPeers } from '../../benchmarks/install-peers.ts';
import { loadPeer } from '../../benchmarks/contenders/peer.ts';
import { TestCluster } from '../../src/testing/index.ts';
import { eventually } from '../support/eventually.ts';
import { javaArguments, kafkaJars } from '../support/kafka/jars.ts';
import { defaultKafkaVersion } from '../support/kafka/options.ts';

const deadline = { timeout: 400_000 };
const patienceMs = 120_000;
const partitions = [0, 1, 2] as const;

interface KafkaJsTransaction {
  send(record: { topic: string; messages: readonly { value: string; partition: number }[] }): Promise<unknown>;
  sendOffsets(offsets: {
    consumerGroupId: string;
    topics: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[];
  }): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}
interface KafkaJs {
  readonly Kafka: new (options: object) => {
    producer(options: object): {
      connect(): Promise<void>;
      transaction(): Promise<KafkaJsTransaction>;
      disconnect(): Promise<void>;
    };
    consumer(options: object): {
      connect(): Promise<void>;
      subscribe(options: object): Promise<void>;
      run(options: {
        autoCommit?: boolean;
        eachMessage(payload: { message: { value: Buffer | null } }): Promise<void>;
      }): Promise<void>;
      disconnect(): Promise<void>;
    };
    admin(): {
      connect(): Promise<void>;
      fetchOffsets(options: {
        groupId: string;
        topics: readonly string[];
      }): Promise<{ partitions: { partition: number; offset: string }[] }[]>;
      disconnect(): Promise<void>;
    };
  };
}

/** kafkajs, or why it is not there. */
async function kafkaJs(): Promise<KafkaJs | { readonly missing: string }> {
  try {
    await installPeers();
    return loadPeer('kafkajs') as KafkaJs;
  } catch (error) {
    return { missing: `kafkajs could not be installed: ${error instanceof Error ? error.message : String(error)}` };
  }
}

// Above all suites: where one is waited for between two of them, what cleans up may run after the first.
const peer = await kafkaJs();

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.start({ brokers: 3 });
});
after(() => cluster.close());

/** What readers of committed records see, partition by partition. */
async function committed(topic: string): Promise<string[][]> {
  const records = await cluster.records(topic, { isolationLevel: 'read_committed' });
  return partitions.map((partition) =>
    records.filter((record) => record.partition === partition).map(({ value }) => String(value)),
  );
}

function makeTopic(prefix: string): string {
  const topic = `${prefix}-${randomUUID()}`;
  cluster.createTopic(topic, { partitions: partitions.length, replicationFactor: 3 });
  return topic;
}

async function fill(topic: string, from: number, count: number): Promise<string[][]> {
  const rows = partitions.map((partition) =>
    Array.from({ length: count }, (_, index) => `${partition}-${from + index}`),
  );
  for (const partition of partitions)
    await cluster.append(
      topic,
      (rows[partition] ?? []).map((value) => ({ partition, key: 'k', value })),
    );
  return rows;
}

/** Java with Kafka's jars, or why there is none. */
function java(): string | { readonly missing: string } {
  try {
    if (spawnSync('java', ['-version']).status !== 0) return { missing: 'there is no Java' };
    return kafkaJars(defaultKafkaVersion, () => undefined);
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

const libs = java();
const program = path.join(import.meta.dirname, '../support/java/TransactionalCopy.java');

/** A copier in a JVM, and what it said. */
class JavaCopier {
  readonly lines: string[] = [];
  errors = '';
  readonly #child: ChildProcess;

  constructor(input: string, output: string, group: string, transactionalId: string) {
    const jars = typeof libs === 'string' ? libs : '';
    const names = [cluster.bootstrapServers.join(','), input, output, group, transactionalId];
    this.#child = spawn('java', [...javaArguments(jars, '256m', 'error'), program, ...names]);
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('the copier has no output');
    createInterface({ input: stdout }).on('line', (line) => this.lines.push(line));
    stderr.on('data', (chunk: Buffer) => (this.errors = (this.errors + chunk.toString()).slice(-20_000)));
  }

  count(word: string): number {
    return this.lines.filter((line) => line.startsWith(word)).length;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async stop(): Promise<number | null> {
    if (!this.hasEnded) {
      const exit = once(this.#child, 'exit');
      this.#child.stdin?.end();
      await exit;
    }
    return this.#child.exitCode;
  }

  async kill(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

describe(
  'A transactional copy by Kafka’s Java client on TestCluster',
  {
    skip: typeof libs === 'string' ? false : libs.missing,
    ...deadline,
  },
  () => {
    it('copies each record once and in order, through aborts, a lost broker, a moved coordinator and a killed copier', async () => {
      const [input, output] = [makeTopic('java-in'), makeTopic('java-out')];
      const group = `copy-${randomUUID()}`;
      const expected = await fill(input, 0, 300);
      const copiers = [1, 2].map((number) => new JavaCopier(input, output, group, `${group}-${number}`));
      const [first, second] = copiers;
      assert.ok(first !== undefined && second !== undefined);
      const said = (): string => copiers.map(({ lines, errors }) => `${lines.join('\n')}\n${errors}`).join('\n--\n');
      const copied = async (rows: readonly (readonly string[])[], what: string): Promise<void> => {
        await eventually(
          async () => {
            assert.ok(
              copiers.every((copier) => !copier.hasEnded),
              `a copier has ended\n${said()}`,
            );
            const counts = (await committed(output)).map(({ length }) => length);
            return partitions.every((partition) => (counts[partition] ?? 0) >= (rows[partition]?.length ?? 0));
          },
          what,
          patienceMs,
        );
      };
      const more = async (from: number): Promise<void> => {
        const rows = await fill(input, from, 300);
        for (const partition of partitions) expected[partition]?.push(...(rows[partition] ?? []));
      };
      try {
        await copied(expected, 'the first records');

        const coordinator = cluster.coordinator('transaction', `${group}-1`) ?? 1;
        cluster.moveCoordinator('transaction', `${group}-1`, (coordinator % 3) + 1);
        await more(300);
        await copied(expected, 'what came after the coordinator had moved');

        await more(600);
        const lost = cluster.coordinator('group', group) ?? 1;
        const before = copiers.map((copier) => copier.count('committed'));
        await cluster.kill(lost);
        await eventually(
          () => copiers.some((copier, index) => copier.count('committed') > (before[index] ?? 0)),
          'a transaction without the broker',
          patienceMs,
        );
        await cluster.start(lost);
        await copied(expected, 'what came while a broker was away');

        await more(900);
        await second.kill();
        copiers[1] = new JavaCopier(input, output, group, `${group}-2`);
        await copied(expected, 'what came after a copier had been killed');
        for (const copier of copiers) assert.equal(await copier.stop(), 0, said());
      } finally {
        for (const copier of copiers) if (!copier.hasEnded) await copier.kill();
      }
      assert.deepEqual(await committed(output), expected);
      assert.ok(
        copiers.reduce((sum, copier) => sum + copier.count('aborted'), 0) > 0,
        'some transactions were aborted',
      );
      const all = await cluster.records(output);
      assert.ok(all.length > expected.flat().length, 'aborted records are there for readers of everything');
    });
  },
);

describe('kafkajs on TestCluster', { skip: 'missing' in peer ? peer.missing : false, ...deadline }, () => {
  it('commits and aborts transactions with offsets; its consumer reads what was committed', async () => {
    assert.ok('Kafka' in peer);
    const [input, output] = [makeTopic('js-in'), makeTopic('js-out')];
    const group = `js-${randomUUID()}`;
    const kafka = new peer.Kafka({ clientId: 'kafkajs', brokers: cluster.bootstrapServers, logLevel: 0 });
    const transactionalId = `tx-${group}`;
    const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const expected: string[] = [];
    for (let round = 0; round < 8; round++) {
      const keep = round % 2 === 0;
      const transaction = await producer.transaction();
      const values = partitions.map((partition) => ({ partition, value: `${keep ? 'kept' : 'dropped'} ${round}` }));
      await transaction.send({ topic: output, messages: values });
      const offsets = partitions.map((partition) => ({ partition, offset: String(round + 1) }));
      await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic: input, partitions: offsets }] });
      await (keep ? transaction.commit() : transaction.abort());
      if (keep) expected.push(...values.map(({ value }) => value));
    }
    await producer.disconnect();
    assert.deepEqual((await committed(output)).flat().toSorted(), expected.toSorted());

    const admin = kafka.admin();
    await admin.connect();
    const [stored] = await admin.fetchOffsets({ groupId: group, topics: [input] });
    assert.deepEqual(
      stored?.partitions.map(({ offset }) => offset),
      ['7', '7', '7'],
    );
    await admin.disconnect();

    const consumer = kafka.consumer({ groupId: `${group}-reader`, readUncommitted: false });
    await consumer.connect();
    await consumer.subscribe({ topics: [output], fromBeginning: true });
    const read: string[] = [];
    await consumer.run({
      eachMessage: async ({ message }) => {
        read.push(String(message.value));
      },
    });
    await eventually(() => read.length >= expected.length, 'kafkajs to read what was committed', patienceMs);
    await consumer.disconnect();
    assert.deepEqual(read.toSorted(), expected.toSorted());
  });
});
