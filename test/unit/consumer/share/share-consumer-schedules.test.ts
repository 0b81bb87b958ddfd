import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ShareConsumer } from '../../../../src/consumer/share/share-consumer.ts';
import type { ShareRecord } from '../../../../src/consumer/share/share-record.ts';
import { isKafkaError } from '../../../../src/errors/kafka-error.ts';
import { settle } from '../../../support/fake-clock.ts';
import { clusterOver } from '../../cluster/fake-brokers.ts';
import { LOCK_MS, SimulatedShareLeaders, TOPIC } from './simulated-share-leaders.ts';

const NODES = [1, 2, 3];
const PARTITIONS = 5;
const runs = Number(process.env['RUNS'] ?? 30);
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

type Step =
  | { readonly do: 'append'; readonly partition: number; readonly records: number }
  | { readonly do: 'poll'; readonly records: number }
  | { readonly do: 'acknowledge'; readonly type: 'accept' | 'release' | 'reject' | 'renew'; readonly at: number }
  | { readonly do: 'move'; readonly partition: number }
  | { readonly do: 'hear' | 'commit' }
  | { readonly do: 'evict' | 'lose-request' | 'lose-answer'; readonly node: number }
  | { readonly do: 'slow'; readonly node: number; readonly ms: number }
  | { readonly do: 'wait'; readonly ms: number };

const node = fc.constantFrom(...NODES);
const partition = fc.nat(PARTITIONS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('append' as const), partition, records: fc.integer({ min: 1, max: 9 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('poll' as const), records: fc.integer({ min: 1, max: 12 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('acknowledge' as const),
      type: fc.constantFrom(
        'accept' as const,
        'accept' as const,
        'release' as const,
        'reject' as const,
        'renew' as const,
      ),
      at: fc.nat(11),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 5, 30, 150, 600, LOCK_MS / 2, LOCK_MS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('hear' as const, 'commit' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), partition }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('evict' as const, 'lose-request' as const, 'lose-answer' as const),
      node,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('slow' as const), node, ms: fc.constantFrom(20, 300) }) },
);

/** A share consumer over simulated leaders, and a user who does as it is told. */
class Subject {
  readonly leaders = new SimulatedShareLeaders(NODES, PARTITIONS);
  readonly consumer: ShareConsumer;
  /** How often each record was accepted, by what the consumer was told. */
  readonly accepted = new Map<string, number>();
  handed = 0;
  lost = 0;
  #hand: ShareRecord[] = [];
  readonly #cluster: ReturnType<typeof clusterOver>['cluster'];

  constructor(mode: 'implicit' | 'explicit', renewLocks: boolean) {
    const { clock } = this.leaders.brokers;
    clock.earlyMs = 0.4;
    clock.creepMs = 0.01;
    const { cluster, events } = clusterOver(this.leaders.brokers);
    this.#cluster = cluster;
    events.on('share.locks.lost', ({ records }) => (this.lost += records));
    this.consumer = new ShareConsumer(cluster, {
      groupId: 'g',
      acknowledgementMode: mode,
      renewLocks,
      maxPollRecords: 12,
      maxBufferedBytes: 3000,
      onAcknowledged: (results) => {
        for (const { topic, partition: number, offsets, type, error } of results) {
          if (type !== 'accept' || error !== undefined) continue;
          for (const offset of offsets) {
            const key = `${topic}-${number}@${offset}`;
            this.accepted.set(key, (this.accepted.get(key) ?? 0) + 1);
          }
        }
      },
    });
    this.consumer.subscribe(TOPIC);
  }

  async perform(action: Step): Promise<void> {
    const { leaders, consumer } = this;
    switch (action.do) {
      case 'append':
        return leaders.append(action.partition, action.records);
      case 'poll':
        return void (await this.poll(action.records));
      case 'acknowledge':
        return this.#acknowledge(action.at, action.type);
      case 'commit':
        void consumer.commit({ timeoutMs: 500 }).catch(() => undefined);
        return;
      case 'hear':
        return this.#cluster.refreshSoon();
      case 'move':
        return leaders.move(action.partition);
      case 'evict':
        return leaders.evict(action.node);
      case 'lose-request':
        return leaders.break(action.node, 'request');
      case 'lose-answer':
        return leaders.break(action.node, 'answer');
      case 'slow':
        return void leaders.latencyMs.set(action.node, action.ms);
      case 'wait':
        return await leaders.brokers.clock.advance(action.ms);
      default:
        action satisfies never;
    }
  }

