import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Fetcher } from '../../../../src/consumer/fetch/fetcher.ts';
import { resolveConsumerOptions, type ResolvedConsumerOptions } from '../../../../src/consumer/options.ts';
import { PartitionState } from '../../../../src/consumer/partition-state.ts';
import { RecordSource } from '../../../../src/consumer/record-source.ts';
import { recordDeserializers } from '../../../../src/consumer/record-values.ts';
import { settle } from '../../../support/fake-clock.ts';
import { clusterOver } from '../../cluster/fake-brokers.ts';
import { SimulatedLeaders, TOPIC } from './simulated-leaders.ts';

const NODES = [1, 2, 3];
const PARTITIONS = 8;
const VALUE_BYTES = 100;
const LIMITS = { maxPartitionFetchBytes: 800, fetchMaxBytes: 1600, maxBufferedBytes: 3000, maxPollRecords: 7 };
/** The largest batch: a broker sends it although it is more than was asked for. */
const LARGEST_BATCH_BYTES = 5 * (VALUE_BYTES + 20) + 100;
const runs = Number(process.env['RUNS'] ?? 100);
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

type Step =
  | { readonly do: 'append'; readonly partition: number; readonly records: number }
  | { readonly do: 'read'; readonly times: number }
  | { readonly do: 'pause' | 'resume' | 'seek' | 'move' | 'overtake'; readonly partition: number }
  | { readonly do: 'slow' | 'break' | 'evict'; readonly node: number; readonly ms: number }
  | { readonly do: 'heal' | 'noSessions' | 'hear' }
  | { readonly do: 'wait'; readonly ms: number };

const partition = fc.nat(PARTITIONS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('append' as const), partition, records: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('read' as const), times: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 1, 3, 20, 120, 600) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'pause' as const,
        'resume' as const,
        'resume' as const,
        'seek' as const,
        'move' as const,
        'overtake' as const,
      ),
      partition,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('slow' as const, 'slow' as const, 'break' as const, 'evict' as const),
      node: fc.constantFrom(...NODES),
      ms: fc.constantFrom(5, 40, 400),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('heal' as const, 'heal' as const, 'noSessions' as const, 'hear' as const),
    }),
  },
);

/** The fetcher of a consumer with all partitions assigned, and a reader that takes records where it is told to. */
class Subject {
  readonly leaders: SimulatedLeaders;
  readonly states: readonly PartitionState[];
  readonly errors: Error[] = [];
  /** The most that was buffered at a time. */
  peakBytes = 0;
  /** The next offset that the reader must see. */
  readonly next: bigint[] = Array.from({ length: PARTITIONS }, () => 0n);
  readonly #fetcher: Fetcher;
  readonly #source: RecordSource;
  readonly #cluster: ReturnType<typeof clusterOver>['cluster'];
  readonly #options: ResolvedConsumerOptions = resolveConsumerOptions(LIMITS);

