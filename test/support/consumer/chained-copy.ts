import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  isKafkaError,
  Kafka,
  type Consumer,
  type ConsumerBatch,
  type ConsumerOptions,
  type Producer,
} from '../../../src/index.ts';
import { eventually } from '../eventually.ts';

/** How a run of the chained copy goes. */
export interface ChainedCopyPlan {
  readonly bootstrapServers: readonly string[];
  readonly replicationFactor: number;
  readonly records: number;
  /** So often records are produced and then a member goes and comes. */
  readonly rounds: number;
  readonly options: Partial<ConsumerOptions>;
  readonly isStatic: boolean;
  readonly isTransactional: boolean;
  readonly random: () => number;
  readonly deadlineMs: number;
}

/** What happened, for the one who looks at the figures. */
export interface ChainedCopyReport {
  /** Members that went, and how many of them in the middle of a batch. */
  readonly stopped: number;
  readonly abandoned: number;
  readonly assigned: number;
  readonly repeated: readonly number[];
  readonly allowed: readonly number[];
  readonly refusedCommits: number;
  readonly seconds: number;
}

const PARTITIONS = [7, 11, 31] as const;
const SLOTS = 3;
const KEYS = 200;
/** A member that is to go in the middle of a batch goes without one if none comes. */
const WAIT_FOR_BATCH_MS = 1000;

/** One group that copies a topic to the next one, or only reads the last. */
class Stage {
  readonly groupId: string = `copy-${randomUUID()}`;
  readonly from: string;
  readonly to: string | undefined;
  /** How often each record was taken, by partition and offset. */
  readonly taken = new Map<string, number>();
  /** Records that may come again: taken by a member that did not commit them. */
  allowed = 0;
  refusedCommits = 0;
  /** How often a member went in the middle of a batch. */
  abandoned = 0;
  readonly ids = new Set<string>();
  readonly workers: Worker[] = [];

  constructor(from: string, to: string | undefined) {
    this.from = from;
    this.to = to;
  }

  get repeated(): number {
    return [...this.taken.values()].reduce((sum, times) => sum + times - 1, 0);
  }
}

/** One member of a stage: takes batches, sends them on, commits them; until it is told to stop, in one of two ways. */
class Worker {
  readonly #plan: ChainedCopyPlan;
  readonly #stage: Stage;
  readonly #consumer: Consumer;
  readonly #producer: Producer;
  readonly #loop: Promise<void>;
  readonly #stopping = new AbortController();
  #isAbandoning = false;
  readonly #abandoned = new AbortController();

  constructor(kafka: Kafka, plan: ChainedCopyPlan, stage: Stage, slot: number) {
    this.#plan = plan;
    this.#stage = stage;
    this.#consumer = kafka.consumer({
      groupId: stage.groupId,
      autoCommit: false,
      autoOffsetReset: 'earliest',
      ...(plan.options.groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 200 }),
      maxPollRecords: 100,
      ...(plan.isTransactional ? { isolationLevel: 'read_committed' as const } : {}),
      ...(plan.isStatic ? { groupInstanceId: `slot-${slot}` } : {}),
      ...plan.options,
    });
    this.#producer = kafka.producer(
      plan.isTransactional ? { transactionalId: `${stage.groupId}-${slot}-${randomUUID()}` } : {},
    );
    this.#consumer.subscribe(stage.from);
    this.#loop = this.#run();
  }

  get hasPartitions(): boolean {
    return this.#consumer.assignment().length > 0;
  }

  /** Cleanly, with all that it took committed; or in the middle of a batch that it has sent on and not committed, if one comes. */
  async stop(isAbandoning: boolean): Promise<void> {
    this.#isAbandoning = isAbandoning;
    if (isAbandoning)
      await Promise.race([once(this.#abandoned.signal, 'abort'), delay(WAIT_FOR_BATCH_MS, undefined, { ref: false })]);
    this.#stopping.abort();
    await this.#loop;
    await this.#consumer.close();
    await this.#producer.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      // What is not committed when the loop ends comes again in the next one.
      for await (const batch of this.#consumer.batches({ signal: this.#stopping.signal })) {
        if (!(await this.#copy(batch))) break;
      }
    }
  }

  async #copy(batch: ConsumerBatch): Promise<boolean> {
    return this.#plan.isTransactional ? this.#copyInTransaction(batch) : this.#copyAndCommit(batch);
  }

  async #copyAndCommit(batch: ConsumerBatch): Promise<boolean> {
    const { to } = this.#stage;
    this.#count(batch);
    if (to !== undefined)
      await this.#producer.send(batch.records.map((record) => record.toProducerRecord({ topic: to })));
    if (this.#isAbandoning) {
      this.#stage.allowed += batch.records.length;
      this.#abandon();
      return false;
    }
    try {
      await this.#consumer.commit(batch);
      return true;
    } catch (error) {
      if (!isKafkaError(error, 'PARTITION_NOT_OWNED')) throw error;
      this.#stage.allowed += batch.records.length;
      this.#stage.refusedCommits++;
      return true;
    }
  }

  async #copyInTransaction(batch: ConsumerBatch): Promise<boolean> {
    const { to } = this.#stage;
    try {
      await this.#producer.transaction(async (tx) => {
        if (to !== undefined) for (const record of batch.records) void tx.send(record.toProducerRecord({ topic: to }));
        await tx.sendOffsets(batch, this.#consumer.groupMetadata());
        if (this.#isAbandoning) throw new Abandoned();
      });
      this.#count(batch);
      return true;
    } catch (error) {
      if (error instanceof Abandoned) this.#abandon();
      else this.#stage.refusedCommits++;
      return false;
    }
  }

  #abandon(): void {
    this.#stage.abandoned++;
    this.#stopping.abort();
    this.#abandoned.abort();
  }

  #count(batch: ConsumerBatch): void {
    const { taken, ids } = this.#stage;
    for (const { partition, offset, value } of batch.records) {
      const key = `${partition}:${offset}`;
      taken.set(key, (taken.get(key) ?? 0) + 1);
      ids.add(value?.toString() ?? '');
    }
  }
}

