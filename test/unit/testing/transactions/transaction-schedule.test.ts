import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { admitBroker, lead, withdrawBroker } from '../../../../src/testing/state/leadership.ts';
import { TransactionCoordinator } from '../../../../src/testing/transactions/transaction-coordinator.ts';
import { seededRandom } from '../../../support/seeded-random.ts';
import { AskedCluster } from '../asked-cluster.ts';
import { AskedProducer, readPartition } from './asked-producer.ts';

const partitions = [
  { topic: 'a', partition: 0 },
  { topic: 'a', partition: 1 },
  { topic: 'b', partition: 0 },
] as const;

/** A producer that runs transactions as chance wants, and what it was told of each. */
class Worker {
  readonly producer: AskedProducer;
  readonly committed = new Set<string>();
  readonly written = new Set<string>();
  readonly ends: string[] = [];
  readonly #rules: 1 | 2;
  readonly #random: () => number;
  #open: string[] = [];
  #count = 0;
  #isReady = false;

  constructor(producer: AskedProducer, rules: 1 | 2, random: () => number) {
    this.producer = producer;
    this.#rules = rules;
    this.#random = random;
  }

  async step(): Promise<void> {
    if (!this.#isReady) {
      this.#open = [];
      this.#isReady = (await this.producer.init(5_000)) === 'NONE';
      return;
    }
    const chance = this.#random();
    if (chance < 0.65) await this.#write();
    else if (chance < 0.95) await this.#end(this.#random() < 0.6);
    else this.#isReady = false; // a new producer takes over, whatever the old one has left open
  }

