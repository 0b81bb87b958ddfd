import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  isKafkaError,
  json,
  Kafka,
  string,
  type Consumer,
  type ConsumerBatch,
  type ConsumerOptions,
  type ConsumerRecord,
} from '../../src/index.ts';
import { runClientScript } from '../support/client-script.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;

describe('Consumer', { skip: broker.skip }, () => {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  });
  after(() => kafka.close());

  async function topicOf(values: readonly string[], partitions = 1): Promise<string> {
    const topic = `consumer-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    await produce(topic, values);
    return topic;
  }

  async function produce(topic: string, values: readonly string[], partition = 0): Promise<void> {
    const producer = kafka.producer();
    await producer.send(values.map((value) => ({ topic, partition, value })));
    await producer.close();
  }

  function subscribed(topic: string, options: Partial<ConsumerOptions> = {}, listener = {}): Consumer {
    const consumer = kafka.consumer({ groupId: `group-${randomUUID()}`, autoOffsetReset: 'earliest', ...options });
    consumer.subscribe(topic, listener);
    return consumer;
  }

  const text = (record: { readonly value: Buffer | null }): string => record.value?.toString() ?? 'null';

  it('goes on behind a commit made inside the body, after a restart', async () => {
    const topic = await topicOf(['a', 'b', 'c', 'd']);
    const groupId = `group-${randomUUID()}`;
    const seen: string[] = [];
    for (let start = 0; start < 2; start++) {
      const consumer = subscribed(topic, { groupId, autoCommit: false });
      for await (const record of consumer) {
        seen.push(text(record));
        await consumer.commit(record);
        if (seen.length % 2 === 0) break;
      }
      await consumer.close();
    }
    assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
  });

  it('delivers the record again whose body threw, in the next loop', async () => {
    const consumer = subscribed(await topicOf(['a', 'b', 'c']));
    const seen: string[] = [];
    const loop = async (fails: boolean): Promise<void> => {
      for await (const record of consumer) {
        seen.push(text(record));
        if (text(record) === 'b' && fails) throw new Error('body');
        if (text(record) === 'c') break;
      }
    };
    await assert.rejects(loop(true), /body/);
    await loop(false);
    assert.deepEqual(seen, ['a', 'b', 'b', 'c']);
    await consumer.close();
  });

  it('commit() after a break takes in what was in hand; close() does not', async () => {
    const topic = await topicOf(['a', 'b', 'c']);
    const groupId = `group-${randomUUID()}`;
    const next = async (commits: boolean): Promise<string> => {
      const consumer = subscribed(topic, { groupId });
      let value = '';
      for await (const record of consumer) {
        value = text(record);
        break;
      }
      if (commits) await consumer.commit();
      await consumer.close();
      return value;
    };
    assert.deepEqual([await next(false), await next(true), await next(false), await next(true)], ['a', 'a', 'b', 'b']);
  });

  it('refuses a late commit of a batch whose assignment has ended', async () => {
    const topic = await topicOf(['a', 'b']);
    const groupId = `group-${randomUUID()}`;
    const options = { groupId, autoCommit: false, heartbeatIntervalMs: 200 };
    const first = subscribed(topic, options);
    const batches: ConsumerBatch[] = [];
    for await (const batch of first.batches()) {
      batches.push(batch);
      break;
    }
    const second = subscribed(topic, options);
    const joining = second.waitForAssignment();
    // The first one reads on, gives its partition up, and comes back into the new generation.
    await eventually(async () => {
      await first.poll({ timeoutMs: 100 });
      return second.groupMetadata().generationId > 0;
    });
    await joining;
    const [batch] = batches;
    assert.ok(batch);
    await assert.rejects(first.commit(batch), hasCode('PARTITION_NOT_OWNED'));
    await Promise.all([first.close(), second.close()]);
  });

  it('close() inside the body ends the loop after it, and leaves what is in hand uncommitted', async () => {
    const topic = await topicOf(['a', 'b', 'c']);
    const groupId = `group-${randomUUID()}`;
    const consumer = subscribed(topic, { groupId });
    const seen: string[] = [];
    for await (const record of consumer) {
      seen.push(text(record));
      if (text(record) === 'b') await consumer.close();
    }
    assert.deepEqual(seen, ['a', 'b']);
    const again = subscribed(topic, { groupId });
    assert.deepEqual((await again.poll({ timeoutMs: 30_000 })).map(text), ['b', 'c']);
    await again.close();
  });

  it('lets a script end that calls no close()', async () => {
    const topic = await topicOf(['a', 'b']);
    const script = `
      const consumer = kafka.consumer({ groupId: 'group-${randomUUID()}', autoOffsetReset: 'earliest' });
      consumer.subscribe('${topic}');
      for await (const record of consumer) { console.log(record.value.toString()); if (record.offset === 1n) break; }`;
    const { stdout } = await runClientScript(broker.bootstrapServers, script);
    assert.deepEqual(stdout.trim().split('\n'), ['a', 'b']);
  });

  it('keeps a script alive that waits for records', async () => {
    const topic = await topicOf([]);
    const groupId = `group-${randomUUID()}`;
    const script = `
      const consumer = kafka.consumer({ groupId: '${groupId}', autoOffsetReset: 'earliest' });
      consumer.subscribe('${topic}');
      for await (const record of consumer) { console.log(record.value.toString()); break; }`;
    const running = runClientScript(broker.bootstrapServers, script);
    // Once it is a member, nothing keeps the process but the reader that waits.
    await eventually(async () => (await kafka.admin().describeGroups(groupId)).state === 'Stable');
    await produce(topic, ['late']);
    assert.equal((await running).stdout.trim(), 'late');
  });

  it('shares the partitions between three members by range, and hands them over when one leaves', async () => {
    const topic = await topicOf([], 7);
    const groupId = `group-${randomUUID()}`;
    const revoked: string[] = [];
    const members = ['a', 'b', 'c'].map((name) =>
      subscribed(topic, { groupId, heartbeatIntervalMs: 200 }, { onPartitionsRevoked: () => void revoked.push(name) }),
    );
    const seen: string[][] = [[], [], []];
    const loops = members.map(async (member, index) => {
      for await (const record of member) seen[index]?.push(`${record.partition}.${text(record)}`);
    });
    await eventually(
      () =>
        members
          .map((member) => member.assignment().length)
          .sort()
          .join() === '2,2,3',
    );
    for (let partition = 0; partition < 7; partition++) await produce(topic, ['one'], partition);
    await eventually(() => seen.flat().length === 7);
    assert.equal(new Set(seen.flat()).size, 7, 'each record is read by one member');
    await members[0]?.close();
    await eventually(
      () =>
        [1, 2]
          .map((index) => members[index]?.assignment().length)
          .sort()
          .join() === '3,4',
    );
    for (let partition = 0; partition < 7; partition++) await produce(topic, ['two'], partition);
    await eventually(() => seen.flat().length >= 14);
    assert.deepEqual(
      seen.flat().sort(),
      Array.from({ length: 7 }, (_, partition) => [`${partition}.one`, `${partition}.two`])
        .flat()
        .sort(),
    );
    assert.ok(revoked.length > 0);
    await Promise.all(members.map((member) => member.close()));
    await Promise.all(loops);
  });

  it('commits in onPartitionsRevoked succeed, so that the next member goes on there', async () => {
    const topic = await topicOf(['a', 'b', 'c']);
    const groupId = `group-${randomUUID()}`;
    const options = { groupId, autoCommit: false, heartbeatIntervalMs: 200 };
    const first: Consumer = subscribed(topic, options, { onPartitionsRevoked: () => first.commit() });
    assert.deepEqual((await first.poll({ maxRecords: 2, timeoutMs: 30_000 })).map(text), ['a', 'b']);
    const second = subscribed(topic, options);
    const joining = second.waitForAssignment();
    const rest: string[] = [];
    await eventually(async () => {
      rest.push(...(await first.poll({ timeoutMs: 100, maxRecords: 1 })).map(text));
      return second.groupMetadata().generationId > 0;
    });
    await joining;
    await eventually(async () => {
      rest.push(
        ...(await first.poll({ timeoutMs: 100 })).map(text),
        ...(await second.poll({ timeoutMs: 100 })).map(text),
      );
      return rest.length > 0;
    });
    assert.deepEqual(rest, ['c']);
    await Promise.all([first.close(), second.close()]);
  });

  it('a static member that comes back gets its partitions without a rebalance of the others', async () => {
    const topic = await topicOf([], 2);
    const groupId = `group-${randomUUID()}`;
    const member = (groupInstanceId: string): Consumer =>
      subscribed(topic, { groupId, groupInstanceId, heartbeatIntervalMs: 200 });
    const [stays, goes] = [member('stays'), member('goes')];
    const reading = (async () => {
      for await (const _ of stays.batches());
    })();
    let isOver = false;
    const other = (async () => {
      while (!isOver) await goes.poll({ timeoutMs: 100 });
    })();
    await eventually(() => stays.assignment().length === 1 && goes.assignment().length === 1);
    isOver = true;
    await other;
    const before = { generation: stays.groupMetadata().generationId, goes: goes.assignment() };
    await goes.close();
    const back = member('goes');
    assert.deepEqual(await back.waitForAssignment(), before.goes);
    assert.equal(stays.groupMetadata().generationId, before.generation);
    await Promise.all([stays.close(), back.close()]);
    await reading;
  });

  it('reads from a timestamp, from the beginning, from the end', async () => {
    const topic = `consumer-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    const producer = kafka.producer();
    await producer.send([1000, 2000, 3000].map((timestamp) => ({ topic, value: String(timestamp), timestamp })));
    await producer.close();
    const tp = { topic, partition: 0 };
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign([tp]);
    const next = async (): Promise<string> =>
      text(...((await consumer.poll({ maxRecords: 1, timeoutMs: 30_000 })) as unknown as [{ value: Buffer | null }]));
    consumer.seekToTimestamp(1500);
    assert.equal(await next(), '2000');
    consumer.seekToBeginning();
    assert.equal(await next(), '1000');
    consumer.seek({ ...tp, offset: 2 });
    assert.equal(await next(), '3000');
    consumer.seekToEnd();
    await produce(topic, ['4000']);
    consumer.seekToTimestamp(3500);
    assert.deepEqual(await consumer.offsetsForTimes([{ ...tp, timestamp: 2000 }]), [
      { ...tp, offset: 1n, timestamp: 2000 },
    ]);
    assert.deepEqual(
      (await consumer.beginningOffsets([tp])).map(({ offset }) => offset),
      [0n],
    );
    assert.deepEqual(
      (await consumer.endOffsets([tp])).map(({ offset }) => offset),
      [4n],
    );
    assert.equal(await next(), '4000');
    assert.deepEqual(await consumer.lag(), [{ ...tp, position: 4n, endOffset: 4n, lag: 0n }]);
    await consumer.close();
  });

  it('commits given offsets with their metadata, and reads them back', async () => {
    const topic = await topicOf(['a', 'b']);
    const tp = { topic, partition: 0 };
    const consumer = subscribed(topic, { autoCommit: false });
    await consumer.waitForAssignment();
    assert.deepEqual(await consumer.committed([tp]), [{ ...tp, offset: undefined, metadata: undefined }]);
    await consumer.commit([{ ...tp, offset: 1, metadata: 'a note' }]);
    assert.deepEqual(await consumer.committed([tp]), [{ ...tp, offset: 1n, metadata: 'a note' }]);
    await consumer.close();
  });

  it('reads what was produced with every codec, keys, headers and all', async () => {
    const topic = await topicOf([]);
    for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
      const producer = kafka.producer({ compression });
      await producer.send(
        Array.from({ length: 200 }, (_, index) => ({
          topic,
          key: compression,
          value: `${compression} ${index} ${'x'.repeat(300)}`,
          headers: { n: String(index) },
        })),
      );
      await producer.close();
    }
    const consumer = kafka.consumer({ key: string, value: string, autoOffsetReset: 'earliest' });
    consumer.assign([{ topic, partition: 0 }]);
    const counts = new Map<string, number>();
    for await (const record of consumer.records({ until: 'end' })) {
      const key = record.key ?? '';
      const index = counts.get(key) ?? 0;
      assert.equal(record.value, `${key} ${index} ${'x'.repeat(300)}`);
      assert.equal(record.headers.getString('n'), String(index));
      counts.set(key, index + 1);
    }
    assert.deepEqual(
      [...counts],
      ['none', 'gzip', 'snappy', 'lz4', 'zstd'].map((name) => [name, 200]),
    );
    await consumer.close();
  });

  it('gives records that stay what they were, while the memory of others of their batch is used again', async () => {
    const topic = await topicOf([]);
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd', 'none'] as const;
    for (const compression of codecs) {
      const producer = kafka.producer({ compression });
      const value = (index: number): string => `${index} ${'x'.repeat(400)}`;
      await producer.send(
        Array.from({ length: 2000 }, (_, index) => ({ topic, key: compression, value: value(index) })),
      );
      await producer.close();
    }
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest', maxPollRecords: 130 });
    consumer.assign([{ topic, partition: 0 }]);
    const kept: ConsumerRecord[] = [];
    for (let pass = 0; pass < 2; pass++) {
      for await (const record of consumer.records({ until: 'end' })) if (record.offset % 7n === 0n) kept.push(record);
      consumer.seekToBeginning();
    }
    await consumer.close();
    assert.equal(kept.length, 2 * Math.ceil((codecs.length * 2000) / 7));
    for (const { offset, key, value } of kept) {
      assert.equal(key?.toString(), codecs[Number(offset / 2000n)]);
      assert.equal(value?.toString(), `${offset % 2000n} ${'x'.repeat(400)}`);
    }
  });

  it('waits for a topic that does not exist yet', async () => {
    const topic = `consumer-${randomUUID()}`;
    const consumer = subscribed(topic, { allowAutoCreateTopics: false, heartbeatIntervalMs: 200 });
    const reading = consumer.poll({ timeoutMs: 60_000 });
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    await produce(topic, ['first']);
    assert.deepEqual((await reading).map(text), ['first']);
    await consumer.close();
  });

  it('delivers a batch that is larger than every fetch limit', async () => {
    const topic = await topicOf(['x'.repeat(100_000)]);
    const consumer = kafka.consumer({
      autoOffsetReset: 'earliest',
      fetchMaxBytes: 1000,
      maxPartitionFetchBytes: 1000,
      maxBufferedBytes: 1000,
    });
    consumer.assign([{ topic, partition: 0 }]);
    assert.equal((await consumer.poll({ timeoutMs: 30_000 }))[0]?.value?.length, 100_000);
    await consumer.close();
  });

  it('gives values of a json serde, and fails with the offset of what is not JSON', async () => {
    const topic = await topicOf(['{"a":1}', 'not json']);
    const consumer = kafka.consumer({ value: json<{ a: number }>(), autoOffsetReset: 'earliest' });
    consumer.assign([{ topic, partition: 0 }]);
    const [good, bad] = await consumer.poll({ minRecords: 2, timeoutMs: 30_000 });
    assert.equal(good?.value?.a, 1);
    assert.throws(
      () => bad?.value,
      (error) => hasCode('DESERIALIZATION_FAILED')(error) && /-0 at offset 1/.test(String(error)),
    );
    assert.doesNotThrow(() => JSON.stringify(bad));
    await consumer.close();
  });

  it('commits by itself every autoCommitIntervalMs what is processed', async () => {
    const topic = await topicOf(['a', 'b']);
    const consumer = subscribed(topic, { autoCommitIntervalMs: 100 });
    await consumer.poll({ maxRecords: 1, timeoutMs: 30_000 });
    await consumer.poll({ maxRecords: 1, timeoutMs: 30_000 });
    await eventually(async () => (await consumer.committed([{ topic, partition: 0 }]))[0]?.offset === 1n);
    await consumer.close();
  });

  it('loses its membership after maxPollIntervalMs, and gets the records again', async () => {
    const topic = await topicOf(['a']);
    const consumer = subscribed(topic, { maxPollIntervalMs: 1000, sessionTimeoutMs: 6000, heartbeatIntervalMs: 200 });
    const left: string[] = [];
    const stop = kafka.on('group.left', ({ reason }) => left.push(reason));
    await consumer.poll({ timeoutMs: 30_000 });
    await eventually(() => left.length === 1);
    assert.match(left[0] ?? '', /maxPollIntervalMs/);
    assert.deepEqual((await consumer.poll({ timeoutMs: 30_000 })).map(text), ['a']);
    stop();
    await consumer.close();
  });
});