class Abandoned extends Error {}

/** Copies records through three groups while members go and come all the time, and checks what arrives. */
export async function chainedCopy(plan: ChainedCopyPlan): Promise<ChainedCopyReport> {
  const begin = performance.now();
  const kafka = new Kafka({ bootstrapServers: plan.bootstrapServers });
  let assigned = 0;
  kafka.on('group.assigned', ({ partitions }) => (assigned += partitions.length > 0 ? 1 : 0));
  const stages = await makeStages(kafka, plan);
  const counts = { stopped: 0 };
  try {
    for (const stage of stages)
      for (let slot = 0; slot < SLOTS; slot++) stage.workers.push(new Worker(kafka, plan, stage, slot));
    await produceAndChurn(kafka, plan, stages, counts);
    const last = stages.at(-1);
    assert.ok(last);
    await eventually(() => last.ids.size >= plan.records, `${plan.records} records at the end`, plan.deadlineMs);
    // What the last groups repeat comes behind; nothing more may come of what is done.
    await Promise.all(stages.flatMap(({ workers }) => workers.map((worker) => worker.stop(false))));
    await checkTopics(kafka, plan, stages);
  } finally {
    await kafka.close();
  }
  return {
    ...counts,
    abandoned: stages.reduce((sum, stage) => sum + stage.abandoned, 0),
    assigned,
    repeated: stages.map(({ repeated }) => repeated),
    allowed: stages.map(({ allowed }) => allowed),
    refusedCommits: stages.reduce((sum, { refusedCommits }) => sum + refusedCommits, 0),
    seconds: Math.round((performance.now() - begin) / 1000),
  };
}

async function makeStages(kafka: Kafka, plan: ChainedCopyPlan): Promise<Stage[]> {
  const topics = PARTITIONS.map((partitions) => ({
    topic: `chain-${partitions}-${randomUUID()}`,
    partitions,
    replicationFactor: plan.replicationFactor,
  }));
  await kafka.admin().createTopics(topics);
  return topics.map(({ topic }, index) => new Stage(topic, topics[index + 1]?.topic));
}

async function produceAndChurn(
  kafka: Kafka,
  plan: ChainedCopyPlan,
  stages: readonly Stage[],
  counts: { stopped: number },
): Promise<void> {
  const [first] = stages;
  assert.ok(first);
  const producer = kafka.producer();
  let sent = 0;
  for (let round = 1; round <= plan.rounds; round++) {
    const end = Math.floor((plan.records * round) / plan.rounds);
    const records = Array.from({ length: end - sent }, (_, index) => sent + index).map((number) => ({
      topic: first.from,
      key: `key-${number % KEYS}`,
      value: String(number),
    }));
    sent = end;
    await producer.send(records);
    const stage = stages[Math.floor(plan.random() * stages.length)];
    const slot = Math.floor(plan.random() * SLOTS);
    const isAbandoning = plan.random() < 0.5;
    const worker = stage?.workers[slot];
    assert.ok(stage && worker);
    await eventually(() => worker.hasPartitions, 'partitions for a member that is to go', plan.deadlineMs);
    await worker.stop(isAbandoning);
    counts.stopped++;
    stage.workers[slot] = new Worker(kafka, plan, stage, slot);
  }
  await producer.close();
}

/** Nothing lost; nothing repeated but what was not committed; the first copy of each record in the order of its key. */
async function checkTopics(kafka: Kafka, plan: ChainedCopyPlan, stages: readonly Stage[]): Promise<void> {
  for (const [index, stage] of stages.entries()) {
    const numbers = await readTopic(kafka, stage.from, PARTITIONS[index] ?? 0);
    const distinct = new Set(numbers);
    assert.equal(distinct.size, plan.records, `stage ${index}: every record is there`);
    const before = stages[index - 1];
    const extra = numbers.length - distinct.size;
    if (plan.isTransactional) assert.equal(extra, 0, `stage ${index}: records are there twice`);
    else if (before !== undefined) {
      // What the stage before took twice is there twice, and what was twice there before.
      const allowed = before.repeated + (await readTopic(kafka, before.from, PARTITIONS[index - 1] ?? 0)).length;
      assert.ok(numbers.length <= allowed, `stage ${index}: ${numbers.length} records, at most ${allowed} were copied`);
      assert.ok(before.repeated <= before.allowed, `${before.repeated} repeated, ${before.allowed} were not committed`);
    }
    checkOrder(numbers, index);
  }
}

async function readTopic(kafka: Kafka, topic: string, partitions: number): Promise<number[]> {
  const consumer = kafka.consumer({ autoOffsetReset: 'earliest', isolationLevel: 'read_committed' });
  consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition })));
  const numbers: number[] = [];
  for await (const record of consumer.records({ until: 'end' })) numbers.push(Number(record.value?.toString()));
  await consumer.close();
  return numbers;
}

function checkOrder(numbers: readonly number[], stage: number): void {
  const seen = new Set<number>();
  const last = new Map<number, number>();
  for (const number of numbers) {
    if (seen.has(number)) continue;
    seen.add(number);
    const key = number % KEYS;
    assert.ok((last.get(key) ?? -1) < number, `stage ${stage}: ${number} came after ${last.get(key) ?? -1}`);
    last.set(key, number);
  }
}