  constructor(nodes: readonly number[] = NODES) {
    this.leaders = new SimulatedLeaders(nodes, PARTITIONS);
    const { clock } = this.leaders.brokers;
    // Timers fire a fraction of a millisecond early, and time goes by between two looks at the clock.
    clock.earlyMs = 0.4;
    clock.creepMs = 0.3;
    this.#cluster = clusterOver(this.leaders.brokers).cluster;
    const deserializers = recordDeserializers(this.#options);
    const term = { ended: false };
    this.states = Array.from({ length: PARTITIONS }, (_, each) => new PartitionState(TOPIC, each, term, 0n));
    const onFatal = (error: Error): unknown => this.errors.push(error);
    this.#fetcher = new Fetcher({
      cluster: this.#cluster,
      lane: 'fetch-1',
      options: this.#options,
      deserializers,
      partitions: () => this.states,
      onChange: () => this.#look(),
      onOutOfRange: (_, error) => onFatal(error),
      onTruncated: (state) => onFatal(new Error(`the log of ${state.partition} was cut off`)),
      onFatal,
    });
    this.#source = new RecordSource({
      options: this.#options,
      deserializers,
      partitions: () => this.states,
      onDrained: (state) => this.#fetcher.drained(state),
      onReady: () => undefined,
      onCorrupt: (_, error) => onFatal(error),
    });
    this.#cluster.onMetadata(() => this.#fetcher.pump());
  }

  async start(): Promise<void> {
    const known = this.#cluster.topics([TOPIC]);
    await this.leaders.brokers.clock.advance(10);
    await known;
    this.#fetcher.pump();
  }

  async perform(action: Step): Promise<void> {
    const { leaders } = this;
    const { clock } = leaders.brokers;
    switch (action.do) {
      case 'append':
        return leaders.append(action.partition, action.records, VALUE_BYTES);
      case 'read':
        for (let time = 0; time < action.times; time++) this.read();
        return;
      case 'pause':
      case 'resume':
        return this.#pause(action.partition, action.do === 'pause');
      case 'seek':
        return this.#seekToBeginning(action.partition);
      case 'move':
        return leaders.move(action.partition);
      case 'overtake':
        return await this.#overtake(action.partition);
      case 'hear':
        return this.#cluster.refreshSoon();
      case 'slow':
        return void leaders.latencyMs.set(action.node, action.ms);
      case 'break':
        return void leaders.broken.add(action.node);
      case 'evict':
        return leaders.evict(action.node);
      case 'heal':
        return leaders.heal();
      case 'noSessions':
        leaders.hasRoomForSessions = false;
        return;
      case 'wait':
        return await clock.advance(action.ms);
      default:
        action satisfies never;
    }
  }

  /** Takes what one partition has ready, and checks that it is what comes next. False if there is nothing. */
  read(): boolean {
    const state = this.#source.next(() => true);
    if (state === undefined) return false;
    assert.equal(state.paused, false, `partition ${state.partition} is paused, and was handed out`);
    const records = state.ready.slice(state.readyIndex, state.ready.length);
    state.readyIndex = state.ready.length;
    state.handOutAll(records);
    state.settle();
    for (const record of records) {
      const number: number = state.partition;
      assert.equal(record.offset, this.next[number], `partition ${number}: a record is missing, or comes again`);
      assert.ok(String(record.value).startsWith(`${number}@${record.offset}`));
      this.next[number] = record.offset + 1n;
    }
    return true;
  }

  isDone(): boolean {
    return this.next.every((offset, each) => offset === this.leaders.end(each));
  }

  check(): void {
    assert.deepEqual(this.errors, []);
    assert.deepEqual(this.leaders.violations, []);
    const most = LIMITS.maxBufferedBytes + NODES.length * Math.max(LIMITS.fetchMaxBytes, LARGEST_BATCH_BYTES);
    assert.ok(this.peakBytes <= most, `${this.peakBytes} bytes were buffered, more than ${most}`);
  }

  close(): void {
    this.#fetcher.close();
  }

  #look(): void {
    this.peakBytes = Math.max(
      this.peakBytes,
      this.states.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
    );
  }

  #pause(number: number, isPaused: boolean): void {
    const state = this.states[number];
    assert.ok(state);
    state.paused = isPaused;
    if (isPaused) this.leaders.paused.add(number);
    else this.leaders.paused.delete(number);
    this.#fetcher.pump();
  }

  /** An answer with records is on its way when the client hears of another leader, and has answers of that one first. */
  async #overtake(number: number): Promise<void> {
    const { leaders } = this;
    const { clock } = leaders.brokers;
    leaders.latencyMs.set(leaders.partitions[number]?.leaderId ?? -1, 400);
    leaders.append(number, 3, VALUE_BYTES);
    await clock.advance(2);
    leaders.move(number);
    this.#cluster.refreshSoon();
    await clock.advance(150);
    leaders.append(number, 2, VALUE_BYTES);
    await clock.advance(300);
  }

  #seekToBeginning(number: number): void {
    this.states[number]?.startAt(0n);
    this.next[number] = 0n;
    this.#fetcher.pump();
  }
}

