import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ShareConsumer } from '../../../../src/consumer/share/share-consumer.ts';
import type { AcknowledgementResult, ShareConsumerOptions } from '../../../../src/consumer/share/share-options.ts';
import type { ShareRecord } from '../../../../src/consumer/share/share-record.ts';
import { AcknowledgeError } from '../../../../src/errors/acknowledge-error.ts';
import { isKafkaError } from '../../../../src/errors/kafka-error.ts';
import type { ClientEventName, ClientEvents } from '../../../../src/instrumentation/events.ts';
import { clusterOver } from '../../cluster/fake-brokers.ts';
import { LOCK_MS, SimulatedShareLeaders, TOPIC } from './simulated-share-leaders.ts';

const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;

function setUp(options: Partial<ShareConsumerOptions> = {}) {
  const leaders = new SimulatedShareLeaders([1], 1);
  const { clock } = leaders.brokers;
  const { cluster, events } = clusterOver(leaders.brokers);
  const told: AcknowledgementResult[] = [];
  const seen: string[] = [];
  const names: ClientEventName[] = ['share.locks.lost', 'share.records.returned', 'share.session.ended', 'warning'];
  for (const name of names) events.on(name, () => seen.push(name));
  const onAcknowledged = (results: readonly AcknowledgementResult[]): unknown => told.push(...results);
  const consumer = new ShareConsumer(cluster, { groupId: 'g', onAcknowledged, ...options });
  consumer.subscribe(TOPIC);
  /** Lets time go by until something is done. */
  async function within<T>(ms: number, work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => (isDone = true));
    done.catch(() => undefined);
    for (let passed = 0; passed < ms && !isDone; passed += 10) await clock.advance(10);
    assert.ok(isDone, `nothing came within ${ms} ms`);
    return done;
  }
  const poll = (maxRecords: number): Promise<ShareRecord[]> =>
    within(5000, consumer.poll({ maxRecords, minRecords: maxRecords, timeoutMs: 4000 }));
  return { leaders, clock, cluster, events, consumer, told, seen, within, poll };
}

const offsets = (records: readonly ShareRecord[]): (readonly [bigint, number])[] =>
  records.map(({ offset, deliveryCount }) => [offset, deliveryCount] as const);

