import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  isKafkaError,
  Kafka,
  string,
  type AcknowledgementResult,
  type ShareConsumer,
  type ShareConsumerOptions,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { ShareObserver } from '../support/consumer/share-progress.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const switchedOff = await kafkaUnderTest({ brokers: 1, own: true, needs: ['tools'] });
const older = await kafkaUnderTest({ brokers: 1, version: '3.9.1' });
/** As long as a lock lasts here: the least that the brokers of tests allow. */
const lockMs = 1000;
/** For those who renew: at half its time they do, and may stand still with all of the machine for the other half. */
const renewedLockMs = 8000;

type Reader = ShareConsumer<string | null, string | null>;

describe('ShareConsumer on real Kafka', { skip: broker.skip }, () => {
  let kafka: Kafka;
  let observer: ShareObserver;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    observer = new ShareObserver(broker.bootstrapServers);
  });
  after(async () => {
    await observer[Symbol.asyncDispose]();
    await kafka.close();
  });

  /** A topic of one partition with these records, and a share group that reads it from the beginning. */
  async function queueOf(
    values: readonly string[],
    configs: Readonly<Record<string, string | number>> = {},
  ): Promise<{ topic: string; groupId: string }> {
    const [topic, groupId] = [`share-${randomUUID()}`, `share-${randomUUID()}`];
    const admin = kafka.admin();
    await admin.createTopics({ topic, partitions: 1, replicationFactor: 1 });
    await admin.incrementalAlterConfigs({
      type: 'group',
      name: groupId,
      set: { 'share.auto.offset.reset': 'earliest', ...configs },
    });
    await kafka.producer().send(values.map((value) => ({ topic, value })));
    return { topic, groupId };
  }

  function readerOf(topic: string, options: ShareConsumerOptions<string | null, string | null>): Reader {
    const reader = kafka.shareConsumer({ key: string, value: string, ...options });
    reader.subscribe(topic);
    return reader;
  }

  it('delivers a poison record up to the limit and then never again, the others once', async () => {
    const { topic, groupId } = await queueOf(['a', 'poison', 'b', 'c'], { 'share.delivery.count.limit': 3 });
    const seen: string[] = [];
    const reader = readerOf(topic, { groupId });
    const running = reader.run({
      eachRecord: ({ value, deliveryCount }) => {
        seen.push(`${value ?? ''} ${deliveryCount}`);
        if (value === 'poison') throw new Error('no worker can do this');
      },
    });
    await eventually(() => observer.isDone(groupId, topic, 1), 'the group to be done with all records');
    await kafka.producer().send({ topic, value: 'later' });
    await eventually(() => seen.includes('later 1'), 'what comes later');
    await reader.close();
    await running;
    assert.deepEqual([...seen].sort(), ['a 1', 'b 1', 'c 1', 'later 1', 'poison 1', 'poison 2', 'poison 3']);
  });

  it('gives a released record to another member, and a rejected one to nobody', async () => {
    const { topic, groupId } = await queueOf(['released', 'rejected', 'accepted']);
    const told: AcknowledgementResult[] = [];
    const first = readerOf(topic, {
      groupId,
      acknowledgementMode: 'explicit',
      onAcknowledged: (results) => void told.push(...results),
    });
    const records = await first.poll({ minRecords: 3, timeoutMs: 60_000 });
    assert.deepEqual(
      records.map(({ value, deliveryCount }) => [value, deliveryCount]),
      [
        ['released', 1],
        ['rejected', 1],
        ['accepted', 1],
      ],
    );
    const [released, rejected, accepted] = records;
    assert.ok(released && rejected && accepted);
    first.acknowledge(released, 'release');
    first.acknowledge(rejected, 'reject');
    first.acknowledge(accepted);
    const results = await first.commit();
    assert.deepEqual(
      results.flatMap(({ offsets, type, error }) => offsets.map((offset) => [offset, type, error])).sort(),
      [
        [0n, 'release', undefined],
        [1n, 'reject', undefined],
        [2n, 'accept', undefined],
      ],
    );
    assert.equal(told.length, results.length, 'the callback hears the same');

    const second = readerOf(topic, { groupId });
    const again: [string | null, number][] = [];
    for await (const { value, deliveryCount } of second.records({ limit: 1 })) again.push([value, deliveryCount]);
    assert.deepEqual(again, [['released', 2]]);
    await second.close();
    await first.close();
    await eventually(() => observer.isDone(groupId, topic, 1), 'all to be done');
  });

  it('gives a record whose lock has timed out to another member, and refuses the late word of the first', async () => {
    const { topic, groupId } = await queueOf(['job'], { 'share.record.lock.duration.ms': lockMs });
    const slow = readerOf(topic, { groupId, acknowledgementMode: 'explicit' });
    const [held] = await slow.poll({ timeoutMs: 60_000 });
    assert.equal(held?.value, 'job');
    assert.equal(slow.acquisitionLockTimeoutMs, lockMs);
    const other = readerOf(topic, { groupId, acknowledgementMode: 'explicit' });
    const [again] = await other.poll({ timeoutMs: 60_000 });
    assert.deepEqual([again?.value, again?.deliveryCount], ['job', 2]);
    assert.throws(
      () => slow.acknowledge(held),
      (error) => isKafkaError(error, 'INVALID_RECORD_STATE'),
    );
    assert.ok(again);
    other.acknowledge(again);
    await other.commit();
    await slow.close();
    await other.close();
    await eventually(() => observer.isDone(groupId, topic, 1), 'all to be done');
  });

  // At the same time: most of it is waiting.
  describe('with locks that are renewed', { concurrency: true }, () => {
    for (const [how, options] of [
      ['by the consumer', { renewLocks: true }],
      ['by hand', { renewLocks: false }],
    ] as const) {
      it(`holds a record for three times as long as its lock lasts when it is renewed ${how}`, async () => {
        const { topic, groupId } = await queueOf([], { 'share.record.lock.duration.ms': renewedLockMs });
        const worker = readerOf(topic, { groupId, acknowledgementMode: 'explicit', ...options });
        const other = readerOf(topic, { groupId });
        await Promise.all([worker.waitForAssignment(), other.waitForAssignment()]);
        await kafka.producer().send({ topic, value: 'long' });
        const [job] = await worker.poll({ timeoutMs: 60_000 });
        assert.ok(job);
        assert.equal(worker.acquisitionLockTimeoutMs, renewedLockMs);
        const stolen = other.poll({ timeoutMs: 3 * renewedLockMs });
        for (let renewals = 0; renewals < 15; renewals++) {
          await delay(renewedLockMs / 5);
          if (how === 'by hand') {
            worker.acknowledge(job, 'renew');
            const [result] = await worker.commit();
            assert.deepEqual([result?.type, result?.error], ['renew', undefined]);
          }
        }
        assert.deepEqual(await stolen, [], 'nobody else gets it meanwhile');
        worker.acknowledge(job);
        const results = await worker.commit();
        // A renewal by the consumer that was under way is told of, too.
        const amidRenewal = how === 'by the consumer' && results.length === 2;
        const types = amidRenewal ? ['renew', 'accept'] : ['accept'];
        assert.deepEqual(
          results.map(({ offsets, type, error }) => [offsets, type, error]),
          types.map((type) => [[0n], type, undefined]),
        );
        await worker.close();
        await other.close();
        await eventually(() => observer.isDone(groupId, topic, 1), 'all to be done');
      });
    }
  });

  it('gives back at once what it holds when it closes', async () => {
    const { topic, groupId } = await queueOf(['a', 'b', 'c', 'd']);
    const first = readerOf(topic, { groupId, acknowledgementMode: 'explicit' });
    const [accepted] = await first.poll({ minRecords: 4, timeoutMs: 60_000 });
    assert.ok(accepted);
    first.acknowledge(accepted);
    await first.close();
    const second = readerOf(topic, { groupId });
    const records = await second.poll({ minRecords: 3, timeoutMs: 20_000 });
    assert.deepEqual(
      records.map(({ value, deliveryCount }) => [value, deliveryCount]),
      [
        ['b', 2],
        ['c', 2],
        ['d', 2],
      ],
      'long before the 30 s of its locks are over',
    );
    await second.commit();
    await eventually(() => observer.isDone(groupId, topic, 1), 'all to be done');
    await second.close();
  });

  it('is done with transactions that were aborted or committed, markers included', async () => {
    const { topic, groupId } = await queueOf(['plain'], { 'share.isolation.level': 'read_committed' });
    const producer = kafka.producer({ transactionalId: `share-${randomUUID()}` });
    await producer.transaction(async (tx) => void (await tx.send({ topic, value: 'committed' })));
    const aborted = await producer.beginTransaction();
    await aborted.send({ topic, value: 'aborted' });
    await aborted.abort();
    await producer.transaction(async (tx) => void (await tx.send({ topic, value: 'last' })));
    const reader = readerOf(topic, { groupId });
    const seen: unknown[] = [];
    const running = reader.run({ eachRecord: ({ value }) => void seen.push(value) });
    await eventually(() => observer.isDone(groupId, topic, 1), 'nothing to be left, markers included');
    assert.deepEqual(seen, ['plain', 'committed', 'last']);
    await reader.close();
    await running;
  });

  it('comes back by itself after the group has dropped it for a silence, and reads on', async () => {
    const { topic, groupId } = await queueOf(['before'], {
      'share.session.timeout.ms': 1000,
      'share.heartbeat.interval.ms': 300,
    });
    const seen: string[] = [];
    const left: string[] = [];
    const stopListening = kafka.on('group.left', (event) => {
      if (event.groupId === groupId) left.push(event.reason);
    });
    const reader = readerOf(topic, { groupId });
    const running = reader.run({ eachRecord: ({ value }) => void seen.push(value ?? '') });
    await eventually(() => seen.includes('before'), 'the first record');
    while (left.length === 0) {
      // The whole event loop stands still, as under a handler that computes; the sessions of groups are looked at once in a while.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
      await delay(1000);
    }
    assert.match(left[0] ?? '', /UNKNOWN_MEMBER_ID/);
    await kafka.producer().send({ topic, value: 'after' });
    await eventually(() => seen.includes('after'), 'what came after it was dropped');
    stopListening();
    await reader.close();
    await running;
  });

  it('cannot join a group of another kind, and says so in the words of the broker', async () => {
    const { topic } = await queueOf(['x']);
    const groupId = `classic-${randomUUID()}`;
    const consumer = kafka.consumer({ groupId, groupProtocol: 'consumer', autoOffsetReset: 'earliest' });
    consumer.subscribe(topic);
    for await (const _ of consumer.records({ limit: 1 }));
    const reader = readerOf(topic, { groupId });
    await assert.rejects(reader.poll({ timeoutMs: 60_000 }), (error) => {
      assert.ok(isKafkaError(error, 'GROUP_ID_NOT_FOUND'));
      assert.match(error.message, /Cannot join share group .* is not a share group/);
      return true;
    });
    await reader.close();
    await consumer.close();
  });
});

