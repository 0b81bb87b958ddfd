import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { brokerErrorCodes, type BrokerErrorName } from '../../../src/errors/broker-error-codes.ts';
import {
  PartitionMachine,
  type AttemptResult,
  type PartitionMachineOptions,
  type SequencedBatch,
} from '../../../src/producer/partition-machine.ts';
import { answerOf } from '../../../src/producer/produce-errors.ts';
import { PartitionLog, type TravellingBatch } from './partition-log.ts';

interface TestBatch extends SequencedBatch {
  readonly id: number;
}

function batch(id: number, recordCount = 1, deadlineMs = 1000): TestBatch {
  return {
    id,
    recordCount,
    deadlineMs,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    attempts: 0,
    maybeWritten: false,
    order: -1,
    settled: false,
    maybeWrittenWhole: false,
  };
}

function machine(options: Partial<PartitionMachineOptions> = {}): PartitionMachine<TestBatch> {
  const made = new PartitionMachine<TestBatch>({
    idempotent: true,
    maxInFlight: 5,
    retries: 2 ** 31 - 1,
    backoffMs: (failures) => 10 * failures,
    ...options,
  });
  if (made.needsIdentity) made.adoptIdentity({ producerId: 7n, producerEpoch: 0 });
  return made;
}

const result = (name: BrokerErrorName): AttemptResult => answerOf(brokerErrorCodes[name]);
const lost: AttemptResult = { verdict: 'retry', maybeWritten: true };

/** Adds batches 1 to `count`, of which the first is acknowledged, so that the others may go together. */
function underWay(
  count: number,
  options?: Partial<PartitionMachineOptions>,
): [PartitionMachine<TestBatch>, TestBatch[]] {
  const subject = machine(options);
  const batches = Array.from({ length: count + 1 }, (_, id) => batch(id, 10));
  for (const each of batches) subject.add(each);
  const first = subject.take();
  assert.ok(first);
  subject.handleResult(first, result('NONE'), 0);
  for (let sent = 0; sent < count; sent++) subject.take();
  return [subject, batches.slice(1)];
}

function takeAll(subject: PartitionMachine<TestBatch>, nowMs: number): TestBatch[] {
  const taken: TestBatch[] = [];
  while (subject.canSend(nowMs) && subject.peek() !== undefined) {
    const next = subject.take();
    if (next !== undefined) taken.push(next);
  }
  return taken;
}

const ids = (batches: readonly TestBatch[]): number[] => batches.map((each) => each.id);

