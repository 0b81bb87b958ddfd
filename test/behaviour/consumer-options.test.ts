import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  int32,
  isKafkaError,
  json,
  Kafka,
  required,
  string,
  type ClientEventName,
  type ClientEvents,
  type Consumer,
  type ConsumerOptions,
  type DeserializationDecision,
  type Deserializer,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { RawTransactions } from '../support/raw-transaction.ts';
import { startTamperingProxy } from '../support/tampering-proxy.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;
const text = (record: { readonly value: Buffer | null }): string => record.value?.toString() ?? 'null';
/** Unlike `json()`, not lazy: a bad record is noticed before it is handed out. */
const eagerJson: Deserializer<unknown> = { deserialize: (data) => JSON.parse(String(data)) as unknown };

describe('ConsumerOptions', { skip: broker.skip }, () => {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  });
  after(() => kafka.close());

  async function topicOf(values: readonly string[], partitions = 1): Promise<string> {
    const topic = `consumer-options-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    for (let partition = 0; partition < partitions; partition++) await produce(topic, values, partition);
    return topic;
  }

  /** Each value becomes a batch. */
  async function produce(topic: string, values: readonly string[], partition = 0): Promise<void> {
    const producer = kafka.producer();
    for (const value of values) await producer.send({ topic, partition, value });
    await producer.close();
  }

  function assigned<K = Buffer | null, V = Buffer | null>(
    topic: string,
    options: ConsumerOptions<K, V> = {},
    partitions = 1,
    client = kafka,
  ): Consumer<K, V> {
    const consumer = client.consumer({ autoOffsetReset: 'earliest', ...options });
    consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition })));
    return consumer;
  }

  function subscribed(topic: string, options: ConsumerOptions = {}, client = kafka): Consumer {
    const consumer = client.consumer({ groupId: `group-${randomUUID()}`, autoOffsetReset: 'earliest', ...options });
    consumer.subscribe(topic);
    return consumer;
  }

  async function readToEnd(consumer: Consumer): Promise<string[]> {
    const values: string[] = [];
    for await (const record of consumer.records({ until: 'end' })) values.push(text(record));
    return values;
  }

  /** A client of its own, and when it said what. */
  function watched<Name extends ClientEventName>(
    name: Name,
  ): { readonly client: Kafka; readonly events: (ClientEvents[Name] & { readonly atMs: number })[] } {
    const client = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const events: (ClientEvents[Name] & { readonly atMs: number })[] = [];
    client.on(name, (event) => events.push({ ...event, atMs: performance.now() }));
    return { client, events };
  }

  /** How large the answers were that brought everything. */
  async function fetchSizes(topic: string, partitions: number, options: ConsumerOptions): Promise<number[]> {
    const { client, events } = watched('consumer.fetched');
    await readToEnd(assigned(topic, options, partitions, client));
    await client.close();
    return events.map(({ bytes }) => bytes);
  }

  it('fetchMinBytes: nothing comes until there is so much', async () => {
    const topic = await topicOf(['small']);
    const consumer = assigned(topic, { fetchMinBytes: 20_000, fetchMaxWaitMs: 20_000 });
    assert.deepEqual(await consumer.poll({ timeoutMs: 1000 }), []);
    const large = 'x'.repeat(30_000);
    await produce(topic, [large]);
    assert.deepEqual((await consumer.poll({ minRecords: 2, timeoutMs: 30_000 })).map(text), ['small', large]);
    await consumer.close();
  });

  it('fetchMaxWaitMs: so long a broker waits for fetchMinBytes', async () => {
    const topic = await topicOf(['small']);
    const waitMs = async (fetchMaxWaitMs: number): Promise<number> => {
      const { client, events } = watched('consumer.fetched');
      const consumer = assigned(topic, { fetchMinBytes: 20_000, fetchMaxWaitMs }, 1, client);
      assert.deepEqual((await consumer.poll({ timeoutMs: 30_000 })).map(text), ['small']);
      await client.close();
      return events[0]?.durationMs ?? NaN;
    };
    const [short, long] = [await waitMs(50), await waitMs(2000)];
    assert.ok(long >= 1900, `${long} ms`);
    assert.ok(short < 1900, `${short} ms`);
  });

  it('fetchMaxBytes: no answer has more, over all partitions', async () => {
    const topic = await topicOf(['x'.repeat(10_000)], 6);
    const limited = await fetchSizes(topic, 6, { fetchMaxBytes: 25_000 });
    assert.ok(Math.max(...limited) <= 25_000, limited.join());
    const unlimited = await fetchSizes(topic, 6, {});
    assert.ok(Math.max(...unlimited) > 50_000, unlimited.join());
  });

  it('maxPartitionFetchBytes: no answer has more of one partition', async () => {
    const topic = await topicOf(Array.from({ length: 6 }, () => 'x'.repeat(10_000)));
    const limited = await fetchSizes(topic, 1, { maxPartitionFetchBytes: 25_000 });
    assert.ok(Math.max(...limited) <= 25_000, limited.join());
    const unlimited = await fetchSizes(topic, 1, {});
    assert.ok(Math.max(...unlimited) > 50_000, unlimited.join());
  });

  it('maxBufferedBytes: no more than that, and one answer, waits for a slow reader', async () => {
    const topic = await topicOf(
      Array.from({ length: 4 }, () => 'x'.repeat(10_000)),
      4,
    );
    const admin = kafka.admin();
    const mostBuffered = async (options: ConsumerOptions): Promise<number> => {
      const { client, events } = watched('consumer.fetched');
      const consumer = assigned(topic, { ...options, maxPartitionFetchBytes: 12_000 }, 4, client);
      let [taken, most] = [0, 0];
      for await (const _ of consumer.records({ until: 'end' })) {
        // A fetch that goes out at once is answered meanwhile.
        await admin.describeTopics(topic);
        // An answer has one whole batch of a partition, and no more.
        most = Math.max(most, events.reduce((sum, { partitions }) => sum + partitions, 0) - taken++);
      }
      await client.close();
      assert.equal(taken, 16);
      return most;
    };
    const limited = await mostBuffered({ maxBufferedBytes: 12_000 });
    assert.ok(limited <= 2, `${limited} batches`);
    const unlimited = await mostBuffered({});
    assert.ok(unlimited >= 4, `${unlimited} batches`);
  });

  it('fetches the next answer while one is being read, and no third', async () => {
    // An answer has two batches, and as much of the third as fits.
    const topic = await topicOf(Array.from({ length: 8 }, () => 'x'.repeat(10_000)));
    const { client, events } = watched('consumer.fetched');
    const consumer = assigned(topic, { maxPartitionFetchBytes: 25_000 }, 1, client);
    assert.equal((await consumer.poll({ maxRecords: 1, timeoutMs: 30_000 })).length, 1);
    await eventually(() => events.length === 2, 'an answer beside the one that is read');
    const admin = kafka.admin();
    for (let look = 0; look < 3; look++) await admin.describeTopics(topic);
    assert.equal(events.length, 2);
    assert.equal((await consumer.poll({ minRecords: 7, timeoutMs: 30_000 })).length, 7);
    await client.close();
  });

  it('maxPollRecords: no poll and no batch has more', async () => {
    const topic = `consumer-options-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    const producer = kafka.producer();
    await producer.send(Array.from({ length: 7 }, (_, at) => ({ topic, value: String(at) })));
    const consumer = assigned(topic, { maxPollRecords: 3 });
    let sizes: number[] = [];
    const isAll = (records: readonly unknown[]): boolean => {
      sizes.push(records.length);
      return sizes.reduce((sum, size) => sum + size, 0) === 7;
    };
    while (!isAll(await consumer.poll({ timeoutMs: 30_000 })));
    assert.deepEqual(sizes, [3, 3, 1]);
    consumer.seekToBeginning();
    sizes = [];
    for await (const { records } of consumer.batches()) if (isAll(records)) break;
    assert.deepEqual(sizes, [3, 3, 1]);
    consumer.seekToBeginning();
    sizes = [];
    await consumer.run({ eachBatch: ({ records }, { stop }) => (isAll(records) ? stop() : undefined) });
    assert.deepEqual(sizes, [3, 3, 1]);
    await consumer.close();
  });

  it('autoCommit: only with it, what is processed is committed at close', async () => {
    const topic = await topicOf(['a', 'b']);
    const committed = async (autoCommit: boolean): Promise<bigint | undefined> => {
      const groupId = `group-${randomUUID()}`;
      const consumer = subscribed(topic, { groupId, autoCommit });
      for (let at = 0; at < 2; at++) await consumer.poll({ maxRecords: 1, timeoutMs: 30_000 });
      await consumer.close();
      const [offset] = await kafka.consumer({ groupId }).committed([{ topic, partition: 0 }]);
      return offset?.offset;
    };
    assert.deepEqual([await committed(true), await committed(false)], [1n, undefined]);
  });

  it('autoCommitIntervalMs: so long lies between two commits', async () => {
    const topic = await topicOf(Array.from({ length: 200 }, () => 'x'));
    const gapMs = async (autoCommitIntervalMs: number): Promise<number> => {
      const { client, events } = watched('consumer.committed');
      const consumer = subscribed(topic, { autoCommitIntervalMs, maxPollRecords: 1 }, client);
      await eventually(async () => {
        await consumer.poll({ timeoutMs: 30_000 });
        return events.length >= 2;
      });
      await client.close();
      return (events[1]?.atMs ?? NaN) - (events[0]?.atMs ?? NaN);
    };
    const [short, long] = [await gapMs(100), await gapMs(1500)];
    assert.ok(short < 1400, `${short} ms`);
    assert.ok(long >= 1400 && long < 4500, `${long} ms`);
  });

  it('autoOffsetReset: where a reader begins that has no offset', async () => {
    const topic = await topicOf(['old']);
    const latest = assigned(topic, { autoOffsetReset: 'latest' });
    await eventually(async () => {
      assert.deepEqual(await latest.poll({ timeoutMs: 100 }), []);
      return latest.position({ topic, partition: 0 });
    });
    await produce(topic, ['new']);
    assert.deepEqual((await latest.poll({ timeoutMs: 30_000 })).map(text), ['new']);
    const earliest = assigned(topic, { autoOffsetReset: 'earliest' });
    assert.deepEqual((await earliest.poll({ minRecords: 2, timeoutMs: 30_000 })).map(text), ['old', 'new']);
    const none = subscribed(topic, { autoOffsetReset: 'none' });
    await assert.rejects(none.poll({ timeoutMs: 30_000 }), hasCode('NO_OFFSET'));
    await Promise.all([latest.close(), earliest.close(), none.close()]);
  });

  it('autoOffsetReset: where a reader goes on whose offset is not in the log any more', async () => {
    const topic = await topicOf(['a', 'b', 'c']);
    const tp = { topic, partition: 0 };
    await kafka.admin().deleteRecords({ ...tp, offset: 2n });
    const first = async (autoOffsetReset: 'earliest' | 'latest' | 'none'): Promise<string[]> => {
      await using consumer = assigned(topic, { autoOffsetReset });
      consumer.seek({ ...tp, offset: 0 });
      if (autoOffsetReset === 'latest') {
        const reading = consumer.poll({ timeoutMs: 30_000 });
        await eventually(() => consumer.position(tp) === 3n);
        await produce(topic, ['d']);
        return (await reading).map(text);
      }
      return (await consumer.poll({ maxRecords: 1, timeoutMs: 30_000 })).map(text);
    };
    assert.deepEqual(await first('earliest'), ['c']);
    assert.deepEqual(await first('latest'), ['d']);
    await assert.rejects(first('none'), hasCode('OFFSET_OUT_OF_RANGE'));
  });

  describe('isolationLevel', () => {
    const isolationLevel = 'read_committed';
    /** Ones that are small enough to bring each batch alone, so that an aborted one comes without its marker. */
    const oneBatchAtATime = { maxPartitionFetchBytes: 1, fetchMaxBytes: 1 };
    const everything = ['plain', 'a1', 'a2', 'a3', 'c1', 'c2', 'a4', 'a5', 'o1', 'c3', 'behind'];
    let topic: string;
    let one: RawTransactions;
    let two: RawTransactions;

    before(async () => {
      topic = await topicOf(['plain']);
      one = await RawTransactions.start(broker.bootstrapServers, `one-${randomUUID()}`, topic);
      two = await RawTransactions.start(broker.bootstrapServers, `two-${randomUUID()}`, topic);
      await one.abort(['a1', 'a2']);
      await one.abort(['a3']);
      await one.commit(['c1', 'c2']);
      // Its marker comes after records of another one that is open.
      await one.open(['a4']);
      await one.open(['a5']);
      await two.open(['o1']);
      await one.end(false);
      await one.commit(['c3']);
      await produce(topic, ['behind']);
    });
    after(async () => {
      await Promise.all([one[Symbol.asyncDispose](), two[Symbol.asyncDispose]()]);
    });

    for (const [how, limits] of [
      ['all in one fetch', {}],
      ['one batch per fetch', oneBatchAtATime],
    ] as const) {
      it(`read_committed gives nothing of what is aborted, and ends before what is open (${how})`, async () => {
        const consumer = assigned(topic, { isolationLevel, ...limits });
        assert.deepEqual(await readToEnd(consumer), ['plain', 'c1', 'c2']);
        await consumer.close();
      });

      it(`read_uncommitted gives everything but the markers (${how})`, async () => {
        const consumer = assigned(topic, { isolationLevel: 'read_uncommitted', ...limits });
        assert.deepEqual(await readToEnd(consumer), everything);
        await consumer.close();
      });
    }

    it('read_committed takes the last stable offset for the end', async () => {
      const end = async (level: 'read_committed' | 'read_uncommitted'): Promise<bigint | undefined> => {
        await using consumer = kafka.consumer({ isolationLevel: level });
        return (await consumer.endOffsets([{ topic, partition: 0 }]))[0]?.offset;
      };
      // Records, and the markers of those that have ended: four of the first producer's, one before the last stable offset.
      const markersBefore = 3n;
      assert.equal(await end('read_committed'), 8n + markersBefore);
      assert.equal(await end('read_uncommitted'), BigInt(everything.length) + markersBefore + 2n);
    });

    it('read_committed goes on behind the open one once that has ended', async () => {
      const consumer = assigned(topic, { isolationLevel, ...oneBatchAtATime });
      assert.deepEqual(await readToEnd(consumer), ['plain', 'c1', 'c2']);
      const reading = consumer.poll({ minRecords: 2, timeoutMs: 30_000 });
      await two.end(false);
      assert.deepEqual((await reading).map(text), ['c3', 'behind']);
      await two.commit(['last']);
      assert.deepEqual((await consumer.poll({ timeoutMs: 30_000 })).map(text), ['last']);
      await consumer.close();
      const again = assigned(topic, { isolationLevel });
      assert.deepEqual(await readToEnd(again), ['plain', 'c1', 'c2', 'c3', 'behind', 'last']);
      await again.close();
    });
  });

  it('checkCrcs: a batch that was damaged on its way is not handed out', async () => {
    const topic = await topicOf(['well', 'sound value', 'well']);
    const [server = ''] = broker.bootstrapServers;
    await using proxy = await startTamperingProxy(server, 'sound value', 'wrong value');
    await using client = new Kafka({ bootstrapServers: proxy.address });
    const unchecked = assigned(topic, { checkCrcs: false }, 1, client);
    assert.deepEqual(await readToEnd(unchecked), ['well', 'wrong value', 'well']);
    const warnings: string[] = [];
    client.on('warning', ({ message, error }) => warnings.push(`${message} ${String(error)}`));
    const checked = assigned(topic, { checkCrcs: true }, 1, client);
    assert.deepEqual((await checked.poll({ timeoutMs: 30_000 })).map(text), ['well']);
    await assert.rejects(checked.poll({ timeoutMs: 60_000 }), hasCode('CORRUPT_BATCH'));
    assert.ok(
      warnings.some((warning) => warning.includes('CRC32C')),
      warnings.join(),
    );
    assert.equal(checked.position({ topic, partition: 0 }), 1n);
  });

  it('allowAutoCreateTopics: only with it, asking for a topic creates it', async () => {
    const exists = async (allowAutoCreateTopics: boolean): Promise<boolean> => {
      const topic = `consumer-options-${randomUUID()}`;
      const { client, events } = watched('request.answered');
      const consumer = assigned(topic, { allowAutoCreateTopics }, 1, client);
      const reading = consumer.poll({ timeoutMs: 60_000 }).catch(() => undefined);
      let found = false;
      await eventually(async () => {
        // What was asked for before this look at the topics must not show only after it.
        const asked = events.filter(({ api }) => api === 'Metadata').length;
        found = (await kafka.admin().listTopics()).some((listing) => listing.topic === topic);
        return found || asked >= 3;
      });
      await client.close();
      await reading;
      return found;
    };
    assert.deepEqual([await exists(true), await exists(false)], [true, false]);
  });

  it('groupInstanceId: the broker knows the member by it, and fences the older one of the same name', async () => {
    const topic = await topicOf(['a']);
    const options = { groupId: `group-${randomUUID()}`, groupInstanceId: 'till-1', heartbeatIntervalMs: 200 };
    const older = subscribed(topic, options);
    await older.waitForAssignment();
    const { members } = await kafka.admin().describeGroups(options.groupId);
    assert.deepEqual(
      members.map(({ groupInstanceId }) => groupInstanceId),
      ['till-1'],
    );
    const newer = subscribed(topic, options);
    await newer.waitForAssignment();
    await assert.rejects(async () => {
      for (;;) await older.poll({ timeoutMs: 30_000 });
    }, hasCode('FENCED_INSTANCE_ID'));
    await Promise.all([older.close(), newer.close()]);
  });

  it('sessionTimeoutMs: so long the partitions of a silent member wait for it', async () => {
    const topic = await topicOf(['a'], 2);
    const options = { groupId: `group-${randomUUID()}`, sessionTimeoutMs: 6000, heartbeatIntervalMs: 200 };
    const silent = subscribed(topic, { ...options, groupInstanceId: 'silent' });
    await silent.waitForAssignment();
    await silent.close();
    const closedMs = performance.now();
    const other = subscribed(topic, options);
    // By default it would be 45 s.
    await eventually(
      async () => {
        await other.poll({ timeoutMs: 100 });
        return other.assignment().length === 2;
      },
      'the partitions of the silent member',
      30_000,
    );
    assert.ok(performance.now() - closedMs > 4000, 'too early');
    await other.close();
    const tooLong = subscribed(topic, { sessionTimeoutMs: 2_000_000_000 });
    await assert.rejects(tooLong.waitForAssignment(), hasCode('INVALID_SESSION_TIMEOUT'));
    await tooLong.close();
  });

  it('heartbeatIntervalMs: so long lies between two heartbeats', async () => {
    const topic = await topicOf([]);
    const gapMs = async (heartbeatIntervalMs: number): Promise<number> => {
      const { client, events } = watched('request.sent');
      const consumer = subscribed(topic, { heartbeatIntervalMs }, client);
      await consumer.waitForAssignment();
      const beats = await eventually(() => {
        const found = events.filter(({ api }) => api === 'Heartbeat');
        return found.length >= 3 && found;
      });
      await client.close();
      return ((beats[2]?.atMs ?? NaN) - (beats[0]?.atMs ?? NaN)) / 2;
    };
    const [short, long] = [await gapMs(100), await gapMs(1000)];
    assert.ok(short < 900, `${short} ms`);
    assert.ok(long >= 900 && long < 2800, `${long} ms`);
  });

  it('maxPollIntervalMs: after so long without a read the member leaves, and not before', async () => {
    const topic = await topicOf(['a']);
    const { client, events } = watched('group.left');
    const groupId = `group-${randomUUID()}`;
    const slow = subscribed(topic, { groupId, maxPollIntervalMs: 1500 }, client);
    await slow.poll({ timeoutMs: 30_000 });
    const readMs = performance.now();
    await eventually(() => events.length === 1, 'the member to leave', 30_000);
    assert.ok(performance.now() - readMs >= 1400);
    await eventually(async () => (await kafka.admin().describeGroups(groupId)).members.length === 0);
    await client.close();
  });

  it('maxPollIntervalMs: a rebalance does not wait longer for a member that does not read', async () => {
    const topic = await topicOf(['a'], 2);
    const options = { groupId: `group-${randomUUID()}`, maxPollIntervalMs: 2000, heartbeatIntervalMs: 200 };
    const stuck = subscribed(topic, options);
    await stuck.poll({ maxRecords: 1, timeoutMs: 30_000 });
    const other = subscribed(topic, options);
    assert.ok((await other.waitForAssignment({ timeoutMs: 30_000 })).length > 0);
    await Promise.all([stuck.close(), other.close()]);
  });

  it('key and value: how they are read, promises included', async () => {
    const topic = await topicOf([]);
    const producer = kafka.producer({ key: int32, value: json() });
    await producer.send([
      { topic, key: 7, value: { a: [1, 'ž'] } },
      { topic, key: null, value: null },
    ]);
    const later: Deserializer<string> = {
      deserialize: async (data, { topic: of, field }) => {
        await Promise.resolve();
        return `${String(of === topic)} ${field} ${String(data)}`;
      },
    };
    const read = async <K, V>(options: ConsumerOptions<K, V>): Promise<(readonly [K, V])[]> => {
      const consumer = assigned(topic, options);
      const records = await consumer.poll({ minRecords: 2, timeoutMs: 30_000 });
      await consumer.close();
      return records.map(({ key, value }) => [key, value] as const);
    };
    assert.deepEqual(await read({}), [
      [Buffer.from([0, 0, 0, 7]), Buffer.from('{"a":[1,"ž"]}')],
      [null, null],
    ]);
    assert.deepEqual(await read({ key: int32, value: json() }), [
      [7, { a: [1, 'ž'] }],
      [null, null],
    ]);
    assert.deepEqual(await read({ key: int32, value: later }), [
      [7, 'true value {"a":[1,"ž"]}'],
      [null, 'true value null'],
    ]);
  });

  it('value: required() refuses a record without one', async () => {
    const topic = await topicOf([]);
    const producer = kafka.producer();
    await producer.send([
      { topic, value: 'x' },
      { topic, value: null },
    ]);
    const consumer = assigned(topic, { value: required(string), onDeserializationError: 'skip' });
    assert.deepEqual(
      (await consumer.poll({ timeoutMs: 30_000 })).map(({ value }) => value),
      ['x'],
    );
    await consumer.close();
  });

  it('onDeserializationError: fail ends the read at the record, and what is before it comes', async () => {
    const consumer = assigned(await topicOf(['1', 'bad', '3']), { value: eagerJson, onDeserializationError: 'fail' });
    const seen: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const { value } of consumer) seen.push(value);
    };
    await assert.rejects(read(), (error) => hasCode('DESERIALIZATION_FAILED')(error) && /offset 1/.test(String(error)));
    await assert.rejects(read(), hasCode('DESERIALIZATION_FAILED'));
    assert.deepEqual(seen, [1]);
    await consumer.close();
  });

  it('onDeserializationError: skip leaves the record out, and it counts as processed', async () => {
    const topic = await topicOf(['1', 'bad', '3', 'bad']);
    const groupId = `group-${randomUUID()}`;
    const consumer = kafka.consumer({
      groupId,
      value: json(),
      autoOffsetReset: 'earliest',
      onDeserializationError: 'skip',
    });
    consumer.subscribe(topic);
    const seen: unknown[] = [];
    for await (const { value } of consumer.records({ until: 'end' })) seen.push(value);
    assert.deepEqual(seen, [1, 3]);
    await consumer.close();
    const [committed] = await kafka.consumer({ groupId }).committed([{ topic, partition: 0 }]);
    assert.equal(committed?.offset, 4n);
  });

  it('onDeserializationError: a callback decides record by record', async () => {
    const topic = await topicOf(['1', 'skip', 'replace', 'retry', 'fail', '6']);
    let tries = 0;
    const consumer = assigned(topic, {
      value: {
        deserialize: (data): unknown => {
          if (String(data) === 'retry' && ++tries === 3) return 'tried again';
          return JSON.parse(String(data));
        },
      },
      onDeserializationError: async ({ error, record }): Promise<DeserializationDecision<unknown>> => {
        await Promise.resolve();
        assert.ok(hasCode('DESERIALIZATION_FAILED')(error));
        const decision = String(record.valueBytes);
        return decision === 'replace' ? { value: 'replaced' } : (decision as 'skip' | 'retry' | 'fail');
      },
    });
    const seen: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const { value } of consumer) seen.push(value);
    };
    await assert.rejects(read(), (error) => hasCode('DESERIALIZATION_FAILED')(error) && /offset 4/.test(String(error)));
    assert.deepEqual(seen, [1, 'replaced', 'tried again']);
    await consumer.close();
  });

  it('refuses values that an option cannot have, and names that no option has', () => {
    const refused: [code: string, options: object, message: RegExp][] = [
      ['INVALID_OPTION', { groupId: '' }, /groupId "": it must be a string that is not empty/],
      ['INVALID_OPTION', { groupInstanceId: 'a' }, /groupInstanceId without groupId/],
      ['INVALID_OPTION', { autoOffsetReset: 'first' }, /"earliest", "latest", "none"/],
      ['INVALID_OPTION', { autoCommit: 'yes' }, /autoCommit "yes": it must be one of true, false, "marked"/],
      ['INVALID_OPTION', { autoCommitIntervalMs: 0 }, /autoCommitIntervalMs 0/],
      ['INVALID_OPTION', { sessionTimeoutMs: 1.5 }, /sessionTimeoutMs 1\.5/],
      ['INVALID_OPTION', { heartbeatIntervalMs: 45_000 }, /below sessionTimeoutMs/],
      ['INVALID_OPTION', { maxPollIntervalMs: -1 }, /maxPollIntervalMs -1/],
      ['INVALID_OPTION', { maxPollRecords: 0 }, /maxPollRecords 0/],
      ['INVALID_OPTION', { fetchMinBytes: -1 }, /fetchMinBytes -1/],
      ['INVALID_OPTION', { fetchMaxWaitMs: '5' }, /fetchMaxWaitMs "5"/],
      ['INVALID_OPTION', { fetchMaxBytes: 2 ** 31 }, /fetchMaxBytes 2147483648/],
      ['INVALID_OPTION', { maxPartitionFetchBytes: NaN }, /maxPartitionFetchBytes NaN/],
      ['INVALID_OPTION', { maxBufferedBytes: 0 }, /maxBufferedBytes 0/],
      ['INVALID_OPTION', { isolationLevel: 'committed' }, /"read_uncommitted", "read_committed"/],
      ['INVALID_OPTION', { checkCrcs: 1 }, /checkCrcs 1: it must be true or false/],
      ['INVALID_OPTION', { allowAutoCreateTopics: null }, /allowAutoCreateTopics null/],
      ['INVALID_OPTION', { onDeserializationError: 'ignore' }, /"fail", "skip", or a function/],
      ['INVALID_OPTION', { key: {} }, /function deserialize/],
      ['INVALID_OPTION', { value: 'json' }, /function deserialize/],
      ['UNKNOWN_OPTION', { groupID: 'a' }, /did you mean groupId/],
      ['UNKNOWN_OPTION', { fromBeginning: true }, /use autoOffsetReset: 'earliest'/],
      ['UNKNOWN_OPTION', { 'max.poll.records': 5 }, /use maxPollRecords/],
      ['UNKNOWN_OPTION', { lingerMs: 5 }, /lingerMs/],
    ];
    for (const [code, options, message] of refused) {
      assert.throws(
        () => kafka.consumer(options),
        (error) => hasCode(code)(error) && message.test(String(error)),
        JSON.stringify(options),
      );
    }
  });
});
