import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KafkaError } from '../../../src/errors/kafka-error.ts';
import { AuthenticationError, AuthorizationError } from '../../../src/errors/kafka-error.ts';
import { SendError, SendManyError } from '../../../src/errors/send-error.ts';
import type { Serializer } from '../../../src/model/serdes.ts';
import type { PartitionerInput } from '../../../src/producer/partitioner.ts';
import { Producer } from '../../../src/producer/producer.ts';
import type { RecordMetadata } from '../../../src/producer/record-metadata.ts';
import { settle } from '../../support/fake-clock.ts';
import { FakeCluster, type PartitionAction } from './fake-cluster.ts';
import { setUp, watch } from './producer-rig.ts';

type Text = string | Uint8Array | null;

async function failure(promise: Promise<unknown>): Promise<SendError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SendError, `expected a SendError, got ${String(error)}`);
  return error;
}

const values = (from: number, count: number): string[] => Array.from({ length: count }, (_, at) => `v${from + at}`);

describe('Producer', () => {
  it('Producer.send resolves with where the record is', async () => {
    const { cluster, producer } = setUp();
    const sent = producer.send({ topic: 't', partition: 1, key: 'ä', value: 'one', timestamp: 12 });
    await cluster.clock.advance(50);
    const { topic, partition, offset, timestamp, serializedKeySize, serializedValueSize } = await sent;
    assert.deepEqual(
      { topic, partition, offset, timestamp, serializedKeySize, serializedValueSize },
      { topic: 't', partition: 1, offset: 0n, timestamp: 12, serializedKeySize: 2, serializedValueSize: 3 },
    );
    assert.deepEqual(cluster.log('t', 1).values, ['one']);
  });

  it('Producer.send of an array resolves with metadata in the order of the records, over partitions and batches', async () => {
    const { cluster, producer } = setUp({ batchSizeBytes: 200 });
    const before = producer.send({ topic: 't', partition: 0, value: 'before' });
    const records = values(0, 50).map((value, at) => ({ topic: 't', partition: at % 2, value, timestamp: 1000 + at }));
    const sent = producer.send(records);
    await cluster.clock.advance(500);
    await before;
    const metadata = await sent;
    assert.equal(metadata.length, 50);
    for (const [at, { partition, offset, timestamp, serializedValueSize }] of metadata.entries()) {
      assert.equal(partition, at % 2);
      assert.equal(cluster.log('t', partition).values[Number(offset)], `v${at}`);
      assert.equal(timestamp, 1000 + at);
      assert.equal(serializedValueSize, `v${at}`.length);
    }
  });

  it('Producer.send of an array rejects after all settled, with a result for each record', async () => {
    const { cluster, producer } = setUp();
    const sent = watch(
      producer.send([
        { topic: 't', partition: 0, value: 'good' },
        { topic: 't', partition: 7, value: 'bad' },
        { topic: 't', partition: 1, value: 5 as never },
        { topic: 't', partition: 1, value: 'good, too' },
      ]),
    );
    await settle();
    assert.equal(sent.state, 'pending', 'not before the good ones have settled');
    await cluster.clock.advance(50);
    assert.ok(sent.error instanceof SendManyError);
    const { results } = sent.error as SendManyError<RecordMetadata>;
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    const [, second, third] = results;
    assert.ok(second?.status === 'rejected' && third?.status === 'rejected');
    assert.equal(second.reason.code, 'INVALID_ARGUMENT');
    assert.match(second.reason.message, /names partition 7, and the topic has 2/);
    assert.match(third.reason.message, /number given/);
    await assert.rejects(producer.flush(), { code: 'SEND_FAILED' });
  });

  it('Producer.send of an empty array resolves at once', async () => {
    assert.deepEqual(await setUp().producer.send([]), []);
  });

  it('Producer.send never throws, whatever it is given', async () => {
    const { producer } = setUp();
    for (const nonsense of [
      undefined,
      null,
      5,
      {},
      { topic: '' },
      { topic: 5 },
      { topic: 't', timestamp: -1 },
      { topic: 't', headers: 'x' },
    ]) {
      const error = await failure(producer.send(nonsense as never));
      assert.equal(error.code, 'INVALID_ARGUMENT', JSON.stringify(nonsense));
      assert.equal(error.outcome, 'not-sent');
    }
    await assert.rejects(producer.send([undefined] as never), SendManyError);
  });

  it('Producer.send refuses a record whose value stands under another name, instead of writing a tombstone', async () => {
    const { cluster, producer } = setUp();
    const misnamed = {
      messages: [{ value: 'a' }],
      message: 'a',
      valeu: 'a',
      constructor: 'a',
    };
    const advice = [
      /each message as a record of its own/,
      /use value/,
      /did you mean value\?/,
      /fields are topic, key, /,
    ];
    for (const [index, [name, content]] of Object.entries(misnamed).entries()) {
      const record = { topic: 't', [name]: content };
      const alone = watch(producer.send(record));
      await cluster.clock.advance(50);
      const error = alone.error as SendError | undefined;
      assert.deepEqual([error?.code, error?.outcome], ['INVALID_ARGUMENT', 'not-sent']);
      assert.match(String(error), new RegExp(`it has no value, but ${name}, `));
      assert.match(String(error), advice[index] ?? /never/);
      const good = { topic: 't', partition: 0, value: 'good' };
      cluster.addTopic(`late-${name}`, 1);
      // Into an open batch, beside it, and into a topic that is yet to be known.
      for (const records of [
        [good, { topic: 't', key: 'k', value: 'opens its batch' }, { ...record, key: 'k' }],
        [record],
        [
          { ...good, topic: `late-${name}` },
          { ...record, topic: `late-${name}` },
        ],
      ]) {
        const sent = watch(producer.send(records));
        await cluster.clock.advance(500);
        assert.equal(sent.state, 'rejected');
        const { results } = sent.error as SendManyError<RecordMetadata>;
        const last = results.at(-1);
        assert.ok(last?.status === 'rejected' && last.reason.code === 'INVALID_ARGUMENT');
        assert.ok(results.slice(0, -1).every(({ status }) => status === 'fulfilled'));
      }
    }
  });

  it('Producer.send takes a record without a value, or with null and fields of others, for a tombstone', async () => {
    const { cluster, producer } = setUp();
    const tombstones = [
      { topic: 't', key: 'k', headers: { a: 'b' }, partition: 0, timestamp: 5 },
      { topic: 't', key: 'k', value: undefined, id: 7 },
      { topic: 't', key: 'k', value: null, id: 7 },
    ];
    const sent = [...tombstones.map((record) => watch(producer.send(record))), watch(producer.send(tombstones))];
    await cluster.clock.advance(50);
    assert.deepEqual(
      sent.map(({ state }) => state),
      ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'],
    );
  });

  it('Producer.send never throws when a record does as it is read, and no flush waits for that record', async () => {
    const { cluster, producer } = setUp();
    const record = {
      get topic(): string {
        throw new RangeError('the row is gone');
      },
    };
    const error = await failure(producer.send(record));
    assert.match(error.message, /the row is gone/);
    const sent = ['t', 'late'].map((topic) =>
      watch(producer.send([{ topic, value: 'a' }, record, { topic, value: 'b' }])),
    );
    cluster.addTopic('late', 1);
    const flushed = producer.flush().catch((reason: unknown) => reason);
    await cluster.clock.advance(500);
    for (const { error: rejection } of sent) {
      assert.ok(rejection instanceof SendManyError);
      assert.deepEqual(
        rejection.results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
    }
    assert.match(String(await flushed), /3 records were not delivered/);
    await producer.close();
    assert.equal((await failure(producer.send(record))).code, 'CLOSED');
  });

  it('Producer.enqueue tells its callback once, and an error that nobody takes goes to the event', async () => {
    const { cluster, producer } = setUp();
    const told: unknown[] = [];
    const errors: Error[] = [];
    cluster.events.on('producer.error', ({ error }) => errors.push(error));
    producer.enqueue({ topic: 't', partition: 0, value: 'a' }, (error, metadata) =>
      told.push(error ?? metadata?.offset),
    );
    producer.enqueue({ topic: 't', partition: 9, value: 'b' }, (error) => told.push(error?.code));
    await cluster.clock.advance(50);
    assert.deepEqual(told, ['INVALID_ARGUMENT', 0n]);
    await producer.flush(); // the callback has taken the error
    producer.enqueue({ topic: 't', partition: 9, value: 'c' });
    assert.equal(errors.length, 1);
    await assert.rejects(producer.flush(), { code: 'SEND_FAILED' });
  });

  it('Producer goes on when a callback throws', async () => {
    const { cluster, producer } = setUp();
    const failed: unknown[] = [];
    cluster.events.on('listener.failed', ({ error }) => failed.push(error));
    producer.enqueue({ topic: 't', partition: 0, value: 'a' }, () => {
      throw new Error('mine');
    });
    const next = producer.send({ topic: 't', partition: 0, value: 'b' });
    await cluster.clock.advance(50);
    assert.equal((await next).offset, 1n);
    assert.equal(failed.length, 1);
  });

  it('Producer sends what comes in one turn together, and gathers more while the broker is busy', async () => {
    const { cluster, producer } = setUp();
    for (const value of values(0, 10)) void producer.send({ topic: 't', partition: 0, value });
    await settle();
    assert.equal(cluster.requests.length, 1);
    for (const value of values(10, 10)) {
      void producer.send({ topic: 't', partition: 0, value });
      await settle();
    }
    assert.equal(cluster.requests.length, 1, 'the broker has not answered yet');
    await cluster.clock.advance(50);
    assert.equal(cluster.requests.length, 2);
    assert.deepEqual(cluster.log('t', 0).values, values(0, 20));
  });

  it('Producer sends a batch that has become large while its broker has one request only, in the middle of a turn', async () => {
    const { cluster, producer } = setUp();
    // Before its first acknowledgement a partition has no second batch under way.
    const warmUp = producer.send({ topic: 't', partition: 0, value: 'first' });
    await cluster.clock.advance(50);
    await warmUp;
    cluster.onRequest = undefined;
    const before = cluster.requests.length;
    const requests = (): number => cluster.requests.length - before;
    const send = (count: number, partition = 0): void => {
      for (let sent = 0; sent < count; sent++) void producer.send({ topic: 't', partition, value: 'x'.repeat(1000) });
    };
    send(1);
    await settle();
    assert.equal(requests(), 1, 'at the end of the turn');
    send(60);
    assert.equal(requests(), 1, 'not large enough to end the turn for');
    send(10);
    assert.equal(requests(), 2, 'while the broker works on the first, within the call that made it large');
    send(200);
    await settle();
    assert.equal(requests(), 2, 'it has enough to do');
    for (const pending of [...cluster.pending]) pending.answer();
    await settle();
    assert.equal(requests(), 3, 'all that was gathered goes together');
    send(20);
    await settle();
    assert.equal(requests(), 3, 'too small to go beside another one');
    send(50);
    assert.equal(requests(), 4, 'large enough now');
    for (const pending of [...cluster.pending]) pending.answer();
    await settle();
    for (const pending of [...cluster.pending]) pending.answer();
    await producer.flush();
    assert.equal(cluster.log('t', 0).values.length, 342);
  });

  it('Producer leaves what is small to the end of the turn when a large one leaves before', async () => {
    const { cluster, producer } = setUp();
    cluster.addTopic('two', 6, { isKnown: true });
    const leaders = cluster.metadata.topic('two')?.partitions.map(({ leaderId }) => leaderId) ?? [];
    const ofOne = leaders.flatMap((leaderId, partition) => (leaderId === leaders[0] ? [partition] : []));
    const [large = 0, small = 0, medium = 0] = ofOne;
    assert.equal(new Set([large, small, medium]).size, 3);
    const warmUp = producer.send({ topic: 'two', partition: large, value: 'first' });
    await cluster.clock.advance(50);
    await warmUp;
    const before = cluster.requests.length;
    void producer.send({ topic: 'two', partition: small, value: 'small' });
    for (let sent = 0; sent < 40; sent++)
      void producer.send({ topic: 'two', partition: medium, value: 'x'.repeat(1000) });
    for (let sent = 0; sent < 80; sent++)
      void producer.send({ topic: 'two', partition: large, value: 'x'.repeat(1000) });
    const indexes = (): number[][] =>
      cluster.requests
        .slice(before)
        .map(({ request }) =>
          request.topicData.flatMap(({ partitionData }) => partitionData.map(({ index }) => index)),
        );
    assert.deepEqual(indexes(), [[medium, large]], 'what is worth a request goes with it');
    await cluster.clock.advance(50);
    assert.ok(indexes().slice(1).flat().includes(small));
    assert.deepEqual(cluster.log('two', small).values, ['small']);
  });

  it('Producer with lingerMs keeps a large batch that is not full until it is due', async () => {
    const { cluster, producer } = setUp({ lingerMs: 100 });
    for (let sent = 0; sent < 200; sent++) void producer.send({ topic: 't', partition: 0, value: 'x'.repeat(1000) });
    await cluster.clock.advance(99);
    assert.equal(cluster.requests.length, 0);
    await cluster.clock.advance(50);
    assert.equal(cluster.log('t', 0).values.length, 200);
  });

  it('Producer with lingerMs waits for more, but not for longer', async () => {
    const { cluster, producer } = setUp({ lingerMs: 100 });
    void producer.send({ topic: 't', partition: 0, value: 'v0' });
    await cluster.clock.advance(60);
    void producer.send({ topic: 't', partition: 0, value: 'v1' });
    await cluster.clock.advance(39);
    assert.equal(cluster.requests.length, 0);
    await cluster.clock.advance(2);
    assert.equal(cluster.requests.length, 1);
    await cluster.clock.advance(50);
    assert.deepEqual(cluster.log('t', 0).values, ['v0', 'v1']);
  });

  it('Producer with lingerMs sends a full batch at once, and what a flush asks for', async () => {
    const { cluster, producer } = setUp({ lingerMs: 1000, batchSizeBytes: 300 });
    for (const value of values(0, 60)) void producer.send({ topic: 't', partition: 0, value });
    await cluster.clock.advance(100);
    assert.ok(cluster.log('t', 0).values.length >= 20);
    assert.ok(cluster.log('t', 0).values.length < 60);
    const flushed = watch(producer.flush());
    await cluster.clock.advance(100);
    assert.equal(flushed.state, 'fulfilled');
    assert.equal(cluster.log('t', 0).values.length, 60);
  });

  it('Producer puts the batches of several partitions of a broker into one request, up to maxRequestBytes', async () => {
    const { cluster, producer } = setUp({ maxRequestBytes: 1000, batchSizeBytes: 600, bufferMemoryBytes: 100_000 });
    cluster.addTopic('many', 8);
    const sent = producer.send(
      values(0, 8).map((value, partition) => ({ topic: 'many', partition, value: value.padEnd(300, '.') })),
    );
    await cluster.clock.advance(500);
    await sent;
    const sizes = cluster.requests.map(({ request }) =>
      request.topicData
        .flatMap(({ partitionData }) => partitionData)
        .reduce((sum, { records }) => sum + (records?.length ?? 0), 0),
    );
    assert.ok(cluster.requests.length >= 4 && cluster.requests.length < 8, `${cluster.requests.length} requests`);
    assert.ok(Math.max(...sizes) <= 1000 && Math.max(...sizes) > 400, sizes.join());
  });

  it('Producer refuses a record above maxRequestBytes before anything is touched', async () => {
    const { cluster, producer } = setUp({ maxRequestBytes: 1000 });
    const error = await failure(producer.send({ topic: 't', partition: 0, value: 'x'.repeat(1000) }));
    assert.equal(error.code, 'MESSAGE_TOO_LARGE');
    assert.equal(error.outcome, 'not-sent');
    assert.match(error.message, /maxRequestBytes, which is 1000/);
    const fits = producer.send({ topic: 't', partition: 0, value: 'x'.repeat(850) });
    await cluster.clock.advance(50);
    assert.equal((await fits).offset, 0n);
  });

  it('Producer keeps at most maxInFlightRequests unanswered per broker, all batches in order', async () => {
    const { cluster, producer } = setUp({ batchSizeBytes: 200, maxInFlightRequests: 3 });
    let most = 0;
    cluster.onRequest = (pending) => {
      most = Math.max(most, cluster.pending.length);
      cluster.clock.setTimer(() => pending.answer(), 5);
    };
    const sent = producer.send(values(0, 200).map((value) => ({ topic: 't', partition: 0, value })));
    await cluster.clock.advance(1000);
    await sent;
    assert.equal(most, 3);
    assert.deepEqual(cluster.log('t', 0).values, values(0, 200));
  });

  it('Producer holds sends of an unknown topic in order, and lets those of others pass', async () => {
    const { cluster, producer } = setUp();
    const held = watch(producer.send(values(0, 3).map((value) => ({ topic: 'late', partition: 0, value }))));
    const single = watch(producer.send({ topic: 'late', partition: 0, value: 'v3' }));
    const passing = producer.send({ topic: 't', partition: 0, value: 'x' });
    await cluster.clock.advance(100);
    await passing;
    assert.equal(held.state, 'pending');
    cluster.addTopic('late', 1);
    await cluster.clock.advance(200);
    assert.equal(held.state, 'fulfilled');
    assert.equal(single.state, 'fulfilled');
    assert.deepEqual(cluster.log('late', 0).values, values(0, 4));
  });

  it('Producer holds arrays and single records of unknown topics in the order of the calls, with less memory than they need', async () => {
    const { cluster, producer } = setUp({ bufferMemoryBytes: 5000, maxRequestBytes: 2000, batchSizeBytes: 1000 });
    const record = (value: string): { topic: string; partition: number; value: string } => ({
      topic: Number(value.slice(1)) % 100 < 90 ? 'late' : 'later',
      partition: 0,
      value: value.padEnd(50, '.'),
    });
    const sent: Promise<unknown>[] = [];
    for (let from = 0; from < 1000; from += 100) {
      sent.push(producer.send(values(from, 99).map(record)));
      sent.push(producer.send(record(`v${from + 99}`)));
    }
    await cluster.clock.advance(100);
    cluster.addTopic('later', 1);
    cluster.addTopic('late', 1);
    await cluster.clock.advance(10_000);
    await Promise.all(sent);
    const written = ['late', 'later'].map((topic) =>
      cluster.log(topic, 0).values.map((value) => value.replaceAll('.', '')),
    );
    const all = values(0, 1000);
    assert.deepEqual(written, [
      all.filter((value) => record(value).topic === 'late'),
      all.filter((value) => record(value).topic === 'later'),
    ]);
  });

  it('Producer refuses only what is wrong in an array whose topic is not known yet, each record for its own reason', async () => {
    const { cluster, producer } = setUp({ maxRequestBytes: 1000 });
    const sent = producer.send([
      { topic: 'late', value: 'a' },
      { topic: 'late', value: 5 as never },
      { topic: 'late', value: 'b', timestamp: -1 },
      undefined as never,
      { topic: 'late', value: 'c', partition: 7 },
      { topic: 'late', value: 'x'.repeat(2000) },
      { topic: 'late', key: 'k', value: 'd', headers: [['h', 'v']] },
    ]);
    cluster.addTopic('late', 1);
    const [error] = await Promise.all([sent.catch((reason: unknown) => reason), cluster.clock.advance(500)]);
    assert.ok(error instanceof SendManyError);
    const reasons = error.results.map((result) => (result.status === 'rejected' ? result.reason.message : 'sent'));
    const expected = [
      /^sent$/,
      /number given/,
      /timestamp is -1/,
      /undefined given/,
      /partition 7/,
      /maxRequestBytes/,
      /^sent$/,
    ];
    for (const [at, pattern] of expected.entries()) assert.match(reasons[at] ?? '', pattern);
    assert.deepEqual(cluster.log('late', 0).values, ['a', 'd']);
  });

  it('Producer gives back the memory of arrays whose topic does not exist, and refuses them while too many wait', async () => {
    const { cluster, producer } = setUp({
      bufferMemoryBytes: 5000,
      maxRequestBytes: 2000,
      batchSizeBytes: 1000,
      maxWaitingSends: 2,
      maxBlockMs: 500,
    });
    const codes = async (sent: Promise<unknown>): Promise<string> => {
      const error = await sent.catch((reason: unknown) => reason);
      assert.ok(error instanceof SendManyError);
      const all = error.results.map((result) => (result.status === 'rejected' ? result.reason.code : 'sent'));
      assert.equal(all.length, 100);
      return [...new Set(all)].join();
    };
    for (let round = 0; round < 3; round++) {
      const list = values(0, 100).map((value) => ({ topic: 'nowhere', value }));
      const sent = Array.from({ length: 5 }, () => codes(producer.send(list)));
      const [told] = await Promise.all([Promise.all(sent), cluster.clock.advance(1000)]);
      const missing = 'UNKNOWN_TOPIC_OR_PARTITION';
      // The first one fills the memory, and two may wait: an array counts as one.
      assert.deepEqual(told, [missing, missing, missing, 'BUFFER_FULL', 'BUFFER_FULL']);
    }
    await producer.ready();
    const sent = producer.send({ topic: 't', value: 'x'.repeat(1500) });
    await cluster.clock.advance(100);
    assert.equal((await sent).offset, 0n);
  });

  it('Producer rejects the sends of a topic that does not exist, and looks again for the next one', async () => {
    const { cluster, producer } = setUp({ maxBlockMs: 500 });
    const sent = producer.send({ topic: 'nowhere', value: 'x' });
    const [error] = await Promise.all([failure(sent), cluster.clock.advance(1000)]);
    assert.equal(error.code, 'UNKNOWN_TOPIC_OR_PARTITION');
    assert.equal(error.outcome, 'not-sent');
    assert.match(error.message, /Cannot send to topic "nowhere"/);
    cluster.addTopic('nowhere', 1);
    const again = producer.send({ topic: 'nowhere', value: 'x' });
    await cluster.clock.advance(100);
    await again;
  });

  it('Producer keeps the order of calls of a topic whose serializer takes its time, and others do not wait', async () => {
    const cluster = new FakeCluster();
    cluster.addTopic('t', 1, { isKnown: true });
    cluster.addTopic('u', 1, { isKnown: true });
    cluster.onRequest = (pending) => pending.answer();
    const slow: Serializer<string> = {
      serialize: (value) =>
        value === 'slow' ? new Promise((resolve) => cluster.clock.setTimer(() => resolve('slow'), 500)) : value,
    };
    const producer = new Producer<Text, string>(cluster, { value: slow });
    const sent = ['slow', 'b', 'c'].map((value) => producer.send({ topic: 't', value }));
    const other = producer.send({ topic: 'u', value: 'x' });
    await cluster.clock.advance(100);
    await other;
    assert.deepEqual(cluster.log('t', 0).values, []);
    await cluster.clock.advance(500);
    await Promise.all(sent);
    assert.deepEqual(cluster.log('t', 0).values, ['slow', 'b', 'c']);
  });

  it('Producer rejects only the record whose serializer throws or rejects, naming topic and field', async () => {
    const cluster = new FakeCluster();
    cluster.addTopic('t', 1, { isKnown: true });
    cluster.onRequest = (pending) => pending.answer();
    const picky: Serializer<string> = {
      serialize: (value) => {
        if (value === 'throw') throw new Error('no such thing');
        if (value === 'reject') return Promise.reject(new Error('no such thing'));
        return value === 'odd' ? (5 as never) : value;
      },
    };
    const producer = new Producer<Text, string>(cluster, { value: picky });
    const bad = ['throw', 'reject', 'odd'].map((value) => failure(producer.send({ topic: 't', value })));
    const good = producer.send({ topic: 't', value: 'good' });
    await cluster.clock.advance(50);
    for (const error of await Promise.all(bad)) {
      assert.equal(error.code, 'SERIALIZATION_FAILED');
      assert.equal(error.outcome, 'not-sent');
      assert.match(error.message, /topic "t": its value could not be serialized/);
    }
    assert.equal((await good).offset, 0n);
  });

  it('Producer asks a partitioner function, and refuses an answer that is no partition', async () => {
    const seen: unknown[] = [];
    const { cluster, producer } = setUp({
      partitioner: (input) => {
        seen.push(input);
        return input.key === 'bad' ? 1.5 : input.partitionCount - 1;
      },
    });
    const sent = producer.send({ topic: 't', key: 'k', value: 'v' });
    const error = await failure(producer.send({ topic: 't', key: 'bad' }));
    await cluster.clock.advance(50);
    assert.equal((await sent).partition, 1);
    const { isAvailable, ...told } = seen[0] as PartitionerInput;
    const serialized = { serializedKey: 'k', serializedValue: 'v' };
    assert.deepEqual(told, { topic: 't', key: 'k', value: 'v', ...serialized, partitionCount: 2 });
    assert.deepEqual([0, 1, 2].map(isAvailable), [true, true, false]);
    assert.match(error.message, /the partitioner chose partition 1.5/);
  });

  it('Producer spreads records round robin if told so', async () => {
    const { cluster, producer } = setUp({ partitioner: 'round-robin' });
    const sent = producer.send(values(0, 6).map((value) => ({ topic: 't', key: 'same', value })));
    await cluster.clock.advance(50);
    assert.deepEqual(
      (await sent).map(({ partition }) => partition),
      [0, 1, 0, 1, 0, 1],
    );
  });

  it('Producer lets sends wait for memory in order, and goes on as it comes free', async () => {
    const { cluster, producer } = setUp({ bufferMemoryBytes: 5000, maxRequestBytes: 2000, batchSizeBytes: 1000 });
    const sent = values(0, 200).map((value) =>
      producer.send({ topic: 't', partition: 0, value: value.padEnd(50, '.') }),
    );
    const many = producer.send(
      values(200, 100).map((value) => ({ topic: 't', partition: 0, value: value.padEnd(50, '.') })),
    );
    const last = producer.send({ topic: 't', partition: 0, value: 'last' });
    await cluster.clock.advance(10_000);
    await Promise.all([...sent, many, last]);
    assert.deepEqual(
      cluster.log('t', 0).values.map((value) => value.replaceAll('.', '')),
      [...values(0, 300), 'last'],
    );
  });

  it('Producer.send takes a record as it is now: who changes it for the next one meanwhile changes nothing', async () => {
    const { cluster, producer } = setUp();
    const record: { topic: string; partition: number; value: string } = { topic: 'late', partition: 0, value: 'a' };
    const sent = [producer.send(record)];
    Object.assign(record, { partition: 1, value: 'b' });
    sent.push(producer.send(record));
    Object.assign(record, { topic: 't', partition: 0, value: 'c' });
    sent.push(producer.send(record));
    cluster.addTopic('late', 2);
    await cluster.clock.advance(500);
    await Promise.all(sent);
    const written = [cluster.log('late', 0), cluster.log('late', 1), cluster.log('t', 0)].map(({ values: all }) => all);
    assert.deepEqual(written, [['a'], ['b'], ['c']]);
  });

  it('Producer.send of an array takes it as it is now: who fills it with other records meanwhile changes nothing', async () => {
    const { cluster, producer } = setUp({ bufferMemoryBytes: 5000, maxRequestBytes: 2000, batchSizeBytes: 1000 });
    const records = (
      topic: string,
      from: number,
      count: number,
    ): { topic: string; partition: number; value: string }[] =>
      values(from, count).map((value) => ({ topic, partition: 0, value: value.padEnd(50, '.') }));
    const [forMemory, forTopic] = [records('t', 0, 200), records('late', 0, 20)];
    const sent = [producer.send(forMemory), producer.send(forTopic)];
    for (const list of [forMemory, forTopic]) list.splice(0, list.length, ...records('t', 900, 3));
    cluster.addTopic('late', 1);
    await cluster.clock.advance(10_000);
    assert.deepEqual(
      (await Promise.all(sent)).map(({ length }) => length),
      [200, 20],
    );
    const written = (topic: string): string[] => cluster.log(topic, 0).values.map((value) => value.replaceAll('.', ''));
    assert.deepEqual([written('t'), written('late')], [values(0, 200), values(0, 20)]);
  });

  it('Producer.ready waits while memory is used up', async () => {
    const { cluster, producer } = setUp({ bufferMemoryBytes: 5000, maxRequestBytes: 2000, batchSizeBytes: 1000 });
    await producer.ready();
    for (const value of values(0, 50)) void producer.send({ topic: 't', partition: 0, value: value.padEnd(50, '.') });
    const ready = watch(producer.ready());
    await settle();
    assert.equal(ready.state, 'pending');
    await cluster.clock.advance(1000);
    assert.equal(ready.state, 'fulfilled');
    const aborted = new AbortController();
    for (const value of values(0, 50)) void producer.send({ topic: 't', partition: 0, value: value.padEnd(50, '.') });
    const given = watch(producer.ready({ signal: aborted.signal }));
    aborted.abort(new Error('enough'));
    await settle();
    assert.deepEqual(given.error, new Error('enough'));
  });

  it('Producer refuses one more than maxWaitingSends, and rejects who waited longer than maxBlockMs', async () => {
    const { cluster, producer } = setUp({
      bufferMemoryBytes: 5000,
      maxRequestBytes: 2000,
      batchSizeBytes: 1000,
      maxWaitingSends: 3,
      maxBlockMs: 200,
    });
    cluster.onRequest = undefined;
    const sent = values(0, 60).map((value) =>
      watch(producer.send({ topic: 't', partition: 0, value: value.padEnd(50, '.') })),
    );
    await settle();
    const refused = sent.filter(({ state }) => state === 'rejected');
    assert.ok(refused.length > 10);
    for (const { error } of refused) {
      assert.equal((error as SendError).code, 'BUFFER_FULL');
      assert.equal((error as SendError).outcome, 'not-sent');
    }
    await cluster.clock.advance(250);
    const late = sent.filter(({ error }) => error instanceof SendError && error.code === 'DELIVERY_TIMEOUT');
    assert.equal(late.length, 3);
    assert.match(String((late[0]?.error as Error).message), /no buffer memory came free within 200 ms/);
  });

  it('Producer charges for promises too: small records do not take memory without bound', async () => {
    const { cluster, producer } = setUp({
      bufferMemoryBytes: 100_000,
      maxRequestBytes: 50_000,
      batchSizeBytes: 50_000,
      maxWaitingSends: 0,
    });
    cluster.onRequest = undefined;
    const sent = values(0, 1000).map((value) => watch(producer.send({ topic: 't', partition: 0, value })));
    await settle();
    const accepted = sent.filter(({ state }) => state === 'pending').length;
    assert.ok(accepted > 200 && accepted < 400, `${accepted} sends in 100,000 bytes`);
  });

  it('Producer retries with growing pauses, and keeps the order', async () => {
    const { cluster, producer } = setUp();
    const times: number[] = [];
    cluster.onRequest = (pending) => {
      times.push(cluster.clock.nowMs());
      const failing: PartitionAction = { kind: 'error', code: 'NOT_ENOUGH_REPLICAS' };
      pending.answer(() => (times.length <= 4 ? failing : { kind: 'append' }));
    };
    const sent = values(0, 5).map((value) => producer.send({ topic: 't', partition: 0, value }));
    await cluster.clock.advance(5000);
    await Promise.all(sent);
    const pauses = times.slice(1).map((time, at) => Math.round(time - (times[at] ?? 0)));
    assert.deepEqual(pauses, [100, 200, 400, 800]);
    assert.deepEqual(cluster.log('t', 0).values, values(0, 5));
  });

  it('Producer asks a broker that always answers with a retriable error no more often than the back-off allows', async () => {
    for (const code of [
      'NOT_LEADER_OR_FOLLOWER',
      'NOT_ENOUGH_REPLICAS',
      'REQUEST_TIMED_OUT',
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      'UNKNOWN_PRODUCER_ID',
    ] as const) {
      const { cluster, producer } = setUp();
      cluster.onRequest = (pending) => pending.answer(() => ({ kind: 'error', code, leaderHint: true }));
      const sent = watch(producer.send({ topic: 't', partition: 0, value: 'x' }));
      for (let turn = 0; turn < 100; turn++) {
        await cluster.clock.advance(100);
        void producer.send({ topic: 't', partition: 0, value: 'y' });
      }
      // 100 + 200 + 400 + 800 ms, then every 1000 ms: at most 13 in 10 s, and one more for a leader that is new.
      assert.ok(cluster.requests.length <= 14, `${code}: ${cluster.requests.length} requests`);
      assert.ok(cluster.requests.length >= 9, `${code}: ${cluster.requests.length} requests`);
      assert.ok(cluster.refreshes <= 2 * cluster.requests.length + 2, `${code}: ${cluster.refreshes} refreshes`);
      assert.equal(sent.state, 'pending');
    }
  });

  it('Producer tries to reach a broker that is down with growing pauses, and rejects nothing meanwhile', async () => {
    const { cluster, producer } = setUp();
    cluster.down.add(1);
    const sent = watch(producer.send({ topic: 't', partition: 0, value: 'x' }));
    await cluster.clock.advance(10_000);
    assert.ok(cluster.connects.length <= 14 && cluster.connects.length >= 9, `${cluster.connects.length} attempts`);
    cluster.down.delete(1);
    await cluster.clock.advance(2000);
    assert.equal(sent.state, 'fulfilled');
  });

  it('Producer follows a leader: by the hint of the answer at once, by the metadata otherwise', async () => {
    for (const leaderHint of [true, false]) {
      const { cluster, producer } = setUp();
      cluster.onRequest = (pending) =>
        pending.answer(() => ({ kind: 'error', code: 'NOT_LEADER_OR_FOLLOWER', leaderHint }));
      const sent = producer.send({ topic: 't', partition: 0, value: 'x' });
      cluster.moveLeader('t', 0, 2);
      cluster.onRequest = (pending) =>
        pending.answer((_topic, partition) =>
          cluster.leader('t', partition) === pending.nodeId
            ? { kind: 'append' }
            : { kind: 'error', code: 'NOT_LEADER_OR_FOLLOWER', leaderHint },
        );
      const startMs = cluster.clock.nowMs();
      let doneMs = 0;
      void sent.then(() => (doneMs = cluster.clock.nowMs()));
      await cluster.clock.advance(500);
      await sent;
      assert.deepEqual(
        cluster.requests.map(({ nodeId }) => nodeId),
        [1, 2],
      );
      if (leaderHint) assert.equal(doneMs, startMs, 'no pause');
    }
  });

  it('Producer fails a batch that the broker refuses, and what follows is delivered', async () => {
    const { cluster, producer } = setUp({ batchSizeBytes: 200 });
    let requests = 0;
    cluster.onRequest = (pending) => {
      const refuse = ++requests === 2;
      cluster.clock.setTimer(
        () => pending.answer(() => (refuse ? { kind: 'error', code: 'INVALID_RECORD' } : { kind: 'append' })),
        5,
      );
    };
    const sent = values(0, 60).map((value) => watch(producer.send({ topic: 't', partition: 0, value })));
    await cluster.clock.advance(3000);
    const failed = sent.filter(({ state }) => state === 'rejected');
    assert.ok(failed.length > 0 && failed.length < 60);
    for (const { error } of failed) {
      assert.ok(error instanceof SendError);
      assert.deepEqual(
        [error.code, error.outcome, error.topic, error.partition],
        ['INVALID_RECORD', 'refused', 't', 0],
      );
    }
    const delivered = sent.flatMap(({ state }, at) => (state === 'fulfilled' ? [`v${at}`] : []));
    assert.deepEqual(cluster.log('t', 0).values, delivered);
  });

  it('Producer gives up at deliveryTimeoutMs and says what is known: not-sent, refused, unknown', async () => {
    const options = { deliveryTimeoutMs: 1000 };
    const client = { requestTimeoutMs: 500 };
    const unsent = setUp(options, client);
    unsent.cluster.down.add(1);
    const refused = setUp(options, client);
    refused.cluster.onRequest = (pending) => pending.answer(() => ({ kind: 'error', code: 'NOT_ENOUGH_REPLICAS' }));
    const unknown = setUp(options, client);
    unknown.cluster.onRequest = undefined;
    for (const [{ cluster, producer }, outcome] of [
      [unsent, 'not-sent'],
      [refused, 'refused'],
      [unknown, 'unknown'],
    ] as const) {
      const sent = watch(producer.send({ topic: 't', partition: 0, value: 'x' }));
      await cluster.clock.advance(990);
      assert.equal(sent.state, 'pending');
      await cluster.clock.advance(20);
      assert.ok(sent.error instanceof SendError);
      assert.equal(sent.error.code, 'DELIVERY_TIMEOUT');
      assert.equal(sent.error.outcome, outcome);
      assert.match(sent.error.message, /within deliveryTimeoutMs 1000/);
    }
  });

  it('Producer never fills a buffer again while its request may still be under way', async () => {
    const { cluster, producer } = setUp({ deliveryTimeoutMs: 1000 }, { requestTimeoutMs: 500 });
    cluster.onRequest = undefined;
    const first = watch(producer.send({ topic: 't', partition: 0, value: 'first' }));
    await cluster.clock.advance(1100);
    assert.equal(first.state, 'rejected', 'given up, and still under way');
    void producer.send({ topic: 't', partition: 1, value: 'second' });
    void producer.send({ topic: 't', partition: 0, value: 'third' });
    await cluster.clock.advance(100);
    for (const pending of [...cluster.pending]) pending.answer();
    await cluster.clock.advance(100);
    for (const pending of [...cluster.pending]) pending.answer();
    assert.deepEqual(cluster.problems, []);
    assert.deepEqual(cluster.log('t', 0).values, ['first', 'third']);
  });

  it('Producer does not let later records of a held batch lose more than a tenth of their time', async () => {
    const { cluster, producer } = setUp({ deliveryTimeoutMs: 10_000 }, { requestTimeoutMs: 500 });
    cluster.down.add(1);
    const first = watch(producer.send({ topic: 't', partition: 0, value: 'x' }));
    await cluster.clock.advance(5000);
    const later = watch(producer.send({ topic: 't', partition: 0, value: 'y' }));
    await cluster.clock.advance(5500);
    assert.equal(first.state, 'rejected');
    assert.equal(later.state, 'pending');
    await cluster.clock.advance(4600);
    assert.equal(later.state, 'rejected');
  });

  it('Producer fails what a re-created topic had been sent, and delivers what had not', async () => {
    const { cluster, producer } = setUp({ batchSizeBytes: 100 });
    cluster.onRequest = undefined;
    const sent = watch(producer.send({ topic: 't', partition: 0, value: 'old'.padEnd(60, '.') }));
    await settle();
    const waiting = watch(producer.send({ topic: 't', partition: 0, value: 'new'.padEnd(60, '.') }));
    await settle();
    cluster.addTopic('t', 2, { id: 'BBBBBBBBBBBBBBBBBBBBBA', isKnown: true });
    await settle();
    assert.ok(sent.error instanceof SendError);
    assert.match(sent.error.message, /the topic was re-created/);
    assert.equal(sent.error.outcome, 'unknown');
    cluster.onRequest = (pending) => pending.answer();
    for (const pending of [...cluster.pending]) pending.answer();
    await cluster.clock.advance(1000);
    assert.equal(waiting.state, 'fulfilled');
    assert.equal(cluster.log('t', 0).values.length, 1);
  });

  it('Producer names topics by id where the broker can, by name where it cannot', async () => {
    for (const [max, name] of [
      [13, ''],
      [12, 't'],
      [3, 't'],
    ] as const) {
      const { cluster, producer } = setUp();
      cluster.produceVersions = { min: 0, max };
      const sent = producer.send({ topic: 't', partition: 0, value: 'x' });
      await cluster.clock.advance(50);
      assert.equal((await sent).offset, 0n);
      assert.equal(cluster.requests[0]?.version, max);
      assert.equal(cluster.requests[0].request.topicData[0]?.name, name);
    }
  });

  it('Producer says so if the broker speaks no version that can carry the records', async () => {
    const { cluster, producer } = setUp({ compression: 'zstd' });
    cluster.produceVersions = { min: 0, max: 6 };
    const sent = failure(producer.send({ topic: 't', partition: 0, value: 'x' }));
    // The codec is loaded from disk, on the real clock.
    for (let turn = 0; turn < 200 && cluster.connects.length === 0; turn++) await cluster.clock.advance(5);
    const error = await sent;
    assert.equal(error.code, 'UNSUPPORTED_VERSION');
    assert.notEqual(error.outcome, 'unknown');
  });

  it('Producer with acks 0 resolves when written, without an offset, and needs no producer id', async () => {
    const { cluster, producer } = setUp({ acks: 0 });
    const sent = producer.send({ topic: 't', partition: 0, value: 'x' });
    await cluster.clock.advance(50);
    assert.equal((await sent).offset, -1n);
    assert.equal(cluster.initProducerIds, 0);
    assert.equal(cluster.requests[0]?.noResponse, true);
    assert.equal(cluster.requests[0]?.request.acks, 0);
  });

  it('Producer gives up what needs a producer id if the cluster will not give one, and asks again for the next', async () => {
    const { cluster, producer } = setUp();
    cluster.initError = new AuthorizationError('Cannot get a producer id', { code: 'CLUSTER_AUTHORIZATION_FAILED' });
    const [error] = await Promise.all([
      failure(producer.send({ topic: 't', partition: 0, value: 'x' })),
      cluster.clock.advance(50),
    ]);
    assert.equal(error.code, 'CLUSTER_AUTHORIZATION_FAILED');
    assert.equal(error.outcome, 'not-sent');
    cluster.initError = undefined;
    const next = producer.send({ topic: 't', partition: 0, value: 'x' });
    await cluster.clock.advance(50);
    await next;
  });

  it('Producer gives up at once if the broker does not accept who we are', async () => {
    const { cluster, producer } = setUp();
    cluster.connection = () =>
      Promise.reject(new AuthenticationError('Cannot authenticate', { code: 'SASL_AUTHENTICATION_FAILED' }));
    const [error] = await Promise.all([
      failure(producer.send({ topic: 't', partition: 0, value: 'x' })),
      cluster.clock.advance(50),
    ]);
    assert.equal(error.code, 'SASL_AUTHENTICATION_FAILED');
    assert.equal(error.outcome, 'not-sent');
  });

  it('Producer.flush waits for exactly what was sent before it', async () => {
    const { cluster, producer } = setUp();
    cluster.onRequest = undefined;
    const before = watch(producer.send({ topic: 't', partition: 0, value: 'before' }));
    const flushed = watch(producer.flush());
    const after = watch(producer.send({ topic: 't', partition: 0, value: 'after' }));
    await settle();
    assert.equal(flushed.state, 'pending');
    cluster.pending[0]?.answer();
    await settle();
    assert.deepEqual([before.state, flushed.state, after.state], ['fulfilled', 'fulfilled', 'pending']);
  });

  it('Producer.flush tells after all sends before it have told', async () => {
    const { cluster, producer } = setUp();
    const told: string[] = [];
    const note = (what: string) => (): unknown => told.push(what);
    for (const partition of [0, 9]) {
      producer.send({ topic: 't', partition, value: 'x' }).then(note('sent'), note('not sent'));
      producer.send([{ topic: 't', partition, value: 'x' }]).then(note('all sent'), note('not all sent'));
    }
    producer.flush().then(note('flushed'), note('flush failed'));
    await cluster.clock.advance(50);
    assert.equal(told.length, 5);
    assert.equal(told[4], 'flush failed');
  });

  it('Producer.flush rejects if a send failed since the last flush, once, and can be given up', async () => {
    const { cluster, producer } = setUp();
    void producer.send({ topic: 't', partition: 9, value: 'x' });
    await settle();
    await assert.rejects(
      producer.flush(),
      (error: KafkaError) => error.code === 'SEND_FAILED' && error.cause instanceof SendError,
    );
    await producer.flush();
    cluster.onRequest = undefined;
    void producer.send({ topic: 't', partition: 0, value: 'x' });
    const controller = new AbortController();
    const flushed = watch(producer.flush({ signal: controller.signal }));
    controller.abort(new Error('no time'));
    await settle();
    assert.deepEqual(flushed.error, new Error('no time'));
  });

  it('Producer.close delivers what is outstanding, then refuses; it is idempotent', async () => {
    const { cluster, producer } = setUp();
    const sent = producer.send({ topic: 't', partition: 0, value: 'x' });
    const closed = producer.close();
    assert.equal(producer.close(), closed);
    const late = await failure(producer.send({ topic: 't', partition: 0, value: 'y' }));
    assert.deepEqual([late.code, late.outcome], ['CLOSED', 'not-sent']);
    await cluster.clock.advance(100);
    await closed;
    await sent;
    assert.deepEqual(cluster.closedLanes, ['produce-1']);
    await assert.rejects(producer.flush(), { code: 'CLOSED' });
    await assert.rejects(producer.ready(), { code: 'CLOSED' });
    assert.equal(cluster.clock.pending, 0, 'no timer is left');
  });

  it('Producer sends again although the timer of a pause fires a little too early', async () => {
    const { cluster, producer } = setUp();
    await cluster.clock.advance(10);
    let cuts = 0;
    cluster.onRequest = (pending) => {
      if (cuts++ % 2 === 0) pending.cut();
      else cluster.clock.setTimer(() => pending.answer(), 5);
    };
    cluster.clock.creepMs = 0.5;
    for (let round = 0; round < 20; round++) {
      cluster.clock.earlyMs = round / 10;
      const sent = watch(producer.send({ topic: 't', partition: 0, value: `v${round}` }));
      await cluster.clock.advance(2000);
      assert.equal(sent.state, 'fulfilled', `round ${round}`);
    }
  });

  it('Producer.close does not tell again of what had failed before it', async () => {
    const { cluster, producer } = setUp();
    cluster.onRequest = undefined;
    const early = watch(producer.send({ topic: 'unknown', value: 'x' }));
    await cluster.clock.advance(200_000);
    assert.notEqual(early.error, undefined);
    const closed = watch(producer.close());
    await cluster.clock.advance(100);
    assert.deepEqual([closed.state, closed.error], ['fulfilled', undefined]);
  });

  it('Producer.close rejects what it cannot deliver in time, and rejects itself', async () => {
    const { cluster, producer } = setUp();
    cluster.onRequest = undefined;
    const inFlight = watch(producer.send({ topic: 't', partition: 0, value: 'x' }));
    await settle();
    const waiting = watch(producer.send({ topic: 't', partition: 0, value: 'y' }));
    const held = watch(producer.send({ topic: 'unknown', value: 'z' }));
    const closed = watch(producer.close({ timeoutMs: 300 }));
    await cluster.clock.advance(400);
    const outcomes = [inFlight, waiting, held].map(({ error }) => [
      (error as SendError).code,
      (error as SendError).outcome,
    ]);
    assert.deepEqual(outcomes, [
      ['CLOSED', 'unknown'],
      ['CLOSED', 'not-sent'],
      ['CLOSED', 'not-sent'],
    ]);
    assert.equal((closed.error as KafkaError).code, 'SEND_FAILED');
    await producer.close(); // told once
  });

  it('Producer leaves no timer behind when all is settled', async () => {
    const { cluster, producer } = setUp();
    const sent = producer.send({ topic: 't', partition: 0, value: 'x' });
    await cluster.clock.advance(50);
    await sent;
    assert.equal(cluster.clock.pending, 0);
  });

  it('Producer publishes what becomes of batches', async () => {
    const { cluster, producer } = setUp();
    const seen: string[] = [];
    for (const name of ['producer.batch.delivered', 'producer.batch.retried', 'producer.batch.failed'] as const) {
      cluster.events.on(name, ({ records }) => seen.push(`${name} ${records}`));
    }
    const codes: PartitionAction[] = [
      { kind: 'error', code: 'NOT_ENOUGH_REPLICAS' },
      { kind: 'append' },
      { kind: 'error', code: 'INVALID_RECORD' },
    ];
    cluster.onRequest = (pending) => pending.answer(() => codes.shift() ?? { kind: 'append' });
    void producer.send([
      { topic: 't', partition: 0, value: 'x' },
      { topic: 't', partition: 0, value: 'y' },
    ]);
    await cluster.clock.advance(500);
    void producer.send({ topic: 't', partition: 0, value: 'z' });
    await cluster.clock.advance(500);
    assert.deepEqual(seen, ['producer.batch.retried 2', 'producer.batch.delivered 2', 'producer.batch.failed 1']);
  });
});