describe('PartitionMachine', () => {
  it('PartitionMachine sends nothing before it has an identity, and needs none without idempotence', () => {
    const options = { idempotent: true, maxInFlight: 5, retries: 1, backoffMs: () => 0 };
    const subject = new PartitionMachine<TestBatch>(options);
    subject.add(batch(1));
    assert.equal(subject.needsIdentity, true);
    assert.equal(subject.canSend(0), false);
    subject.adoptIdentity({ producerId: 1n, producerEpoch: 0 });
    assert.equal(subject.canSend(0), true);
    const plain = new PartitionMachine<TestBatch>({ ...options, idempotent: false });
    plain.add(batch(1));
    assert.equal(plain.canSend(0), true);
    assert.equal(plain.take()?.baseSequence, -1);
  });

  it('PartitionMachine numbers records in sequence and lets one batch go until the first is acknowledged, then five', () => {
    const subject = machine();
    const batches = Array.from({ length: 8 }, (_, id) => batch(id, id + 1));
    for (const each of batches) subject.add(each);
    assert.deepEqual(ids(takeAll(subject, 0)), [0]);
    assert.equal(subject.handleResult(batches[0] as TestBatch, result('NONE'), 0), 'delivered');
    assert.deepEqual(ids(takeAll(subject, 0)), [1, 2, 3, 4, 5]);
    assert.deepEqual(
      batches.slice(0, 6).map((each) => each.baseSequence),
      [0, 1, 3, 6, 10, 15],
    );
  });

  it('PartitionMachine continues at 0 after the largest sequence number', () => {
    const subject = machine();
    const huge = batch(0, 2 ** 31 - 2);
    const next = batch(1, 5);
    const last = batch(2, 1);
    for (const each of [huge, next, last]) subject.add(each);
    subject.take();
    subject.handleResult(huge, result('NONE'), 0);
    takeAll(subject, 0);
    assert.equal(next.baseSequence, 2 ** 31 - 2);
    assert.equal(last.baseSequence, 3);
  });

  it('PartitionMachine waits for all answers after a failure, then sends what came back in order under the same numbers', () => {
    const [subject, [a, b, c]] = underWay(3);
    assert.ok(a && b && c);
    assert.equal(subject.handleResult(a, result('NOT_LEADER_OR_FOLLOWER'), 0), 'retry');
    assert.equal(subject.canSend(1000), false);
    assert.equal(subject.handleResult(b, result('OUT_OF_ORDER_SEQUENCE_NUMBER'), 0), 'retry');
    subject.add(batch(9));
    assert.equal(subject.handleResult(c, result('OUT_OF_ORDER_SEQUENCE_NUMBER'), 0), 'retry');
    assert.equal(subject.canSend(9), false, 'the pause after one failure is 10 ms');
    assert.deepEqual(ids(takeAll(subject, 10)), [1, 2, 3, 9]);
    assert.deepEqual([a.baseSequence, b.baseSequence, c.baseSequence], [10, 20, 30]);
    assert.equal(subject.identity.producerEpoch, 0);
  });

  it('PartitionMachine takes another epoch when the broker misses the batch before the first one', () => {
    const [subject, [a, b]] = underWay(2);
    assert.ok(a && b);
    subject.handleResult(a, result('OUT_OF_ORDER_SEQUENCE_NUMBER'), 0);
    subject.handleResult(b, result('OUT_OF_ORDER_SEQUENCE_NUMBER'), 0);
    assert.deepEqual(subject.identity, { producerId: 7n, producerEpoch: 1 });
    assert.deepEqual(ids(takeAll(subject, 100)), [1], 'the first under an epoch goes alone');
    assert.equal(a.baseSequence, 0);
    assert.equal(a.producerEpoch, 1);
    subject.handleResult(a, result('NONE'), 100);
    takeAll(subject, 100);
    assert.equal(b.baseSequence, 10);
  });

  it('PartitionMachine takes another epoch when the broker does not know the producer id, and retries', () => {
    for (const name of ['UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'] as const) {
      const [subject, [a]] = underWay(1);
      assert.ok(a);
      assert.equal(subject.handleResult(a, result(name), 0), 'retry');
      assert.equal(subject.identity.producerEpoch, 1);
    }
  });

  it('PartitionMachine needs a new identity when its epochs are used up', () => {
    const subject = machine();
    subject.adoptIdentity({ producerId: 7n, producerEpoch: 0x7fff });
    const only = batch(1);
    subject.add(only);
    subject.take();
    subject.handleResult(only, result('UNKNOWN_PRODUCER_ID'), 0);
    assert.equal(subject.needsIdentity, true);
    assert.equal(subject.canSend(1000), false);
    subject.adoptIdentity({ producerId: 8n, producerEpoch: 0 });
    assert.equal(takeAll(subject, 1000)[0]?.producerId, 8n);
  });

  it('PartitionMachine takes a duplicate for delivered', () => {
    const [subject, [a]] = underWay(1);
    assert.ok(a);
    assert.equal(subject.handleResult(a, result('DUPLICATE_SEQUENCE_NUMBER'), 0), 'delivered');
  });

  it('PartitionMachine gives back the numbers of a batch that was refused, if it was the last', () => {
    const [subject, [a]] = underWay(1);
    assert.ok(a);
    assert.equal(subject.handleResult(a, result('INVALID_RECORD'), 0), 'failed');
    const next = batch(5);
    subject.add(next);
    takeAll(subject, 0);
    assert.equal(next.baseSequence, a.baseSequence);
    assert.equal(subject.identity.producerEpoch, 0);
  });

  it('PartitionMachine keeps the numbers of a batch that was given up and may have been written', () => {
    const [subject, [a]] = underWay(1);
    assert.ok(a);
    subject.handleResult(a, lost, 0);
    assert.deepEqual(ids(subject.takeExpired(5000)), [1]);
    const next = batch(5, 1, 9000);
    subject.add(next);
    takeAll(subject, 5000);
    assert.equal(next.baseSequence, 20);
    assert.equal(subject.identity.producerEpoch, 0);
  });

  it('PartitionMachine gives up what is due wherever it is, and lets the answer of what is in flight come', () => {
    const [subject, [a, b]] = underWay(2);
    assert.ok(a && b);
    subject.add(batch(3, 1, 500));
    assert.deepEqual(ids(subject.takeExpired(499)), []);
    assert.deepEqual(ids(subject.takeExpired(1000)), [1, 2, 3]);
    assert.deepEqual(subject.takeExpired(2000), [], 'each once');
    assert.equal(subject.inFlightCount, 2);
    assert.equal(subject.handleResult(a, result('NONE'), 0), 'ignored');
    assert.equal(subject.handleResult(b, lost, 0), 'ignored');
    assert.equal(subject.isEmpty, true);
  });

  it('PartitionMachine fails a batch when its retries are used up', () => {
    const subject = machine({ retries: 2 });
    const only = batch(1);
    subject.add(only);
    const fates = [0, 1000, 2000].map((nowMs) => {
      takeAll(subject, nowMs);
      return subject.handleResult(only, result('NOT_ENOUGH_REPLICAS'), nowMs);
    });
    assert.deepEqual(fates, ['retry', 'retry', 'failed']);
  });

  it('PartitionMachine counts failures in a row for the pause, one per round, and forgets them after a success', () => {
    const [subject, [a, b]] = underWay(2);
    assert.ok(a && b);
    for (const each of [a, b]) subject.handleResult(each, lost, 0);
    assert.equal(subject.retryAtMs, 10);
    takeAll(subject, 10);
    for (const each of [a, b]) subject.handleResult(each, lost, 10);
    assert.equal(subject.retryAtMs, 30);
    takeAll(subject, 30);
    subject.handleResult(a, result('NONE'), 30);
    subject.handleResult(b, lost, 30);
    assert.equal(subject.retryAtMs, 40);
  });

  it('PartitionMachine sends nothing to a new leader before the old one has answered', () => {
    const [subject, [a]] = underWay(1);
    assert.ok(a);
    subject.add(batch(2));
    assert.equal(subject.canSend(0), true);
    subject.handleNewLeader();
    assert.equal(subject.canSend(0), false);
    subject.handleResult(a, result('NOT_LEADER_OR_FOLLOWER'), 0);
    subject.handleNewLeader();
    assert.deepEqual(ids(takeAll(subject, 0)), [1, 2], 'one try at once');
    for (const each of [a]) subject.handleResult(each, result('NOT_LEADER_OR_FOLLOWER'), 0);
    subject.handleNewLeader();
    assert.equal(subject.canSend(0), false, 'leaders that point at each other do not make a storm');
  });

  it('PartitionMachine sends no more than the partition remembers while an earlier batch has no good answer', () => {
    const [subject, batches] = underWay(5);
    const [a, ...later] = batches;
    assert.ok(a);
    // Written, but answered with an error; then turned away, while all that follow are written.
    subject.handleResult(a, result('REQUEST_TIMED_OUT'), 0);
    for (const each of later) subject.handleResult(each, result('NONE'), 0);
    for (let id = 10; id < 20; id++) subject.add(batch(id));
    assert.deepEqual(ids(takeAll(subject, 1000)), [1], 'batches 2 to 5 are remembered, and batch 1 as the fifth');
    subject.handleResult(a, result('NONE'), 1000);
    assert.deepEqual(ids(takeAll(subject, 1000)), [10, 11, 12, 13, 14]);
  });

  it('PartitionMachine starts another epoch for a topic that was created again', () => {
    const [subject] = underWay(1);
    subject.add(batch(2));
    assert.deepEqual(ids(subject.giveUp((each) => each.attempts > 0)), [1]);
    subject.handleNewTopic();
    assert.equal(subject.identity.producerEpoch, 0);
    assert.equal(subject.canSend(0), false);
  });

  it('PartitionMachine puts the parts of a batch that is too large in its place, under its sequence numbers', () => {
    for (const code of ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'] as const) {
      const [subject, [a, b, c]] = underWay(3, { retries: 0 });
      assert.ok(a && b && c);
      subject.add(batch(9));
      assert.equal(subject.handleResult(a, result('NONE'), 0), 'delivered');
      assert.equal(subject.handleResult(b, result(code), 0), 'split', 'it is no retry: none are allowed here');
      assert.equal(subject.isInFlight(b), false);
      assert.equal(subject.canSend(0), false, 'nothing overtakes it');
      const parts = [batch(20, 4), batch(24, 6)];
      assert.equal(subject.handleSplit(b, parts), true);
      assert.equal(subject.canSend(0), false, 'c has not been answered yet');
      assert.equal(subject.isEmpty, false);
      subject.handleResult(c, result('NONE'), 0);
      assert.deepEqual(ids(takeAll(subject, 0)), [20, 24, 9]);
      assert.deepEqual(
        parts.map(({ baseSequence, producerEpoch }) => [baseSequence, producerEpoch]),
        [
          [20, 0],
          [24, 0],
        ],
      );
    }
  });

  it('PartitionMachine sends what came back with a batch that was taken apart after its parts', () => {
    const [subject, [a, b]] = underWay(2);
    assert.ok(a && b);
    assert.equal(subject.handleResult(a, result('MESSAGE_TOO_LARGE'), 0), 'split');
    assert.equal(subject.handleResult(b, result('OUT_OF_ORDER_SEQUENCE_NUMBER'), 0), 'retry');
    assert.equal(subject.identity.producerEpoch, 0, 'the gap is the batch that is being taken apart');
    assert.equal(subject.canSend(1000), false);
    const parts = [batch(10, 5), batch(15, 5)];
    subject.handleSplit(a, parts);
    assert.deepEqual(ids(takeAll(subject, 1000)), [10, 15, 2]);
    // A part can be too large itself.
    assert.equal(subject.handleResult(parts[0] as TestBatch, result('MESSAGE_TOO_LARGE'), 1000), 'split');
    for (const each of [parts[1] as TestBatch, b]) {
      assert.equal(subject.handleResult(each, result('OUT_OF_ORDER_SEQUENCE_NUMBER'), 1000), 'retry');
    }
    subject.handleSplit(parts[0] as TestBatch, [batch(10, 1), batch(11, 4)]);
    assert.deepEqual(ids(takeAll(subject, 5000)), [10, 11, 15, 2]);
  });

  it('PartitionMachine keeps the order of parts that come back together with a later batch that was sent before them', () => {
    const [subject, [a, b]] = underWay(2, { maxInFlight: 2 });
    assert.ok(a && b);
    subject.handleResult(a, lost, 0);
    subject.handleResult(b, lost, 0);
    assert.deepEqual(ids(takeAll(subject, 10)), [1, 2]);
    subject.handleResult(b, lost, 10);
    subject.handleResult(a, result('MESSAGE_TOO_LARGE'), 10);
    subject.handleSplit(a, [batch(10, 2), batch(12, 2), batch(14, 6)]);
    const sent = takeAll(subject, 1000);
    assert.deepEqual(ids(sent), [10, 12]);
    for (const each of sent) subject.handleResult(each, result('NOT_ENOUGH_REPLICAS'), 1000);
    assert.deepEqual(ids(takeAll(subject, 5000)), [10, 12]);
    for (const each of sent) subject.handleResult(each, result('NONE'), 5000);
    const rest = takeAll(subject, 5000);
    assert.deepEqual(ids(rest), [14, 2]);
    for (const each of rest) subject.handleResult(each, lost, 5000);
    assert.deepEqual(ids(takeAll(subject, 9000)), [14, 2]);
  });

  it('PartitionMachine sends no more parts than the partition remembers while an earlier batch has no good answer', () => {
    const [subject, [a, b]] = underWay(2);
    assert.ok(a && b);
    subject.handleResult(a, result('REQUEST_TIMED_OUT'), 0);
    subject.handleResult(b, result('MESSAGE_TOO_LARGE'), 0);
    const parts = [11, 12, 13, 14, 15, 16].map((id) => batch(id));
    subject.handleSplit(b, parts);
    assert.deepEqual(ids(takeAll(subject, 1000)), [1, 11, 12, 13, 14]);
    subject.handleResult(parts[0] as TestBatch, result('NONE'), 1000);
    assert.equal(subject.canSend(1000), false, 'batch 1 may have been written, and would be the sixth');
    subject.handleResult(a, result('NONE'), 1000);
    assert.deepEqual(ids(takeAll(subject, 1000)), [15, 16]);
  });

  it('PartitionMachine fails a record that is too large alone, and one that cannot be taken apart', () => {
    const subject = machine();
    const only = batch(1);
    subject.add(only);
    subject.take();
    assert.equal(subject.handleResult(only, result('MESSAGE_TOO_LARGE'), 0), 'failed');
    const [other, [a]] = underWay(1);
    assert.ok(a);
    other.handleResult(a, result('MESSAGE_TOO_LARGE'), 0);
    assert.equal(other.handleSplitFailure(a), true);
    assert.equal(other.isEmpty, true);
    const next = batch(5);
    other.add(next);
    takeAll(other, 0);
    assert.equal(next.baseSequence, a.baseSequence, 'its numbers are free again');
  });

  it('PartitionMachine drops the parts of a batch that was given up while it was taken apart', () => {
    const [subject, [a]] = underWay(1);
    assert.ok(a);
    subject.handleResult(a, result('MESSAGE_TOO_LARGE'), 0);
    assert.equal(subject.nextDeadlineMs(0), 1000);
    assert.deepEqual(ids(subject.takeExpired(1000)), [1]);
    assert.equal(subject.isEmpty, false);
    assert.equal(subject.handleSplit(a, [batch(1, 5), batch(6, 5)]), false);
    assert.equal(subject.isEmpty, true);
  });

  it('PartitionMachine does not write parts of a batch under another epoch that may have been written whole', () => {
    // The answer to the first attempt was lost; then the topic began to refuse batches of that size.
    const [subject, [a, b]] = underWay(2);
    assert.ok(a && b);
    subject.handleResult(a, lost, 0);
    subject.handleResult(b, lost, 0);
    takeAll(subject, 1000);
    assert.equal(subject.handleResult(a, result('MESSAGE_TOO_LARGE'), 1000), 'split');
    subject.handleResult(b, result('NONE'), 1000);
    const parts = [batch(10, 5), batch(15, 5)];
    subject.handleSplit(a, parts);
    takeAll(subject, 1000);
    for (const part of parts) {
      assert.equal(subject.handleResult(part, result('OUT_OF_ORDER_SEQUENCE_NUMBER'), 1000), 'failed');
      assert.equal(part.maybeWritten, true);
    }
    assert.equal(subject.identity.producerEpoch, 0);
    const next = batch(5);
    subject.add(next);
    takeAll(subject, 1000);
    assert.equal(next.baseSequence, 30, 'as if it had been written, which it was');
  });

  it('PartitionMachine knows its next deadline', () => {
    const subject = machine();
    assert.equal(subject.nextDeadlineMs(0), undefined);
    const only = batch(1, 1, 1000);
    subject.add(only);
    assert.equal(subject.nextDeadlineMs(0), 1000);
    subject.take();
    subject.handleResult(only, lost, 100);
    assert.equal(subject.nextDeadlineMs(100), 110);
    assert.equal(subject.nextDeadlineMs(110), 1000);
  });
});

