import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { Kafka } from '../../../src/index.ts';
import { ShareObserver } from '../../support/consumer/share-progress.ts';
import { eventually } from '../../support/eventually.ts';
import { javaArguments, kafkaJars, requireCommand } from '../../support/kafka/jars.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
const total = Number(process.env['SHARE_JOBS'] ?? 4000);
/** In each, two processes are killed and two brokers bounced. */
const rounds = Number(process.env['SHARE_ROUNDS'] ?? 1);
const partitions = 3;
const deliveryLimit = 10;
const jobsAtOnce = 60;
/** However many it took until all were at work. */
const leastJobsPerFault = 300;
const patienceMs = 180_000;
const support = path.join(import.meta.dirname, '../../support');

/** The jars with Kafka's client, or why there is no Java to run. */
const libs = ((): string | { readonly missing: string } => {
  try {
    requireCommand('java', ['-version'], 'Java 17');
    return kafkaJars('4.3.1', () => undefined);
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
})();

/** What members tell of jobs, each named by its partition and offset. */
class Ledger {
  /** How often each was delivered. */
  readonly deliveries = new Map<string, number>();
  readonly done = new Set<string>();
  readonly accepted = new Set<string>();
  readonly refused = new Map<string, string>();

  get redelivered(): number {
    return [...this.deliveries.values()].filter((count) => count > 1).length;
  }

  get refusals(): string {
    const codes = new Map<string, number>();
    for (const code of this.refused.values()) codes.set(code, (codes.get(code) ?? 0) + 1);
    return [...codes].map(([code, count]) => `${code} ${count}`).join(', ');
  }

  get mostDeliveries(): number {
    return Math.max(...this.deliveries.values());
  }
}

/** A process with two members of the group. */
class WorkerProcess {
  readonly name: string;
  /** Jobs that it has begun and not done; those that it has done. */
  readonly inHand = new Set<string>();
  readonly done = new Set<string>();
  accepted = 0;
  errors = '';
  readonly #child: ChildProcess;
  readonly #ledger: Ledger;

  constructor(name: string, command: string, args: readonly string[], ledger: Ledger) {
    this.name = name;
    this.#ledger = ledger;
    this.#child = spawn(command, args);
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('the worker has no output');
    createInterface({ input: stdout }).on('line', (line) => this.#take(line));
    stderr.on('data', (chunk: Buffer) => (this.errors = (this.errors + chunk.toString()).slice(-4000)));
  }

  /** Without a word to anybody; answers with the jobs that it had in hand. */
  async kill(): Promise<number> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
    return this.inHand.size;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    if (this.name === 'java') this.#child.stdin?.end();
    else this.#child.kill('SIGTERM');
    await closed;
    assert.equal(this.#child.exitCode, 0, `${this.name} ended with ${this.#child.exitCode}: ${this.errors}`);
  }

  #take(line: string): void {
    const [word, partition = '', offsets = '', more = ''] = line.split(' ');
    const { deliveries, done, accepted, refused } = this.#ledger;
    for (const offset of offsets.split(',')) {
      const job = `${partition}-${offset}`;
      switch (word) {
        case 'begin':
          deliveries.set(job, Math.max(deliveries.get(job) ?? 0, Number(more)));
          this.inHand.add(job);
          break;
        case 'done':
          this.inHand.delete(job);
          this.done.add(job);
          done.add(job);
          break;
        case 'accept':
          this.accepted++;
          accepted.add(job);
          break;
        case 'refused':
          refused.set(job, more);
          break;
        case undefined:
        default:
          this.errors += `${line}\n`;
      }
    }
  }
}

describe('Jobs of a share group', { skip: brokers.skip || (typeof libs === 'string' ? false : libs.missing) }, () => {
  let kafka: Kafka;
  let observer: ShareObserver;
  before(() => {
    kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    observer = new ShareObserver(brokers.bootstrapServers);
  });
  after(async () => {
    await kafka.close();
    await observer[Symbol.asyncDispose]();
    await brokers.restore();
  });

  it(`are all done, ${total} of them by 12 members in 6 processes, two of them Java’s, while processes are killed and brokers bounced ${4 * rounds} times`, async (context) => {
    const [topic, groupId] = [`jobs-${randomUUID()}`, `jobs-${randomUUID()}`];
    const admin = kafka.admin();
    await admin.createTopics({ topic, partitions, replicationFactor: 3, configs: { 'min.insync.replicas': '2' } });
    await admin.incrementalAlterConfigs({
      type: 'group',
      name: groupId,
      set: {
        'share.auto.offset.reset': 'earliest',
        'share.record.lock.duration.ms': 5000,
        'share.delivery.count.limit': deliveryLimit,
        'share.session.timeout.ms': 5000,
      },
    });
    const ledger = new Ledger();
    const ways = [
      ['run', 'poll'],
      ['run', 'loop'],
      ['poll', 'loop'],
      ['run', 'run'],
      ['poll', 'run'],
    ] as const;
    const start = (index: number): WorkerProcess => {
      const members = ways[index];
      const { bootstrapServers } = brokers;
      if (members === undefined) {
        const program = path.join(support, 'java/ShareMembers.java');
        const jars = typeof libs === 'string' ? libs : '';
        const args = [
          ...javaArguments(jars, '128m', 'error'),
          program,
          bootstrapServers.join(','),
          groupId,
          topic,
          '2',
        ];
        return new WorkerProcess('java', 'java', args, ledger);
      }
      const work = { bootstrapServers, groupId, topic, members, jobMs: 5, failsOneOf: 50 };
      const script = path.join(support, 'consumer/share-worker.ts');
      return new WorkerProcess(members.join('+'), process.execPath, [script, JSON.stringify(work)], ledger);
    };
    const workers = [...ways, undefined].map((_, index) => start(index));
    const all = [...workers];
    const killed: WorkerProcess[] = [];
    const report: string[] = [];
    const beganMs = performance.now();
    const tell = (what: string): void => {
      report.push(`${what} (${ledger.done.size} done, ${Math.round((performance.now() - beganMs) / 1000)} s)`);
    };
    let bounces = 0;

    /** One that has jobs in hand, the next in turn first. */
    const killOne = async (first: number): Promise<void> => {
      const at = await eventually(
        () => {
          const turn = workers.map((_, index) => (first + index) % workers.length);
          const busy = turn.find((index) => (workers[index]?.inHand.size ?? 0) > 0);
          return busy === undefined ? undefined : { busy };
        },
        'a process with jobs in hand',
        patienceMs,
      );
      const victim = workers[at.busy];
      assert.ok(victim);
      const inHand = await victim.kill();
      killed.push(victim);
      all.push((workers[at.busy] = start(at.busy)));
      tell(`${victim.name} killed with ${inHand} in hand`);
    };
    const bounce = async (how: 'kill' | 'stop'): Promise<void> => {
      const victim = brokers.brokerIds[bounces++ % brokers.brokerIds.length] ?? 1;
      const before = ledger.done.size;
      await brokers[how](victim);
      await brokers.start(victim);
      report.push(
        `broker ${victim} ${how === 'kill' ? 'killed' : 'stopped'}: ${ledger.done.size - before} done meanwhile`,
      );
    };
    const faults = [
      (round: number) => killOne(round === 0 ? 0 : 5),
      () => bounce('kill'),
      (round: number) => killOne(round + 1),
      () => bounce('stop'),
    ];

    const producer = kafka.producer();
    /** In small batches: members get whole ones. */
    const feed = async (from: number, to: number): Promise<void> => {
      for (let first = from; first < to; first += jobsAtOnce) {
        const jobs = Array.from({ length: Math.min(jobsAtOnce, to - first) }, (_, at) => first + at);
        await producer.send(jobs.map((job) => ({ topic, partition: job % partitions, value: String(job) })));
      }
    };
    let fed = 0;
    const isFed = (): boolean => ledger.done.size >= fed;
    // A JVM takes its time: without this, all could be over before it has joined.
    await eventually(
      async () => {
        if (isFed()) await feed(fed, (fed += jobsAtOnce));
        return workers.every(({ done }) => done.size > 0);
      },
      'every process to have done a job',
      patienceMs,
    );
    tell('all processes at work');
    const warmUp = fed;
    const parts = faults.length * rounds;
    const rest = Math.max(total - warmUp, leastJobsPerFault * parts);
    for (let part = 0; part < parts; part++) {
      const begin = fed;
      fed = warmUp + Math.round((rest * (part + 1)) / parts);
      const sent = feed(begin, fed);
      await eventually(() => ledger.done.size > begin + (fed - begin) / 5, 'a fifth of the next part', patienceMs);
      await faults[part % faults.length]?.(Math.floor(part / faults.length));
      await sent;
    }
    await eventually(isFed, 'all jobs to be done', patienceMs);
    tell('all done');
    await eventually(() => observer.isDone(groupId, topic, partitions), 'nothing to be left', patienceMs);
    tell('none left');
    await Promise.all(workers.map((worker) => worker.stop()));
    tell('all stopped');

    const unconfirmed = [...ledger.done].filter((job) => !ledger.accepted.has(job));
    const byKilled = new Set(killed.flatMap((worker) => [...worker.done]));
    const left = (await observer.progress(groupId, topic)).reduce((sum, { lag }) => sum + Number(lag), 0);
    const javas = all.filter(({ name }) => name === 'java').reduce((sum, { accepted }) => sum + accepted, 0);
    context.diagnostic(
      `${fed} jobs: ${ledger.accepted.size} told of as accepted (${javas} by Java), ${unconfirmed.length} accepted by members that could not tell, ` +
        `${left} left; ${ledger.redelivered} redelivered, at most ${ledger.mostDeliveries} times delivered; ` +
        `${ledger.refused.size} refused (${ledger.refusals}); ${killed.length} processes killed, ${bounces} brokers bounced: ${report.join('; ')}`,
    );
    assert.equal(ledger.done.size, fed);
    assert.equal(left, 0);
    assert.ok(ledger.mostDeliveries < deliveryLimit, 'no job was given up');
    const unexplained = unconfirmed.filter((job) => !byKilled.has(job) && !ledger.refused.has(job));
    assert.deepEqual(
      unexplained,
      [],
      'what nobody told of was done by a member that was killed, or its answer was lost',
    );
    assert.ok(javas > 0, 'Java has worked, too');
    assert.ok(killed.length >= 2 * rounds && bounces === 2 * rounds);
    assert.ok(ledger.redelivered > 0);
    for (const { name, errors } of all) assert.equal(errors, '', name);
  });
});
