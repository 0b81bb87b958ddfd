import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { eventually } from '../eventually.ts';
import { javaArguments } from '../kafka/jars.ts';

/** What members tell of jobs, each named by its partition and offset. */
export class Ledger {
  /** How often each was delivered. */
  readonly deliveries: Map<string, number> = new Map();
  readonly done: Set<string> = new Set();
  readonly accepted: Set<string> = new Set();
  readonly refused: Map<string, string> = new Map();

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
export class WorkerProcess {
  readonly name: string;
  /** Jobs that it has begun and not done; those that it has done. */
  readonly inHand: Set<string> = new Set();
  readonly done: Set<string> = new Set();
  accepted = 0;
  errors = '';
  #isReady = false;
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
    // Before it listens for the signal, that would end it at once.
    if (this.name !== 'java') await eventually(() => this.#isReady, `${this.name} to be ready: ${this.errors}`);
    const closed = once(this.#child, 'close');
    if (this.name === 'java') this.#child.stdin?.end();
    else this.#child.kill('SIGTERM');
    await closed;
    assert.equal(this.#child.exitCode, 0, `${this.name} ended with ${this.#child.exitCode}: ${this.errors}`);
  }

  #take(line: string): void {
    if (line === 'ready') return void (this.#isReady = true);
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

/** Where the members of all processes work. */
export interface JobsPlan {
  readonly bootstrapServers: readonly string[];
  readonly groupId: string;
  readonly topic: string;
  /** The folder with Kafka's jars, for the process with Java's members. */
  readonly jars: string;
}

const ways = [
  ['run', 'poll'],
  ['run', 'loop'],
  ['poll', 'loop'],
  ['run', 'run'],
  ['poll', 'run'],
] as const;

/** Six processes with two members each, the last with Java's; who is killed is followed by another of its kind. */
export class WorkerProcesses {
  readonly ledger: Ledger = new Ledger();
  readonly killed: WorkerProcess[] = [];
  /** Those that run, and those that ran before. */
  readonly all: WorkerProcess[] = [];
  readonly #plan: JobsPlan;
  readonly #running: WorkerProcess[] = [];

  constructor(plan: JobsPlan) {
    this.#plan = plan;
    for (let index = 0; index <= ways.length; index++) this.#start(index);
  }

  get isEachAtWork(): boolean {
    return this.#running.every(({ done }) => done.size > 0);
  }

  /** What Java's members were told of as accepted. */
  get acceptedByJava(): number {
    return this.all.filter(({ name }) => name === 'java').reduce((sum, { accepted }) => sum + accepted, 0);
  }

  /** Kills one that has jobs in hand, the next in turn first; answers with what there is to tell. */
  async killOne(first: number, patienceMs: number): Promise<string> {
    const { index, victim } = await eventually(
      () =>
        this.#running
          .map((_, offset) => (first + offset) % this.#running.length)
          .map((at) => ({ index: at, victim: this.#running[at] }))
          .find((each): each is { index: number; victim: WorkerProcess } => (each.victim?.inHand.size ?? 0) > 0),
      'a process with jobs in hand',
      patienceMs,
    );
    const inHand = await victim.kill();
    this.killed.push(victim);
    this.#start(index);
    return `${victim.name} killed with ${inHand} in hand`;
  }

  /** All end in good order, and others take their places. */
  async renew(): Promise<void> {
    await this.stop();
    for (const index of this.#running.keys()) this.#start(index);
  }

  /** As they are asked to; rejects if one did not end well. */
  async stop(): Promise<void> {
    await Promise.all(this.#running.map((worker) => worker.stop()));
  }

  /** Jobs that are done, although nobody told that they were accepted, refused, or who did them was killed. */
  unexplained(): string[] {
    const { accepted, refused, deliveries, done } = this.ledger;
    const byKilled = new Set(this.killed.flatMap((worker) => [...worker.done]));
    const doers = (job: string): string => this.all.flatMap((each) => (each.done.has(job) ? [each.name] : [])).join();
    return [...done]
      .filter((job) => !accepted.has(job) && !refused.has(job) && !byKilled.has(job))
      .map((job) => `${job} done by ${doers(job)}, delivered ${deliveries.get(job) ?? 0} times`);
  }

  #start(index: number): void {
    const { bootstrapServers, groupId, topic, jars } = this.#plan;
    const support = path.join(import.meta.dirname, '..');
    const members = ways[index];
    const worker = ((): WorkerProcess => {
      if (members === undefined) {
        const program = path.join(support, 'java/ShareMembers.java');
        const args = [
          ...javaArguments(jars, '128m', 'error'),
          program,
          bootstrapServers.join(','),
          groupId,
          topic,
          '2',
        ];
        return new WorkerProcess('java', 'java', args, this.ledger);
      }
      const work = { bootstrapServers, groupId, topic, members, jobMs: 5, failsOneOf: 50 };
      const script = path.join(support, 'consumer/share-worker.ts');
      return new WorkerProcess(members.join('+'), process.execPath, [script, JSON.stringify(work)], this.ledger);
    })();
    this.#running[index] = worker;
    this.all.push(worker);
  }
}
