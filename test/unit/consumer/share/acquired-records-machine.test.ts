import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acknowledgeTypes, AcquiredRecordsMachine } from '../../../../src/consumer/share/acquired-records-machine.ts';

const { gap, accept, release, reject, renew } = acknowledgeTypes;
const LOCKED_UNTIL_MS = 1000;
const READ_UNTIL_MS = 500;

function machineOf(...ranges: readonly (readonly [first: number, last: number])[]): AcquiredRecordsMachine {
  const acquired = ranges.map(([first, last], at) => ({ first, last, deliveryCount: at + 1 }));
  return new AcquiredRecordsMachine(acquired, LOCKED_UNTIL_MS, READ_UNTIL_MS);
}

describe('AcquiredRecordsMachine', () => {
  it('keeps one range for records that are read and acknowledged in their order', () => {
    const machine = machineOf([0, 99]);
    for (let index = 0; index < 100; index++) {
      assert.ok(machine.handOut(index));
      machine.acknowledgeHeld(accept);
    }
    assert.deepEqual(machine.takeQueued(0), [{ first: 0, last: 99, type: accept }]);
    assert.ok(machine.isDone);
  });

  it('calls offsets gaps that were passed over, also between ranges, and never those that others hold', () => {
    const machine = machineOf([0, 3], [10, 12]);
    assert.ok(machine.handOut(2));
    assert.ok(machine.handOut(11));
    machine.acknowledgeHeld(accept);
    machine.finish(13);
    assert.deepEqual(machine.takeQueued(0), [
      { first: 0, last: 1, type: gap },
      { first: 2, last: 2, type: accept },
      { first: 3, last: 3, type: gap },
      { first: 10, last: 10, type: gap },
      { first: 11, last: 11, type: accept },
      { first: 12, last: 12, type: gap },
    ]);
  });

  it('releases what came behind the last whole batch: a gap there could be a record', () => {
    const machine = machineOf([0, 9]);
    machine.handOut(0);
    machine.finish(4);
    assert.deepEqual(machine.takeQueued(0), [
      { first: 1, last: 3, type: gap },
      { first: 4, last: 9, type: release },
    ]);
    assert.equal(machine.heldCount, 1);
  });

  it('knows how often each record was delivered, and which it was not given', () => {
    const machine = machineOf([1, 2], [5, 5]);
    assert.deepEqual(
      [0, 1, 2, 3, 5, 6].map((index) => machine.deliveryCountOf(index)),
      [undefined, 1, 1, undefined, 2, undefined],
    );
  });

  it('hands out nothing that is not unread', () => {
    const machine = machineOf([1, 3], [6, 6]);
    assert.equal(machine.handOut(0), false);
    assert.equal(machine.handOut(1), true);
    assert.equal(machine.handOut(1), false);
    assert.equal(machine.handOut(5), false, 'it was not acquired');
    assert.equal(machine.handOut(6), true);
    assert.equal(machine.handOut(7), false);
    assert.equal(machine.hasUnread, false);
  });

  it('acknowledges held records in any order, each once', () => {
    const machine = machineOf([0, 4]);
    for (let index = 0; index < 5; index++) machine.handOut(index);
    assert.ok(machine.acknowledge(2, reject) && machine.acknowledge(4, release) && machine.acknowledge(0, accept));
    assert.equal(machine.acknowledge(2, accept), false);
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((index) => machine.isHeld(index)),
      [false, true, false, true, false],
    );
    assert.ok(machine.acknowledge(1, accept));
    assert.deepEqual(machine.takeQueued(0), [
      { first: 0, last: 1, type: accept },
      { first: 2, last: 2, type: reject },
      { first: 4, last: 4, type: release },
    ]);
    assert.equal(machine.heldCount, 1);
  });

  it('sends no acknowledgement whose lock has timed out, and tells which those are', () => {
    const machine = machineOf([0, 9]);
    for (let index = 0; index < 3; index++) machine.handOut(index);
    machine.acknowledge(0, accept);
    assert.deepEqual(machine.takeQueued(LOCKED_UNTIL_MS), []);
    assert.deepEqual(machine.expire(LOCKED_UNTIL_MS), {
      unread: 7,
      held: 2,
      queued: [{ first: 0, last: 0, type: accept }],
    });
    assert.equal(machine.acknowledge(1, accept), false);
    assert.ok(machine.isDone);
    assert.equal(machine.expire(LOCKED_UNTIL_MS), undefined);
  });

  it('gives back what is unread at half its time, and keeps what is held', () => {
    const machine = machineOf([0, 9]);
    machine.handOut(0);
    assert.equal(machine.nextDeadlineMs(), READ_UNTIL_MS);
    assert.equal(machine.tick(READ_UNTIL_MS - 1), 0);
    assert.equal(machine.tick(READ_UNTIL_MS), 9);
    assert.equal(machine.tick(READ_UNTIL_MS), 0);
    assert.deepEqual(machine.takeQueued(0), [{ first: 1, last: 9, type: release }]);
    assert.ok(machine.isHeld(0));
    assert.equal(machine.nextDeadlineMs(), LOCKED_UNTIL_MS);
  });

  it('holds a renewed record longer than those beside it', () => {
    const machine = machineOf([0, 2]);
    for (let index = 0; index < 3; index++) machine.handOut(index);
    machine.acknowledge(1, renew);
    assert.equal(machine.heldCount, 3);
    const renewals = machine.takeRenewals();
    assert.deepEqual(renewals, [{ first: 1, last: 1, type: renew }]);
    assert.equal(machine.hasRenewals, false);
    machine.handleRenewed(renewals, 5000);
    assert.equal(machine.expire(LOCKED_UNTIL_MS)?.held, 2);
    assert.ok(machine.acknowledge(1, accept));
    assert.deepEqual(machine.takeQueued(4999), [{ first: 1, last: 1, type: accept }]);
  });

  it('leaves it to the answer of a renewal that is under way whether its locks have ended', () => {
    const machine = machineOf([0, 3]);
    for (let index = 0; index < 4; index++) machine.handOut(index);
    for (const index of [0, 1, 2]) machine.acknowledge(index, renew);
    assert.equal(machine.expire(LOCKED_UNTIL_MS)?.held, 4, 'asked for, but not under way');

    const late = machineOf([0, 3]);
    for (let index = 0; index < 4; index++) late.handOut(index);
    for (const index of [0, 1, 2]) late.acknowledge(index, renew);
    const renewals = late.takeRenewals();
    assert.equal(late.expire(LOCKED_UNTIL_MS)?.held, 1);
    assert.ok(late.acknowledge(1, accept));
    assert.equal(late.expire(LOCKED_UNTIL_MS + 1), undefined);
    late.handleRenewed(renewals, 5000);
    assert.equal(late.nextDeadlineMs(), 5000);
    assert.equal(late.heldCount, 2);
    assert.deepEqual(late.takeQueued(4999), [{ first: 1, last: 1, type: accept }]);
    assert.equal(late.expire(5000)?.held, 2);
  });

  it('lets go of what has timed out while a renewal was under way that was refused', () => {
    const machine = machineOf([0, 1]);
    for (const index of [0, 1]) {
      machine.handOut(index);
      machine.acknowledge(index, renew);
    }
    const renewals = machine.takeRenewals();
    machine.acknowledge(1, accept);
    assert.equal(machine.nextDeadlineMs(), Infinity);
    machine.handleRenewed(renewals, undefined);
    assert.equal(machine.nextDeadlineMs(), LOCKED_UNTIL_MS);
    assert.deepEqual(machine.expire(LOCKED_UNTIL_MS), {
      unread: 0,
      held: 1,
      queued: [{ first: 1, last: 1, type: accept }],
    });
  });

  it('asks for no renewal of what was acknowledged meanwhile, nor twice at once', () => {
    const machine = machineOf([0, 3]);
    for (let index = 0; index < 4; index++) machine.handOut(index);
    assert.equal(machine.nextRenewalMs(), LOCKED_UNTIL_MS);
    machine.renewBefore(LOCKED_UNTIL_MS);
    assert.equal(machine.nextRenewalMs(), Infinity);
    machine.acknowledge(1, accept);
    assert.deepEqual(machine.takeRenewals(), [
      { first: 0, last: 0, type: renew },
      { first: 2, last: 3, type: renew },
    ]);
    machine.renewBefore(LOCKED_UNTIL_MS);
    machine.handleRenewed([{ first: 0, last: 0, type: renew }], undefined);
    assert.equal(machine.nextRenewalMs(), LOCKED_UNTIL_MS, 'a refused one may be asked for again');
  });
});
