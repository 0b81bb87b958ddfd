import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { codecFor } from '../../../src/compression/index.ts';
import type { Consumer } from '../../../src/consumer/consumer.ts';
import { brokerErrorCodes as codes } from '../../../src/errors/broker-error-codes.ts';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import type { FakeAnswer } from '../cluster/fake-brokers.ts';
import { allowedTries } from '../cluster/fake-brokers.ts';
import { settle } from '../../support/fake-clock.ts';
import { batchOf, FakeKafka, markerOf } from './fake-kafka.ts';

const t0 = { topic: 't', partition: 0 };
const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;

function assigned(kafka: FakeKafka, options: Parameters<FakeKafka['consumer']>[0] = {}): Consumer {
  const { consumer } = kafka.consumer(options);
  consumer.assign(kafka.logs.map((_, partition) => ({ topic: 't', partition })));
  return consumer;
}

/** Reads `count` records, or until nothing comes for a while. */
async function read(kafka: FakeKafka, consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = [];
  while (values.length < count) {
    const records = await kafka.run(consumer.poll({ timeoutMs: 3000, maxRecords: count - values.length }));
    if (records.length === 0) break;
    values.push(...records.map((record) => record.value?.toString() ?? 'null'));
  }
  return values;
}

interface CallWithPartitions {
  /** What each partition must have, as messages tell it. */
  readonly fields?: string;
  readonly isOfOne?: boolean;
  readonly run: (consumer: Consumer, given: never) => unknown;
}

const callsWithPartitions: Readonly<Record<string, CallWithPartitions>> = {
  assign: { run: (consumer, given) => consumer.assign(given) },
  pause: { run: (consumer, given) => consumer.pause(given) },
  resume: { run: (consumer, given) => consumer.resume(given) },
  position: { run: (consumer, given) => consumer.position(given), isOfOne: true },
  currentLag: { run: (consumer, given) => consumer.currentLag(given), isOfOne: true },
  seek: {
    run: (consumer, given) => consumer.seek(given),
    isOfOne: true,
    fields: '{ topic, partition, offset }',
  },
  seekToBeginning: { run: (consumer, given) => consumer.seekToBeginning(given) },
  seekToEnd: { run: (consumer, given) => consumer.seekToEnd(given) },
  seekToTimestamp: { run: (consumer, given) => consumer.seekToTimestamp(5, given) },
  beginningOffsets: { run: (consumer, given) => consumer.beginningOffsets(given) },
  endOffsets: { run: (consumer, given) => consumer.endOffsets(given) },
  offsetsForTimes: {
    run: (consumer, given) => consumer.offsetsForTimes(given),
    fields: '{ topic, partition, timestamp }',
  },
  committed: { run: (consumer, given) => consumer.committed(given) },
  commit: { run: (consumer, given) => consumer.commit(given), fields: '{ topic, partition, offset }' },
};