  async #write(): Promise<void> {
    const place = partitions[Math.floor(this.#random() * partitions.length)] ?? partitions[0];
    const { topic, partition } = place;
    if (this.#rules === 1 && !this.#isGood(await this.producer.add(topic, partition))) return;
    const value = `${this.producer.transactionalId}-${this.#count++}`;
    const version = this.#rules === 1 ? 11 : 12;
    const answer = await this.producer.produce(topic, partition, value, version);
    if (!this.#isGood(answer)) return;
    this.written.add(value);
    this.#open.push(value);
  }

  async #end(committed: boolean): Promise<void> {
    if (this.#open.length === 0) return;
    const { producerId, producerEpoch } = this.producer;
    const answer = await this.producer.end(committed, this.#rules === 1 ? 4 : 5);
    if (!this.#isGood(answer)) return;
    if (committed) for (const value of this.#open) this.committed.add(value);
    this.ends.push(`${producerId}/${producerEpoch}`);
    this.#open = [];
  }

  /** Passing errors leave things as they are; everything else ends this producer. */
  #isGood(answer: string): boolean {
    if (answer === 'NONE') return true;
    if (!passing.has(answer)) this.#isReady = false;
    return false;
  }
}

const passing = new Set([
  'CONCURRENT_TRANSACTIONS',
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'LEADER_NOT_AVAILABLE',
  'NOT_ENOUGH_REPLICAS',
  'NOT_LEADER_OR_FOLLOWER',
]);

interface Run {
  readonly committed: number;
  readonly aborted: number;
  readonly delayed: number;
  readonly timedOut: number;
}

/** One schedule: three producers, three brokers that come and go, leaders that move, time that passes. */
async function run(seed: number): Promise<Run> {
  const random = seededRandom(seed);
  const cluster = new AskedCluster({ brokers: 3, seed });
  cluster.topic('a', 2, 2);
  cluster.topic('b', 1, 1);
  const workers = ([1, 2, 2] as const).map(
    (rules, index) => new Worker(new AskedProducer(cluster, `w${index}`), rules, random),
  );
  const { state } = cluster;
  let delayed = 0;
  let timedOut = 0;
  const check = async (): Promise<void> => {
    const all = await Promise.all(workers.map(({ producer }) => producer.describe()));
    delayed += all.filter((each) => each.startsWith('Prepare')).length;
    // Before the end, too: nothing is ever visible that was not committed.
    const committed = new Set(workers.flatMap((worker) => [...worker.committed]));
    for (const { topic, partition } of partitions)
      for (const value of readPartition(cluster, topic, partition).committed) assert.ok(committed.has(value), value);
  };
  for (let step = 0; step < 250; step++) {
    const chance = random();
    if (chance < 0.85) {
      await workers[Math.floor(random() * workers.length)]?.step();
    } else if (chance < 0.92) {
      const broker = state.brokers.get(1 + Math.floor(random() * 3));
      const others = state.runningBrokers().filter((each) => each !== broker);
      if (broker?.isRunning === false) admitBroker(state, broker);
      else if (broker !== undefined && others.length > 0) withdrawBroker(state, broker);
    } else if (chance < 0.97) {
      const { topic, partition } = partitions[Math.floor(random() * partitions.length)] ?? partitions[0];
      const found = state.partition(topic, partition);
      const next = found?.isr.find((id) => id !== found.leaderId);
      if (found !== undefined && next !== undefined) lead(state, found, next);
    } else {
      const before = await Promise.all(workers.map(({ producer }) => producer.describe()));
      await cluster.clock.advance(Math.floor(random() * 6_000));
      const after = await Promise.all(workers.map(({ producer }) => producer.describe()));
      timedOut += before.filter((each, at) => each.startsWith('Ongoing') && after[at]?.includes('Abort')).length;
    }
    await check();
  }
  for (const broker of state.brokers.values()) if (!broker.isRunning) admitBroker(state, broker);
  await cluster.clock.advance(10_000);
  await check();

  const committed = workers.flatMap((worker) => [...worker.committed]);
  const visible = partitions.flatMap(({ topic, partition }) => readPartition(cluster, topic, partition).committed);
  assert.deepEqual(
    visible.toSorted(),
    committed.toSorted(),
    'all of what was committed is visible, once, and nothing else',
  );
  for (const transaction of state.service(TransactionCoordinator).snapshot().transactions) {
    assert.match(transaction.state, /^Complete|^Empty/);
    assert.deepEqual(transaction.partitions, []);
  }
  for (const { topic, partition } of partitions) {
    const log = state.partition(topic, partition)?.log;
    assert.equal(log?.ongoingTransactions.size, 0);
    assert.equal(log.lastStableOffset, log.highWatermark);
  }
  checkEpochs(cluster, workers);
  const written = workers.reduce((sum, worker) => sum + worker.written.size, 0);
  return { committed: committed.length, aborted: written - committed.length, delayed, timedOut };
}

/** With KIP-890's second part each epoch ends one transaction: its end is answered once, and a partition gets one marker of it. */
function checkEpochs(cluster: AskedCluster, workers: readonly Worker[]): void {
  for (const worker of workers.slice(1))
    assert.equal(new Set(worker.ends).size, worker.ends.length, 'an epoch has ended twice');
  const old = new Set(workers[0]?.ends.map((end) => end.split('/')[0]));
  for (const { topic, partition } of partitions) {
    const { markers } = readPartition(cluster, topic, partition);
    const raised = markers.map((marker) => marker.split(' ')[1] ?? '').filter((who) => !old.has(who.split('/')[0]));
    assert.equal(new Set(raised).size, raised.length, 'two markers of one epoch');
  }
}

describe('TransactionCoordinator in random schedules', () => {
  const seeds = process.env['SEED'] === undefined ? Array.from({ length: 12 }, (_, index) => index + 1) : [];
  const given =
    process.env['SEED'] === undefined ? [Math.floor(Math.random() * 2 ** 32)] : [Number(process.env['SEED'])];
  it('shows a transaction whole or not at all, ends each epoch once, and leaves nothing pending', async (test) => {
    const total = { committed: 0, aborted: 0, delayed: 0, timedOut: 0 };
    for (const seed of [...seeds, ...given]) {
      test.diagnostic(`SEED=${seed}`);
      const result = await run(seed);
      for (const name of ['committed', 'aborted', 'delayed', 'timedOut'] as const) total[name] += result[name];
    }
    test.diagnostic(JSON.stringify(total));
    if (process.env['SEED'] !== undefined) return;
    assert.ok(total.committed > 100 && total.aborted > 100, 'transactions of both kinds were run');
    assert.ok(total.delayed > 10, 'some markers had to wait for a leader');
    assert.ok(total.timedOut > 5, 'some transactions took too long');
  });
});
