import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import { isKafkaError, Kafka, type Consumer, type ConsumerOptions, type HandlerContext } from '../../src/index.ts';
import { runClientScript } from '../support/client-script.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;
const text = (record: { readonly value: Buffer | null }): string => record.value?.toString() ?? 'null';
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('Consumer.run and Consumer.stream', { skip: broker.skip }, () => {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  });
  after(() => kafka.close());

  async function topicOf(partitions: number, count: number): Promise<string> {
    const topic = `consumer-run-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    const producer = kafka.producer();
    await producer.send(
      Array.from({ length: count * partitions }, (_, index) => ({
        topic,
        partition: index % partitions,
        value: String(Math.floor(index / partitions)),
      })),
    );
    await producer.close();
    return topic;
  }

  function subscribed(topic: string, groupId: string, options: ConsumerOptions = {}, client = kafka): Consumer {
    const consumer = client.consumer({ groupId, autoOffsetReset: 'earliest', ...options });
    consumer.subscribe(topic);
    return consumer;
  }

  it('handles every record once, in order per partition, and commits what is done at close', async () => {
    const [topic, groupId] = [await topicOf(5, 200), `group-${randomUUID()}`];
    const consumer = subscribed(topic, groupId);
    const seen: string[][] = Array.from({ length: 5 }, () => []);
    let most = 0;
    let atWork = 0;
    await consumer.run({
      concurrency: 3,
      eachRecord: async (record, { stop }) => {
        most = Math.max(most, ++atWork);
        await sleep(0);
        seen[record.partition]?.push(text(record));
        if (seen.flat().length === 1000) stop();
        atWork--;
      },
    });
    await consumer.close();
    assert.equal(most, 3);
    const inOrder = Array.from({ length: 200 }, (_, index) => String(index));
    assert.deepEqual(seen, Array(5).fill(inOrder));
    const [reader] = [kafka.consumer({ groupId })];
    const committed = await reader.committed(Array.from({ length: 5 }, (_, partition) => ({ topic, partition })));
    assert.deepEqual(
      committed.map(({ offset }) => offset),
      Array(5).fill(200n),
    );
    await reader.close();
  });

  it('a handler that awaits longer than the session lasts keeps its membership and does not stop other partitions', async () => {
    const [topic, groupId] = [await topicOf(3, 20), `group-${randomUUID()}`];
    const client = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const left: string[] = [];
    client.on('group.left', ({ reason }) => left.push(reason));
    const consumer = subscribed(topic, groupId, { sessionTimeoutMs: 6000, heartbeatIntervalMs: 500 }, client);
    const others: string[] = [];
    const slowMs = Number(process.env['SLOW_HANDLER_MS'] ?? 9000);
    await consumer.run({
      concurrency: 'partition',
      eachRecord: async (record, { stop }) => {
        if (record.partition !== 0) return void others.push(text(record));
        await sleep(slowMs);
        stop();
      },
    });
    assert.equal(others.length, 40, 'the others were read meanwhile');
    assert.deepEqual(left, []);
    await consumer.commit();
    const [first] = await consumer.committed([{ topic, partition: 0 }]);
    assert.equal(first?.offset, 1n, 'its member may still commit');
    await client.close();
  });

  it('a handler that blocks the event loop longer than the session lasts loses its membership, commits nothing, and says how long', async () => {
    const [topic, groupId] = [await topicOf(1, 3), `group-${randomUUID()}`];
    // In a process of its own: it stands still.
    const script = `
      kafka.on('warning', ({ message }) => console.log('warning', message));
      const options = { groupId: ${JSON.stringify(groupId)}, autoOffsetReset: 'earliest', sessionTimeoutMs: 6000, heartbeatIntervalMs: 500 };
      const consumer = kafka.consumer({ ...options, autoCommit: false });
      consumer.subscribe(${JSON.stringify(topic)}, { onPartitionsLost: () => console.log('lost') });
      let isFirst = true;
      await consumer.run({ eachRecord: async (record, { stop }) => {
        if (!isFirst) return stop();
        isFirst = false;
        console.log('blocking');
        for (const end = Date.now() + 10_000; Date.now() < end;);
        try { await consumer.commit(record); console.log('committed'); } catch (error) { console.log('refused', error.code); }
      } });
      await kafka.close();
    `;
    const running = runClientScript(broker.bootstrapServers, script);
    const { stdout } = await running;
    assert.match(stdout, /blocking/);
    assert.match(stdout, /warning The event loop was blocked for about \d{4,5} ms/);
    assert.match(stdout, /lost/);
    assert.match(stdout, /refused PARTITION_NOT_OWNED/);
    assert.doesNotMatch(stdout, /committed/);
  });

  it('two members run side by side while a third comes and goes: nothing is lost, what is handled is committed', async () => {
    const [topic, groupId] = [await topicOf(6, 300), `group-${randomUUID()}`];
    const handled = new Set<string>();
    let calls = 0;
    const eachRecord = async (
      record: { topic: string; partition: number; value: Buffer | null },
      { signal }: HandlerContext,
    ): Promise<void> => {
      await sleep(1);
      if (signal.aborted) throw signal.reason;
      calls++;
      handled.add(`${record.partition}:${text(record)}`);
    };
    const options = { heartbeatIntervalMs: 200, sessionTimeoutMs: 6000 };
    const members = [subscribed(topic, groupId, options), subscribed(topic, groupId, options)];
    const runs = members.map((consumer) => consumer.run({ concurrency: 3, eachRecord }));
    await eventually(() => handled.size > 100, 'the first records');
    const third = subscribed(topic, groupId, options);
    const thirdRun = third.run({ eachRecord });
    await eventually(() => third.assignment().length > 0, 'the third to have partitions');
    await third.close();
    await thirdRun;
    await eventually(() => handled.size === 1800, 'all records');
    await Promise.all(members.map((consumer) => consumer.close()));
    await Promise.all(runs);
    assert.ok(calls - handled.size <= 12, `${calls - handled.size} were handled twice`);
    const reader = kafka.consumer({ groupId });
    const committed = await reader.committed(Array.from({ length: 6 }, (_, partition) => ({ topic, partition })));
    assert.deepEqual(
      committed.map(({ offset }) => offset),
      Array(6).fill(300n),
    );
    await reader.close();
  });

  it('a pipeline marks what it has done, out of order, and commits the unbroken run', async () => {
    const [topic, groupId] = [await topicOf(2, 50), `group-${randomUUID()}`];
    const consumer = subscribed(topic, groupId, { autoCommit: 'marked' });
    let left = 100;
    await pipeline(consumer.stream({ limit: 100 }), async (records) => {
      const work: Promise<void>[] = [];
      for await (const record of records) {
        work.push(
          sleep((left * 7) % 11).then(() => {
            if (!(record.partition === 1 && text(record) === '30')) consumer.markProcessed(record);
          }),
        );
        left--;
      }
      await Promise.all(work);
    });
    await consumer.close();
    const reader = kafka.consumer({ groupId });
    const committed = await reader.committed([0, 1].map((partition) => ({ topic, partition })));
    assert.deepEqual(
      committed.map(({ offset }) => offset),
      [50n, 30n],
    );
    await reader.close();
  });

  it('begins so far back as autoOffsetReset says (KIP-1106)', async () => {
    const topic = `consumer-run-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    const producer = kafka.producer();
    const ages = [3 * 3_600_000, 2 * 3_600_000, 60_000];
    for (const age of ages) await producer.send({ topic, value: String(age), timestamp: Date.now() - age });
    await producer.close();
    for (const autoOffsetReset of ['by_duration:PT2H30M', { byDurationMs: 9_000_000 }] as const) {
      const consumer = kafka.consumer({ autoOffsetReset });
      consumer.assign([{ topic, partition: 0 }]);
      const seen: string[] = [];
      for await (const record of consumer.records({ until: 'end' })) seen.push(text(record));
      assert.deepEqual(seen, ages.slice(1).map(String));
      await consumer.close();
    }
  });

  it('ends the read with NO_OFFSET where nothing was sought, there is no group, and autoOffsetReset is none', async () => {
    const topic = await topicOf(1, 3);
    const consumer = kafka.consumer({ autoOffsetReset: 'none' });
    consumer.assign([{ topic, partition: 0 }]);
    await assert.rejects(consumer.poll({ timeoutMs: 20_000 }), hasCode('NO_OFFSET'));
    consumer.seek({ topic, partition: 0, offset: 1 });
    assert.deepEqual((await consumer.poll({ minRecords: 2, timeoutMs: 20_000 })).map(text), ['1', '2']);
    await consumer.close();
  });

  it('reads 1,000 partitions with one consumer', async () => {
    const topic = await topicOf(1000, 2);
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest', isolationLevel: 'read_committed' });
    consumer.assign(Array.from({ length: 1000 }, (_, partition) => ({ topic, partition })));
    const seen = new Map<number, string[]>();
    for await (const record of consumer.records({ until: 'end' })) {
      const values = seen.get(record.partition) ?? [];
      seen.set(record.partition, values);
      values.push(text(record));
    }
    assert.equal(seen.size, 1000);
    for (const values of seen.values()) assert.deepEqual(values, ['0', '1']);
    await consumer.close();
  });
});
