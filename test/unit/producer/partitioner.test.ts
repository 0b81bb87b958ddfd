import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../../../src/errors/kafka-error.ts';
import { defaultPartitioner, roundRobinPartitioner } from '../../../src/producer/partitioner.ts';

describe('defaultPartitioner', () => {
  it("defaultPartitioner has Java's defaults", () => {
    const { kind, adaptive, availabilityTimeoutMs, ignoreKeys, rackAware } = defaultPartitioner();
    assert.deepEqual(
      { kind, adaptive, availabilityTimeoutMs, ignoreKeys, rackAware },
      { kind: 'default', adaptive: true, availabilityTimeoutMs: 0, ignoreKeys: false, rackAware: false },
    );
  });

  it('defaultPartitioner refuses what it does not know, and knows the names of Java', () => {
    const refused = (options: object, message: RegExp): void =>
      assert.throws(
        () => defaultPartitioner(options),
        (error: unknown) => error instanceof UsageError && message.test(error.message),
      );
    refused({ adaptive: 1 }, /adaptive 1: it must be true or false/);
    refused({ availabilityTimeoutMs: -1 }, /availabilityTimeoutMs -1: it must be an integer from 0/);
    refused({ rackaware: true }, /did you mean rackAware/);
    refused({ 'partitioner.ignore.keys': true }, /use ignoreKeys/);
  });
});

describe('roundRobinPartitioner', () => {
  it('roundRobinPartitioner is the one that the name stands for', () => {
    assert.equal(roundRobinPartitioner().kind, 'round-robin');
  });
});
