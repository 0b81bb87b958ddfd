import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { SendManyError } from '../../../src/errors/send-error.ts';
import type { ProducerRecord } from '../../../src/model/producer-record.ts';
import { partitionOfKey } from '../../../src/producer/key-hash.ts';
import { Producer } from '../../../src/producer/producer.ts';
import type { RecordMetadata } from '../../../src/producer/record-metadata.ts';
import { FakeCluster } from './fake-cluster.ts';
import { answerAll, setUp, texts } from './producer-rig.ts';

type Given = ProducerRecord<string | Uint8Array | null, string | Uint8Array | null>;

const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 2, arbitrary: fc.string({ minLength: 25, maxLength: 60 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }) },
);
const content = fc.oneof(
  { weight: 8, arbitrary: text },
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 2, arbitrary: fc.constantFrom(null, undefined) },
);
/** What is wrong with a record, or makes it an unusual one. */
const oddity = fc.constantFrom<Partial<Record<keyof Given, unknown>>>(
  { headers: { a: 'b' } },
  { partition: 1 },
  { partition: 7 },
  { timestamp: 1_000 },
  { timestamp: 3_000_000_000_000 },
  { timestamp: -1 },
  { timestamp: '12' },
  { topic: 'other' },
  { topic: '' },
  { key: 5 },
  { value: { not: 'serialized' } },
  { value: 'x'.repeat(3_000) },
);
const record = fc
  .tuple(content, content, fc.option(oddity, { freq: 5 }))
  .map(([key, value, odd]) => ({ topic: 't', key, value, ...odd }) as unknown as Given);

interface Outcome {
  readonly results: unknown[];
  readonly written: unknown[];
}

/** What becomes of records in a cluster of their own. */
async function outcomeOf(send: (producer: Producer) => Promise<unknown[]>): Promise<Outcome> {
  const cluster = new FakeCluster();
  for (const topic of ['t', 'other']) cluster.addTopic(topic, 3, { isKnown: true });
  const appended: string[] = [];
  cluster.onAppend = (each) => appended.push(JSON.stringify(each));
  answerAll(cluster);
  const producer = new Producer(cluster, { batchSizeBytes: 400, maxRequestBytes: 2_000 });
  const results = send(producer);
  await cluster.clock.advance(5_000);
  const written = ['t', 'other'].flatMap((topic) => [0, 1, 2].map((partition) => cluster.log(topic, partition).values));
  await producer.close();
  return { results: await results, written: [...written, appended.sort()] };
}

/** What became of each record of an array. */
function resultsOf(sent: Promise<RecordMetadata[]>): Promise<SendManyError<RecordMetadata>['results']> {
  return sent.then(
    (all) => all.map((value) => ({ status: 'fulfilled', value })),
    (error: unknown) => (error as SendManyError<RecordMetadata>).results,
  );
}

function plain(result: PromiseSettledResult<RecordMetadata>): unknown {
  return result.status === 'fulfilled' ? result.value.toJSON() : String(result.reason);
}

describe('Producer.send of an array', () => {
  it('Producer.send of an array does what as many sends of one record do, whatever the records are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 60 }), async (records) => {
        const together = await outcomeOf(async (producer) => {
          const results = await resultsOf(producer.send(records));
          return results.map(plain);
        });
        const single = await outcomeOf(async (producer) =>
          (await Promise.allSettled(records.map((each) => producer.send(each)))).map(plain),
        );
        assert.deepEqual(together, single);
      }),
      { numRuns: 150 },
    );
  });

  it('Producer.send of an array refuses what is no record, and what throws when it is read, and sends the others', async () => {
    const { cluster, producer } = setUp();
    const throwing = Object.defineProperty({ topic: 't', value: 'c' }, 'key', {
      get: () => {
        throw new RangeError('no key today');
      },
    });
    const records = [{ topic: 't', value: 'a' }, undefined, { topic: 't', value: 'b' }, throwing, 'text', null];
    const sent = producer.send([...records, { topic: 't', value: 'd' }] as ProducerRecord[]);
    const settled = resultsOf(sent);
    await cluster.clock.advance(100);
    assert.deepEqual(
      (await settled).map((result) => result.status === 'fulfilled' || result.reason.message.replace(/^.*?: /, '')),
      [
        true,
        'undefined given, where a record was expected',
        true,
        'no key today',
        '"text" given, where a record was expected',
        'null given, where a record was expected',
        true,
      ],
    );
    assert.deepEqual([...cluster.log('t', 0).values, ...cluster.log('t', 1).values].sort(), ['a', 'b', 'd']);
  });

  it('Producer.send of an array knows the offsets of its records when another send comes between them', async () => {
    const between: Promise<RecordMetadata>[] = [];
    const { cluster, producer } = setUp({
      partitioner: ({ value }) => {
        if (value === 'b') between.push(producer.send({ topic: 't', partition: 0, value: 'between' }));
        return 0;
      },
    });
    const sent = producer.send(['a', 'b', 'c'].map((value) => ({ topic: 't', value })));
    await cluster.clock.advance(100);
    assert.deepEqual(cluster.log('t', 0).values, ['a', 'between', 'b', 'c']);
    assert.deepEqual(
      (await sent).map(({ offset }) => offset),
      [0n, 2n, 3n],
    );
    assert.equal((await between[0])?.offset, 1n);
  });

  it('Producer.send of an array puts no more into batches than there is memory for', async () => {
    const { cluster, producer } = setUp({
      bufferMemoryBytes: 40_000,
      maxRequestBytes: 9_000,
      batchSizeBytes: 8_000,
      maxWaitingSends: 0,
    });
    cluster.onRequest = undefined;
    const sent = producer.send(texts(1_000, 100).map((value) => ({ topic: 't', key: 'k', value })));
    const settled = resultsOf(sent);
    await cluster.clock.advance(100);
    answerAll(cluster);
    await cluster.clock.advance(1_000);
    const results = await settled;
    const { values } = cluster.log('t', partitionOfKey('k', 2));
    // Four batches of 72 records; the fifth begins with a buffer that fills the memory.
    assert.equal(values.length, 289);
    assert.deepEqual(values, texts(values.length, 100));
    for (const [at, result] of results.entries()) {
      if (result.status === 'fulfilled') assert.equal(Number(result.value.offset), at);
      else assert.equal(result.reason.code, 'BUFFER_FULL');
    }
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, values.length);
  });

  it('Producer.send of an array without keys stays with a partition for 64 KiB, as single sends do', async () => {
    const { cluster, producer } = setUp();
    const sent = producer.send(texts(1_000, 250).map((value) => ({ topic: 't', value })));
    await cluster.clock.advance(100);
    const partitions = (await sent).map(({ partition }) => partition);
    const changes = partitions.flatMap((partition, at) => (at > 0 && partition !== partitions[at - 1] ? [at] : []));
    // A record takes 260 bytes in its batch: 253 of them reach 64 KiB.
    assert.deepEqual(changes, [253, 506, 759]);
  });

  it('Producer.send of an array gives every value to the serializer, also those that are text already', async () => {
    const { cluster, producer: made } = setUp();
    await made.close();
    const producer = new Producer(cluster, { value: { serialize: (value: unknown) => JSON.stringify(value) } });
    const sent = producer.send(['a', 'b', 'c'].map((value) => ({ topic: 't', value })));
    await cluster.clock.advance(100);
    assert.equal((await sent).length, 3);
    assert.deepEqual([...cluster.log('t', 0).values, ...cluster.log('t', 1).values].sort(), ['"a"', '"b"', '"c"']);
  });
});
