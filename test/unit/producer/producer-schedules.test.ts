import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SendError, type SendManyError } from '../../../src/errors/send-error.ts';
import { partitionOfKey } from '../../../src/producer/key-hash.ts';
import { Producer } from '../../../src/producer/producer.ts';
import type { RecordMetadata } from '../../../src/producer/record-metadata.ts';
import { settle } from '../../support/fake-clock.ts';
import { FakeCluster, type PendingProduce, type TopicLog } from './fake-cluster.ts';

/** One step of a random schedule. */
type Step =
  | { kind: 'send'; partition: number }
  | { kind: 'sendMany'; count: number }
  | { kind: 'enqueue'; partition: number }
  | { kind: 'answer'; which: number }
  | {
      kind: 'error';
      which: number;
      code: 'NOT_ENOUGH_REPLICAS' | 'REQUEST_TIMED_OUT' | 'INVALID_RECORD' | 'UNKNOWN_PRODUCER_ID';
      appended: boolean;
    }
  | { kind: 'cut'; node: number; arrived: number }
  | { kind: 'down'; node: number }
  | { kind: 'up' }
  | { kind: 'move'; partition: number }
  | { kind: 'limit'; bytes: number }
  | { kind: 'recreate' }
  | { kind: 'close' }
  | { kind: 'flush' }
  | { kind: 'wait'; ms: number };

/** A key for each of the two partitions. */
const keyFor = [0, 1].map((partition) => ['a', 'b', 'c', 'd'].find((key) => partitionOfKey(key, 2) === partition));

const nat = fc.nat;
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 60, arbitrary: fc.record({ kind: fc.constant('send' as const), partition: nat(1) }) },
  {
    weight: 30,
    arbitrary: fc.record({ kind: fc.constant('sendMany' as const), count: fc.integer({ min: 1, max: 30 }) }),
  },
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('enqueue' as const), partition: nat(1) }) },
  { weight: 60, arbitrary: fc.record({ kind: fc.constant('answer' as const), which: nat(3) }) },
  {
    weight: 30,
    arbitrary: fc.record({
      kind: fc.constant('error' as const),
      which: nat(3),
      code: fc.constantFrom(
        'NOT_ENOUGH_REPLICAS' as const,
        'REQUEST_TIMED_OUT' as const,
        'INVALID_RECORD' as const,
        'UNKNOWN_PRODUCER_ID' as const,
      ),
      appended: fc.boolean(),
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({ kind: fc.constant('cut' as const), node: fc.integer({ min: 1, max: 2 }), arrived: nat(3) }),
  },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('down' as const), node: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 10, arbitrary: fc.constant({ kind: 'up' as const }) },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('move' as const), partition: nat(1) }) },
  {
    weight: 20,
    arbitrary: fc.record({ kind: fc.constant('limit' as const), bytes: fc.constantFrom(75, 100, 130, 1000) }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'recreate' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'close' as const }) },
  { weight: 10, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 40, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 700 }) }) },
);

interface Outcome {
  readonly partition: number;
  settledTimes: number;
  result: 'delivered' | SendError['outcome'] | undefined;
  offset: bigint;
}