/** What happens next, each with the chance to hit any state. */
type Step =
  | { kind: 'add'; records: number }
  | { kind: 'send' }
  | { kind: 'answer' }
  | { kind: 'fail'; error: BrokerErrorName; appended: boolean }
  | { kind: 'refuse' }
  | { kind: 'cut'; arrived: number }
  | { kind: 'wait'; ms: number }
  | { kind: 'move' }
  | { kind: 'limit'; records: number }
  | { kind: 'split' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), records: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 8, arbitrary: fc.constant({ kind: 'send' as const }) },
  { weight: 8, arbitrary: fc.constant({ kind: 'answer' as const }) },
  {
    weight: 2,
    arbitrary: fc.constant({ kind: 'fail' as const, error: 'NOT_ENOUGH_REPLICAS' as const, appended: false }),
  },
  {
    weight: 2,
    arbitrary: fc.constant({ kind: 'fail' as const, error: 'NOT_LEADER_OR_FOLLOWER' as const, appended: false }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      error: fc.constantFrom<BrokerErrorName>('REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'),
      appended: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'refuse' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), arrived: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 200 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'move' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('limit' as const), records: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'split' as const }) },
);

type Outcome = 'delivered' | 'not-written' | 'unknown';

/** A machine, its partition, and the wire between them. A batch has the number of its first record as id. */
class Partition {
  readonly subject: PartitionMachine<TestBatch>;
  readonly log: PartitionLog = new PartitionLog();
  readonly written: number[] = [];
  readonly outcomes: Map<number, Outcome> = new Map<number, Outcome>();
  recordCount = 0;
  nowMs = 0;
  /** Larger batches are refused. */
  maxRecords = 6;
  #wire: { batch: TestBatch; sent: TravellingBatch }[] = [];
  readonly #splitting: TestBatch[] = [];