describe('Consumer with partitions assigned by hand', () => {
  it('reads from the beginning with earliest, and moves its position', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const consumer = assigned(kafka);
    assert.equal(consumer.position(t0), undefined);
    assert.deepEqual(await read(kafka, consumer, 2), ['a', 'b']);
    assert.equal(consumer.position(t0), 2n);
    assert.deepEqual(await read(kafka, consumer, 5), ['c']);
    await kafka.run(consumer.close());
  });

  for (const [call, { fields = '{ topic, partition }', isOfOne = false, run }] of Object.entries(callsWithPartitions)) {
    it(`${call} refuses what names no partition, before it does anything`, async () => {
      const kafka = new FakeKafka();
      const consumer = assigned(kafka, { groupId: 'g' });
      const good = { ...t0, offset: 1n, timestamp: 5 };
      const bad: [unknown, string][] = [
        [null, `null given, where ${fields} was expected`],
        ['t', `"t" given, where ${fields} was expected`],
        [{ topic: 't', partitions: [0] }, `partitions given for topic "t"; give ${fields} for each of them`],
        [{ topic: 't' }, 'undefined given for the partition of topic "t", where a number from 0 on was expected'],
        [
          { ...good, partition: '0' },
          '"0" given for the partition of topic "t", where a number from 0 on was expected',
        ],
        [{ ...good, partition: -1 }, '-1 given for the partition of topic "t", where a number from 0 on was expected'],
        [{ ...good, partition: 2 ** 31 }, '2147483648 given for the partition of topic "t", where a number'],
        [{ ...good, topic: '' }, '"" given, where the name of a topic was expected for topic'],
        [{ ...good, topic: 5 }, '5 given, where the name of a topic was expected for topic'],
        ...(isOfOne ? [[[good], `a list of 1 given, where ${fields} was expected`] as [unknown, string]] : []),
      ];
      for (const [given, problem] of bad) {
        for (const form of isOfOne ? [given] : [given, [good, given]]) {
          await assert.rejects(
            async () => kafka.run(Promise.resolve(run(consumer, form as never))),
            (error) => {
              assert.ok(isKafkaError(error, 'INVALID_ARGUMENT'), String(error));
              assert.match(error.message, /^Cannot [a-z ]+: /);
              assert.ok(error.message.includes(problem), error.message);
              return true;
            },
          );
        }
      }
      assert.deepEqual(consumer.paused(), []);
      assert.equal(consumer.position(t0), undefined, 'nothing was sought');
      await kafka.run(consumer.close());
    });
  }

  it('moves and pauses no partition where one of the list is not assigned', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const consumer = assigned(kafka);
    assert.deepEqual(await read(kafka, consumer, 1), ['a']);
    const partitions = [t0, { topic: 't', partition: 1 }];
    for (const call of ['pause', 'seekToBeginning', 'seekToEnd'] as const) {
      assert.throws(() => consumer[call](partitions), hasCode('PARTITION_NOT_OWNED'));
      assert.deepEqual([consumer.paused(), consumer.position(t0)], [[], 1n], call);
    }
    assert.throws(() => consumer.seekToTimestamp(5, partitions), hasCode('PARTITION_NOT_OWNED'));
    consumer.pause(t0);
    assert.throws(() => consumer.resume(partitions), hasCode('PARTITION_NOT_OWNED'));
    assert.deepEqual(consumer.paused(), [t0]);
    consumer.resume();
    assert.deepEqual(await read(kafka, consumer, 1), ['b']);
    await kafka.run(consumer.close());
  });

  it('reads only what comes later with latest', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['old']);
    const consumer = assigned(kafka, { autoOffsetReset: 'latest' });
    assert.deepEqual(await read(kafka, consumer, 1), []);
    kafka.append(0, ['new']);
    assert.deepEqual(await read(kafka, consumer, 1), ['new']);
    await kafka.run(consumer.close());
  });

  it('rejects the read with none where there is no offset, until the user seeks', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a']);
    const consumer = assigned(kafka, { autoOffsetReset: 'none', groupId: 'g' });
    await assert.rejects(kafka.run(consumer.poll()), hasCode('NO_OFFSET'));
    await assert.rejects(kafka.run(consumer.poll()), hasCode('NO_OFFSET'));
    consumer.seek({ ...t0, offset: 0 });
    assert.deepEqual(await read(kafka, consumer, 1), ['a']);
    await kafka.run(consumer.close());
  });

  it('reads on by autoOffsetReset where its offset does not exist any more', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    kafka.logStart = 1n;
    kafka.append(0, ['d']);
    const consumer = assigned(kafka);
    consumer.seek({ ...t0, offset: 77n });
    assert.deepEqual((await read(kafka, consumer, 3)).slice(-1), ['d']);
    await kafka.run(consumer.close());
  });

  it('rejects the read with OFFSET_OUT_OF_RANGE with none, without asking the broker in a circle', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a']);
    const consumer = assigned(kafka, { autoOffsetReset: 'none' });
    consumer.seek({ ...t0, offset: 77n });
    await assert.rejects(kafka.run(consumer.poll()), hasCode('OFFSET_OUT_OF_RANGE'));
    const before = kafka.brokers.count('Fetch');
    await kafka.clock.advance(5000);
    assert.ok(kafka.brokers.count('Fetch') - before <= allowedTries(5000));
    await kafka.run(consumer.close());
  });

  it('hands out records of a whole batch only from the position on', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c', 'd']);
    const consumer = assigned(kafka);
    consumer.seek({ ...t0, offset: 2n });
    assert.deepEqual(await read(kafka, consumer, 4), ['c', 'd']);
    await kafka.run(consumer.close());
  });

  for (const [how, { partitions, readable, batchesPerAnswer, ahead }] of Object.entries({
    'of the only partition': { partitions: 1, readable: 1, batchesPerAnswer: Infinity, ahead: 4 },
    'of several answers': { partitions: 1, readable: 1, batchesPerAnswer: 1, ahead: 4 },
    'of the only one of many that has records': { partitions: 6, readable: 1, batchesPerAnswer: 3, ahead: 4 },
    'of many that take turns only what is due': { partitions: 6, readable: 6, batchesPerAnswer: Infinity, ahead: 0 },
  })) {
    it(`decompresses while the user works on a batch what comes next, ${how}`, async (t) => {
      const gzip = await codecFor('gzip');
      const kafka = new FakeKafka(partitions);
      kafka.batchesPerAnswer = batchesPerAnswer;
      const body = batchOf([randomBytes(50_000).toString('hex')]).subarray(61);
      for (let number = 0; number < 20 * readable; number++)
        kafka.append(number % readable, ['x'], { compression: 'gzip', compressed: gzipSync(body) });
      const consumer = assigned(kafka, { maxPollRecords: 1 });
      const { mock: calls } = t.mock.method(gzip, 'decompress');
      const readOne = async (): Promise<void> => {
        const records: unknown[] = [];
        // The thread pool works in its own time, whatever the fake clock says.
        while (records.length === 0) records.push(...(await consumer.poll({ timeoutMs: 1000 })));
      };
      let number = 0;
      while (number < 5 * readable) {
        await kafka.run(readOne(), 50, 100_000);
        number++;
        // Beside them, the first of each partition that waits for its turn.
        assert.ok(calls.callCount() <= number + ahead + readable, `${calls.callCount()} begun, ${number} read`);
      }
      assert.ok(calls.callCount() >= number + ahead, `${calls.callCount()} begun, ${number} read`);
      await kafka.run(consumer.close());
    });
  }

  it('fetches the next answer while one is being read, and no third', async () => {
    const kafka = new FakeKafka();
    kafka.batchesPerAnswer = 1;
    for (const first of ['a', 'c', 'e']) kafka.append(0, [first, 'x'.repeat(200)]);
    const consumer = assigned(kafka, { maxPartitionFetchBytes: 200 });
    assert.deepEqual(await read(kafka, consumer, 1), ['a']);
    await kafka.clock.advance(5000);
    assert.equal(kafka.brokers.count('Fetch'), 2);
    assert.equal((await read(kafka, consumer, 5)).length, 5);
    await kafka.run(consumer.close());
  });

  it('moves over empty batches, control records and gaps at the end of a batch', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a'], { lastOffsetDelta: 4 });
    kafka.append(0, [], { lastOffsetDelta: 4 });
    kafka.store(0, markerOf('commit', 7n, 10n), 11n);
    const consumer = assigned(kafka, { groupId: 'g' });
    assert.deepEqual(await read(kafka, consumer, 9), ['a']);
    assert.equal(consumer.position(t0), 11n);
    await kafka.run(consumer.commit());
    assert.equal(kafka.committed.get(0), 11n);
    await kafka.run(consumer.close());
  });

  it('ignores a partial last batch and fetches it again', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a']);
    const whole = batchOf(['b'], { baseOffset: 1n });
    let isCut = true;
    kafka.intercept = (request) => {
      if (request.api !== 'Fetch' || !isCut) return undefined;
      isCut = false;
      kafka.append(0, ['b']);
      const records = Buffer.concat([batchOf(['a']), whole.subarray(0, whole.length - 3)]);
      return fetchAnswer(request.message, { records });
    };
    const consumer = assigned(kafka);
    assert.deepEqual(await read(kafka, consumer, 2), ['a', 'b']);
    await kafka.run(consumer.close());
  });

  it('gives the time of the batch with LogAppendTime', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b'], { logAppendTimeMs: 1_800_000_000_000 });
    const consumer = assigned(kafka);
    const records = await kafka.run(consumer.poll());
    assert.deepEqual(
      records.map(({ timestamp, timestampType }) => [timestamp, timestampType]),
      [
        [1_800_000_000_000, 'logAppend'],
        [1_800_000_000_000, 'logAppend'],
      ],
    );
    await kafka.run(consumer.close());
  });

  it('leaves out aborted transactions with read_committed, several of one producer and in any order of the list', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['x1', 'x2'], { producerId: 7n, transactional: true }); // 0-1, aborted
    kafka.append(0, ['keep1'], { producerId: 8n, transactional: true }); // 2, committed
    kafka.store(0, markerOf('abort', 7n, 3n), 4n);
    kafka.append(0, ['keep2'], { producerId: 7n, transactional: true }); // 4, committed
    kafka.store(0, markerOf('commit', 7n, 5n), 6n);
    kafka.append(0, ['plain']); // 6
    kafka.append(0, ['x3'], { producerId: 7n, transactional: true }); // 7, aborted
    kafka.store(0, markerOf('commit', 8n, 8n), 9n);
    kafka.store(0, markerOf('abort', 7n, 9n), 10n);
    kafka.append(0, ['keep3'], { producerId: 7n, transactional: true }); // 10
    kafka.aborted = [
      { producerId: 7n, firstOffset: 7n },
      { producerId: 99n, firstOffset: 0n },
      { producerId: 7n, firstOffset: 0n },
      { producerId: 7n, firstOffset: 0n },
    ];
    const committed = assigned(kafka, { isolationLevel: 'read_committed' });
    assert.deepEqual(await read(kafka, committed, 9), ['keep1', 'keep2', 'plain', 'keep3']);
    const all = assigned(kafka);
    assert.deepEqual(await read(kafka, all, 9), ['x1', 'x2', 'keep1', 'keep2', 'plain', 'x3', 'keep3']);
    await kafka.run(Promise.all([committed.close(), all.close()]));
  });

  it('serves partitions in turn', async () => {
    const kafka = new FakeKafka(3);
    for (let partition = 0; partition < 3; partition++)
      kafka.append(
        partition,
        Array.from({ length: 6 }, (_, index) => `${partition}.${index}`),
      );
    const consumer = assigned(kafka, { maxPollRecords: 2 });
    const order: number[] = [];
    await kafka.run(
      (async () => {
        for await (const batch of consumer.batches()) {
          order.push(batch.partition);
          if (order.length === 9) break;
        }
      })(),
    );
    assert.deepEqual(order.slice(0, 3).sort(), [0, 1, 2]);
    assert.deepEqual(order.slice(3, 6), order.slice(0, 3));
    await kafka.run(consumer.close());
  });

  it('throws away what arrives for the old position after a seek', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    let release: (answer: FakeAnswer) => void = () => undefined;
    let isFirst = true;
    kafka.intercept = (request) => {
      if (request.api !== 'Fetch' || !isFirst) return undefined;
      isFirst = false;
      return new Promise((resolve) => {
        release = () => resolve(kafka.fetchAnswer(request).answer);
      });
    };
    const consumer = assigned(kafka);
    const polled = consumer.poll({ timeoutMs: 5000 });
    await kafka.clock.advance(100);
    consumer.seek({ ...t0, offset: 2n });
    release({});
    assert.deepEqual(
      (await kafka.run(polled)).map((record) => record.value?.toString()),
      ['c'],
    );
    await kafka.run(consumer.close());
  });

  it('hands out nothing of a paused partition, and everything once it is resumed', async () => {
    const kafka = new FakeKafka(2);
    kafka.append(0, ['a', 'b']);
    kafka.append(1, ['c']);
    const consumer = assigned(kafka);
    consumer.pause(t0);
    assert.deepEqual(await read(kafka, consumer, 3), ['c']);
    assert.deepEqual(consumer.paused(), [t0]);
    consumer.resume(t0);
    assert.deepEqual(await read(kafka, consumer, 2), ['a', 'b']);
    await kafka.run(consumer.close());
  });

  it('stops handing out in the middle of a loop when its partition is paused', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const consumer = assigned(kafka);
    const seen: string[] = [];
    const loop = (async () => {
      for await (const record of consumer) {
        seen.push(record.value?.toString() ?? '');
        if (seen.length === 1) consumer.pause();
      }
    })();
    await kafka.clock.advance(2000);
    assert.deepEqual(seen, ['a']);
    consumer.resume();
    await kafka.clock.advance(2000);
    assert.deepEqual(seen, ['a', 'b', 'c']);
    await kafka.run(consumer.close());
    await loop;
  });

  it('reads until the end as it was when the loop began', async () => {
    const kafka = new FakeKafka(2);
    kafka.append(0, ['a', 'b']);
    const consumer = assigned(kafka);
    const seen: string[] = [];
    await kafka.run(
      (async () => {
        for await (const record of consumer.records({ until: 'end' })) {
          seen.push(record.value?.toString() ?? '');
          kafka.append(0, ['later']);
        }
      })(),
    );
    assert.deepEqual(seen, ['a', 'b']);
    assert.deepEqual(await read(kafka, consumer, 1), ['later']);
    await kafka.run(consumer.close());
  });

  it('keeps what it holds fetched within maxBufferedBytes, one answer aside', async () => {
    const kafka = new FakeKafka(4);
    const value = 'x'.repeat(1000);
    for (let partition = 0; partition < 4; partition++)
      for (let batch = 0; batch < 40; batch++) kafka.append(partition, [value]);
    const asked: number[] = [];
    kafka.intercept = (request) => {
      if (request.api !== 'Fetch') return undefined;
      asked.push(Number(request.message['maxBytes']));
      const topics = request.message['topics'] as {
        topicId: string;
        partitions: { partition: number; fetchOffset: bigint }[];
      }[];
      const responses = topics.map(({ topicId, partitions }) => ({
        topicId,
        partitions: partitions.map(({ partition, fetchOffset }) => ({
          partitionIndex: partition,
          highWatermark: 40n,
          records: kafka.logs[partition]?.[Number(fetchOffset)]?.bytes ?? null,
        })),
      }));
      return { responses };
    };
    const consumer = assigned(kafka, { maxBufferedBytes: 5000, maxPartitionFetchBytes: 2000 });
    const first = await kafka.run(consumer.poll({ maxRecords: 1 }));
    assert.equal(first.length, 1);
    await kafka.clock.advance(10_000);
    const fetches = asked.length;
    await kafka.clock.advance(10_000);
    assert.equal(asked.length, fetches, 'nothing is fetched while the buffer is full');
    assert.ok(fetches <= 2, `${fetches} fetches of 4 kB each went into 5 kB`);
    assert.equal((await read(kafka, consumer, 159)).length, 159);
    await kafka.run(consumer.close());
  });
});

