import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Kafka, string } from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const version = process.env['COPY_VERSION'];
const brokers = await kafkaUnderTest({
  brokers: 3,
  needs: ['control', 'tools'],
  ...(version === undefined ? {} : { version }),
});
const total = Number(process.env['COPIED_RECORDS'] ?? 10_000);
const rounds = Number(process.env['COPY_ROUNDS'] ?? 1);
const recordsPerTransaction = 750;
const partitions = [0, 1, 2];
const patienceMs = 180_000;
const script = fileURLToPath(new URL('../../support/copier.ts', import.meta.url));

/** A copier process that is started again when it was ended, or ended itself. */
class Copier {
  readonly #work: Record<string, unknown>;
  #child: ChildProcess | undefined;
  transactions = 0;
  aborts = 0;
  starts = 0;
  readonly problems: string[] = [];

  constructor(work: Record<string, unknown>) {
    this.#work = work;
  }

  start(): void {
    this.starts++;
    const child = spawn(process.execPath, [script, JSON.stringify(this.#work)], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes('aborted')) this.aborts++;
      else this.transactions++;
      if (process.env['COPY_VERBOSE'] !== undefined)
        console.error(new Date().toISOString(), this.#work['transactionalId'], line);
    });
    child.once('exit', (code) => {
      if (code !== 0 && code !== null) this.problems.push(`ended with ${code}: ${errors}`);
    });
  }

  /** Ends the process, at once or as it is asked to, and starts the next one. */
  async bounce(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.stop(signal);
    this.start();
  }

  async stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

describe('A copy in transactions', { skip: brokers.skip }, () => {
  after(() => brokers.restore());

  it(`of ${total} records is exactly once while brokers and copiers are bounced, hard and cleanly, ${rounds * 4} times`, async () => {
    const kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    const name = `copy-${randomUUID()}`;
    const [from, to] = [`${name}-in`, `${name}-out`];
    const configs = { 'min.insync.replicas': '2' };
    await kafka
      .admin()
      .createTopics(
        [from, to].map((topic) => ({ topic, partitions: partitions.length, replicationFactor: 3, configs })),
      );

    const seen = new Map<string, number>();
    /** By the partition that they were copied from: its records have one key, and so go to one partition. */
    const order: number[][] = partitions.map(() => []);
    const reader = kafka.consumer({ value: string, isolationLevel: 'read_committed', autoOffsetReset: 'earliest' });
    reader.assign(partitions.map((partition) => ({ topic: to, partition })));
    const reading = (async () => {
      for await (const { value } of reader) {
        seen.set(value ?? '', (seen.get(value ?? '') ?? 0) + 1);
        order[Number(value) % partitions.length]?.push(Number(value));
      }
    })();

    const work = { bootstrapServers: brokers.bootstrapServers, from, to, groupId: name, recordsPerTransaction };
    const copiers = ['a', 'b'].map((each) => new Copier({ ...work, transactionalId: `${name}-${each}` }));
    const [first, second] = copiers;
    assert.ok(first !== undefined && second !== undefined);
    for (const copier of copiers) copier.start();

    const bounces = [
      () => first.bounce('SIGKILL'),
      async () => {
        await brokers.kill(victim);
        await brokers.start(victim);
      },
      () => second.bounce('SIGTERM'),
      async () => {
        await brokers.stop(victim);
        await brokers.start(victim);
      },
    ];
    let victim = brokers.brokerIds[0] ?? 1;
    const feeder = kafka.producer();
    const chunks = bounces.length * rounds + 1;
    const report: string[] = [];
    const beganMs = performance.now();
    let fed = 0;
    const feed = async (upTo: number): Promise<void> => {
      const records = Array.from({ length: upTo - fed }, (_, at) => fed + at);
      fed = upTo;
      await feeder.send(
        records.map((number) => ({
          topic: from,
          partition: number % partitions.length,
          key: `k${number % 3}`,
          value: String(number),
        })),
      );
    };
    try {
      for (let chunk = 0; chunk < chunks; chunk++) {
        const [begin, end] = [fed, Math.round((total * (chunk + 1)) / chunks)];
        const fedNow = feed(end);
        const bounce = bounces[chunk % bounces.length];
        if (chunk > 0 && bounce !== undefined) {
          victim = brokers.brokerIds[chunk % brokers.brokerIds.length] ?? 1;
          await eventually(() => seen.size > begin + (end - begin) / 5, 'a fifth of the next part', patienceMs);
          const before = seen.size;
          await bounce();
          report.push(`${before} to ${seen.size} of ${end} (${Math.round((performance.now() - beganMs) / 1000)} s)`);
        }
        await fedNow;
        await eventually(() => seen.size >= end, `all ${end} records that were fed`, patienceMs);
      }
    } finally {
      await Promise.all(copiers.map((copier) => copier.stop('SIGTERM')));
    }
    await reader.close();
    await reading;

    assert.equal(seen.size, total);
    assert.deepEqual([...seen].filter(([, times]) => times !== 1).slice(0, 5), [], 'no record is seen twice');
    for (const [partition, numbers] of order.entries()) {
      const expected = Array.from({ length: total }, (_, at) => at).filter(
        (at) => at % partitions.length === partition,
      );
      assert.deepEqual(numbers, expected, `the order of partition ${partition} that was copied`);
    }
    const java = await brokers.tool(
      'console-consumer',
      [
        ...['--bootstrap-server', '{bootstrap}', '--topic', to, '--from-beginning'],
        ...['--isolation-level', 'read_committed', '--timeout-ms', '10000'],
      ],
      { timeoutMs: 300_000 },
    );
    const javas = java.stdout.split('\n').filter((line) => line !== '');
    assert.equal(javas.length, total, 'Java sees as many');
    assert.deepEqual(new Set(javas), new Set(seen.keys()));

    const transactions = copiers.reduce((sum, copier) => sum + copier.transactions, 0);
    const aborts = copiers.reduce((sum, copier) => sum + copier.aborts, 0);
    assert.deepEqual(
      copiers.flatMap((copier) => copier.problems),
      [],
    );
    assert.equal(first.starts, rounds + 1);
    assert.equal(second.starts, rounds + 1);
    assert.ok(transactions >= total / recordsPerTransaction - rounds * 2);
    console.log(
      `${total} records, ${transactions} transactions told of, ${aborts} aborted; seen when bounced: ${report.join('; ')}`,
    );
    await kafka.close();
  });
});
