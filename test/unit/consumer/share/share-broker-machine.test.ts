import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ACKNOWLEDGE_DELAY_MS,
  ShareBrokerMachine,
  type ShareBrokerView,
} from '../../../../src/consumer/share/share-broker-machine.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';

const nothing: ShareBrokerView = {
  wantsRecords: false,
  hasQueued: false,
  hasRenewals: false,
  hasStrayQueued: false,
  isIdle: false,
  isClosing: false,
};
const records = { ...nothing, wantsRecords: true };
const queued = { ...nothing, hasQueued: true };

/** With a session that is open. */
function opened(): ShareBrokerMachine {
  const machine = new ShareBrokerMachine({ initialMs: 100, maxMs: 1000 }, () => 0.5);
  assert.equal(machine.take(records, 0), 'fetch');
  machine.handleAnswer();
  return machine;
}

describe('ShareBrokerMachine', () => {
  it('sends one request at a time', () => {
    const machine = opened();
    assert.equal(machine.take(records, 0), 'fetch');
    assert.equal(machine.take({ ...records, hasQueued: true, hasRenewals: true }, 0), undefined);
    machine.handleAnswer();
    assert.equal(machine.take({ ...records, hasRenewals: true }, 0), 'renew');
  });

  it('leaves acknowledgements to the next fetch, and sends them alone if none comes in time', () => {
    const machine = opened();
    machine.handleQueued(10);
    machine.handleQueued(50);
    assert.equal(machine.take(queued, 20), undefined);
    assert.equal(machine.nextDeadlineMs(queued, 20), 10 + ACKNOWLEDGE_DELAY_MS);
    assert.equal(machine.take({ ...queued, wantsRecords: true }, 10 + ACKNOWLEDGE_DELAY_MS), 'fetch');
    machine.handleAnswer();
    machine.handleQueued(200);
    assert.equal(machine.take(queued, 200 + ACKNOWLEDGE_DELAY_MS), 'acknowledge');
  });

  it('sends acknowledgements at once, and before a fetch, where somebody waits for them', () => {
    const machine = opened();
    machine.handleQueued(0);
    machine.flush();
    assert.equal(machine.take({ ...queued, wantsRecords: true }, 0), 'acknowledge');
    machine.handleAnswer();
    machine.handleQueued(1);
    assert.equal(machine.take({ ...queued, wantsRecords: true }, 1), 'fetch', 'once');
  });

  it('sends acknowledgements by themselves of partitions that no fetch names', () => {
    const machine = opened();
    machine.handleQueued(0);
    assert.equal(machine.take({ ...queued, wantsRecords: true, hasStrayQueued: true }, 0), 'acknowledge');
  });

  it('ends what may be left of a session before it begins another, after a pause that grows', () => {
    const machine = opened();
    assert.equal(machine.take(records, 0), 'fetch');
    machine.handleFailure(0);
    assert.equal(machine.take(records, 99), undefined);
    assert.equal(machine.nextDeadlineMs(records, 0), 100);
    assert.equal(machine.take(records, 100), 'farewell');
    machine.handleFailure(100);
    assert.equal(machine.nextDeadlineMs(nothing, 100), 300);
    assert.equal(machine.take(records, 300), 'farewell');
    machine.handleFarewell();
    assert.equal(machine.take(records, 300), 'fetch');
    assert.equal(machine.session.takeFetch(new Map()).epoch, 0);
  });

  it('begins anew without a farewell where the broker has forgotten the session', () => {
    const machine = opened();
    assert.equal(machine.take(records, 0), 'fetch');
    machine.handleRefusal(codes.SHARE_SESSION_NOT_FOUND, 0);
    assert.equal(machine.take(records, 100), 'fetch');
  });

  it('ends its session when it is closed, with what is queued, and when nothing is left there', () => {
    const closing = opened();
    closing.handleQueued(0);
    assert.equal(closing.take({ ...queued, isClosing: true }, 0), 'farewell');
    const idle = opened();
    assert.equal(idle.take(nothing, 0), undefined);
    assert.equal(idle.take({ ...nothing, isIdle: true }, 0), 'farewell');
    idle.handleFarewell();
    assert.equal(idle.take({ ...nothing, isIdle: true }, 0), undefined);
  });

  it('waits for no pause when it is closed', () => {
    const machine = opened();
    assert.equal(machine.take(records, 0), 'fetch');
    machine.handleFailure(0);
    assert.equal(machine.take({ ...nothing, isClosing: true }, 1), 'farewell');
  });

  it('takes a request back that could not be sent', () => {
    const machine = opened();
    assert.equal(machine.take({ ...nothing, hasRenewals: true }, 0), 'renew');
    machine.handleUnsent();
    assert.ok(machine.session.isOpen && !machine.isBusy);
  });
});