describe('Consumer against a broker that lies', () => {
  it('fetches a corrupt batch again, tells the read in the end, and goes on once it is good', async () => {
    const kafka = new FakeKafka();
    const bad = batchOf(['b'], { baseOffset: 1n });
    bad[bad.length - 1] = (bad[bad.length - 1] ?? 0) ^ 0xff;
    kafka.append(0, ['a']);
    kafka.store(0, bad, 2n);
    const consumer = assigned(kafka);
    assert.deepEqual(await read(kafka, consumer, 1), ['a']);
    await assert.rejects(kafka.run(consumer.poll({ timeoutMs: 20_000 })), hasCode('CORRUPT_BATCH'));
    assert.equal(consumer.position(t0), 1n);
    kafka.logs[0] = [];
    kafka.append(0, ['a']);
    kafka.append(0, ['b']);
    assert.deepEqual(await read(kafka, consumer, 1), ['b']);
    await kafka.run(consumer.close());
  });

  it('takes a batch with a wrong checksum if checkCrcs is false', async () => {
    const kafka = new FakeKafka();
    const bad = batchOf(['b']);
    bad[17] = (bad[17] ?? 0) ^ 0xff;
    kafka.store(0, bad, 1n);
    const consumer = assigned(kafka, { checkCrcs: false });
    assert.deepEqual(await read(kafka, consumer, 1), ['b']);
    await kafka.run(consumer.close());
  });

  it('refuses a decompression bomb with an error, in bounded memory', async () => {
    const kafka = new FakeKafka();
    const compressed = gzipSync(Buffer.alloc(80 * 1024 * 1024));
    kafka.append(0, ['x'], { compression: 'gzip', compressed });
    const consumer = assigned(kafka);
    // The thread pool inflates in its own time, whatever the fake clock says.
    const untilError = async (): Promise<void> => {
      for (let tries = 0; tries < 200; tries++) await consumer.poll({ timeoutMs: 1000 });
    };
    await assert.rejects(
      kafka.run(untilError(), 50, 100_000),
      (error) => isKafkaError(error) && ['CORRUPT_BATCH', 'COMPRESSION_FAILED'].includes(error.code),
    );
    await kafka.run(consumer.close());
  });

  it('ignores partitions that it did not ask for, or that come twice, and takes the answers of the others', async () => {
    const kafka = new FakeKafka();
    kafka.intercept = (request) => {
      if (request.api !== 'Fetch' || kafka.logs[0]?.length !== 0) return undefined;
      kafka.append(0, ['a']);
      const [own] = fetchAnswer(request.message, { records: batchOf(['a']) }).responses;
      const stranger = {
        topicId: 'c3RyYW5nZXItdG9waWMtMA',
        partitions: [{ partitionIndex: 0, records: batchOf(['stranger']) }],
      };
      const unasked = { topicId: own?.topicId, partitions: [{ partitionIndex: 9, records: batchOf(['unasked']) }] };
      return {
        responses: [
          stranger,
          own,
          unasked,
          { ...own, partitions: [{ partitionIndex: 0, records: batchOf(['twice']) }] },
        ],
      };
    };
    const consumer = assigned(kafka);
    assert.deepEqual(await read(kafka, consumer, 9), ['a']);
    await kafka.run(consumer.close());
  });

  it('takes no records from an answer with an error, and backs off', async () => {
    const kafka = new FakeKafka();
    kafka.intercept = (request) =>
      request.api === 'Fetch'
        ? fetchAnswer(request.message, { errorCode: 4242, records: batchOf(['lie']) })
        : undefined;
    const consumer = assigned(kafka);
    assert.deepEqual(await read(kafka, consumer, 1), []);
    assert.ok(kafka.brokers.count('Fetch') <= allowedTries(4000), `${kafka.brokers.count('Fetch')} fetches`);
    await kafka.run(consumer.close());
  });

  it('fetches again although the timer of a pause fires a little too early', async () => {
    const kafka = new FakeKafka();
    let answers = 0;
    kafka.intercept = (request) =>
      request.api === 'Fetch' && answers++ % 2 === 0
        ? fetchAnswer(request.message, { errorCode: codes.UNKNOWN_SERVER_ERROR })
        : undefined;
    const consumer = assigned(kafka);
    kafka.clock.creepMs = 0.5;
    for (let round = 0; round < 20; round++) {
      kafka.clock.earlyMs = round / 10;
      kafka.append(0, [`v${round}`]);
      const [record] = await kafka.run(consumer.poll({ timeoutMs: 20_000 }));
      assert.equal(record?.value?.toString(), `v${round}`);
    }
    await kafka.run(consumer.close());
  });

  it('backs off when its partition is missing from the answers', async () => {
    const kafka = new FakeKafka();
    kafka.intercept = (request) => (request.api === 'Fetch' ? { responses: [] } : undefined);
    const consumer = assigned(kafka);
    assert.deepEqual(await read(kafka, consumer, 1), []);
    assert.ok(kafka.brokers.count('Fetch') <= allowedTries(4000), `${kafka.brokers.count('Fetch')} fetches`);
    await kafka.run(consumer.close());
  });

  it('does not go back when an answer ends before the offset that was asked for', async () => {
    const kafka = new FakeKafka();
    kafka.intercept = (request) =>
      request.api === 'Fetch' ? fetchAnswer(request.message, { records: batchOf(['old']) }) : undefined;
    const consumer = assigned(kafka);
    consumer.seek({ ...t0, offset: 5n });
    assert.deepEqual(await read(kafka, consumer, 1), []);
    assert.equal(consumer.position(t0), 5n);
    await kafka.run(consumer.close());
  });

  for (const name of [
    'NOT_LEADER_OR_FOLLOWER',
    'UNKNOWN_TOPIC_ID',
    'KAFKA_STORAGE_ERROR',
    'UNKNOWN_SERVER_ERROR',
  ] as const) {
    it(`sends no more fetches than the back-off allows when each is answered ${name}`, async () => {
      const kafka = new FakeKafka();
      kafka.intercept = (request) =>
        request.api === 'Fetch' ? fetchAnswer(request.message, { errorCode: codes[name] }) : undefined;
      const consumer = assigned(kafka);
      const polled = consumer.poll({ timeoutMs: 10_000 });
      assert.deepEqual(await kafka.run(polled), []);
      assert.ok(kafka.brokers.count('Fetch') <= allowedTries(11_000), `${kafka.brokers.count('Fetch')} fetches`);
      assert.ok(
        kafka.brokers.count('Metadata') <= allowedTries(11_000) + 1,
        `${kafka.brokers.count('Metadata')} metadata requests`,
      );
      await kafka.run(consumer.close());
    });
  }

  it('rejects the read when the topic may not be read', async () => {
    const kafka = new FakeKafka();
    kafka.intercept = (request) =>
      request.api === 'Fetch'
        ? fetchAnswer(request.message, { errorCode: codes.TOPIC_AUTHORIZATION_FAILED })
        : undefined;
    const consumer = assigned(kafka);
    await assert.rejects(kafka.run(consumer.poll({ timeoutMs: 10_000 })), hasCode('TOPIC_AUTHORIZATION_FAILED'));
    await kafka.run(consumer.close());
  });
});

