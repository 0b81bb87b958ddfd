import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FetchMachine, type Fetchable, type FetchPlan } from '../../../../src/consumer/fetch/fetch-machine.ts';

interface Partition extends Fetchable {
  start: unknown;
  paused: boolean;
  bufferedBytes: number;
  waitingBytes: number;
  retryAtMs: number;
  lastServed: number;
  leader: number | undefined;
}

function partition(number: number, change: Partial<Partition> = {}): Partition {
  return {
    topic: 't',
    partition: number,
    start: undefined,
    paused: false,
    bufferedBytes: 0,
    waitingBytes: 0,
    retryAtMs: 0,
    lastServed: 0,
    leader: 1,
    ...change,
  };
}

function machine(maxBufferedBytes = 4000): FetchMachine {
  return new FetchMachine({
    fetchMaxBytes: 5000,
    maxPartitionFetchBytes: 1000,
    fetchMaxWaitMs: 500,
    maxBufferedBytes,
    retryBackoff: { initialMs: 100, maxMs: 1000 },
    random: () => 0.5,
  });
}

const plan = (subject: FetchMachine, partitions: Partition[], nowMs = 0): FetchPlan<Partition>[] =>
  subject.plan(partitions, ({ leader }) => leader, nowMs);
const numbers = (plans: FetchPlan<Partition>[]): number[][] =>
  plans.map(({ partitions }) => partitions.map((item) => item.partition));

describe('FetchMachine', () => {
  it('plans one fetch per broker, and none while one is under way', () => {
    const subject = machine();
    const partitions = [partition(0), partition(1, { leader: 2 }), partition(2), partition(3, { leader: undefined })];
    const plans = plan(subject, partitions);
    assert.deepEqual(numbers(plans), [[0, 2], [1]]);
    assert.deepEqual(plan(subject, partitions), []);
    const [first] = plans;
    assert.ok(first);
    subject.handleAnswer(first, true, 1, 0);
    assert.deepEqual(numbers(plan(subject, partitions)), [[0, 2]]);
  });

  it('leaves out what is paused, has no offset yet, or waits after a failure', () => {
    const partitions = [
      partition(0, { paused: true }),
      partition(1, { start: {} }),
      partition(2, { retryAtMs: 10 }),
      partition(3),
    ];
    assert.deepEqual(numbers(plan(machine(), partitions, 9)), [[3]]);
    assert.deepEqual(numbers(plan(machine(), partitions, 10)), [[2, 3]]);
  });

  it('asks first for those that waited longest', () => {
    const partitions = [
      partition(0, { lastServed: 3 }),
      partition(1, { lastServed: 1 }),
      partition(2, { lastServed: 2 }),
    ];
    assert.deepEqual(numbers(plan(machine(), partitions)), [[1, 2, 0]]);
  });

  it('fetches a partition ahead by one answer, and does not let the broker wait for others meanwhile', () => {
    const subject = machine();
    const partitions = [
      // What is being read does not count, however much it is.
      partition(0, { bufferedBytes: 1999, waitingBytes: 999 }),
      partition(1, { bufferedBytes: 1100, waitingBytes: 1000 }),
    ];
    const [first] = plan(subject, partitions);
    assert.ok(first);
    assert.deepEqual(numbers([first]), [[0]]);
    assert.equal(first.maxWaitMs, 0);
    subject.handleAnswer(first, false, 1, 0);
    assert.deepEqual(plan(subject, partitions, 1), [], 'an empty answer without a wait is not repeated at once');
    assert.equal(subject.nextDeadlineMs(partitions, 1), 500);
    assert.equal(plan(subject, partitions, 500).length, 1);
  });

  it('fetches again as soon as a full partition was drained', () => {
    const subject = machine();
    const partitions = [partition(0), partition(1, { bufferedBytes: 2000, waitingBytes: 1000 })];
    const [first] = plan(subject, partitions);
    assert.ok(first);
    subject.handleAnswer(first, false, 1, 0);
    subject.handleDrained(1);
    const [next] = plan(subject, [partition(0), partition(1)], 1);
    assert.equal(next?.maxWaitMs, 500);
  });

  it('fetches nothing when the buffer is full, unless only paused partitions fill it', () => {
    const full = [partition(0, { bufferedBytes: 4000 }), partition(1)];
    assert.deepEqual(plan(machine(), full), []);
    const paused = [partition(0, { bufferedBytes: 4000, paused: true }), partition(1)];
    const [progress] = plan(machine(), paused);
    assert.equal(progress?.maxBytes, 1000);
  });

  it('asks for no more than there is room for, and an eighth of what may be buffered, but for what a partition may have', () => {
    for (const [maxBufferedBytes, bufferedBytes, maxBytes] of [
      [24_000, 500, 3000],
      [24_000, 22_500, 1500],
      [24_000, 23_500, 1000],
      [4000, 0, 1000],
      [80_000, 0, 5000],
    ] as const) {
      const [first] = plan(machine(maxBufferedBytes), [partition(0, { bufferedBytes }), partition(1)]);
      assert.equal(first?.maxBytes, maxBytes);
    }
  });

  it('backs off a broker that fails, longer each time, and forgets it at the first answer', () => {
    const subject = machine();
    const partitions = [partition(0)];
    let nowMs = 0;
    for (const pauseMs of [100, 200, 400, 800, 1000, 1000]) {
      const [failing] = plan(subject, partitions, nowMs);
      assert.ok(failing);
      subject.handleFailure(failing, nowMs);
      assert.equal(subject.nextDeadlineMs(partitions, nowMs), nowMs + pauseMs);
      assert.deepEqual(plan(subject, partitions, nowMs + pauseMs - 1), []);
      nowMs += pauseMs;
    }
    const [good] = plan(subject, partitions, nowMs);
    assert.ok(good);
    subject.handleAnswer(good, true, 1, nowMs);
    assert.equal(plan(subject, partitions, nowMs).length, 1);
  });

  it('does not spin against a broker that answers a long poll at once with nothing', () => {
    const subject = machine();
    const partitions = [partition(0)];
    let fetches = 0;
    for (let nowMs = 0; nowMs < 10_000; nowMs++) {
      for (const empty of plan(subject, partitions, nowMs)) {
        fetches++;
        subject.handleAnswer(empty, false, 0, nowMs);
      }
    }
    assert.ok(fetches < 25, `${fetches} fetches in 10 s`);
  });

  it('does not slow down a broker that answers with nothing after the wait', () => {
    const subject = machine();
    const partitions = [partition(0)];
    for (let nowMs = 0; nowMs < 10_000; nowMs += 500) {
      const [empty] = plan(subject, partitions, nowMs);
      assert.ok(empty);
      subject.handleAnswer(empty, false, 500, nowMs + 500);
    }
  });
});