  constructor(maxInFlight: number) {
    this.subject = machine({ maxInFlight });
  }

  add(records: number): void {
    this.subject.add(batch(this.recordCount, records, this.nowMs + 1000));
    this.recordCount += records;
  }

  send(): void {
    if (!this.subject.canSend(this.nowMs) || this.subject.peek() === undefined) return;
    const next = this.subject.take();
    assert.ok(next);
    const { id, producerId, producerEpoch, baseSequence, recordCount } = next;
    this.#wire.push({ batch: next, sent: { id, producerId, producerEpoch, baseSequence, recordCount } });
  }

  /** The oldest request is answered: as the partition will have it, or with an error, before or after it was written. */
  answer(error: BrokerErrorName = 'NONE', appended = true): void {
    const arriving = this.#wire.shift();
    if (arriving === undefined) return;
    const real = appended ? this.#append(arriving.sent) : 'NONE';
    this.#finish(arriving.batch, result(real === 'NONE' ? error : real));
  }

  /** What had arrived is written, the rest is lost, and nobody answers. */
  cut(arrived: number): void {
    const cut = this.#wire;
    this.#wire = [];
    for (const { sent } of cut.slice(0, arrived)) this.#append(sent);
    for (const { batch: unanswered } of cut) this.#finish(unanswered, lost);
  }