describe(`FetchMachine and FetchSessionMachine under random schedules, SEED=${seed}`, () => {
  it('fetch every record once and in order, within the limits, whatever the brokers do; and all of it once they are well', async (context) => {
    const seen = { fetches: 0, moved: 0, broken: 0, evicted: 0, stale: 0, peakBytes: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 150, size: 'max' }), async (steps) => {
        const subject = new Subject();
        await subject.start();
        for (const action of steps) {
          await subject.perform(action);
          // What has been decided leaves before the next thing happens.
          await settle();
          subject.check();
        }
        // Nobody calls the fetcher from here on but its own timers, answers, and a reader that has taken something.
        subject.leaders.heal();
        for (const paused of [...subject.leaders.paused]) await subject.perform({ do: 'resume', partition: paused });
        for (let waited = 0; waited < 400 && !subject.isDone(); waited++) {
          while (subject.read());
          await subject.leaders.brokers.clock.advance(25);
          subject.check();
        }
        assert.ok(
          subject.isDone(),
          `read up to ${subject.next.join()} of ${subject.states.map((_, each) => subject.leaders.end(each)).join()}`,
        );
        const { faults, fetches } = subject.leaders;
        seen.fetches += fetches;
        seen.moved += faults.moved;
        seen.broken += faults.broken;
        seen.evicted += faults.evicted;
        seen.stale += faults.stale;
        seen.peakBytes = Math.max(seen.peakBytes, subject.peakBytes);
        subject.close();
      }),
      // To make a failure smaller would take minutes; the seed repeats it as it is.
      { numRuns: runs, seed, endOnFailure: true },
    );
    context.diagnostic(`SEED=${seed} ${JSON.stringify(seen)}`);
    for (const [fault, least] of [
      ['moved', 2],
      ['broken', 0.5],
      ['evicted', 0.5],
      ['stale', 0.2],
    ] as const)
      assert.ok(seen[fault] >= least * runs, `${fault} only ${seen[fault]} times`);
    assert.ok(seen.peakBytes > LIMITS.maxBufferedBytes, 'the buffer never filled');
  });

  it('never forget a pause of a lone broker, whose timer fires early', async () => {
    const waits = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(waits, async (breaks) => {
        const subject = new Subject([1]);
        const { leaders } = subject;
        await subject.start();
        for (const ms of breaks) {
          leaders.append(0, 1, VALUE_BYTES);
          leaders.broken.add(1);
          await leaders.brokers.clock.advance(600 + ms);
          assert.ok(leaders.faults.broken > 0);
          leaders.heal();
          await leaders.brokers.clock.advance(1500);
          while (subject.read());
          assert.ok(subject.isDone(), `no fetch within 1500 ms after ${leaders.faults.broken} had failed`);
        }
        subject.close();
      }),
      { numRuns: Math.ceil(runs / 5), seed, endOnFailure: true },
    );
  });

  for (const hasSessions of [true, false]) {
    it(`bring records of each partition as often as of the others, ${hasSessions ? 'with sessions' : 'without'}, where all have more than fits into an answer`, async () => {
      const sizes = fc.array(fc.integer({ min: 3, max: 5 }), { minLength: PARTITIONS, maxLength: PARTITIONS });
      await fc.assert(
        fc.asyncProperty(sizes, async (recordsPerBatch) => {
          const subject = new Subject([1]);
          subject.leaders.hasRoomForSessions = hasSessions;
          for (let batch = 0; batch < 60; batch++)
            for (const [each, records] of recordsPerBatch.entries()) subject.leaders.append(each, records, VALUE_BYTES);
          await subject.start();
          const { served } = subject.leaders;
          for (let round = 0; round < 150; round++) {
            subject.read();
            await subject.leaders.brokers.clock.advance(2);
            assert.ok(Math.max(...served) <= 2 * Math.min(...served) + 4, `answers with records: ${served.join(', ')}`);
          }
          subject.check();
          assert.ok(Math.min(...served) > 5, `${served.join(', ')} answers with records`);
          subject.close();
        }),
        { numRuns: Math.ceil(runs / 5), seed, endOnFailure: true },
      );
    });
  }
});
