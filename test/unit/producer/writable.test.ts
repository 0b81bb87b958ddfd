import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import { UsageError } from '../../../src/errors/kafka-error.ts';
import { SendError } from '../../../src/errors/send-error.ts';
import type { ProducerRecord } from '../../../src/model/producer-record.ts';
import type { ProducerOptions } from '../../../src/producer/options.ts';
import { Producer } from '../../../src/producer/producer.ts';
import { FakeCluster } from './fake-cluster.ts';

function setUp(options: ProducerOptions = {}): { cluster: FakeCluster; producer: Producer } {
  const cluster = new FakeCluster();
  cluster.addTopic('t', 1, { isKnown: true });
  cluster.onRequest = (pending) => cluster.clock.setTimer(() => pending.answer(), 5);
  return { cluster, producer: new Producer(cluster, options) };
}

/** Records without end, and how many of them were taken. */
function source(valueBytes: number, end = Infinity): { taken: number; records: Iterable<ProducerRecord> } {
  const counted = {
    taken: 0,
    *[Symbol.iterator](): Generator<ProducerRecord> {
      while (counted.taken < end) yield { topic: 't', value: `${counted.taken++} ${'x'.repeat(valueBytes)}` };
    },
  };
  return Object.assign(counted, { records: counted });
}

/** Lets the streams and the cluster work until `promise` settles. */
async function drive<T>(cluster: FakeCluster, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settled = promise.finally(() => (isSettled = true));
  settled.catch(() => undefined);
  for (let turn = 0; !isSettled && turn < 10_000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await cluster.clock.advance(10);
  }
  assert.ok(isSettled, 'it did not end');
  return settled;
}

describe('Producer.writable', () => {
  it('writable writes what comes through a pipeline, in order, and finishes when all of it is acknowledged', async () => {
    const { cluster, producer } = setUp({ lingerMs: 10_000 });
    const { records } = source(10, 5000);
    const begunMs = cluster.clock.nowMs();
    await drive(cluster, pipeline(Readable.from(records), producer.writable()));
    assert.ok(cluster.clock.nowMs() - begunMs < 5000, 'it does not wait for the linger to end');
    const { values } = cluster.log('t', 0);
    assert.equal(values.length, 5000);
    assert.ok(values.every((value, at) => value?.startsWith(`${at} `)));
    const sent = producer.send({ topic: 't', value: 'afterwards' });
    await cluster.clock.advance(20_000);
    assert.equal((await sent).offset, 5000n, 'the producer is still open');
  });

  it('writable does not finish before the last acknowledgement', async () => {
    const { cluster, producer } = setUp();
    cluster.onRequest = undefined;
    const stream = producer.writable();
    stream.end({ topic: 't', value: 'x' });
    await cluster.clock.advance(1000);
    assert.deepEqual([cluster.pending.length, stream.writableFinished], [1, false]);
    cluster.pending[0]?.answer();
    await drive(cluster, finished(stream));
    assert.equal(stream.writableFinished, true);
  });

  it('writable takes no more than highWaterMarkBytes, and goes on as they are acknowledged', async () => {
    for (const [highWaterMarkBytes, limit] of [
      [20_000, 20_000],
      [undefined, 100_000],
    ] as const) {
      const { cluster, producer } = setUp({
        bufferMemoryBytes: 100_000,
        maxRequestBytes: 50_000,
        batchSizeBytes: 5000,
      });
      cluster.onRequest = undefined;
      const counted = source(1000);
      const stream = producer.writable({ highWaterMarkBytes });
      const abort = new AbortController();
      const piped = pipeline(Readable.from(counted.records), stream, { signal: abort.signal });
      piped.catch(() => undefined);
      const settle = async (): Promise<void> => {
        for (let turn = 0; turn < 200; turn++) {
          await new Promise((resolve) => setImmediate(resolve));
          await cluster.clock.advance(1);
        }
      };
      await settle();
      // Beside what the producer holds, the two streams of the pipeline hold 16 records each.
      const before = counted.taken;
      assert.ok(before > (limit / 1300) * 0.5 && before < limit / 1000 + 36, `${before} records taken`);
      await settle();
      assert.equal(counted.taken, before, 'it waits');
      for (let round = 0; round < 20 && counted.taken === before; round++) {
        for (const pending of [...cluster.pending]) pending.answer();
        await settle();
      }
      assert.ok(counted.taken > before, 'it goes on');
      abort.abort();
      await assert.rejects(piped, { name: 'AbortError' });
    }
  });

  it('writable is destroyed by a record that is not delivered, with its error', async () => {
    const { cluster, producer } = setUp();
    const records = [
      { topic: 't', value: 'good' },
      { topic: 't', value: 5 },
      { topic: 't', value: 'not written any more' },
    ];
    const slow = async function* (): AsyncGenerator<unknown> {
      for (const record of records) {
        yield record;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const stream = producer.writable();
    await assert.rejects(drive(cluster, pipeline(slow, stream)), (error: unknown) => {
      assert.ok(error instanceof SendError);
      assert.match(error.message, /Cannot send to topic "t": number given for its value/);
      return error.code === 'INVALID_ARGUMENT';
    });
    assert.equal(stream.destroyed, true);
    await cluster.clock.advance(1000);
    assert.deepEqual(cluster.log('t', 0).values, ['good']);
    await producer.flush();
  });

  it('writable ends with its signal; what it has taken goes on', async () => {
    const { cluster, producer } = setUp();
    const abort = new AbortController();
    const stream = producer.writable({ signal: abort.signal });
    stream.write({ topic: 't', value: 'taken' });
    abort.abort();
    await assert.rejects(finished(stream), { name: 'AbortError' });
    await cluster.clock.advance(1000);
    assert.deepEqual(cluster.log('t', 0).values, ['taken']);
  });

  it('writable is destroyed if the producer is closed before it has ended', async () => {
    const { cluster, producer } = setUp();
    const stream = producer.writable();
    const closed = producer.close();
    await cluster.clock.advance(100);
    await closed;
    stream.write({ topic: 't', value: 'late' });
    await assert.rejects(finished(stream), (error: unknown) => error instanceof SendError && error.code === 'CLOSED');
    assert.throws(() => producer.writable(), { code: 'CLOSED' });
  });

  it('writable refuses options that it does not have', () => {
    const { producer } = setUp();
    assert.throws(
      () => producer.writable({ highWaterMark: 5 } as never),
      (error: unknown) => error instanceof UsageError && /use highWaterMarkBytes/.test(error.message),
    );
    assert.throws(() => producer.writable({ highWaterMarkBytes: 0 }), { code: 'INVALID_OPTION' });
  });
});
