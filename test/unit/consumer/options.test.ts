import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveConsumerOptions, type ConsumerOptions } from '../../../src/consumer/options.ts';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { json } from '../../../src/model/json-serde.ts';
import { string } from '../../../src/model/serdes.ts';

const refused = (options: object, code: string, message: RegExp): void =>
  assert.throws(
    () => resolveConsumerOptions(options as ConsumerOptions),
    (error) => isKafkaError(error) && error.code === code && message.test(error.message),
  );

describe('resolveConsumerOptions', () => {
  it("fills in Java's defaults", () => {
    const { key, value, ...options } = resolveConsumerOptions({});
    assert.deepEqual(options, {
      groupId: undefined,
      groupInstanceId: undefined,
      groupProtocol: 'classic',
      groupRemoteAssignor: undefined,
      partitionAssignors: ['range', 'cooperative-sticky'],
      autoOffsetReset: 'latest',
      autoCommit: true,
      autoCommitIntervalMs: 5000,
      sessionTimeoutMs: 45_000,
      heartbeatIntervalMs: 3000,
      maxPollIntervalMs: 300_000,
      maxPollRecords: 500,
      fetchMinBytes: 1,
      fetchMaxWaitMs: 500,
      fetchMaxBytes: 52_428_800,
      maxPartitionFetchBytes: 1_048_576,
      maxBufferedBytes: 67_108_864,
      isolationLevel: 'read_uncommitted',
      checkCrcs: true,
      allowAutoCreateTopics: true,
      onDeserializationError: 'fail',
      topics: undefined,
    });
    assert.equal(key.lazy, true);
    assert.equal(value.lazy, true);
    assert.ok(Object.isFrozen(resolveConsumerOptions({})));
  });

  it('takes undefined for not given', () => {
    assert.equal(resolveConsumerOptions({ maxPollRecords: undefined }).maxPollRecords, 500);
  });

  it('refuses an option that does not exist, with the nearest name', () => {
    refused({ maxPollRecord: 1 }, 'UNKNOWN_OPTION', /did you mean maxPollRecords/);
  });

  it("knows KafkaJS's and Java's names", () => {
    refused({ fromBeginning: true }, 'UNKNOWN_OPTION', /autoOffsetReset: 'earliest'/);
    refused({ 'max.poll.records': 1 }, 'UNKNOWN_OPTION', /use maxPollRecords/);
    refused({ sessionTimeout: 1 }, 'UNKNOWN_OPTION', /use sessionTimeoutMs/);
  });

  it("takes assignors by name and of one's own, each once, with a kind of rebalance in common", () => {
    const own = { name: 'own', assign: () => new Map() };
    const cooperative = { ...own, rebalanceProtocols: ['cooperative' as const] };
    assert.deepEqual(resolveConsumerOptions({ partitionAssignors: ['sticky', own] }).partitionAssignors, [
      'sticky',
      own,
    ]);
    refused({ partitionAssignors: [] }, 'INVALID_OPTION', /range, roundrobin, sticky, cooperative-sticky/);
    refused({ partitionAssignors: ['stiky'] }, 'INVALID_OPTION', /a list of names/);
    refused({ partitionAssignors: ['range', 'range'] }, 'INVALID_OPTION', /a name of its own/);
    refused({ partitionAssignors: ['range', cooperative] }, 'INVALID_OPTION', /eager or cooperative, in common/);
  });

  it('refuses an assignor of the brokers in a group whose members assign', () => {
    refused({ groupRemoteAssignor: 'uniform' }, 'INVALID_OPTION', /use partitionAssignors/);
    assert.equal(
      resolveConsumerOptions({ groupProtocol: 'auto', groupRemoteAssignor: 'uniform' }).groupRemoteAssignor,
      'uniform',
    );
  });

  it('refuses what the brokers decide in the new protocol, and only there', () => {
    const decided = [
      [{ sessionTimeoutMs: 45_000 }, /consumer\.session\.timeout\.ms/],
      [{ heartbeatIntervalMs: 3000 }, /consumer\.heartbeat\.interval\.ms/],
      [{ partitionAssignors: ['range' as const] }, /use groupRemoteAssignor/],
    ] as const;
    for (const [option, advice] of decided) {
      refused({ groupProtocol: 'consumer', ...option }, 'INVALID_OPTION', advice);
      resolveConsumerOptions({ groupProtocol: 'auto', ...option });
      resolveConsumerOptions({ groupProtocol: 'classic', ...option });
    }
    resolveConsumerOptions({ groupProtocol: 'consumer', sessionTimeoutMs: undefined });
  });

  it('takes topics in place of key and value, never both', () => {
    const topics = { orders: { key: string, value: json() }, plain: {} };
    assert.equal(resolveConsumerOptions({ topics }).topics, topics);
    refused({ topics, value: string }, 'INVALID_OPTION', /topics together with key or value/);
    refused({ topics: {} }, 'INVALID_OPTION', /it must be an object of topic names/);
    refused({ topics: ['a'] }, 'INVALID_OPTION', /what to read is said with subscribe\(\)/);
    refused({ topic: 'a' }, 'UNKNOWN_OPTION', /say what to read with subscribe\(\) or assign\(\)/);
    refused({ topics: { orders: { value: { serialize: () => '' } } } }, 'INVALID_OPTION', /function deserialize/);
  });

  it('refuses values out of range', () => {
    refused({ maxPollRecords: 0 }, 'INVALID_OPTION', /maxPollRecords 0: it must be an integer from 1/);
    refused({ autoOffsetReset: 'first' }, 'INVALID_OPTION', /one of "earliest", "latest", "none"/);
    refused({ value: {} }, 'INVALID_OPTION', /function deserialize/);
    refused({ onDeserializationError: 'ignore' }, 'INVALID_OPTION', /"fail", "skip"/);
  });

  it('refuses options that contradict each other', () => {
    refused(
      { sessionTimeoutMs: 1000, heartbeatIntervalMs: 1000 },
      'INVALID_OPTION',
      /below sessionTimeoutMs, which is 1000/,
    );
    refused({ groupInstanceId: 'a' }, 'INVALID_OPTION', /without groupId/);
  });
});
