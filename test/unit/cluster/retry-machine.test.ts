import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerError } from '../../../src/errors/broker-error.ts';
import { brokerErrorCodes, type BrokerErrorName } from '../../../src/errors/broker-error-codes.ts';
import { AuthenticationError, NetworkError, ProtocolError, TimeoutError } from '../../../src/errors/kafka-error.ts';
import type { Destination } from '../../../src/cluster/request.ts';
import { RetryMachine, type RetryTerms } from '../../../src/cluster/retry-machine.ts';

const backoff = { initialMs: 100, maxMs: 1000 };
const machine = (to: Destination, over: Partial<RetryTerms> = {}): RetryMachine =>
  new RetryMachine({ to, retry: 'safe', retries: 100, backoff, deadlineMs: 60_000, ...over });
const answered = (name: BrokerErrorName) => ({
  error: brokerError(brokerErrorCodes[name], 'Cannot'),
  brokerCode: brokerErrorCodes[name],
  sent: true,
});
const lost = new NetworkError('lost', { code: 'CONNECTION_CLOSED', retriable: true });

const any: Destination = { kind: 'any' };
const leader: Destination = { kind: 'leader', topic: 't', partition: 0 };
const coordinator: Destination = { kind: 'coordinator', type: 'group', key: 'g' };

describe('RetryMachine', () => {
  for (const [name, to, renew] of [
    ['NOT_LEADER_OR_FOLLOWER', leader, 'metadata'],
    ['FENCED_LEADER_EPOCH', leader, 'metadata'],
    ['NOT_CONTROLLER', { kind: 'controller' }, 'metadata'],
    ['NOT_COORDINATOR', coordinator, 'coordinator'],
    ['COORDINATOR_NOT_AVAILABLE', coordinator, 'coordinator'],
    ['COORDINATOR_LOAD_IN_PROGRESS', coordinator, 'nothing'],
    ['REQUEST_TIMED_OUT', any, 'nothing'],
  ] as const) {
    it(`retries ${name} and renews ${renew}`, () => {
      assert.deepEqual(machine(to).handleFailure(answered(name), 0, 0.5), { kind: 'retry', delayMs: 100, renew });
    });
  }

  for (const [to, renew] of [
    [any, 'nothing'],
    [leader, 'metadata'],
    [coordinator, 'coordinator'],
  ] as const) {
    it(`renews ${renew} after a lost connection to ${to.kind}`, () => {
      const step = machine(to).handleFailure({ error: lost, sent: true }, 0, 0.5);
      assert.deepEqual(step, { kind: 'retry', delayMs: 100, renew });
    });
  }

  it('does not retry what no retry mends', () => {
    const errors = [
      new AuthenticationError('no', { code: 'SASL_AUTHENTICATION_FAILED', retriable: true }),
      new ProtocolError('odd'),
      new NetworkError('HTTP', { code: 'NOT_KAFKA' }),
    ];
    for (const error of errors) {
      assert.deepEqual(machine(any).handleFailure({ error, sent: false }, 0, 0.5), { kind: 'fail', error });
    }
    assert.equal(machine(any).handleFailure(answered('TOPIC_ALREADY_EXISTS'), 0, 0.5).kind, 'fail');
  });

  it('stays within ±20 % of a pause that doubles up to its limit', () => {
    for (const [random, factor] of [
      [0, 0.8],
      [0.5, 1],
      [0.999999, 1.2],
    ] as const) {
      const retrying = machine(any);
      const delays = [100, 200, 400, 800, 1000, 1000].map((base) => {
        const step = retrying.handleFailure({ error: lost, sent: true }, 0, random);
        return step.kind === 'retry' ? Math.round(step.delayMs) / base : undefined;
      });
      for (const delay of delays) assert.ok(delay !== undefined && Math.abs(delay - factor) < 0.01, String(delay));
    }
  });

  it('is late when the pause would outlast the deadline', () => {
    const step = machine(any, { deadlineMs: 1000 }).handleFailure({ error: lost, sent: true }, 950, 0.5);
    assert.deepEqual(step, { kind: 'late', error: lost });
  });

  it('repeats unsent requests only, where asked to', () => {
    const careful = machine(any, { retry: 'not-after-sent' });
    const late = new TimeoutError('late', { code: 'REQUEST_TIMED_OUT', retriable: true });
    assert.equal(careful.handleFailure({ error: lost, sent: false }, 0, 0.5).kind, 'retry');
    assert.equal(careful.handleFailure(answered('NOT_CONTROLLER'), 0, 0.5).kind, 'retry');
    assert.equal(careful.handleFailure({ error: late, sent: true }, 0, 0.5).kind, 'fail');
  });
});