/** Runs a schedule, heals everything, waits for rest, and holds what the producer said against the logs. */
async function run(steps: readonly Step[], random: () => number): Promise<void> {
  const cluster = new FakeCluster({ requestTimeoutMs: 500 });
  cluster.random = random;
  const logs = [cluster.addTopic('t', 2)];
  const producer = new Producer(cluster, {
    deliveryTimeoutMs: 4000,
    batchSizeBytes: 150,
    maxRequestBytes: 400,
    bufferMemoryBytes: 20_000,
  });
  const outcomes: Outcome[] = [];
  const flushes: Promise<unknown>[] = [];
  const closes: Promise<unknown>[] = [];
  // Buffers of one-tenth of a record each: memory runs out, and sends wait.
  const begin = (
    partition: number,
  ): { outcome: Outcome; record: { topic: string; partition: number; value: string } } => {
    const outcome: Outcome = { partition, settledTimes: 0, result: undefined, offset: -1n };
    outcomes.push(outcome);
    return { outcome, record: { topic: 't', partition, value: String(outcomes.length - 1).padStart(5, '0') } };
  };
  const finish = (outcome: Outcome, result: RecordMetadata | SendError): void => {
    outcome.settledTimes++;
    if (result instanceof SendError) outcome.result = result.outcome;
    else [outcome.result, outcome.offset] = ['delivered', result.offset];
  };
  const pendingAt = (which: number): PendingProduce | undefined => {
    // Answers of one connection come in order; which connection answers next is chance.
    const heads = [1, 2].flatMap((node) => cluster.pending.find(({ nodeId }) => nodeId === node) ?? []);
    return heads[which % Math.max(1, heads.length)];
  };
  const act = async (each: Step): Promise<void> => {
    switch (each.kind) {
      case 'send': {
        const { outcome, record } = begin(each.partition);
        producer.send(record).then(
          (metadata) => finish(outcome, metadata),
          (error: SendError) => finish(outcome, error),
        );
        return;
      }
      case 'sendMany': {
        const begun = Array.from({ length: each.count }, (_, at) => begin(at % 2));
        // Those that are not told their partition go a quicker way; a key that leads to it says the same.
        const keyed = begun.map(({ record: { topic, partition, value } }, at) =>
          at % 5 === 4 ? { topic, partition, value } : { topic, key: keyFor[partition] ?? null, value },
        );
        producer.send(keyed).then(
          (metadata) => begun.forEach(({ outcome }, at) => finish(outcome, metadata[at] as RecordMetadata)),
          (error: SendManyError<RecordMetadata>) =>
            begun.forEach(({ outcome }, at) => {
              const result = error.results[at];
              if (result !== undefined) finish(outcome, result.status === 'fulfilled' ? result.value : result.reason);
            }),
        );
        return;
      }
      case 'enqueue': {
        const { outcome, record } = begin(each.partition);
        producer.enqueue(record, (error, metadata) =>
          finish(outcome, (error ?? metadata) as SendError | RecordMetadata),
        );
        return;
      }
      case 'answer':
        pendingAt(each.which)?.answer();
        break;
      case 'error':
        pendingAt(each.which)?.answer(() => ({
          kind: 'error',
          code: each.code,
          appended: each.appended && each.code === 'REQUEST_TIMED_OUT',
          // A broker forgets a producer only together with what it wrote.
          unlessWritten: each.code === 'UNKNOWN_PRODUCER_ID',
        }));
        break;
      case 'cut':
        cluster.cut(each.node, each.arrived);
        break;
      case 'down':
        cluster.down.add(each.node);
        cluster.cut(each.node);
        break;
      case 'up':
        cluster.down.clear();
        break;
      case 'move':
        cluster.moveLeader('t', each.partition, cluster.leader('t', each.partition) === 1 ? 2 : 1);
        break;
      case 'limit':
        cluster.limitBatches('t', each.bytes);
        return;
      case 'recreate': {
        const id = `${String(logs.length).padStart(21, 'R')}A`;
        logs.push(cluster.addTopic('t', 2, { id, isKnown: true }));
        break;
      }
      case 'close':
        closes.push(producer.close({ timeoutMs: 3000 }).catch(() => undefined));
        return;
      case 'flush':
        flushes.push(producer.flush().catch(() => undefined));
        return;
      case 'wait':
        await cluster.clock.advance(each.ms);
        return;
      default:
        each satisfies never;
    }
    await settle();
  };
  for (const each of steps) await act(each);
  cluster.down.clear();
  cluster.onRequest = (pending) => cluster.clock.setTimer(() => pending.answer(), 1);
  for (const pending of [...cluster.pending]) pending.answer();
  await cluster.clock.advance(10_000);
  const stuck = outcomes.flatMap(({ settledTimes }, at) => (settledTimes === 0 ? [at] : []));
  assert.deepEqual(stuck, [], 'records that never settled');
  closes.push(producer.close().catch(() => undefined));
  await cluster.clock.advance(40_000);
  await Promise.all([...closes, ...flushes]);

  assert.deepEqual(cluster.problems, []);
  assert.equal(cluster.clock.pending, 0, 'no timer is left');
  for (const [at, { settledTimes }] of outcomes.entries())
    assert.equal(settledTimes, 1, `record ${at} settled ${settledTimes} times`);
  for (const partition of [0, 1]) checkPartition(partition, logs, outcomes);
}

/** @param logs of the topic each time it was created */
function checkPartition(partition: number, logs: readonly (readonly TopicLog[])[], outcomes: readonly Outcome[]): void {
  const written = logs.map((topic) => topic[partition]?.values.map(Number) ?? []);
  const all = written.flat();
  assert.equal(new Set(all).size, all.length, `written twice: ${all.join()}`);
  for (const log of written) {
    assert.deepEqual(
      log,
      [...log].sort((a, b) => a - b),
      `out of order: ${log.join()}`,
    );
  }
  for (const [at, { partition: of, result, offset }] of outcomes.entries()) {
    if (of !== partition) continue;
    if (result === 'delivered') {
      assert.ok(
        written.some((log) => log[Number(offset)] === at),
        `record ${at} is not at its offset`,
      );
    }
    if (result === 'not-sent' || result === 'refused')
      assert.ok(!all.includes(at), `record ${at} was ${result} and is in the log`);
  }
}

describe('Producer under random schedules', () => {
  it('Producer settles every send once and loses, doubles and reorders nothing, whatever brokers and network do', async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1 }),
        async (steps, chances) => {
          let turn = 0;
          await run(steps, () => chances[turn++ % chances.length] ?? 0.5);
        },
      ),
      { numRuns: Number(process.env['RUNS'] ?? 60), seed },
    );
  });
});