  wait(ms: number): void {
    this.nowMs += ms;
    for (const expired of this.subject.takeExpired(this.nowMs)) {
      const isUnknown = expired.maybeWritten || this.subject.isInFlight(expired);
      this.#settle(expired, isUnknown ? 'unknown' : 'not-written');
    }
  }

  /** The oldest batch that is being taken apart is. */
  split(): void {
    const whole = this.#splitting.shift();
    if (whole === undefined) return;
    const half = Math.ceil(whole.recordCount / 2);
    const { id, recordCount, deadlineMs } = whole;
    this.subject.handleSplit(whole, [batch(id, half, deadlineMs), batch(id + half, recordCount - half, deadlineMs)]);
  }

  #append(sent: TravellingBatch): BrokerErrorName {
    if (sent.recordCount > this.maxRecords) return 'MESSAGE_TOO_LARGE';
    const before = this.log.ids.length;
    const code = this.log.append(sent);
    if (this.log.ids.length > before) this.written.push(...recordsOf(sent));
    return code;
  }

  #finish(each: TestBatch, attempt: AttemptResult): void {
    const fate = this.subject.handleResult(each, attempt, this.nowMs);
    if (fate === 'delivered') this.#settle(each, 'delivered');
    if (fate === 'failed') this.#settle(each, each.maybeWritten ? 'unknown' : 'not-written');
    if (fate === 'split') this.#splitting.push(each);
  }

  #settle(each: TestBatch, how: Outcome): void {
    for (const record of recordsOf(each)) {
      assert.equal(this.outcomes.has(record), false, `record ${record} settled twice`);
      this.outcomes.set(record, how);
    }
  }
}

