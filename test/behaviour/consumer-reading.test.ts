import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { isKafkaError, Kafka, type Consumer, type ConsumerOptions, type TopicPartition } from '../../src/index.ts';
import { TestCluster } from '../../src/testing/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;
const text = (record: { readonly value: Buffer | null }): string => record.value?.toString() ?? 'null';
/** So long that it never happens by itself. */
const NEVER_MS = 2_000_000;

describe('Consumer and what it promises its reader', { skip: broker.skip }, () => {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  });
  after(() => kafka.close());

  async function topicOf(values: readonly string[], partitions = 1): Promise<string> {
    const topic = `reading-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    const producer = kafka.producer();
    await producer.send(values.map((value, index) => ({ topic, partition: index % partitions, value })));
    await producer.close();
    return topic;
  }

  function subscribed(topic: string, options: Partial<ConsumerOptions> = {}): Consumer {
    const consumer = kafka.consumer({ groupId: topic, autoOffsetReset: 'earliest', ...options });
    consumer.subscribe(topic);
    return consumer;
  }

  async function committed(consumer: Consumer, topic: string): Promise<bigint | undefined> {
    return (await consumer.committed([{ topic, partition: 0 }]))[0]?.offset;
  }

  it('counts a poll result as processed when poll is called again, whatever that brings', async () => {
    const topic = await topicOf(['a', 'b', 'c']);
    const consumer = subscribed(topic, { autoCommitIntervalMs: 50, maxPollRecords: 2 });
    assert.deepEqual((await consumer.poll({ minRecords: 2, timeoutMs: 30_000 })).map(text), ['a', 'b']);
    // What it has read before is nothing: that is committed, and nothing of what is in hand.
    await eventually(async () => (await committed(consumer, topic)) !== undefined, 'a commit by itself');
    assert.equal(await committed(consumer, topic), 0n);
    assert.deepEqual((await consumer.poll({ timeoutMs: 30_000 })).map(text), ['c']);
    await eventually(async () => (await committed(consumer, topic)) === 2n, 'the first result to be committed');
    assert.deepEqual(await consumer.poll({ timeoutMs: 100 }), []);
    await eventually(async () => (await committed(consumer, topic)) === 3n, 'the second result to be committed');
    await consumer.close();
  });

  it('counts a batch that is at hand as processed when the next is asked for, and hands out none after close()', async () => {
    const topic = await topicOf(['a', 'b', 'c', 'd', 'e']);
    const first = subscribed(topic, { maxPollRecords: 1, autoCommitIntervalMs: NEVER_MS });
    const seen: string[] = [];
    for await (const batch of first.batches()) {
      seen.push(...batch.records.map(text));
      if (seen.length === 3) break;
    }
    await first.close();
    assert.deepEqual(seen.splice(0), ['a', 'b', 'c']);
    const second = subscribed(topic, { maxPollRecords: 1 });
    assert.equal(await committed(second, topic), 2n);
    let closing: Promise<void> | undefined;
    for await (const batch of second.batches()) {
      seen.push(...batch.records.map(text));
      if (seen.length === 2) closing = second.close();
    }
    await closing;
    assert.deepEqual(seen, ['c', 'd']);
  });

  for (const [name, options] of Object.entries({
    range: { partitionAssignors: ['range'] },
    'cooperative-sticky': { partitionAssignors: ['cooperative-sticky'] },
    consumer: { groupProtocol: 'consumer' },
  } satisfies Record<string, Partial<ConsumerOptions>>)) {
    it(`commits by itself what a loop has processed before it gives partitions up, by ${name}`, async () => {
      const topic = await topicOf(
        Array.from({ length: 40 }, (_, index) => String(index)),
        2,
      );
      const settings = { autoCommitIntervalMs: NEVER_MS, ...options };
      const first = subscribed(topic, settings);
      const seen: string[] = [];
      const loop = (async () => {
        for await (const record of first) seen.push(text(record));
      })();
      await eventually(() => seen.length === 40, 'all records');
      const second = subscribed(topic, settings);
      const repeated: string[] = [];
      const other = (async () => {
        for await (const record of second) repeated.push(text(record));
      })();
      await eventually(() => first.assignment().length === 1 && second.assignment().length === 1, 'one each');
      const [gone] = second.assignment();
      assert.ok(gone);
      // The reader of the other one begins there, and has nothing to read.
      await eventually(() => second.position(gone) === 20n, 'the position of the new owner');
      assert.deepEqual(repeated, []);
      await Promise.all([first.close(), second.close()]);
      await Promise.all([loop, other]);
    });
  }

  it('lets everything but a second read be called while a read waits', async () => {
    const topic = await topicOf([], 2);
    const consumer = subscribed(topic, { autoCommit: false });
    const [zero, one]: TopicPartition[] = [
      { topic, partition: 0 },
      { topic, partition: 1 },
    ];
    assert.ok(zero && one);
    const stopping = new AbortController();
    const seen: string[] = [];
    const loop = (async () => {
      for await (const record of consumer.records({ signal: stopping.signal })) seen.push(text(record));
    })();
    await eventually(() => consumer.assignment().length === 2, 'the partitions');
    await eventually(() => consumer.position(zero) === 0n && consumer.position(one) === 0n, 'the positions');
    await assert.rejects(consumer.poll(), hasCode('CONSUMER_BUSY'));
    consumer.pause([one]);
    assert.deepEqual(consumer.paused(), [one]);
    consumer.seekToBeginning([zero]);
    await consumer.commit([{ ...one, offset: 0n, metadata: 'note' }]);
    assert.equal((await consumer.committed([one]))[0]?.metadata, 'note');
    assert.deepEqual(
      (await consumer.lag()).map(({ lag }) => lag),
      [0n, 0n],
    );
    assert.equal((await consumer.endOffsets([zero]))[0]?.offset, 0n);
    assert.equal((await consumer.beginningOffsets([zero]))[0]?.offset, 0n);
    await consumer.offsetsForTimes([{ ...zero, timestamp: 0 }]);
    assert.ok(consumer.groupMetadata().generationId >= 0);
    consumer.resume();
    const producer = kafka.producer();
    await producer.send([
      { topic, partition: 0, value: 'a' },
      { topic, partition: 1, value: 'b' },
    ]);
    await eventually(() => seen.length === 2, 'the loop to go on');
    stopping.abort();
    await loop;
    await Promise.all([producer.close(), consumer.close()]);
  });

  it('rejects every call that waits with the reason of its signal', async () => {
    const topic = await topicOf(['a']);
    const consumer = subscribed(topic);
    const signal = AbortSignal.abort(new Error('enough'));
    const partitions = [{ topic, partition: 0 }];
    const calls: Record<string, () => Promise<unknown>> = {
      waitForAssignment: () => consumer.waitForAssignment({ signal }),
      poll: () => consumer.poll({ signal }),
      commit: () => consumer.commit([{ topic, partition: 0, offset: 1n }], { signal }),
      committed: () => consumer.committed(partitions, { signal }),
      lag: () => consumer.lag({ signal }),
      beginningOffsets: () => consumer.beginningOffsets(partitions, { signal }),
      endOffsets: () => consumer.endOffsets(partitions, { signal }),
      offsetsForTimes: () => consumer.offsetsForTimes([{ topic, partition: 0, timestamp: 0 }], { signal }),
    };
    await consumer.waitForAssignment();
    for (const [name, call] of Object.entries(calls)) await assert.rejects(call(), /enough/, name);
    const waiting = new AbortController();
    await consumer.poll({ timeoutMs: 30_000 });
    const poll = consumer.poll({ timeoutMs: NEVER_MS, signal: waiting.signal });
    waiting.abort(new Error('no more'));
    await assert.rejects(poll, /no more/);
    await consumer.close();
  });

  it('close() may be called again and is what `await using` calls; every other call rejects CLOSED then', async () => {
    const topic = await topicOf(['a']);
    const consumer = subscribed(topic);
    await consumer.poll({ minRecords: 1, timeoutMs: 30_000 });
    const closing = consumer.close();
    assert.equal(consumer.close(), closing);
    await closing;
    await consumer[Symbol.asyncDispose]();
    const partitions = [{ topic, partition: 0 }];
    const calls: Record<string, () => unknown> = {
      poll: () => consumer.poll(),
      records: () => consumer.records(),
      batches: () => consumer.batches(),
      run: () => consumer.run({ eachRecord: () => undefined }),
      subscribe: () => consumer.subscribe(topic),
      unsubscribe: () => consumer.unsubscribe(),
      commit: () => consumer.commit(),
      committed: () => consumer.committed(partitions),
      seek: () => consumer.seek({ topic, partition: 0, offset: 0n }),
      pause: () => consumer.pause(partitions),
      lag: () => consumer.lag(),
      endOffsets: () => consumer.endOffsets(partitions),
      enforceRebalance: () => consumer.enforceRebalance(),
    };
    for (const [name, call] of Object.entries(calls))
      await assert.rejects(async () => await call(), hasCode('CLOSED'), name);
    const own = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const closedByKafka = own.consumer({ groupId: topic });
    closedByKafka.subscribe(topic);
    const loop = (async () => {
      for await (const _ of closedByKafka);
    })();
    await eventually(() => closedByKafka.assignment().length === 1, 'the partition');
    await own.close();
    await loop;
    await assert.rejects(closedByKafka.poll(), hasCode('CLOSED'));
  });

  it('has connections of its own for its fetches and its group; that for control is shared', async () => {
    const topic = await topicOf(['a'], 2);
    const own = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const opened: string[] = [];
    own.on('connection.opened', ({ lane }) => opened.push(lane));
    for (const number of [0, 1]) {
      const consumer = own.consumer({ groupId: `${topic}-${number}`, autoOffsetReset: 'earliest' });
      consumer.subscribe(topic);
      assert.equal((await consumer.poll({ minRecords: 1, timeoutMs: 30_000 })).length, 1);
    }
    const lanes = opened.map((lane) => lane.replace(/-\d+$/, '')).sort();
    assert.deepEqual(
      lanes.filter((lane) => lane !== 'bootstrap'),
      ['control', 'fetch', 'fetch', 'group', 'group'],
    );
    assert.equal(new Set(opened).size, opened.length, opened.join());
    await own.close();
  });
});

/** Only clusters of their own can be so; they serve both runs of this suite. */
describe('Consumer whose read cannot go on', () => {
  it('rejects it where the cluster does not know the user', async () => {
    const users = { magpie: 'sesame' };
    await using cluster = await TestCluster.start({ topics: { t: 1 }, listeners: ['SASL_PLAINTEXT'], sasl: { users } });
    const sasl = { mechanism: 'plain', username: 'magpie', password: 'wrong' } as const;
    await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers, sasl });
    const consumer = kafka.consumer({ groupId: 'g' });
    consumer.subscribe('t');
    await assert.rejects(consumer.poll({ timeoutMs: 30_000 }), hasCode('SASL_AUTHENTICATION_FAILED'));
  });

  it('rejects it where the cluster has no groups of the new protocol', async () => {
    await using cluster = await TestCluster.start({ topics: { t: 1 }, kafkaVersion: '3.5' });
    await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    const consumer = kafka.consumer({ groupId: 'g', groupProtocol: 'consumer' });
    consumer.subscribe('t');
    await assert.rejects(consumer.poll({ timeoutMs: 30_000 }), hasCode('UNSUPPORTED_VERSION'));
  });
});