  /** Takes what comes within a moment, and checks that each record is locked for us while it is handed out. */
  async poll(maxRecords: number): Promise<number> {
    const { clock } = this.leaders.brokers;
    const polling = this.consumer.poll({ maxRecords, timeoutMs: 40 });
    await clock.advance(50);
    const records = await polling;
    const nowMs = clock.nowMs() - 50;
    for (const { partition: number, offset, deliveryCount, value } of records) {
      assert.equal(value?.toString(), `${number}@${offset}`);
      const wasLocked = this.leaders.wasLocked(number, Number(offset), deliveryCount, nowMs);
      assert.ok(wasLocked, `offset ${offset} of partition ${number} was handed out after its lock had timed out`);
    }
    this.handed += records.length;
    this.#hand = records;
    return records.length;
  }

  check(): void {
    assert.deepEqual(this.leaders.violations, []);
    for (const [key, count] of this.accepted) assert.equal(count, 1, `${key} was accepted ${count} times`);
  }

  #acknowledge(at: number, type: 'accept' | 'release' | 'reject' | 'renew'): void {
    const record = this.#hand[at];
    if (record === undefined) return;
    try {
      this.consumer.acknowledge(record, type);
    } catch (error) {
      assert.ok(isKafkaError(error, 'INVALID_RECORD_STATE'), String(error));
    }
  }
}

describe(`ShareConsumer under random schedules, SEED=${seed}`, () => {
  for (const mode of ['implicit', 'explicit'] as const) {
    it(`acknowledges each record at most once per lock, hands none out without one, and forgets none at close, in ${mode} mode`, async (context) => {
      const seen = {
        handed: 0,
        lost: 0,
        lostRequests: 0,
        lostAnswers: 0,
        evicted: 0,
        moved: 0,
        timedOut: 0,
        renewed: 0,
      };
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 30, maxLength: 120, size: 'max' }),
          fc.boolean(),
          async (steps, renewLocks) => {
            const subject = new Subject(mode, renewLocks);
            const { leaders, consumer } = subject;
            for (const action of steps) {
              await subject.perform(action);
              await settle();
              subject.check();
            }
            leaders.heal();
            // In implicit mode all is accepted in the end, whatever has happened.
            for (let turn = 0; mode === 'implicit' && turn < 300 && !leaders.isDone; turn++) {
              await subject.poll(12);
              await leaders.brokers.clock.advance(turn % 10 === 9 ? LOCK_MS : 20);
              subject.check();
            }
            if (mode === 'implicit') assert.ok(leaders.isDone, `${leaders.locked} offsets are still locked`);
            const closing = consumer.close();
            await leaders.brokers.clock.advance(5000);
            await closing;
            subject.check();
            assert.equal(leaders.sessions, 0, 'a session was left open');
            for (const key of ['lostRequests', 'lostAnswers', 'evicted', 'moved', 'timedOut', 'renewed'] as const)
              seen[key] += leaders.faults[key];
            seen.handed += subject.handed;
            seen.lost += subject.lost;
          },
        ),
        { numRuns: runs, seed, endOnFailure: true },
      );
      context.diagnostic(`SEED=${seed} ${JSON.stringify(seen)}`);
      for (const [kind, count] of Object.entries(seen)) assert.ok(count >= runs / 10, `${kind} only ${count} times`);
    });
  }

  it('leaves no lock behind when it is closed with records unread and in hand', async () => {
    const appended = fc.array(fc.record({ partition, records: fc.integer({ min: 1, max: 9 }) }), {
      minLength: 1,
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(appended, fc.integer({ min: 1, max: 12 }), async (batches, records) => {
        const subject = new Subject('implicit', false);
        const { leaders, consumer } = subject;
        for (const batch of batches) leaders.append(batch.partition, batch.records);
        await subject.poll(records);
        assert.ok(leaders.locked > 0, 'nothing was locked');
        const closing = consumer.close();
        await leaders.brokers.clock.advance(1000);
        await closing;
        assert.equal(leaders.locked, 0);
        assert.equal(leaders.sessions, 0);
        assert.equal(subject.accepted.size, 0, 'what was in hand is not accepted by close');
        subject.check();
      }),
      { numRuns: runs, seed, endOnFailure: true },
    );
  });
});
