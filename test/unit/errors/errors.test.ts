import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AdminError,
  AuthenticationError,
  AuthorizationError,
  brokerError,
  BrokerError,
  brokerErrorCodes,
  ClosedError,
  FencedError,
  isKafkaError,
  KafkaError,
  SendError,
  SendManyError,
} from '../../../src/errors/index.ts';
import { reasonOf } from '../../../src/errors/thrown.ts';

describe('brokerError', () => {
  it("keeps Kafka's name, the broker's words and its advice", () => {
    const error = brokerError(brokerErrorCodes.TOPIC_ALREADY_EXISTS, 'Cannot create topic "a"', 'it is there.');
    assert.ok(error instanceof BrokerError);
    assert.equal(error.code, 'TOPIC_ALREADY_EXISTS');
    assert.equal(error.retriable, false);
    assert.equal(error.message, 'Cannot create topic "a": it is there (TOPIC_ALREADY_EXISTS)');
    assert.equal(brokerError(brokerErrorCodes.NOT_COORDINATOR, 'x').retriable, true);
  });

  it('names a code of a later release by its number', () => {
    const error = brokerError(9999, 'Cannot fetch');
    assert.equal(error.code, 'UNKNOWN_SERVER_ERROR');
    assert.match(error.message, /9999/);
  });

  it('sorts errors by who has to act', () => {
    assert.ok(brokerError(brokerErrorCodes.GROUP_AUTHORIZATION_FAILED, 'x') instanceof AuthorizationError);
    assert.ok(brokerError(brokerErrorCodes.SASL_AUTHENTICATION_FAILED, 'x') instanceof AuthenticationError);
    assert.ok(brokerError(brokerErrorCodes.FENCED_INSTANCE_ID, 'x') instanceof FencedError);
  });
});

describe('KafkaError', () => {
  it('carries the name of its class, its code and its cause', () => {
    const cause = new Error('below');
    const error = new FencedError('Cannot go on', { code: 'FENCED', cause });
    assert.equal(error.name, 'FencedError');
    assert.equal(error.cause, cause);
    assert.ok(isKafkaError(error, 'FENCED'));
    assert.ok(!isKafkaError(error, 'CLOSED'));
    assert.ok(!isKafkaError(cause));
    assert.ok(!('cause' in new ClosedError('the producer')));
  });
});

describe('SendManyError', () => {
  it('has a result for each record and the first failure as its cause', () => {
    const reason = new SendError('Cannot send', {
      code: 'DELIVERY_TIMEOUT',
      outcome: 'unknown',
      topic: 'a',
      retriable: true,
    });
    const error = new SendManyError([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason },
    ]);
    assert.equal(error.results.length, 2);
    assert.equal(error.cause, reason);
    assert.equal(error.retriable, true);
    assert.match(error.message, /1 of 2 records/);
  });
});

describe('AdminError', () => {
  it('is not retriable if one of its items is not', () => {
    const passing = new KafkaError('later', { code: 'NOT_CONTROLLER', retriable: true });
    const final = new KafkaError('never', { code: 'TOPIC_ALREADY_EXISTS' });
    const rejected = (reason: KafkaError) => ({ status: 'rejected', reason }) as const;
    assert.equal(new AdminError('Cannot create topics', [rejected(passing)]).retriable, true);
    assert.equal(new AdminError('Cannot create topics', [rejected(passing), rejected(final)]).retriable, false);
  });
});

describe('reasonOf', () => {
  it('has a text for whatever was thrown', () => {
    const given = [new RangeError('too far'), 'plain', 5, undefined, Object.create(null)] as const;
    assert.deepEqual(given.map(reasonOf), [
      'too far',
      'plain',
      '5',
      'undefined',
      'something without a text was thrown',
    ]);
  });
});