describe('ShareConsumer where share groups are switched off', { skip: switchedOff.skip }, () => {
  after(() => switchedOff.release());

  it('says what to switch on', async () => {
    const args = ['--bootstrap-server', '{bootstrap}', 'downgrade', '--feature', 'share.version=0', '--unsafe'];
    const { code, stdout, stderr } = await switchedOff.tool('features', args);
    assert.equal(code, 0, stdout + stderr);
    await using kafka = new Kafka({ bootstrapServers: switchedOff.bootstrapServers });
    const reader = kafka.shareConsumer({ groupId: `share-${randomUUID()}` });
    reader.subscribe(`share-${randomUUID()}`);
    await assert.rejects(reader.waitForAssignment(), (error) => {
      assert.ok(isKafkaError(error, 'UNSUPPORTED_VERSION'));
      assert.match(error.message, /Cannot join share group .*share\.version at 1/);
      return true;
    });
  });
});

describe('ShareConsumer on brokers without share groups', { skip: older.skip }, () => {
  it('says what they would need', async () => {
    await using kafka = new Kafka({ bootstrapServers: older.bootstrapServers });
    const reader = kafka.shareConsumer({ groupId: `share-${randomUUID()}` });
    reader.subscribe(`share-${randomUUID()}`);
    await assert.rejects(reader.waitForAssignment(), (error) => {
      assert.ok(isKafkaError(error, 'UNSUPPORTED_VERSION'));
      assert.match(error.message, /Kafka 4\.2 or later with the feature share\.version/);
      return true;
    });
  });
});