describe('Consumer in a group', () => {
  function subscribed(kafka: FakeKafka, options: Parameters<FakeKafka['consumer']>[0] = {}, listener = {}): Consumer {
    const { consumer } = kafka.consumer({ groupId: 'g', ...options });
    consumer.subscribe('t', listener);
    return consumer;
  }

  it('does no IO before the first read', async () => {
    const kafka = new FakeKafka();
    const consumer = subscribed(kafka);
    await kafka.clock.advance(10_000);
    assert.deepEqual(kafka.brokers.requests, []);
    await kafka.run(consumer.close());
    assert.deepEqual(kafka.brokers.requests, []);
  });

  it('reads on from the offset of the group, and commits by itself what is processed, never what is in hand', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c', 'd']);
    kafka.committed.set(0, 1n);
    const consumer = subscribed(kafka, { autoCommitIntervalMs: 1000 });
    assert.deepEqual(await read(kafka, consumer, 1), ['b']);
    await kafka.clock.advance(1100);
    assert.equal(kafka.committed.get(0), 1n, 'b is in hand');
    assert.deepEqual(await read(kafka, consumer, 1), ['c']);
    await kafka.clock.advance(1100);
    assert.equal(kafka.committed.get(0), 2n, 'b is processed, c is in hand');
    await kafka.run(consumer.close());
    assert.equal(kafka.committed.get(0), 2n);
  });

  it('commit() takes in what is in hand', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const consumer = subscribed(kafka, { autoCommit: false });
    await read(kafka, consumer, 2);
    await kafka.run(consumer.commit());
    assert.equal(kafka.committed.get(0), 2n);
    await kafka.run(consumer.close());
  });

  it('commit() in the listener of a close() inside the body leaves what the body has in hand', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const consumer: Consumer = subscribed(
      kafka,
      { autoCommit: false },
      { onPartitionsRevoked: () => consumer.commit() },
    );
    await kafka.run(
      (async () => {
        for await (const record of consumer) if (record.offset === 1n) await consumer.close();
      })(),
    );
    assert.equal(kafka.committed.get(0), 1n);
  });

  it('runs listeners only while a reader waits, and commits in the revocation succeed', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const calls: string[] = [];
    const listener = {
      onPartitionsAssigned: () => void calls.push('assigned'),
      onPartitionsRevoked: async () => {
        await consumer.commit();
        calls.push('revoked');
      },
    };
    const consumer: Consumer = subscribed(kafka, { autoCommit: false }, listener);
    await read(kafka, consumer, 1);
    assert.deepEqual(calls, ['assigned']);
    kafka.heartbeatCode = codes.REBALANCE_IN_PROGRESS;
    await kafka.clock.advance(7000);
    assert.deepEqual(calls, ['assigned'], 'the user has a record in hand');
    assert.deepEqual(await read(kafka, consumer, 1), ['b']);
    assert.deepEqual(calls, ['assigned', 'revoked', 'assigned']);
    assert.equal(kafka.committed.get(0), 1n);
    const commit = kafka.brokers.requests.find((request) => request.api === 'OffsetCommit');
    assert.equal(commit?.message['generationIdOrMemberEpoch'], 1);
    await kafka.run(consumer.close());
  });

  it('tells onPartitionsLost when the coordinator has forgotten the member, and refuses commits of the old assignment', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const calls: string[] = [];
    const consumer = subscribed(
      kafka,
      {},
      { onPartitionsLost: () => void calls.push('lost'), onPartitionsRevoked: () => void calls.push('revoked') },
    );
    const [batch] = (await kafka.run(consumer.poll({ maxRecords: 1 }))).batches;
    assert.ok(batch);
    kafka.heartbeatCode = codes.UNKNOWN_MEMBER_ID;
    await kafka.clock.advance(4000);
    const commits = kafka.brokers.count('OffsetCommit');
    await assert.rejects(consumer.commit(batch), hasCode('PARTITION_NOT_OWNED'));
    await assert.rejects(consumer.commit([{ ...t0, offset: 1 }]), hasCode('PARTITION_NOT_OWNED'));
    assert.equal(kafka.brokers.count('OffsetCommit'), commits, 'nothing is sent');
    assert.deepEqual(await read(kafka, consumer, 1), ['a'], 'it was not committed: it comes again');
    assert.deepEqual(calls, ['lost']);
    await kafka.run(consumer.close());
  });

  it('sends nothing of a commit that still waited for its turn when the assignment ended', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const consumer = subscribed(kafka, { autoCommit: false });
    const records = await kafka.run(consumer.poll());
    let release: () => void = () => undefined;
    kafka.intercept = (request) => {
      if (request.api !== 'OffsetCommit') return undefined;
      return new Promise((resolve) => (release = () => resolve({ topics: [] })));
    };
    const first = consumer.commit(records);
    const second = assert.rejects(consumer.commit(records), hasCode('PARTITION_NOT_OWNED'));
    await settle();
    kafka.heartbeatCode = codes.UNKNOWN_MEMBER_ID;
    await kafka.clock.advance(4000);
    release();
    await kafka.run(first);
    await kafka.run(second);
    assert.equal(kafka.brokers.count('OffsetCommit'), 1);
    kafka.intercept = () => undefined;
    await kafka.run(consumer.close());
  });

  it('rejoins when the coordinator refuses a commit, and says that the partition is not owned', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a']);
    const consumer = subscribed(kafka, { autoCommit: false });
    const records = await kafka.run(consumer.poll());
    kafka.intercept = (request) => {
      if (request.api !== 'OffsetCommit') return undefined;
      return { topics: [{ name: 't', partitions: [{ partitionIndex: 0, errorCode: codes.ILLEGAL_GENERATION }] }] };
    };
    await assert.rejects(kafka.run(consumer.commit(records)), hasCode('PARTITION_NOT_OWNED'));
    kafka.intercept = () => undefined;
    await read(kafka, consumer, 1);
    assert.equal(kafka.generation, 2);
    await kafka.run(consumer.close());
  });

  it('leaves after maxPollIntervalMs without a read, names what is in hand, and rejoins at the next read', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const { consumer, events } = kafka.consumer({ groupId: 'g', maxPollIntervalMs: 20_000 });
    consumer.subscribe('t');
    const reasons: string[] = [];
    events.on('group.left', ({ reason }) => reasons.push(reason));
    await read(kafka, consumer, 1);
    await kafka.clock.advance(19_000);
    assert.equal(kafka.brokers.count('LeaveGroup'), 0);
    await kafka.clock.advance(5000);
    assert.equal(kafka.brokers.count('LeaveGroup'), 1);
    assert.match(reasons[0] ?? '', /maxPollIntervalMs.*t-0 up to offset 0/);
    assert.deepEqual(await read(kafka, consumer, 1), ['a']);
    await kafka.run(consumer.close());
  });

  it('does not leave while a loop with a slow body keeps asking', async () => {
    const kafka = new FakeKafka();
    kafka.append(
      0,
      Array.from({ length: 20 }, (_, index) => `${index}`),
    );
    const consumer = subscribed(kafka, { maxPollIntervalMs: 10_000 });
    let seen = 0;
    const loop = (async () => {
      for await (const record of consumer) {
        seen++;
        if (record.offset === 19n) break;
        await new Promise<void>((resolve) => kafka.clock.setTimer(resolve, 4000));
      }
    })();
    await kafka.run(loop, 1000);
    assert.equal(seen, 20);
    assert.equal(kafka.brokers.count('LeaveGroup'), 0);
    assert.equal(kafka.generation, 1);
    await kafka.run(consumer.close());
  });

  it('rejects the read with what a listener throws, and goes on', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a']);
    let isFirst = true;
    const onPartitionsAssigned = (): void => {
      if (!isFirst) return;
      isFirst = false;
      throw new Error('listener');
    };
    const consumer = subscribed(kafka, {}, { onPartitionsAssigned });
    await assert.rejects(kafka.run(consumer.poll()), /listener/);
    assert.deepEqual(await read(kafka, consumer, 1), ['a']);
    await kafka.run(consumer.close());
  });

  it('seeks made in onPartitionsAssigned count', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const consumer: Consumer = subscribed(
      kafka,
      {},
      { onPartitionsAssigned: () => consumer.seek({ ...t0, offset: 2n }) },
    );
    assert.deepEqual(await read(kafka, consumer, 1), ['c']);
    await kafka.run(consumer.close());
  });

  it('leaves the group with a reason at close, and calls after it reject CLOSED', async () => {
    const kafka = new FakeKafka();
    const { consumer, cluster } = kafka.consumer({ groupId: 'g' });
    consumer.subscribe('t');
    await kafka.run(consumer.waitForAssignment());
    await kafka.run(consumer.close());
    await consumer.close();
    const [leave] = kafka.brokers.requests.filter((request) => request.api === 'LeaveGroup');
    assert.deepEqual(leave?.message['members'], [{ memberId: 'm-1', reason: 'the consumer is being closed' }]);
    await assert.rejects(consumer.poll(), hasCode('CLOSED'));
    await assert.rejects(consumer.commit(), hasCode('CLOSED'));
    assert.throws(() => consumer.subscribe('t'), hasCode('CLOSED'));
    assert.deepEqual(kafka.brokers.closedLanes.filter((lane) => /^(fetch|group)-/.test(lane)).length, 2);
    await cluster.close();
    await kafka.clock.advance(1000); // the fake broker's own long poll
    assert.equal(kafka.clock.pending, 0, 'no timer is left');
  });

  for (const name of [
    'COORDINATOR_LOAD_IN_PROGRESS',
    'NOT_COORDINATOR',
    'UNKNOWN_MEMBER_ID',
    'REBALANCE_IN_PROGRESS',
  ] as const) {
    it(`sends no more joins than the back-off allows when each is answered ${name}`, async () => {
      const kafka = new FakeKafka();
      kafka.intercept = (request) =>
        request.api === 'JoinGroup' ? { errorCode: codes[name], protocolName: '' } : undefined;
      const consumer = subscribed(kafka);
      assert.deepEqual(await kafka.run(consumer.poll({ timeoutMs: 10_000 })), []);
      // One more is free: the first REBALANCE_IN_PROGRESS in a row is answered at once.
      assert.ok(
        kafka.brokers.count('JoinGroup') <= allowedTries(11_000) + 1,
        `${kafka.brokers.count('JoinGroup')} joins`,
      );
      assert.ok(
        kafka.brokers.count('FindCoordinator') <= allowedTries(11_000) + 1,
        `${kafka.brokers.count('FindCoordinator')} look-ups`,
      );
      await kafka.run(consumer.close());
    });
  }

  it('as leader gives nothing to a member whose subscription cannot be read, and leaves no partition unread', async () => {
    const kafka = new FakeKafka(3);
    let assignments: readonly { memberId: string; assignment: Buffer }[] = [];
    kafka.intercept = (request) => {
      if (request.api === 'SyncGroup') assignments = request.message['assignments'] as typeof assignments;
      if (request.api !== 'JoinGroup' || request.message['memberId'] === '') return undefined;
      const [protocol] = request.message['protocols'] as { metadata: Buffer }[];
      const good = { memberId: 'm-1', metadata: protocol?.metadata };
      const bad = { memberId: 'bad', metadata: Buffer.from([0, 3, 0x7f, 0xff, 0xff, 0xff]) };
      return { generationId: 1, protocolName: 'range', leader: 'm-1', memberId: 'm-1', members: [bad, good, good] };
    };
    const consumer = subscribed(kafka);
    assert.equal((await kafka.run(consumer.waitForAssignment())).length, 3);
    assert.deepEqual(assignments.map(({ memberId }) => memberId).sort(), ['bad', 'm-1']);
    await kafka.run(consumer.close());
  });

  it('leaves assigned partitions alone that are negative, doubled or not subscribed', async () => {
    const kafka = new FakeKafka();
    const { encodeAssignment } = await import('../../../src/consumer/group/consumer-protocol.ts');
    kafka.intercept = (request) =>
      request.api === 'SyncGroup'
        ? {
            protocolName: 'range',
            assignment: encodeAssignment([t0, t0, { topic: 't', partition: -1 }, { topic: 'other', partition: 0 }]),
          }
        : undefined;
    const consumer = subscribed(kafka);
    assert.deepEqual(await kafka.run(consumer.waitForAssignment()), [t0]);
    await kafka.run(consumer.close());
  });
});