describe('ShareConsumer over simulated leaders', () => {
  it('statistics() tells what is in hand, what is unread, and what they take in memory', async () => {
    const { leaders, consumer, clock, within, poll } = setUp();
    leaders.append(0, 4);
    const [record] = await poll(3);
    assert.ok(record);
    const { bufferedBytes, memberId, ...statistics } = consumer.statistics();
    assert.deepEqual(statistics, {
      lane: 'share-1',
      groupId: 'g',
      partitions: [{ topic: TOPIC, partition: 0 }],
      recordsInHand: 3,
      recordsUnread: 1,
      maxBufferedBytes: 64 * 1024 * 1024,
    });
    assert.ok(bufferedBytes > 60 && memberId.length > 10);
    consumer.acknowledge(record);
    assert.equal(consumer.statistics().recordsInHand, 2);
    await within(1000, consumer.close());
    await clock.advance(0);
    const { recordsInHand, recordsUnread, bufferedBytes: left } = consumer.statistics();
    assert.deepEqual([recordsInHand, recordsUnread, left], [0, 0, 0]);
  });

  it('consumer.fetched tells the group and how many offsets were locked of which topic', async () => {
    const { leaders, consumer, events, within, poll } = setUp();
    const seen: ClientEvents['consumer.fetched'][] = [];
    events.on('consumer.fetched', (payload) => seen.push(payload));
    leaders.append(0, 4);
    await poll(4);
    const records = seen.reduce((sum, event) => sum + event.records, 0);
    const listed = seen.flatMap(({ topics }) => topics);
    assert.equal(records, 4);
    assert.ok(seen.length > 0 && seen.every(({ groupId }) => groupId === 'g'));
    assert.deepEqual([...new Set(listed.map(({ topic }) => topic))], [TOPIC]);
    assert.deepEqual(
      [listed.reduce((sum, topic) => sum + topic.records, 0), listed.reduce((sum, topic) => sum + topic.bytes, 0)],
      [4, seen.reduce((sum, { bytes }) => sum + bytes, 0)],
    );
    await within(1000, consumer.close());
  });

  it('gives back what was not read in the first half of its lock', async () => {
    const { leaders, clock, consumer, seen, within, poll } = setUp();
    leaders.append(0, 4);
    assert.deepEqual(offsets(await poll(2)), [
      [0n, 1],
      [1n, 1],
    ]);
    await clock.advance(LOCK_MS / 2 + 50);
    assert.deepEqual(seen, ['share.records.returned']);
    assert.deepEqual(offsets(await poll(2)), [
      [2n, 2],
      [3n, 2],
    ]);
    assert.deepEqual(leaders.violations, []);
    await within(1000, consumer.close());
  });

  it('refuses to acknowledge after the lock has ended, tells of it, and gets the record again', async () => {
    const { leaders, clock, consumer, told, seen, within, poll } = setUp();
    leaders.append(0, 1);
    const [record] = await poll(1);
    assert.ok(record);
    await clock.advance(LOCK_MS);
    assert.deepEqual(seen, ['share.locks.lost']);
    assert.throws(() => consumer.acknowledge(record), hasCode('INVALID_RECORD_STATE'));
    assert.deepEqual(offsets(await poll(1)), [[0n, 2]]);
    assert.deepEqual(told, [], 'nothing was sent for the first delivery');
    await within(1000, consumer.close());
  });

  it('aborts the signal of a handler whose lock has ended, and hands the record to another', async () => {
    const { leaders, consumer, within } = setUp();
    leaders.append(0, 1);
    const deliveries: string[] = [];
    const running = consumer.run({
      concurrency: 2,
      async eachRecord({ deliveryCount }, { signal, stop }) {
        deliveries.push(`begin ${deliveryCount}`);
        if (deliveryCount === 2) return stop();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        deliveries.push('abort');
        throw signal.reason;
      },
    });
    await within(3 * LOCK_MS, running);
    assert.deepEqual(deliveries.sort(), ['abort', 'begin 1', 'begin 2']);
    await within(1000, consumer.close());
    assert.ok(leaders.isDone);
  });

  it('holds a record as long as its handler takes with renewLocks', async () => {
    const { leaders, clock, consumer, told, seen, within } = setUp({ renewLocks: true });
    leaders.append(0, 1);
    let deliveries = 0;
    const running = consumer.run({
      async eachRecord(_, { stop }) {
        deliveries++;
        await new Promise<void>((resolve) => clock.setTimer(resolve, 4 * LOCK_MS));
        stop();
      },
    });
    await within(6 * LOCK_MS, running);
    await within(1000, consumer.close());
    assert.equal(deliveries, 1);
    assert.ok(leaders.isDone && leaders.faults.renewed >= 4, `renewed ${leaders.faults.renewed} times`);
    assert.ok(told.every(({ error }) => error === undefined));
    assert.deepEqual(seen, []);
  });

  it('tells of acknowledgements that a session took with it, and goes on in a new one', async () => {
    const { leaders, consumer, told, seen, within, poll } = setUp();
    leaders.append(0, 2);
    await poll(1);
    leaders.evict(1);
    const error: unknown = await within(1000, consumer.commit()).catch((caught: unknown) => caught);
    assert.ok(error instanceof AcknowledgeError && error.code === 'ACKNOWLEDGE_FAILED', String(error));
    const refused = error.results.map(({ offsets: of, type, error: why }) => [of, type, why?.code]);
    assert.deepEqual(refused, [[[0n], 'accept', 'SHARE_SESSION_NOT_FOUND']]);
    assert.deepEqual(told, error.results);
    assert.ok(seen.includes('share.session.ended'));
    assert.deepEqual(offsets(await poll(2)), [
      [0n, 2],
      [1n, 2],
    ]);
    const results = await within(1000, consumer.commit());
    assert.deepEqual(
      results.map(({ offsets: of }) => of),
      [[0n, 1n]],
    );
    await within(1000, consumer.close());
    assert.deepEqual(leaders.violations, []);
  });

  it('drops what a leader had locked that leads no more', async () => {
    const leaders = new SimulatedShareLeaders([1, 2], 1);
    const { cluster } = clusterOver(leaders.brokers);
    const { clock } = leaders.brokers;
    const consumer = new ShareConsumer(cluster, { groupId: 'g', acknowledgementMode: 'explicit' });
    consumer.subscribe(TOPIC);
    leaders.append(0, 2);
    const first = consumer.poll({ maxRecords: 1, timeoutMs: 1000 });
    await clock.advance(300);
    const [record] = await first;
    assert.ok(record);
    leaders.move(0);
    const refreshed = cluster.refresh();
    await clock.advance(10);
    await refreshed;
    assert.throws(() => consumer.acknowledge(record), hasCode('INVALID_RECORD_STATE'));
    const again = consumer.poll({ maxRecords: 2, minRecords: 2, timeoutMs: 1000 });
    await clock.advance(1000);
    assert.deepEqual(offsets(await again), [
      [0n, 2],
      [1n, 2],
    ]);
    const closing = consumer.close();
    await clock.advance(1000);
    await closing;
    assert.deepEqual(leaders.violations, []);
    assert.equal(leaders.locked, 0);
  });

  it('sends acknowledgements by themselves where no fetch takes them along', async () => {
    const { leaders, clock, consumer, told, within, poll } = setUp({ acknowledgementMode: 'explicit' });
    leaders.append(0, 1);
    const [record] = await poll(1);
    assert.ok(record);
    const before = leaders.brokers.count('ShareFetch');
    consumer.acknowledge(record);
    await clock.advance(90);
    assert.equal(told.length, 0, 'a fetch might have come');
    await clock.advance(30);
    assert.deepEqual(
      [told[0]?.type, told[0]?.error, leaders.brokers.count('ShareFetch')],
      ['accept', undefined, before],
    );
    await within(1000, consumer.close());
  });

  it('sends acknowledgements at once with commit', async () => {
    const { leaders, clock, consumer, within, poll } = setUp({ acknowledgementMode: 'explicit' });
    leaders.append(0, 1);
    const [record] = await poll(1);
    assert.ok(record);
    consumer.acknowledge(record);
    const startMs = clock.nowMs();
    const results = await within(1000, consumer.commit());
    assert.equal(results.length, 1);
    assert.ok(clock.nowMs() - startMs < 50, `it took ${clock.nowMs() - startMs} ms`);
    assert.deepEqual(await within(1000, consumer.commit()), [], 'nothing is left to send');
    await within(1000, consumer.close());
  });

  it('gives back what a fetch brings of a topic that was unsubscribed meanwhile', async () => {
    const { leaders, clock, consumer, told, within } = setUp();
    const polling = consumer.poll({ timeoutMs: 300 });
    await clock.advance(100);
    assert.ok(leaders.brokers.count('ShareFetch') > 0);
    consumer.unsubscribe();
    leaders.append(0, 1);
    await clock.advance(400);
    assert.deepEqual(await polling, []);
    assert.deepEqual(
      told.map(({ type, offsets: of }) => [type, of]),
      [['release', [0n]]],
    );
    assert.deepEqual([leaders.locked, leaders.sessions], [0, 0]);
    await within(1000, consumer.close());
  });

  it('takes acknowledgements along with the next fetch', async () => {
    const { leaders, consumer, told, within, poll } = setUp({ maxPollRecords: 1 });
    leaders.append(0, 1);
    leaders.append(0, 1);
    for (const offset of [0n, 1n]) assert.deepEqual(offsets(await poll(1)), [[offset, 1]]);
    assert.deepEqual([told[0]?.offsets, leaders.brokers.count('ShareAcknowledge')], [[0n], 0]);
    await within(1000, consumer.close());
  });

  it('fetches ahead of a reader that is nearly done, and not of one that takes its time', async () => {
    for (const paceMs of [1, 300]) {
      const { leaders, clock, consumer, within, poll } = setUp({ maxPollRecords: 2 });
      for (let batch = 0; batch < 10; batch++) leaders.append(0, 2);
      await poll(2);
      await clock.advance(paceMs);
      await poll(2);
      await clock.advance(paceMs);
      await poll(2);
      const fetched = leaders.brokers.count('ShareFetch');
      await clock.advance(20);
      assert.equal(leaders.brokers.count('ShareFetch'), fetched);
      assert.equal(leaders.locked, paceMs === 1 ? 4 : 2, `${paceMs} ms per record`);
      await within(1000, consumer.close());
      assert.deepEqual(leaders.violations, []);
    }
  });

  it('asks for no more than can be read in a part of the lock', async () => {
    const { leaders, clock, consumer, within, poll } = setUp({ maxPollRecords: 100 });
    for (let batch = 0; batch < 50; batch++) leaders.append(0, 1);
    await poll(10);
    await clock.advance(LOCK_MS);
    await poll(1);
    const asked = leaders.brokers.requests
      .filter(({ api }) => api === 'ShareFetch')
      .map(({ message }) => message['maxRecords']);
    assert.equal(asked[0], 100);
    assert.ok(Number(asked.at(-1)) <= 5, `asked for ${asked.join(', ')}`);
    await within(1000, consumer.close());
  });

  it('fetches nothing while maxBufferedBytes are unread or not acknowledged', async () => {
    const { leaders, clock, consumer, within, poll } = setUp({
      acknowledgementMode: 'explicit',
      maxBufferedBytes: 100,
    });
    leaders.append(0, 4);
    leaders.append(0, 4);
    const first = await poll(8);
    leaders.append(0, 1);
    const polling = consumer.poll({ timeoutMs: 500 });
    const fetched = leaders.brokers.count('ShareFetch');
    await clock.advance(600);
    assert.deepEqual([(await polling).length, leaders.brokers.count('ShareFetch')], [0, fetched]);
    consumer.acknowledge(first);
    assert.equal((await poll(1)).length, 1);
    await within(1000, consumer.close());
  });

  it('gives up a commit at its timeout, and a close that no broker answers', async () => {
    const { leaders, consumer, within, poll } = setUp();
    leaders.append(0, 1);
    await poll(1);
    leaders.latencyMs.set(1, 60_000);
    await assert.rejects(within(1000, consumer.commit({ timeoutMs: 200 })), hasCode('OPERATION_TIMEOUT'));
    const reason = new Error('enough');
    await assert.rejects(consumer.commit({ signal: AbortSignal.abort(reason) }), reason);
    await within(1500, consumer.close({ timeoutMs: 300 }));
  });

  it('ends every read with an error that no later try will mend', async () => {
    const { leaders, consumer, within } = setUp();
    const answer = leaders.brokers.answer;
    leaders.brokers.answer = (request) =>
      request.api === 'ShareFetch' ? { errorCode: 30, errorMessage: 'no' } : answer(request);
    const reading = within(1000, consumer.poll({ timeoutMs: 500 }));
    await assert.rejects(reading, hasCode('GROUP_AUTHORIZATION_FAILED'));
    await within(1000, consumer.close());
  });

  it('releases the records of a batch that does not match its checksum, tells of it, and goes on', async () => {
    const { leaders, clock, consumer, seen, within } = setUp();
    leaders.append(0, 1);
    leaders.append(0, 1);
    const answer = leaders.brokers.answer;
    let damaged = 0;
    leaders.brokers.answer = async (request) => {
      const given = (await answer(request)) as Record<string, unknown>;
      if (request.api !== 'ShareFetch' || damaged > 0) return given;
      for (const { partitions } of given['responses'] as { partitions: { records: Buffer }[] }[]) {
        for (const one of partitions) {
          one.records = Buffer.from(one.records);
          const last = one.records.length - 1;
          one.records.writeUInt8(one.records.readUInt8(last) ^ 1, last);
          damaged++;
        }
      }
      return given;
    };
    const polling = consumer.poll({ timeoutMs: 3000, minRecords: 2 });
    await clock.advance(1000);
    assert.deepEqual(offsets(await within(3000, polling)), [
      [0n, 1],
      [1n, 2],
    ]);
    assert.ok(damaged > 0 && seen.includes('warning'), seen.join());
    assert.deepEqual(leaders.violations, []);
    await within(1000, consumer.close());
  });

  it('does not hand out what a broker says it has acquired in no order', async () => {
    const { leaders, clock, consumer, within, events } = setUp();
    const failures: string[] = [];
    events.on('share.session.ended', ({ error }) => failures.push(error.message));
    const answer = leaders.brokers.answer;
    leaders.append(0, 2);
    leaders.brokers.answer = async (request) => {
      const given = (await answer(request)) as Record<string, unknown>;
      if (request.api !== 'ShareFetch' || failures.length > 0) return given;
      for (const { partitions } of given['responses'] as { partitions: { acquiredRecords: unknown[] }[] }[])
        for (const one of partitions) one.acquiredRecords.reverse();
      return given;
    };
    const polling = consumer.poll({ timeoutMs: 3000, minRecords: 2 });
    await clock.advance(2500);
    assert.deepEqual(offsets(await within(1000, polling)), [
      [0n, 2],
      [1n, 2],
    ]);
    assert.match(failures.join(), /not in order/);
    await within(1000, consumer.close());
  });
});
