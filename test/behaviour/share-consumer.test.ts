import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  defineTopics,
  isKafkaError,
  json,
  Kafka,
  required,
  string,
  type AcknowledgementResult,
  type Deserializer,
  type ShareConsumer,
  type ShareConsumerOptions,
  type ShareRecord,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;
const text = (record: { readonly valueBytes: Buffer | null }): string => record.valueBytes?.toString() ?? 'null';

// Members wait for their first assignment most of the time; so several tests do.
describe('ShareConsumer', { skip: broker.skip, concurrency: 6 }, () => {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  });
  after(() => kafka.close());

  async function topicOf(values: readonly string[], partitions = 1): Promise<string> {
    const topic = `share-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    await produce(topic, values);
    return topic;
  }

  async function produce(topic: string, values: readonly string[]): Promise<void> {
    const producer = kafka.producer();
    await producer.send(values.map((value) => ({ topic, key: value, value })));
    await producer.close();
  }

  /** Share groups begin at the end of their topics, unless their config says otherwise. */
  async function group(configs: Readonly<Record<string, string | number>> = {}): Promise<string> {
    const groupId = `share-group-${randomUUID()}`;
    const set = { 'share.auto.offset.reset': 'earliest', ...configs };
    await kafka.admin().incrementalAlterConfigs({ type: 'group', name: groupId, set });
    return groupId;
  }

  async function subscribed(topic: string, options: Partial<ShareConsumerOptions> = {}): Promise<ShareConsumer> {
    const { groupId = await group(), ...rest } = options;
    const consumer = kafka.shareConsumer({ groupId, ...rest });
    consumer.subscribe(topic);
    return consumer;
  }

  /** Everything that a group still delivers before records that are produced now: what was accepted or rejected does not come again. */
  async function left(topic: string, groupId: string, partitions = 1): Promise<string[]> {
    const producer = kafka.producer();
    for (let partition = 0; partition < partitions; partition++)
      await producer.send({ topic, partition, value: 'end' });
    await producer.close();
    const consumer = await subscribed(topic, { groupId });
    const values: string[] = [];
    for await (const record of consumer) {
      values.push(text(record));
      if (values.filter((value) => value === 'end').length === partitions) break;
    }
    await consumer.close();
    return values.filter((value) => value !== 'end').sort();
  }

  const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`);

  it('delivers each record once, and accepts it when the loop asks for the next', async () => {
    const groupId = await group();
    const topic = await topicOf(names(30), 3);
    const consumer = await subscribed(topic, { groupId });
    const seen: string[] = [];
    for await (const record of consumer.records({ limit: 30 })) {
      assert.equal(record.deliveryCount, 1);
      seen.push(text(record));
    }
    await consumer.close();
    assert.deepEqual(seen.sort(), names(30).sort());
    assert.deepEqual(await left(topic, groupId, 3), []);
  });

  it('releases the record in hand at once when its loop ends, whether by break or throw, and delivers it again', async () => {
    const consumer = await subscribed(await topicOf(['a', 'b', 'c']));
    const seen: [string, number][] = [];
    const loop = async (end: (value: string) => void): Promise<void> => {
      for await (const record of consumer) {
        seen.push([text(record), record.deliveryCount]);
        end(text(record));
      }
    };
    await assert.rejects(
      loop((value) => {
        if (value === 'b') throw new Error('body');
      }),
      /body/,
    );
    for await (const record of consumer.records({ limit: 2 })) seen.push([text(record), record.deliveryCount]);
    assert.deepEqual(seen.slice(0, 2), [
      ['a', 1],
      ['b', 1],
    ]);
    assert.deepEqual(seen.slice(2).sort(), [
      ['b', 2],
      ['c', 1],
    ]);
    await consumer.close();
  });

  it('accepts the result of a poll when it is polled again, and with commit; releases it at close', async () => {
    const groupId = await group();
    const topic = await topicOf(names(9));
    const consumer = await subscribed(topic, { groupId, maxPollRecords: 3 });
    assert.equal((await consumer.poll({ timeoutMs: 20_000, minRecords: 3 })).length, 3);
    const second = await consumer.poll({ timeoutMs: 20_000, minRecords: 3 });
    const results = await consumer.commit();
    assert.ok(results.every(({ error, type }) => error === undefined && type === 'accept'));
    const committed = results.flatMap(({ offsets }) => offsets);
    assert.ok(second.every(({ offset }) => committed.includes(offset)));
    const third = await consumer.poll({ timeoutMs: 20_000, minRecords: 3 });
    await consumer.close();
    assert.deepEqual(await left(topic, groupId), third.map(text).sort());
  });

  it('shares the records of one partition among members', async () => {
    const groupId = await group();
    const topic = await topicOf([]);
    const options = { groupId, maxPollRecords: 1, acquireMode: 'record-limit' } as const;
    const consumers = await Promise.all([1, 2].map(() => subscribed(topic, options)));
    await Promise.all(consumers.map((consumer) => consumer.waitForAssignment()));
    for (const consumer of consumers) assert.deepEqual(consumer.assignment(), [{ topic, partition: 0 }]);
    const reads = consumers.map((consumer) => consumer.poll({ timeoutMs: 20_000 }));
    await produce(topic, ['a', 'b']);
    const [first, second] = await Promise.all(reads);
    assert.deepEqual([...(first ?? []), ...(second ?? [])].map(text).sort(), ['a', 'b']);
    assert.equal(first?.length, 1);
    await Promise.all(consumers.map((consumer) => consumer.close()));
  });

  it('delivers a released record again, also to another member, and a rejected one never', async () => {
    const groupId = await group();
    const topic = await topicOf(['good', 'bad', 'later']);
    const consumer = await subscribed(topic, { groupId, acknowledgementMode: 'explicit' });
    const records = await consumer.poll({ timeoutMs: 20_000, minRecords: 3 });
    const [good, bad, later] = records;
    assert.ok(good && bad && later);
    consumer.acknowledge(later, 'release');
    consumer.acknowledge(good);
    consumer.acknowledge(bad, 'reject');
    const results = await consumer.commit();
    assert.deepEqual(results.map(({ type, offsets }) => [type, offsets]).sort(), [
      ['accept', [0n]],
      ['reject', [1n]],
      ['release', [2n]],
    ]);
    assert.deepEqual(await left(topic, groupId), ['later']);
    await consumer.close();
  });

  it('acknowledges nothing by itself in explicit mode, and releases at close what was not', async () => {
    const groupId = await group();
    const topic = await topicOf(names(4));
    const consumer = await subscribed(topic, { groupId, acknowledgementMode: 'explicit' });
    const seen: ShareRecord[] = [];
    for await (const record of consumer.records({ limit: 4 })) seen.push(record);
    // Long after the loop has asked for the next, each is held, and may be acknowledged in any order.
    for (const index of [3, 1]) consumer.acknowledge(seen[index] as ShareRecord);
    await consumer.close();
    assert.deepEqual(await left(topic, groupId), ['r0', 'r2']);
  });

  it('keeps the type of an acknowledgement that was made in implicit mode', async () => {
    const groupId = await group();
    const topic = await topicOf(['a', 'b']);
    const consumer = await subscribed(topic, { groupId });
    for await (const record of consumer.records({ limit: 2 }))
      if (text(record) === 'a') consumer.acknowledge(record, 'release');
    await consumer.commit();
    assert.deepEqual(await left(topic, groupId), ['a']);
    await consumer.close();
  });

  it('refuses to acknowledge a record twice, and one of another consumer', async () => {
    const topic = await topicOf(['a', 'b']);
    const consumer = await subscribed(topic, { acknowledgementMode: 'explicit' });
    const [a, b] = await consumer.poll({ timeoutMs: 20_000, minRecords: 2 });
    assert.ok(a && b);
    consumer.acknowledge(a);
    assert.throws(() => consumer.acknowledge(a), hasCode('INVALID_RECORD_STATE'));
    assert.throws(() => consumer.acknowledge([b, a], 'release'), hasCode('INVALID_RECORD_STATE'));
    consumer.acknowledge(b.detach());
    assert.throws(() => consumer.acknowledge(b), hasCode('INVALID_RECORD_STATE'));
    const other = await subscribed(topic);
    assert.throws(() => other.acknowledge(a), hasCode('INVALID_ARGUMENT'));
    assert.throws(() => consumer.acknowledge(b, 'gap' as 'accept'), hasCode('INVALID_ARGUMENT'));
    await other.close();
    await consumer.close();
  });

  it('tells what became of acknowledgements, and survives a callback that throws', async () => {
    const topic = await topicOf(['a', 'b']);
    const told: AcknowledgementResult[] = [];
    const failures: unknown[] = [];
    const stop = kafka.on('listener.failed', ({ event, error }) => failures.push([event, error]));
    const oops = new Error('callback');
    const consumer = await subscribed(topic, {
      onAcknowledged: (results) => {
        told.push(...results);
        throw oops;
      },
    });
    for await (const record of consumer.records({ limit: 2 })) assert.ok(record);
    await eventually(() => told.flatMap(({ offsets }) => offsets).length === 2, 'acknowledgements to be told');
    assert.ok(
      told.every(
        (one) => one.topic === topic && one.partition === 0 && one.type === 'accept' && one.error === undefined,
      ),
    );
    await consumer.close();
    stop();
    assert.deepEqual(failures[0], ['onAcknowledged', oops]);
  });

  it('runs more handlers at a time than there are partitions', async () => {
    const groupId = await group();
    const topic = await topicOf(names(12));
    const consumer = await subscribed(topic, { groupId });
    const stop = new AbortController();
    const waiting: (() => void)[] = [];
    let done = 0;
    await consumer.run({
      concurrency: 4,
      signal: stop.signal,
      async eachRecord() {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          if (waiting.length === 4) for (const go of waiting.splice(0)) go();
        });
        if (++done === 12) stop.abort();
      },
    });
    await consumer.close();
    assert.equal(done, 12);
    assert.deepEqual(await left(topic, groupId), []);
  });

  it('releases the record of a handler that throws, tells of it, and goes on', async () => {
    const topic = await topicOf(['good', 'flaky']);
    const consumer = await subscribed(topic);
    const failed: [bigint, number, string][] = [];
    const off = kafka.on('share.handler.failed', (event) => {
      if (event.topic === topic) failed.push([event.offset, event.deliveryCount, event.decision]);
    });
    const seen: string[] = [];
    await consumer.run({
      eachRecord(record, { stop }) {
        if (text(record) === 'flaky' && record.deliveryCount < 3) throw new Error('not yet');
        seen.push(text(record));
        if (seen.length === 2) stop();
      },
    });
    off();
    await consumer.close();
    assert.deepEqual(seen.sort(), ['flaky', 'good']);
    assert.deepEqual(failed, [
      [1n, 1, 'release'],
      [1n, 2, 'release'],
    ]);
  });

  it('does with the record of a handler that throws what onError says', async () => {
    const groupId = await group();
    const topic = await topicOf(['accept', 'reject', 'release', 'stop']);
    const consumer = await subscribed(topic, { groupId });
    const decided: string[] = [];
    await assert.rejects(
      consumer.run({
        eachRecord(record) {
          throw new Error(text(record));
        },
        onError(error, record) {
          const decision = text(record) as 'accept' | 'reject' | 'release' | 'stop';
          if (decision === 'release' && record.deliveryCount > 1) return 'accept';
          decided.push(decision);
          // The last one: by then the released record has come again.
          return decision === 'stop' && record.deliveryCount < 2 ? 'release' : decision;
        },
      }),
      /stop/,
    );
    assert.deepEqual([...new Set(decided)].sort(), ['accept', 'reject', 'release', 'stop']);
    await consumer.close();
    const rest = await left(topic, groupId);
    assert.ok(rest.includes('stop') && !rest.includes('accept') && !rest.includes('reject'), rest.join());
  });

  it('lets a handler acknowledge its record itself', async () => {
    const groupId = await group();
    const topic = await topicOf(['a', 'b']);
    const consumer = await subscribed(topic, { groupId });
    let count = 0;
    await consumer.run({
      eachRecord(record, { acknowledge, stop }) {
        if (text(record) === 'b') acknowledge('reject');
        if (++count === 2) stop();
      },
    });
    await consumer.close();
    assert.deepEqual(await left(topic, groupId), []);
  });

  it('can be closed in a handler', async () => {
    const groupId = await group();
    const topic = await topicOf(['a']);
    const consumer = await subscribed(topic, { groupId });
    await consumer.run({ eachRecord: () => consumer.close() });
    assert.deepEqual(await left(topic, groupId), ['a']);
  });

  it('archives a record after as many deliveries as the group allows', async () => {
    const groupId = await group({ 'share.delivery.count.limit': 2 });
    const topic = await topicOf(['poison']);
    const consumer = await subscribed(topic, { groupId });
    const counts: number[] = [];
    const stop = new AbortController();
    await consumer.run({
      signal: stop.signal,
      eachRecord({ deliveryCount }) {
        counts.push(deliveryCount);
        if (deliveryCount === 2) setTimeout(() => stop.abort(), 1000);
        throw new Error('poison');
      },
    });
    assert.deepEqual(counts, [1, 2]);
    await consumer.close();
  });

  it('acquires no more than it is asked for with a strict limit', async () => {
    const groupId = await group();
    const topic = await topicOf(names(20));
    const consumer = await subscribed(topic, { groupId, acquireMode: 'record-limit' });
    const first = await consumer.poll({ timeoutMs: 20_000, maxRecords: 3 });
    assert.equal(first.length, 3);
    // The other 17 are free: another member gets them all while the first has its three.
    const other = await subscribed(topic, { groupId });
    assert.equal((await other.poll({ timeoutMs: 20_000, minRecords: 17 })).length, 17);
    await other.close();
    await consumer.close();
  });

  it('renews locks on request, and says how long they are', async () => {
    const told: AcknowledgementResult[] = [];
    const consumer = await subscribed(await topicOf(['a']), {
      acknowledgementMode: 'explicit',
      onAcknowledged: (results) => told.push(...results),
    });
    assert.equal(consumer.acquisitionLockTimeoutMs, undefined);
    const [record] = await consumer.poll({ timeoutMs: 20_000 });
    assert.ok(record && (consumer.acquisitionLockTimeoutMs ?? 0) > 0);
    consumer.acknowledge(record, 'renew');
    await eventually(() => told.length > 0, 'the renewal to be told');
    assert.deepEqual([told[0]?.type, told[0]?.offsets, told[0]?.error], ['renew', [0n], undefined]);
    consumer.acknowledge(record);
    const results = await consumer.commit();
    assert.deepEqual(
      results.map(({ type, error }) => [type, error]),
      [['accept', undefined]],
    );
    await consumer.close();
  });

  it('reads one at a time, ends a waiting loop at close, and rejects calls after it', async () => {
    const consumer = await subscribed(await topicOf([]));
    const waiting = (async () => {
      for await (const record of consumer) assert.fail(`there is no ${text(record)}`);
    })();
    await assert.rejects(consumer.poll(), hasCode('CONSUMER_BUSY'));
    await consumer.close();
    await waiting;
    await assert.rejects(consumer.poll(), hasCode('CLOSED'));
    assert.throws(() => consumer.subscribe('x'), hasCode('CLOSED'));
    await consumer.close();
  });

  it('stops when its signal aborts, and a poll rejects with its reason', async () => {
    const topic = await topicOf(['a']);
    const consumer = await subscribed(topic);
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const record of consumer.records({ signal: stop.signal })) {
      seen.push(text(record));
      stop.abort();
    }
    assert.deepEqual(seen, ['a']);
    const reason = new Error('enough');
    const polling = consumer.poll({ timeoutMs: 20_000, signal: AbortSignal.abort(reason) });
    await assert.rejects(polling, reason);
    await consumer.close();
  });

  it('reads other topics after it has subscribed anew, and nothing after unsubscribe', async () => {
    const [first, second] = [await topicOf(['a']), await topicOf(['b'])];
    const consumer = await subscribed(first);
    assert.deepEqual(consumer.subscription(), [first]);
    assert.deepEqual((await consumer.poll({ timeoutMs: 20_000 })).map(text), ['a']);
    consumer.subscribe([second]);
    const records = await consumer.poll({ timeoutMs: 20_000 });
    assert.deepEqual(records.map(text), ['b']);
    consumer.unsubscribe();
    assert.deepEqual([consumer.subscription(), consumer.assignment()], [[], []]);
    await assert.rejects(consumer.poll(), hasCode('INVALID_STATE'));
    await consumer.close();
  });

  it('reads keys and values with the serdes of their topic', async () => {
    const topic = await topicOf(['{"n":1}']);
    const topics = defineTopics({ [topic]: { key: string, value: required(json<{ n: number }>()) } });
    const consumer = kafka.shareConsumer({ groupId: await group(), topics });
    assert.throws(() => consumer.subscribe('other'), hasCode('INVALID_ARGUMENT'));
    consumer.subscribe(topic);
    const [record] = await consumer.poll({ timeoutMs: 20_000 });
    assert.deepEqual(record?.value, { n: 1 });
    await consumer.close();
  });

  const picky: Deserializer<string> = {
    deserialize(bytes) {
      const value = bytes?.toString() ?? '';
      if (value.startsWith('bad')) throw new Error(`not ${value}`);
      return value;
    },
  };

  it('ends the read at a record that cannot be deserialized, releases it, and goes on behind it', async () => {
    const groupId = await group();
    const topic = await topicOf(['a', 'bad', 'b']);
    const consumer = kafka.shareConsumer({ groupId, value: picky });
    consumer.subscribe(topic);
    const seen: string[] = [];
    let failures = 0;
    for (let turn = 0; turn < 20 && seen.length < 2; turn++) {
      try {
        for (const { value } of await consumer.poll({ timeoutMs: 5000 })) seen.push(value);
      } catch (error) {
        assert.ok(isKafkaError(error, 'DESERIALIZATION_FAILED'), String(error));
        failures++;
      }
    }
    assert.deepEqual(seen, ['a', 'b']);
    assert.ok(failures > 0);
    await consumer.commit();
    await consumer.close();
    assert.deepEqual(await left(topic, groupId), ['bad']);
  });

  for (const [policy, rest] of [
    ['reject', []],
    ['release', ['bad']],
  ] as const) {
    it(`can ${policy} records that cannot be deserialized`, async () => {
      const groupId = await group({ 'share.delivery.count.limit': 10 });
      const topic = await topicOf(['a', 'bad', 'b']);
      const consumer = kafka.shareConsumer({ groupId, value: picky, onDeserializationError: policy });
      consumer.subscribe(topic);
      const records = await consumer.poll({ timeoutMs: 20_000, minRecords: 2 });
      assert.deepEqual(
        records.map(({ value }) => value),
        ['a', 'b'],
      );
      await consumer.commit();
      await consumer.close();
      assert.deepEqual(await left(topic, groupId), rest);
    });
  }

  it('asks a callback what to do with a record that cannot be deserialized', async () => {
    const groupId = await group();
    const topic = await topicOf(['a', 'bad 1', 'bad 2']);
    const consumer = kafka.shareConsumer({
      groupId,
      value: picky,
      onDeserializationError: async ({ record }) => (text(record) === 'bad 1' ? { value: 'mended' } : 'reject'),
    });
    consumer.subscribe(topic);
    const records = await consumer.poll({ timeoutMs: 20_000, minRecords: 2 });
    assert.deepEqual(
      records.map(({ value }) => value),
      ['a', 'mended'],
    );
    await consumer.commit();
    await consumer.close();
    assert.deepEqual(await left(topic, groupId), []);
  });

  it('passes over the markers of transactions, so that they are acknowledged as well', async () => {
    const groupId = await group();
    const topic = await topicOf([]);
    const producer = kafka.producer({ transactionalId: `share-${randomUUID()}` });
    for (const value of ['a', 'b']) await producer.transaction((tx) => tx.send({ topic, value }));
    await producer.close();
    const consumer = await subscribed(topic, { groupId });
    assert.deepEqual((await consumer.poll({ timeoutMs: 20_000, minRecords: 2 })).map(text), ['a', 'b']);
    const told = await consumer.commit();
    assert.deepEqual(
      told.flatMap(({ offsets }) => offsets),
      [0n, 2n],
      'markers are not told of',
    );
    await consumer.close();
    assert.deepEqual(await left(topic, groupId), []);
  });

  it('refuses a listener, which nobody would call, and topics that are not in an array', async () => {
    const consumer = kafka.shareConsumer({ groupId: await group() });
    const subscribe = consumer.subscribe.bind(consumer) as (...given: unknown[]) => void;
    assert.throws(() => subscribe('a', { onPartitionsAssigned: () => undefined }), /calls no listener$/);
    assert.throws(() => subscribe('a', 'b'), /several topics go into an array/);
    assert.deepEqual(consumer.subscription(), []);
    await consumer.close();
  });

  it('refuses options that a share group has elsewhere, and says where', () => {
    const make = (options: object) => () => kafka.shareConsumer({ groupId: 'g', ...options } as ShareConsumerOptions);
    assert.throws(make({ autoOffsetReset: 'earliest' }), /share\.auto\.offset\.reset/);
    assert.throws(make({ isolationLevel: 'read_committed' }), /share\.isolation\.level/);
    assert.throws(make({ groupInstanceId: 'x' }), /no static members/);
    assert.throws(make({ autoCommit: true }), hasCode('UNKNOWN_OPTION'));
    assert.throws(make({ acquireMod: 'record-limit' }), /did you mean acquireMode/);
    assert.throws(make({ acquireMode: 'strict' }), hasCode('INVALID_OPTION'));
    assert.throws(make({ groupId: undefined }), /without a groupId/);
    assert.throws(make({ topics: { t: {} }, key: string }), hasCode('INVALID_OPTION'));
  });
});