describe('Consumer and its reader', () => {
  it('refuses a second read while one is under way, and while a loop is open', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const consumer = assigned(kafka);
    const first = consumer.poll({ maxRecords: 1 });
    await assert.rejects(consumer.poll(), hasCode('CONSUMER_BUSY'));
    await kafka.run(first);
    await kafka.run(
      (async () => {
        for await (const record of consumer) {
          await assert.rejects(consumer.poll(), hasCode('CONSUMER_BUSY'));
          assert.equal(record.offset, 1n);
          break;
        }
      })(),
    );
    await kafka.run(consumer.poll({ timeoutMs: 10 }));
    await kafka.run(consumer.close());
  });

  it('delivers again what was in hand when a loop broke or threw', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const consumer = assigned(kafka);
    const until = async (offset: bigint, end: () => boolean): Promise<bigint[]> => {
      const seen: bigint[] = [];
      for await (const record of consumer) {
        seen.push(record.offset);
        if (record.offset === offset && end()) break;
      }
      return seen;
    };
    assert.deepEqual(await kafka.run(until(1n, () => true)), [0n, 1n]);
    await assert.rejects(
      kafka.run(
        until(1n, () => {
          throw new Error('body');
        }),
      ),
      /body/,
    );
    assert.deepEqual(await kafka.run(until(2n, () => true)), [1n, 2n]);
    await kafka.run(consumer.close());
  });

  it('does not deliver again what commit() took in after a break', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const consumer = assigned(kafka, { groupId: 'g', autoCommit: false });
    await kafka.run(
      (async () => {
        for await (const _ of consumer) break;
      })(),
    );
    await kafka.run(consumer.commit());
    assert.equal(kafka.committed.get(0), 1n);
    assert.deepEqual(await read(kafka, consumer, 1), ['b']);
    await kafka.run(consumer.close());
  });

  it('delivers a poll result again after rewind()', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const consumer = assigned(kafka);
    await read(kafka, consumer, 2);
    consumer.rewind();
    assert.deepEqual(await read(kafka, consumer, 2), ['a', 'b']);
    await kafka.run(consumer.close());
  });

  it('a limit ends the loop after the last record was asked behind, so that it is processed', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const consumer = assigned(kafka, { groupId: 'g' });
    const seen: bigint[] = [];
    await kafka.run(
      (async () => {
        for await (const record of consumer.records({ limit: 2 })) seen.push(record.offset);
      })(),
    );
    assert.deepEqual(seen, [0n, 1n]);
    await kafka.run(consumer.close());
    assert.equal(kafka.committed.get(0), 2n);
  });

  it('an aborted signal ends a loop normally, and rejects a poll with its reason', async () => {
    const kafka = new FakeKafka();
    const consumer = assigned(kafka);
    const stop = new AbortController();
    const loop = (async () => {
      for await (const _ of consumer.records({ signal: stop.signal })) assert.fail('no records');
    })();
    await settle();
    stop.abort();
    await kafka.run(loop);
    const other = new AbortController();
    const polled = consumer.poll({ timeoutMs: 60_000, signal: other.signal });
    await settle();
    other.abort(new Error('enough'));
    await assert.rejects(polled, /enough/);
    await kafka.run(consumer.close());
  });

  it('close() ends a waiting loop normally and rejects a waiting poll', async () => {
    const kafka = new FakeKafka();
    const looping = assigned(kafka);
    const loop = (async () => {
      for await (const _ of looping) assert.fail('no records');
    })();
    await kafka.clock.advance(1000);
    await kafka.run(looping.close());
    await loop;
    const polling = assigned(kafka);
    const polled = assert.rejects(polling.poll({ timeoutMs: 60_000 }), hasCode('CLOSED'));
    await kafka.clock.advance(1000);
    await kafka.run(polling.close());
    await polled;
  });

  it('waits for minRecords, and gives less at the end of timeoutMs', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const consumer = assigned(kafka);
    const polled = consumer.poll({ minRecords: 3, timeoutMs: 60_000 });
    await kafka.clock.advance(5000);
    kafka.append(0, ['c', 'd']);
    assert.equal((await kafka.run(polled)).length, 4);
    kafka.append(0, ['e']);
    const startMs = kafka.clock.nowMs();
    assert.equal((await kafka.run(consumer.poll({ minRecords: 3, timeoutMs: 2000 }))).length, 1);
    assert.ok(kafka.clock.nowMs() - startMs >= 1900);
    await kafka.run(consumer.close());
  });

  it('refuses to read before anything is subscribed or assigned, and to mix the two', async () => {
    const kafka = new FakeKafka();
    const { consumer } = kafka.consumer({ groupId: 'g' });
    await assert.rejects(consumer.poll(), hasCode('INVALID_STATE'));
    consumer.assign([t0]);
    assert.throws(() => consumer.subscribe('t'), hasCode('INVALID_STATE'));
    const { consumer: other } = kafka.consumer();
    assert.throws(() => other.subscribe('t'), hasCode('INVALID_STATE'));
    await assert.rejects(other.commit(), hasCode('INVALID_STATE'));
    await kafka.run(consumer.close());
  });
});