function recordsOf({ id, recordCount }: { readonly id: number; readonly recordCount: number }): number[] {
  return Array.from({ length: recordCount }, (_, at) => id + at);
}

function act(partition: Partition, each: Step): void {
  switch (each.kind) {
    case 'add':
      return partition.add(each.records);
    case 'send':
      return partition.send();
    case 'answer':
      return partition.answer();
    case 'fail':
      return partition.answer(each.error, each.appended);
    case 'refuse':
      return partition.answer('INVALID_RECORD', false);
    case 'cut':
      return partition.cut(each.arrived);
    case 'wait':
      return partition.wait(each.ms);
    case 'move':
      return partition.subject.handleNewLeader();
    case 'limit':
      partition.maxRecords = each.records;
      return;
    case 'split':
      return partition.split();
    default:
      each satisfies never;
  }
}

/** Runs a schedule against a partition, then lets everything come to rest, and checks the promises. */
function run(steps: readonly Step[], maxInFlight: number): void {
  const partition = new Partition(maxInFlight);
  for (const each of steps) act(partition, each);
  for (let turn = 0; turn < 1000 && !partition.subject.isEmpty; turn++) {
    partition.send();
    partition.answer();
    partition.split();
    partition.nowMs += 1;
  }
  assert.equal(partition.subject.isEmpty, true, 'comes to rest');

  const { outcomes, written } = partition;
  assert.equal(outcomes.size, partition.recordCount, 'every record is settled');
  assert.equal(new Set(written).size, written.length, `written twice: ${written.join()}`);
  assert.deepEqual(
    written,
    [...written].sort((a, b) => a - b),
    `out of order: ${written.join()}`,
  );
  const there = new Set(written);
  for (const [record, how] of outcomes) {
    if (how === 'delivered') assert.ok(there.has(record), `record ${record} was acknowledged and is lost`);
    if (how === 'not-written') assert.ok(!there.has(record), `record ${record} was reported not written and is`);
  }
}

describe('PartitionMachine under random schedules', () => {
  it('PartitionMachine loses nothing acknowledged, doubles nothing, keeps the order and settles each batch once', () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120, size: 'max' }),
        fc.integer({ min: 1, max: 5 }),
        (steps, maxInFlight) => {
          run(steps, maxInFlight);
        },
      ),
      { numRuns: Number(process.env['RUNS'] ?? 3000), seed },
    );
  });
});
