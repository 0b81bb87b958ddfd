import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorName } from '../../../support/answers/scenario.ts';
import {
  TransactionMachine,
  type IdentityAnswer,
  type ProducerIdentity,
  type TransactionRules,
} from '../../../../src/testing/transactions/transaction-machine.ts';

const a = { topic: 'a', partition: 0 };
const b = { topic: 'b', partition: 3 };

/** A machine with its next producer ids, and answers in words. */
class Subject {
  machine = new TransactionMachine('tx', 1n, 0);
  #nextId = 2n;
  nowMs = 0;

  init(expected?: ProducerIdentity, fencingRules: TransactionRules = 2): string {
    return words(this.machine.init({ timeoutMs: 60_000, expected, fencingRules }, this.nowMs, () => this.#nextId++));
  }

  add(producer: ProducerIdentity, ...partitions: (typeof a)[]): string {
    return errorName(this.machine.add(producer, partitions, this.nowMs));
  }

  end(producer: ProducerIdentity, committed: boolean, rules: TransactionRules = 2): string {
    return words(this.machine.end({ ...producer, committed, rules }, this.nowMs, () => this.#nextId++));
  }

  /** Writes all markers. */
  complete(): void {
    for (const partition of this.machine.pendingEnd()?.partitions ?? []) this.machine.handleMarked(partition);
    this.machine.handleCompleted(this.nowMs);
  }

  /** Raises the epoch by taking over again and again. */
  raiseTo(epoch: number): void {
    while (this.machine.producerEpoch < epoch) this.init();
  }
}

function words({ errorCode, producerId, producerEpoch }: IdentityAnswer): string {
  return errorCode === 0 ? `${producerId}/${producerEpoch}` : errorName(errorCode);
}

const who = (producerId: bigint, producerEpoch: number): ProducerIdentity => ({ producerId, producerEpoch });

describe('TransactionMachine', () => {
  it('keeps the state Prepare until every marker is written, and answers CONCURRENT_TRANSACTIONS meanwhile', () => {
    for (const rules of [1, 2] as const) {
      const subject = new Subject();
      subject.init();
      subject.add(who(1n, 0), a, b);
      const after = subject.end(who(1n, 0), true, rules);
      assert.equal(after, rules === 2 ? '1/1' : '1/0');
      const now = who(1n, rules === 2 ? 1 : 0);
      assert.equal(subject.machine.state, 'PrepareCommit');
      assert.equal(subject.init(), 'CONCURRENT_TRANSACTIONS');
      assert.equal(subject.add(now, a), 'CONCURRENT_TRANSACTIONS');
      assert.equal(errorName(subject.machine.verify(now, a)), 'CONCURRENT_TRANSACTIONS');
      assert.equal(subject.end(who(1n, 0), true, rules), 'CONCURRENT_TRANSACTIONS');
      assert.equal(subject.end(who(1n, 0), false, rules), 'INVALID_TXN_STATE');
      subject.machine.handleMarked(a);
      subject.machine.handleCompleted(0);
      assert.equal(subject.machine.state, 'PrepareCommit');
      assert.deepEqual(subject.machine.pendingEnd(), { ...now, committed: true, partitions: [b] });
      subject.complete();
      assert.equal(subject.machine.state, 'CompleteCommit');
      assert.equal(subject.machine.pendingEnd(), undefined);
      assert.equal(subject.add(now, a), 'NONE');
    }
  });

  it('refuses the current epoch while the end that raised it is pending', () => {
    const subject = new Subject();
    subject.init();
    subject.add(who(1n, 0), a);
    subject.end(who(1n, 0), true);
    assert.equal(subject.end(who(1n, 1), false), 'PRODUCER_FENCED');
  });

  it('gives a new id when the epochs are used up, and the same one to who comes again (as Kafka 4.3.1 did)', () => {
    const subject = new Subject();
    subject.raiseTo(32_765);
    assert.equal(subject.init(who(1n, 32_765)), '1/32766');
    assert.equal(subject.init(who(1n, 32_766)), '2/0');
    assert.equal(subject.init(who(1n, 32_766)), '2/0');
    assert.equal(subject.init(who(1n, 32_765)), 'PRODUCER_FENCED');
    assert.equal(subject.init(), '2/1');
    assert.equal(subject.init(who(1n, 32_766)), 'PRODUCER_FENCED');
  });

  it('answers EndTxn with a new id when the epochs are used up, also the second time (as Kafka 4.3.1 did)', () => {
    const subject = new Subject();
    subject.raiseTo(32_766);
    subject.add(who(1n, 32_766), a);
    assert.equal(subject.end(who(1n, 32_766), true), '2/0');
    assert.deepEqual(subject.machine.pendingEnd(), { ...who(1n, 32_767), committed: true, partitions: [a] });
    subject.complete();
    assert.equal(subject.end(who(1n, 32_766), true), '2/0');
    assert.equal(subject.end(who(1n, 32_766), false), 'INVALID_TXN_STATE');
    assert.equal(subject.add(who(2n, 0), a), 'NONE');
    assert.equal(subject.end(who(1n, 32_766), true), 'INVALID_PRODUCER_ID_MAPPING');
    assert.equal(subject.end(who(2n, 0), false), '2/1');
  });

  it('fences at the last epochs: 32765 and 32766 (as Kafka 4.3.1 did)', () => {
    const first = new Subject();
    first.raiseTo(32_765);
    first.add(who(1n, 32_765), a);
    assert.equal(first.init(), 'CONCURRENT_TRANSACTIONS');
    assert.equal(first.machine.pendingEnd()?.producerEpoch, 32_766);
    first.complete();
    assert.equal(first.init(), '2/0');
    const second = new Subject();
    second.raiseTo(32_766);
    second.add(who(1n, 32_766), a);
    second.init();
    assert.equal(second.machine.pendingEnd()?.producerEpoch, 32_767);
    second.complete();
    assert.equal(second.machine.producerId, 2n);
    assert.equal(second.init(), '2/1');
  });

  it('lets a producer go on that was fenced by a timeout, unless transaction.version is below 2 (as Kafka 4.3.1 did)', () => {
    for (const rules of [1, 2] as const) {
      const subject = new Subject();
      subject.init();
      subject.add(who(1n, 0), a);
      subject.machine.fence(rules, 0, () => 9n);
      subject.complete();
      assert.equal(subject.machine.state, 'CompleteAbort');
      assert.equal(subject.init(who(1n, 0)), rules === 2 ? '1/1' : 'PRODUCER_FENCED');
    }
  });

  it('has a deadline only while a transaction is open, counted from its first partition', () => {
    const subject = new Subject();
    subject.init();
    assert.equal(subject.machine.nextDeadlineMs(), undefined);
    subject.nowMs = 1_000;
    subject.add(who(1n, 0), a);
    subject.nowMs = 2_000;
    subject.add(who(1n, 0), b);
    assert.equal(subject.machine.nextDeadlineMs(), 61_000);
    subject.end(who(1n, 0), true);
    assert.equal(subject.machine.nextDeadlineMs(), undefined);
  });

  it('fences nobody who has no open transaction', () => {
    const subject = new Subject();
    subject.init();
    subject.machine.fence(2, 0, () => 9n);
    assert.equal(subject.machine.state, 'Empty');
    assert.equal(subject.machine.producerEpoch, 0);
  });

  it('is the same after a snapshot as JSON, in every state', () => {
    const subject = new Subject();
    const steps = [
      (): string => subject.init(),
      (): string => subject.add(who(1n, 0), a, b),
      (): string => subject.end(who(1n, 0), true),
      (): void => subject.complete(),
      (): string => subject.end(who(1n, 1), false),
      (): void => subject.complete(),
      (): void => subject.raiseTo(32_766),
      (): string => subject.add(who(1n, 32_766), a),
      (): string => subject.end(who(1n, 32_766), true),
    ];
    for (const step of steps) {
      step();
      const before = subject.machine.snapshot();
      const text = JSON.stringify(before);
      subject.machine = TransactionMachine.restore(JSON.parse(text) as typeof before);
      assert.deepEqual(subject.machine.snapshot(), before);
    }
    subject.complete();
    assert.equal(subject.end(who(1n, 32_766), true), '2/0');
  });
});