describe('Consumer and its deserializers', () => {
  const strict = {
    deserialize: (data: Buffer | null): string => {
      if (data?.toString() === 'bad') throw new Error('no good');
      return data?.toString().toUpperCase() ?? 'NULL';
    },
  };

  it('hands out what a promise brings, in order, as plain values', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['slow', 'fast']);
    const deserialize = async (data: Buffer | null): Promise<string> => {
      if (data?.toString() === 'slow') await settle();
      return data?.toString() ?? '';
    };
    const { consumer } = kafka.consumer({ value: { deserialize } as never });
    consumer.assign([t0]);
    const records = await kafka.run(consumer.poll());
    assert.deepEqual(
      records.map((record) => record.value),
      ['slow', 'fast'] as never,
    );
    await kafka.run(consumer.close());
  });

  it('fails the read at a bad record, after the good ones before it, again and again until a seek', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'bad', 'c']);
    const { consumer } = kafka.consumer({ value: strict as never });
    consumer.assign([t0]);
    assert.deepEqual(
      (await kafka.run(consumer.poll())).map((record) => record.value),
      ['A'] as never,
    );
    for (let time = 0; time < 2; time++) {
      await assert.rejects(
        kafka.run(consumer.poll({ timeoutMs: 5000 })),
        (error) => hasCode('DESERIALIZATION_FAILED')(error) && /value of t-0 at offset 1: no good/.test(String(error)),
      );
    }
    consumer.seek({ ...t0, offset: 2n });
    assert.deepEqual(
      (await kafka.run(consumer.poll())).map((record) => record.value),
      ['C'] as never,
    );
    await kafka.run(consumer.close());
  });

  it('skips a bad record with skip, and counts it as processed', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'bad']);
    const { consumer } = kafka.consumer({ value: strict as never, onDeserializationError: 'skip', groupId: 'g' });
    consumer.assign([t0]);
    assert.deepEqual(
      (await kafka.run(consumer.poll())).map((record) => record.value),
      ['A'] as never,
    );
    assert.deepEqual(await kafka.run(consumer.poll()), []);
    await kafka.run(consumer.close());
    assert.equal(kafka.committed.get(0), 2n);
  });

  it('asks a callback, which may give a value or another try', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['bad', 'flaky']);
    let tries = 0;
    const flaky = {
      deserialize: (data: Buffer | null): string => {
        if (data?.toString() === 'flaky' && ++tries < 3) throw new Error('flaky');
        return strict.deserialize(data);
      },
    };
    const raw: string[] = [];
    const { consumer } = kafka.consumer({
      value: flaky as never,
      onDeserializationError: async ({ record }) => {
        raw.push(record.valueBytes?.toString() ?? '');
        return record.offset === 0n ? { value: 'instead' as never } : 'retry';
      },
    });
    consumer.assign([t0]);
    assert.deepEqual(
      (await kafka.run(consumer.poll())).map((record) => record.value),
      ['instead', 'FLAKY'] as never,
    );
    assert.deepEqual(raw, ['bad', 'flaky', 'flaky']);
    await kafka.run(consumer.close());
  });

  it('runs a lazy deserializer only when the value is read, and once', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a']);
    let runs = 0;
    const { consumer } = kafka.consumer({ value: { lazy: true, deserialize: () => ++runs } as never });
    consumer.assign([t0]);
    const [record] = await kafka.run(consumer.poll());
    assert.equal(runs, 0);
    assert.equal(record?.value, 1 as never);
    assert.equal(record?.value, 1 as never);
    await kafka.run(consumer.close());
  });
});

/** The answer to a fetch of one partition. */
function fetchAnswer(
  message: Readonly<Record<string, unknown>>,
  data: Record<string, unknown>,
): { responses: { topicId: string; partitions: unknown[] }[] } {
  const [topic] = message['topics'] as { topicId: string; partitions: { partition: number }[] }[];
  const partitionIndex = topic?.partitions[0]?.partition ?? 0;
  return {
    responses: [{ topicId: topic?.topicId ?? '', partitions: [{ partitionIndex, highWatermark: 10n, ...data }] }],
  };
}
