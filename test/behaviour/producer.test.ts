import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it, mock } from 'node:test';
import {
  isKafkaError,
  json,
  Kafka,
  required,
  SendError,
  SendManyError,
  string,
  type ProducerOptions,
  type RecordMetadata,
} from '../../src/index.ts';
import { runClientScript } from '../support/client-script.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;

interface Stored {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: [string, string | null][];
}

describe('Producer', { skip: broker.skip }, () => {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
  });
  after(() => kafka.close());

  async function makeTopic(partitions = 1, configs: Record<string, string> = {}): Promise<string> {
    const topic = `producer-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1, configs });
    return topic;
  }

  /** Everything that is in the topic, in the order of each partition. */
  async function read(topic: string, partitions = 1): Promise<Stored[]> {
    const consumer = kafka.consumer({ key: string, value: string, autoOffsetReset: 'earliest' });
    consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition })));
    const stored: Stored[] = [];
    for await (const { partition, offset, timestamp, key, value, headers } of consumer.records({ until: 'end' })) {
      const texts = [...headers].map(([name, bytes]): [string, string | null] => [name, bytes?.toString() ?? null]);
      stored.push({ partition, offset, timestamp, key, value, headers: texts });
    }
    await consumer.close();
    return stored;
  }

  /** Runs `work` with a producer of its own client and counts what its connections and batches did. */
  async function observe(
    options: ProducerOptions,
    work: (send: (value: string, partition?: number) => Promise<RecordMetadata>, topic: string) => Promise<void>,
    partitions = 1,
  ): Promise<{ batches: number; batchBytes: number; requests: string[]; mostInFlight: number }> {
    const topic = await makeTopic(partitions);
    const own = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const seen = { batches: 0, batchBytes: 0, requests: [] as string[], mostInFlight: 0 };
    let inFlight = 0;
    own.on('producer.batch.delivered', ({ bytes }) => {
      seen.batches++;
      seen.batchBytes += bytes;
    });
    own.on('request.sent', ({ api }) => {
      seen.requests.push(api);
      if (api === 'Produce') seen.mostInFlight = Math.max(seen.mostInFlight, ++inFlight);
    });
    own.on('request.answered', ({ api }) => {
      if (api === 'Produce') inFlight--;
    });
    const producer = own.producer(options);
    await producer.send({ topic, partition: 0, value: 'first' });
    seen.batches = 0;
    seen.batchBytes = 0;
    await work((value, partition = 0) => producer.send({ topic, partition, value }), topic);
    await own.close();
    return seen;
  }

  it('writes key, value, headers and time as they were given, and says where', async () => {
    const topic = await makeTopic();
    const producer = kafka.producer();
    const headers = { source: 'wëb', many: ['1', null, Buffer.from('3')] };
    const one = await producer.send({ topic, key: 'k', value: 'v', headers, timestamp: 1_600_000_000_000 });
    const [two, three] = await producer.send([
      { topic, key: Buffer.from('k2'), value: null, headers: [['a', 'x']] },
      { topic, value: 'no key' },
    ]);
    await producer.close();
    assert.deepEqual([one.offset, two?.offset, three?.offset], [0n, 1n, 2n]);
    assert.deepEqual([one.timestamp, one.serializedKeySize, one.serializedValueSize], [1_600_000_000_000, 1, 1]);
    assert.deepEqual([two?.serializedKeySize, two?.serializedValueSize, three?.serializedKeySize], [2, -1, -1]);
    const stored = await read(topic);
    assert.deepEqual(
      stored.map(({ key, value }) => [key, value]),
      [
        ['k', 'v'],
        ['k2', null],
        [null, 'no key'],
      ],
    );
    assert.deepEqual(stored[0]?.headers, [
      ['source', 'wëb'],
      ['many', '1'],
      ['many', null],
      ['many', '3'],
    ]);
    assert.equal(stored[0]?.timestamp, 1_600_000_000_000);
    assert.match(JSON.stringify(two), /"offset":"1"/);
  });

  it('forwards the headers of a record that was read', async () => {
    const [from, to] = [await makeTopic(), await makeTopic()];
    const producer = kafka.producer();
    await producer.send({
      topic: from,
      value: 'x',
      headers: [
        ['a', '1'],
        ['b', null],
        ['a', '2'],
      ],
    });
    const consumer = kafka.consumer();
    consumer.assign([{ topic: from, partition: 0 }]);
    consumer.seek({ topic: from, partition: 0, offset: 0n });
    for await (const record of consumer.records({ limit: 1 })) {
      await producer.send({ topic: to, value: record.value, headers: record.headers });
    }
    await consumer.close();
    assert.deepEqual((await read(to))[0]?.headers, [
      ['a', '1'],
      ['b', null],
      ['a', '2'],
    ]);
  });

  it('gives the time of the broker where the topic takes that', async () => {
    const topic = await makeTopic(1, { 'message.timestamp.type': 'LogAppendTime' });
    const producer = kafka.producer();
    const [{ timestamp }, [many]] = await Promise.all([
      producer.send({ topic, value: 'x', timestamp: 5 }),
      producer.send([{ topic, value: 'y', timestamp: 5 }]),
    ]);
    await producer.close();
    assert.ok(timestamp > 1_700_000_000_000);
    assert.ok((many?.timestamp ?? 0) > 1_700_000_000_000);
  });

  it('keeps the order of calls: 10,000 sends of all three kinds, none awaited', async () => {
    const topic = await makeTopic();
    const producer = kafka.producer({ batchSizeBytes: 20_000 });
    for (let at = 0; at < 10_000;) {
      void producer.send({ topic, value: String(at++) });
      producer.enqueue({ topic, value: String(at++) });
      void producer.send([
        { topic, value: String(at++) },
        { topic, value: String(at++) },
      ]);
      if (at % 1000 === 0) await producer.ready();
    }
    await producer.flush();
    await producer.close();
    assert.deepEqual(
      (await read(topic)).map(({ value }) => Number(value)),
      Array.from({ length: 10_000 }, (_, at) => at),
    );
  });

  it('takes an array as it is when it is sent, although it waits for its topic and for memory, and is filled anew meanwhile', async () => {
    const topic = await makeTopic();
    const own = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const producer = own.producer({ bufferMemoryBytes: 50_000, batchSizeBytes: 10_000, maxRequestBytes: 20_000 });
    const list: { topic: string; value: string }[] = [];
    const sent: Promise<RecordMetadata[]>[] = [];
    // The first arrays wait for the topic, the later ones for memory as well.
    for (let from = 0; from < 5000; from += 500) {
      for (let number = from; number < from + 500; number++) list.push({ topic, value: String(number).padStart(50) });
      sent.push(producer.send(list));
      list.length = 0;
    }
    await Promise.all(sent);
    await own.close();
    assert.deepEqual(
      (await read(topic)).map(({ value }) => Number(value)),
      Array.from({ length: 5000 }, (_, number) => number),
    );
  });

  it('puts records of equal keys into one partition, and spreads those without', async () => {
    const topic = await makeTopic(6);
    const producer = kafka.producer({ batchSizeBytes: 1000 });
    const keyed = await producer.send(
      Array.from({ length: 60 }, (_, at) => ({ topic, key: `k-${at % 3}`, value: 'x' })),
    );
    for (const [at, { partition }] of keyed.entries()) assert.equal(partition, keyed[at % 3]?.partition);
    const free = await producer.send(Array.from({ length: 2000 }, () => ({ topic, value: 'x'.repeat(50) })));
    await producer.close();
    const counts = [0, 1, 2, 3, 4, 5].map((partition) => free.filter((each) => each.partition === partition).length);
    assert.ok(Math.min(...counts) > 100, counts.join());
  });

  it('option partitioner: round-robin ignores keys, a function decides by what was given', async () => {
    const topic = await makeTopic(4);
    const turns = kafka.producer({ partitioner: 'round-robin' });
    const spread = await turns.send(Array.from({ length: 8 }, () => ({ topic, key: 'same', value: 'x' })));
    assert.deepEqual(
      spread.map(({ partition }) => partition),
      [0, 1, 2, 3, 0, 1, 2, 3],
    );
    const chosen = kafka.producer({ value: json<{ to: number }>(), partitioner: ({ value }) => value?.to ?? 0 });
    assert.equal((await chosen.send({ topic, value: { to: 3 } })).partition, 3);
    await assert.rejects(chosen.send({ topic, value: { to: 4 } }), hasCode('INVALID_ARGUMENT'));
    await turns.close();
    await chosen.close();
  });

  it('options key and value: serdes make the bytes; one that refuses rejects its record alone', async () => {
    const topic = await makeTopic();
    const producer = kafka.producer({ key: string, value: required(json<{ n: number }>()) });
    const sent = producer.send({ topic, key: 'a', value: { n: 1 } });
    await assert.rejects(producer.send({ topic, key: 'b', value: null as never }), (error: unknown) => {
      assert.ok(error instanceof SendError);
      assert.deepEqual([error.code, error.outcome], ['SERIALIZATION_FAILED', 'not-sent']);
      assert.match(error.message, new RegExp(`topic "${topic}": its value`));
      return true;
    });
    await sent;
    await producer.close();
    assert.deepEqual(
      (await read(topic)).map(({ value }) => value),
      ['{"n":1}'],
    );
  });

  it('option acks: 0 does not learn the offset, 1 and all do', async () => {
    const topic = await makeTopic();
    // The one that nobody confirms comes last: it may be overtaken by what another producer sends after it.
    for (const [acks, offset] of [
      [1, 0n],
      ['all', 1n],
      [-1, 2n],
      [0, -1n],
    ] as const) {
      const producer = kafka.producer({ acks });
      assert.equal((await producer.send({ topic, value: String(acks) })).offset, offset);
      await producer.close();
    }
    const values = await eventually(async () => {
      const seen = await read(topic);
      return seen.length === 4 && seen.map(({ value }) => value);
    }, 'the record without acknowledgement');
    assert.deepEqual(values, ['1', 'all', '-1', '0']);
  });

  it('option idempotence: only with it a producer id is asked for', async () => {
    const send = async (one: (value: string) => Promise<unknown>): Promise<void> => void (await one('x'));
    assert.ok((await observe({}, send)).requests.includes('InitProducerId'));
    assert.ok(!(await observe({ idempotence: false }, send)).requests.includes('InitProducerId'));
    assert.ok(!(await observe({ acks: 1 }, send)).requests.includes('InitProducerId'));
  });

  it('options compression and compressionLevel: batches are smaller, and read as before', async () => {
    const text = Array.from(
      { length: 400 },
      (_, at) => `line ${at}: some text that repeats itself, as lines of logs do, and again ${at % 7}`,
    ).join('\n');
    const sizes = new Map<string, number>();
    for (const options of [
      {},
      { compression: 'gzip', compressionLevel: 1 },
      { compression: 'gzip', compressionLevel: 9 },
      { compression: 'snappy' },
      { compression: 'lz4' },
      { compression: 'zstd' },
      { compression: 'zstd', compressionLevel: 9 },
    ] as const) {
      let topic = '';
      const { batchBytes } = await observe(options, async (send, of) => {
        topic = of;
        await send(text);
      });
      sizes.set(Object.values(options).join(), batchBytes);
      assert.equal((await read(topic)).at(-1)?.value, text);
    }
    const size = (name: string): number => sizes.get(name) ?? NaN;
    for (const name of ['gzip,1', 'snappy', 'lz4', 'zstd'])
      assert.ok(size(name) < size('') * 0.8, [...sizes].join(' '));
    assert.ok(size('gzip,9') < size('gzip,1'));
    assert.ok(size('zstd,9') < size('zstd'));
  });

  it('option batchSizeBytes: smaller batches are more batches', async () => {
    const flood = async (send: (value: string) => Promise<unknown>): Promise<void> => {
      await Promise.all(Array.from({ length: 200 }, () => send('x'.repeat(100))));
    };
    const [large, small] = [await observe({}, flood), await observe({ batchSizeBytes: 2000 }, flood)];
    assert.equal(large.batches, 1);
    assert.ok(small.batches >= 10, `${small.batches} batches`);
  });

  it('option lingerMs: sends that come one after the other share a batch', async () => {
    const drip = async (send: (value: string) => Promise<unknown>): Promise<void> => {
      const sent: Promise<unknown>[] = [];
      for (let at = 0; at < 20; at++) {
        sent.push(send(String(at)));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await Promise.all(sent);
    };
    const [eager, patient] = [await observe({}, drip), await observe({ lingerMs: 2000 }, drip)];
    assert.ok(patient.batches <= 2, `${patient.batches} batches`);
    assert.ok(eager.batches > patient.batches, `${eager.batches} batches`);
  });

  it('option maxInFlightRequests: so many requests are unanswered at a time', async () => {
    const flood = async (send: (value: string) => Promise<unknown>): Promise<void> => {
      await Promise.all(Array.from({ length: 100 }, () => send('x'.repeat(40_000))));
    };
    const options = { batchSizeBytes: 50_000, maxRequestBytes: 50_000 };
    assert.equal((await observe({ ...options, maxInFlightRequests: 1 }, flood)).mostInFlight, 1);
    assert.ok((await observe(options, flood)).mostInFlight > 1);
  });

  it('option maxRequestBytes: a larger record is refused before it is sent, several batches share a request up to it', async () => {
    const topic = await makeTopic();
    const producer = kafka.producer({ maxRequestBytes: 10_000 });
    await assert.rejects(producer.send({ topic, value: 'x'.repeat(10_000) }), (error: unknown) => {
      assert.ok(error instanceof SendError);
      assert.deepEqual([error.code, error.outcome], ['MESSAGE_TOO_LARGE', 'not-sent']);
      return true;
    });
    await producer.close();
    const spread = async (send: (value: string, partition: number) => Promise<unknown>): Promise<void> => {
      await Promise.all([0, 1, 2, 3].map((partition) => send('x'.repeat(5000), partition)));
    };
    const count = async (options: ProducerOptions): Promise<number> =>
      (await observe(options, spread, 4)).requests.filter((api) => api === 'Produce').length;
    assert.ok((await count({ maxRequestBytes: 6000 })) > (await count({})));
  });

  it('options bufferMemoryBytes and maxWaitingSends: what does not fit waits, what may not wait is refused', async () => {
    const topic = await makeTopic();
    const options = { bufferMemoryBytes: 50_000, maxRequestBytes: 20_000 };
    const record = { topic, value: 'x'.repeat(1000) };
    const flood = async (more: ProducerOptions): Promise<PromiseSettledResult<unknown>[]> => {
      const producer = kafka.producer({ ...options, ...more });
      await producer.send(record);
      const results = await Promise.allSettled(Array.from({ length: 200 }, () => producer.send(record)));
      await producer.close().catch(() => undefined);
      return results;
    };
    assert.ok((await flood({})).every(({ status }) => status === 'fulfilled'));
    assert.ok(
      (await flood({ bufferMemoryBytes: 1e6, maxWaitingSends: 0 })).every(({ status }) => status === 'fulfilled'),
    );
    const refused = (await flood({ maxWaitingSends: 10 })).flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    );
    assert.ok(refused.length > 50 && refused.length < 190, `${refused.length} refused`);
    assert.ok(refused.every(hasCode('BUFFER_FULL')));
  });

  it('option deliveryTimeoutMs: a cluster that cannot be reached rejects in time, saying why', async () => {
    const nowhere = new Kafka({ bootstrapServers: ['127.0.0.1:1'], requestTimeoutMs: 300 });
    const producer = nowhere.producer({ deliveryTimeoutMs: 1000 });
    const started = performance.now();
    const [one, many] = await Promise.allSettled([
      producer.send({ topic: 't', value: 'x' }),
      producer.send([{ topic: 't', value: 'x' }]),
    ]);
    assert.ok(performance.now() - started >= 900);
    assert.ok(performance.now() - started < 20_000);
    assert.ok(one.status === 'rejected' && one.reason instanceof SendError);
    assert.equal(one.reason.outcome, 'not-sent');
    assert.match(one.reason.message, /127\.0\.0\.1:1/);
    assert.ok(many.status === 'rejected' && many.reason instanceof SendManyError);
    await nowhere.close().catch(() => undefined);
  });

  it('option maxBlockMs: a send waits so long for metadata, however long it may take to be delivered', async () => {
    const nowhere = new Kafka({ bootstrapServers: ['127.0.0.1:1'] });
    const producer = nowhere.producer({ maxBlockMs: 300 });
    const started = performance.now();
    await assert.rejects(producer.send({ topic: 't', value: 'x' }), SendError);
    assert.ok(performance.now() - started < 20_000);
    await nowhere.close().catch(() => undefined);
  });

  it('a record that the topic does not take is refused, and the next one is written', async () => {
    const topic = await makeTopic(1, { 'max.message.bytes': '1000' });
    const producer = kafka.producer();
    await assert.rejects(producer.send({ topic, value: 'x'.repeat(5000) }), (error: unknown) => {
      assert.ok(error instanceof SendError);
      assert.deepEqual(
        [error.code, error.outcome, error.topic, error.partition],
        ['MESSAGE_TOO_LARGE', 'refused', topic, 0],
      );
      return true;
    });
    assert.equal((await producer.send({ topic, value: 'x' })).offset, 0n);
    await producer.close();
  });

  it('names the record that the broker found invalid, and its reason', async () => {
    const topic = await makeTopic(1, { 'cleanup.policy': 'compact' });
    const producer = kafka.producer();
    const results = await producer
      .send([
        { topic, key: 'k', value: 'x' },
        { topic, value: 'no key' },
      ])
      .catch((error: unknown) => (error as SendManyError).results);
    const reasons = results.flatMap((result) => ('reason' in result ? [result.reason] : []));
    assert.deepEqual(
      reasons.map(({ code, outcome }) => [code, outcome]),
      [
        ['INVALID_RECORD', 'refused'],
        ['INVALID_RECORD', 'refused'],
      ],
    );
    assert.match(reasons[1]?.message ?? '', /key/);
    await producer.close();
  });

  it('a topic name that cannot be is refused by name', async () => {
    const producer = kafka.producer();
    await assert.rejects(producer.send({ topic: 'no topic', value: 'x' }), (error: unknown) => {
      assert.ok(error instanceof SendError);
      assert.deepEqual([error.code, error.outcome], ['INVALID_TOPIC_EXCEPTION', 'not-sent']);
      assert.match(error.message, /names have up to 249 characters/);
      assert.match(error.message, /"no topic"/);
      return true;
    });
    await producer.close();
  });

  it('a re-created topic is written to again', async () => {
    const topic = await makeTopic();
    const producer = kafka.producer();
    await producer.send(Array.from({ length: 10 }, () => ({ topic, value: 'old' })));
    await kafka.admin().deleteTopics([topic]);
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 }, { ifNotExists: true });
    const written: bigint[] = [];
    // The first may still be meant for the old topic, and then says so.
    for (let at = 0; at < 5; at++) {
      await producer.send({ topic, value: `new ${at}` }).then(
        ({ offset }) => written.push(offset),
        (error: unknown) => assert.ok(error instanceof SendError),
      );
    }
    await producer.close().catch(() => undefined);
    assert.ok(written.length >= 3, written.join());
    assert.deepEqual(
      (await read(topic)).map(({ offset }) => offset),
      written,
    );
  });

  it('options that cannot be used are refused when the producer is made', () => {
    assert.throws(() => kafka.producer({ linger: 5 } as never), hasCode('UNKNOWN_OPTION'));
    assert.throws(() => kafka.producer({ lingerMs: -5 }), hasCode('INVALID_OPTION'));
    assert.throws(() => kafka.producer({ acks: 1, idempotence: true }), hasCode('INVALID_OPTION'));
  });

  it('works while fake timers are installed', async () => {
    const topic = await makeTopic();
    const producer = kafka.producer();
    // Deno fakes setImmediate also for those who took it before.
    const immediate = 'deno' in process.versions ? [] : (['setImmediate'] as const);
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', ...immediate, 'Date'] });
    try {
      assert.equal((await producer.send({ topic, value: 'x' })).offset, 0n);
    } finally {
      mock.timers.reset();
    }
    await producer.close();
  });

  it('closes with the client, delivering what is outstanding, and refuses afterwards', async () => {
    const topic = await makeTopic();
    const own = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const producer = own.producer();
    const sent = producer.send({ topic, value: 'x' });
    await own.close();
    assert.equal((await sent).offset, 0n);
    await assert.rejects(producer.send({ topic, value: 'y' }), hasCode('CLOSED'));
  });

  it('a script that does not close ends when its sends have settled', async () => {
    const topic = await makeTopic();
    const { stdout } = await runClientScript(
      broker.bootstrapServers,
      `kafka.producer().send({ topic: '${topic}', value: 'x' }).then(({ offset }) => console.log('offset', offset));`,
    );
    assert.equal(stdout, 'offset 0n\n');
  });

  it('a failing send that nobody awaits does not end the process', async () => {
    const topic = await makeTopic();
    const { stdout, stderr } = await runClientScript(
      broker.bootstrapServers,
      `
      const producer = kafka.producer();
      producer.send({ topic: '${topic}', partition: 5, value: 'x' });
      producer.send([{ topic: '${topic}', partition: 5, value: 'x' }]);
      producer.send({ topic: '${topic}', value: 5 });
      producer.enqueue({ topic: '${topic}', partition: 5 });
      await new Promise((resolve) => setTimeout(resolve, 500));
      await producer.flush().catch((error) => console.log(error.code));
      await kafka.close();`,
    );
    assert.deepEqual([stdout, stderr], ['SEND_FAILED\n', '']);
  });
});
