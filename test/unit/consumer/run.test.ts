import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Consumer, RebalanceListener } from '../../../src/consumer/consumer.ts';
import type { ConsumerBatch } from '../../../src/consumer/consumer-batch.ts';
import type { ConsumerRecord } from '../../../src/consumer/consumer-record.ts';
import type { HandlerContext } from '../../../src/consumer/run-options.ts';
import { brokerErrorCodes as codes } from '../../../src/errors/broker-error-codes.ts';
import { isKafkaError } from '../../../src/errors/kafka-error.ts';
import { deferred, type Deferred } from '../../../src/util/deferred.ts';
import { settle } from '../../support/fake-clock.ts';
import { FakeKafka } from './fake-kafka.ts';

const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;
const text = ({ value }: ConsumerRecord): string => value?.toString() ?? 'null';
const placed = (record: ConsumerRecord): string => `${record.partition}:${text(record)}`;

function kafkaWith(...partitions: readonly (readonly string[])[]): FakeKafka {
  const kafka = new FakeKafka(partitions.length);
  for (const [partition, values] of partitions.entries()) for (const value of values) kafka.append(partition, [value]);
  return kafka;
}

function assigned(kafka: FakeKafka, options: Parameters<FakeKafka['consumer']>[0] = {}): Consumer {
  const { consumer } = kafka.consumer({ groupId: 'g', autoCommit: false, ...options });
  consumer.assign(kafka.logs.map((_, partition) => ({ topic: 't', partition })));
  return consumer;
}

function subscribed(
  kafka: FakeKafka,
  options: Parameters<FakeKafka['consumer']>[0] = {},
  listener: RebalanceListener = {},
): ReturnType<FakeKafka['consumer']> {
  const made = kafka.consumer({ groupId: 'g', ...options });
  made.consumer.subscribe('t', listener);
  return made;
}

/** Handlers that end when the test says so. */
class Gate {
  readonly begun: string[] = [];
  readonly contexts: HandlerContext[] = [];
  readonly #open: Deferred<undefined>[] = [];

  get atWork(): number {
    return this.#open.length;
  }

  readonly handler = async (record: ConsumerRecord, context: HandlerContext): Promise<void> => {
    this.begun.push(placed(record));
    this.contexts.push(context);
    const done = deferred<undefined>();
    this.#open.push(done);
    await done.promise;
  };

  end(error?: unknown): void {
    const first = this.#open.shift();
    if (error === undefined) first?.resolve(undefined);
    else first?.reject(error);
  }
}

describe('Consumer.run', () => {
  it('calls a handler for each record, in the order of each partition, and ends by its signal', async () => {
    const kafka = kafkaWith(['a', 'b', 'c'], ['x', 'y']);
    const consumer = assigned(kafka);
    const seen: string[] = [];
    const stop = new AbortController();
    const eachRecord = (record: ConsumerRecord): void => {
      seen.push(placed(record));
      if (seen.length === 5) stop.abort();
    };
    await kafka.run(consumer.run({ eachRecord, signal: stop.signal }));
    assert.deepEqual(
      seen.filter((each) => each.startsWith('0')),
      ['0:a', '0:b', '0:c'],
    );
    assert.deepEqual(
      seen.filter((each) => each.startsWith('1')),
      ['1:x', '1:y'],
    );
    await kafka.run(consumer.close());
  });

  it('calls at most `concurrency` handlers at a time, one per partition', async () => {
    const kafka = kafkaWith(['a', 'b'], ['c', 'd'], ['e', 'f']);
    const consumer = assigned(kafka);
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler, concurrency: 2 });
    await kafka.clock.advance(100);
    assert.equal(gate.atWork, 2);
    assert.equal(new Set(gate.begun.map((each) => each[0])).size, 2, 'two partitions');
    for (let ended = 0; ended < 6; ended++) {
      gate.end();
      await kafka.clock.advance(20);
      assert.ok(gate.atWork <= 2, `${gate.atWork} at work`);
    }
    assert.deepEqual([...gate.begun].sort(), ['0:a', '0:b', '1:c', '1:d', '2:e', '2:f']);
    await kafka.run(consumer.close());
    await run;
  });

  it("without a limit serves every partition, and a slow one does not stop the others ('partition')", async () => {
    const kafka = kafkaWith(['slow', 'later'], ['a', 'b', 'c'], ['x', 'y', 'z']);
    const consumer = assigned(kafka);
    const slow = deferred<undefined>();
    const seen: string[] = [];
    const eachRecord = async (record: ConsumerRecord): Promise<void> => {
      seen.push(text(record));
      if (text(record) === 'slow') await slow.promise;
    };
    const run = consumer.run({ eachRecord, concurrency: 'partition' });
    await kafka.clock.advance(200);
    assert.deepEqual([...seen].sort(), ['a', 'b', 'c', 'slow', 'x', 'y', 'z']);
    slow.resolve(undefined);
    await kafka.clock.advance(50);
    assert.equal(seen.at(-1), 'later');
    await kafka.run(consumer.close());
    await run;
  });

  it('with one handler gives each partition its turn', async () => {
    const kafka = kafkaWith(['a', 'b', 'c'], ['x', 'y', 'z']);
    const consumer = assigned(kafka);
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler });
    await kafka.clock.advance(100);
    for (let ended = 0; ended < 6; ended++) {
      await kafka.clock.advance(20); // longer than a turn
      gate.end();
      await kafka.clock.advance(5);
    }
    assert.deepEqual(
      gate.begun.map((each) => each[0]),
      ['0', '1', '0', '1', '0', '1'],
    );
    await kafka.run(consumer.close());
    await run;
  });

  it('gives each partition its turn, and the event loop too, where handlers answer at once', async () => {
    const many = Array.from({ length: 100 }, (_, index) => String(index));
    const kafka = kafkaWith(many, many);
    const consumer = assigned(kafka);
    const seen: ConsumerRecord[] = [];
    let turnsOfTheLoop = 0;
    const count = (): void => {
      turnsOfTheLoop++;
      if (seen.length < 200) setImmediate(count);
    };
    const run = consumer.run({
      eachRecord: (record) => {
        if (seen.length === 0) setImmediate(count);
        seen.push(record);
        // Each keeps the processor for a millisecond.
        kafka.clock.creepMs = 1;
        kafka.clock.nowMs();
        kafka.clock.creepMs = 0;
      },
    });
    await kafka.clock.advance(500);
    assert.equal(seen.length, 200);
    const lengths = [1];
    for (const [index, { partition }] of seen.slice(1).entries()) {
      if (partition === seen[index]?.partition) lengths[lengths.length - 1] = (lengths.at(-1) ?? 0) + 1;
      else lengths.push(1);
    }
    assert.ok(Math.max(...lengths) < 40, `records in a row: ${lengths.join()}`);
    assert.ok(turnsOfTheLoop >= 4, `${turnsOfTheLoop} turns of the event loop`);
    for (const partition of [0, 1])
      assert.deepEqual(seen.filter((record) => record.partition === partition).map(text), many);
    await kafka.run(consumer.close());
    await run;
  });

  it('asks onError of what a handler throws without a promise, as if it had rejected', async () => {
    const kafka = kafkaWith(['a', 'b']);
    const consumer = assigned(kafka);
    const seen: string[] = [];
    const attempts: number[] = [];
    const run = consumer.run({
      eachRecord: (record): void => {
        seen.push(text(record));
        if (seen.length < 3) throw new Error('not yet');
      },
      onError: (_, { attempt }) => {
        attempts.push(attempt);
        return 'retry';
      },
    });
    await kafka.clock.advance(100);
    assert.deepEqual(
      [seen, attempts],
      [
        ['a', 'a', 'a', 'b'],
        [1, 2],
      ],
    );
    await kafka.run(consumer.close());
    await run;
  });

  it('counts a record as processed when its handler has resolved, and leaves out handlers under way at commit()', async () => {
    const kafka = kafkaWith(['a', 'b'], ['x', 'y']);
    const consumer = assigned(kafka);
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler, concurrency: 2 });
    await kafka.clock.advance(100);
    gate.end();
    await kafka.clock.advance(20);
    await kafka.run(consumer.commit());
    assert.deepEqual([kafka.committed.get(0), kafka.committed.get(1)], [1n, 0n]);
    const closing = consumer.close();
    while (gate.atWork > 0) gate.end();
    await kafka.run(closing);
    await run;
  });

  it('ends with a handler’s error once the others are done, and the next read delivers the record again', async () => {
    const kafka = kafkaWith(['bad', 'b'], ['x', 'y']);
    const consumer = assigned(kafka);
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler, concurrency: 2 });
    let isOver = false;
    run.catch(() => (isOver = true));
    await kafka.clock.advance(100);
    gate.end(new Error('bad'));
    await kafka.clock.advance(50);
    assert.equal(isOver, false, 'the other handler is at work');
    assert.equal(gate.atWork, 1, 'and no new one was begun');
    gate.end();
    await assert.rejects(kafka.run(run), /^Error: bad$/);
    await kafka.run(consumer.commit());
    assert.deepEqual([kafka.committed.get(0), kafka.committed.get(1)], [0n, 1n]);
    const rest = await kafka.run(consumer.poll({ minRecords: 3, timeoutMs: 5000 }));
    assert.deepEqual(rest.map(placed).sort(), ['0:b', '0:bad', '1:y']);
    await kafka.run(consumer.close());
  });

  it('asks onError, and tries again or leaves the record out', async () => {
    const kafka = kafkaWith(['a', 'flaky', 'hopeless', 'b']);
    const consumer = assigned(kafka);
    const calls: string[] = [];
    const eachRecord = (record: ConsumerRecord, { stop }: HandlerContext): void => {
      calls.push(text(record));
      const tries = calls.filter((each) => each === text(record)).length;
      if (text(record) === 'hopeless' || (text(record) === 'flaky' && tries < 3)) throw new Error(text(record));
      if (text(record) === 'b') stop();
    };
    const attempts: string[] = [];
    await kafka.run(
      consumer.run({
        eachRecord,
        onError: async (error, { record, batch, attempt }) => {
          await settle();
          assert.equal(batch, undefined);
          attempts.push(`${record === undefined ? '' : text(record)} ${attempt} ${(error as Error).message}`);
          return record !== undefined && text(record) === 'flaky' ? 'retry' : 'skip';
        },
      }),
    );
    assert.deepEqual(calls, ['a', 'flaky', 'flaky', 'flaky', 'hopeless', 'b']);
    assert.deepEqual(attempts, ['flaky 1 flaky', 'flaky 2 flaky', 'hopeless 1 hopeless']);
    await kafka.run(consumer.commit());
    assert.equal(kafka.committed.get(0), 4n);
    await kafka.run(consumer.close());
  });

  it('hands out batches; what was marked before a throw counts, and retry gives the rest', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c', 'd']);
    const consumer = assigned(kafka);
    const calls: string[][] = [];
    const eachBatch = (batch: ConsumerBatch, { stop }: HandlerContext): void => {
      calls.push(batch.records.map(text));
      const second = batch.records[1];
      if (calls.length < 3 && second !== undefined) {
        if (calls.length === 1) batch.markProcessed(second);
        throw new Error('in the middle');
      }
      stop();
    };
    await assert.rejects(
      kafka.run(consumer.run({ eachBatch, onError: () => (calls.length === 1 ? 'retry' : 'fail') })),
    );
    assert.deepEqual(calls, [
      ['a', 'b', 'c', 'd'],
      ['c', 'd'],
    ]);
    await kafka.run(consumer.commit());
    assert.equal(kafka.committed.get(0), 2n);
    await kafka.run(consumer.run({ eachBatch }));
    assert.deepEqual(calls.at(-1), ['c', 'd'], 'and the next read begins there');
    await kafka.run(consumer.close());
  });

  it('counts what a handler has committed, although it throws then', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const consumer = assigned(kafka);
    const eachRecord = async (record: ConsumerRecord): Promise<void> => {
      await consumer.commit(record);
      throw new Error('after the commit');
    };
    await assert.rejects(kafka.run(consumer.run({ eachRecord })), /after the commit/);
    assert.deepEqual((await kafka.run(consumer.poll({ timeoutMs: 5000 }))).map(text), ['b']);
    await kafka.run(consumer.close());
  });

  it('is the one reader: others reject CONSUMER_BUSY, in handlers too, until it has ended', async () => {
    const kafka = kafkaWith(['a']);
    const consumer = assigned(kafka);
    const inside: unknown[] = [];
    const run = consumer.run({
      eachRecord: async () => {
        await consumer.poll().catch((error: unknown) => inside.push(error));
      },
    });
    await kafka.clock.advance(100);
    assert.ok(hasCode('CONSUMER_BUSY')(inside[0]));
    await assert.rejects(consumer.run({ eachRecord: () => undefined }), hasCode('CONSUMER_BUSY'));
    await kafka.run(consumer.close());
    await run;
    await assert.rejects(consumer.run({ eachRecord: () => undefined }), hasCode('CLOSED'));
  });

  it('lets the user seek and pause meanwhile', async () => {
    const kafka = kafkaWith(['a', 'b', 'c'], ['x', 'y']);
    const consumer = assigned(kafka);
    const seen: string[] = [];
    let sought = false;
    const eachRecord = (record: ConsumerRecord, { stop }: HandlerContext): void => {
      seen.push(placed(record));
      if (text(record) === 'b' && !sought) {
        sought = true;
        consumer.pause({ topic: 't', partition: 1 });
        consumer.seek({ topic: 't', partition: 0, offset: 0 });
      }
      if (text(record) === 'c') stop();
    };
    consumer.pause({ topic: 't', partition: 1 });
    await kafka.run(consumer.run({ eachRecord, concurrency: 2 }));
    assert.deepEqual(seen, ['0:a', '0:b', '0:a', '0:b', '0:c']);
    await kafka.run(consumer.close());
  });

  it('ends with what every read ends with, once its handlers are done', async () => {
    const kafka = kafkaWith(['a']);
    kafka.intercept = ({ api }) =>
      api === 'OffsetFetch'
        ? { groups: [{ groupId: 'g', topics: [], errorCode: codes.GROUP_AUTHORIZATION_FAILED }] }
        : undefined;
    const consumer = assigned(kafka);
    await assert.rejects(
      kafka.run(consumer.run({ eachRecord: () => undefined })),
      hasCode('GROUP_AUTHORIZATION_FAILED'),
    );
    await kafka.run(consumer.close());
  });

  it('refuses options that are wrong, with the nearest name', async () => {
    const consumer = assigned(kafkaWith([]));
    await assert.rejects(consumer.run({}), /either eachRecord or eachBatch/);
    await assert.rejects(consumer.run({ eachRecord: () => 1, eachBatch: () => 1 }), hasCode('INVALID_OPTION'));
    await assert.rejects(
      consumer.run({ eachRecord: () => 1, concurrency: 0 }),
      /concurrency 0: it must be an integer from 1/,
    );
    const kafkaJs = { eachMessage: () => 1 } as object;
    await assert.rejects(consumer.run(kafkaJs), /no such option; use eachRecord/);
    await consumer.close();
  });
});

describe('Consumer.run and close()', () => {
  it('waits for handlers, commits what they have processed, and resolves the run', async () => {
    const kafka = kafkaWith(['a', 'b']);
    const { consumer } = subscribed(kafka);
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler });
    await kafka.clock.advance(500);
    const closing = consumer.close();
    await kafka.clock.advance(1000);
    assert.equal(kafka.committed.get(0), undefined, 'it waits');
    assert.equal(gate.contexts[0]?.signal.aborted, false);
    gate.end();
    await kafka.run(closing);
    assert.equal(kafka.committed.get(0), 1n);
    assert.deepEqual(gate.begun, ['0:a']);
    await run;
  });

  it('waits at most timeoutMs; then their signal aborts, and what is processed is committed all the same', async () => {
    const kafka = kafkaWith(['a', 'b'], ['x']);
    const { consumer } = subscribed(kafka);
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler, concurrency: 2 });
    await kafka.clock.advance(500);
    assert.equal(gate.atWork, 2);
    gate.end();
    await kafka.clock.advance(50);
    const closing = consumer.close({ timeoutMs: 3000 });
    await kafka.clock.advance(2900);
    const signals = gate.contexts.slice(1).map(({ signal }) => signal);
    assert.ok(signals.every(({ aborted }) => !aborted));
    await kafka.clock.advance(200);
    assert.ok(signals.every(({ aborted }) => aborted));
    await kafka.run(closing);
    assert.deepEqual(kafka.committed.get(0), 1n);
    assert.equal(kafka.brokers.count('LeaveGroup'), 1);
    while (gate.atWork > 0) gate.end(new Error('too late'));
    await kafka.run(run);
  });

  it('may be awaited in a handler, which it does not wait for', async () => {
    const kafka = kafkaWith(['a', 'b'], ['x']);
    const { consumer } = subscribed(kafka);
    let handled = 0;
    const run = consumer.run({
      eachRecord: async () => {
        await settle();
        handled++;
        await consumer.close();
      },
    });
    const before = kafka.clock.nowMs();
    await kafka.run(run);
    assert.equal(handled, 1);
    assert.ok(kafka.clock.nowMs() - before < 10_000, 'not by its timeout');
    assert.deepEqual(
      [kafka.committed.get(0) ?? 0n, kafka.committed.get(1) ?? 0n],
      [0n, 0n],
      'what is in hand is not processed',
    );
  });
});

describe('Consumer.run in a group', () => {
  it('at a revocation begins no handler, aborts the signals, awaits handlers, commits, tells the listener, in this order', async () => {
    const kafka = kafkaWith(['a', 'b'], ['x', 'y']);
    const steps: string[] = [];
    const { consumer } = subscribed(
      kafka,
      { autoCommitIntervalMs: 10_000_000 },
      {
        onPartitionsRevoked: () =>
          void steps.push(`revoked, committed ${String(kafka.committed.get(0))} ${String(kafka.committed.get(1))}`),
      },
    );
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler, concurrency: 2 });
    await kafka.clock.advance(500);
    assert.equal(gate.atWork, 2);
    for (const { signal } of gate.contexts) signal.addEventListener('abort', () => steps.push('aborted'));
    kafka.heartbeatCode = codes.REBALANCE_IN_PROGRESS;
    await kafka.clock.advance(4000);
    gate.end();
    await kafka.clock.advance(1000);
    assert.deepEqual(steps, ['aborted', 'aborted'], 'it waits for the second handler');
    assert.equal(gate.begun.length, 2, 'no handler is begun');
    gate.end(new Error('aborted by its signal'));
    await kafka.clock.advance(1000);
    const [first] = gate.begun;
    assert.equal(steps[2], first?.startsWith('0') === true ? 'revoked, committed 1 0' : 'revoked, committed 0 1');
    await kafka.clock.advance(1000);
    assert.ok(gate.begun.length > 2, 'and after the rebalance it goes on');
    assert.equal(gate.begun.filter((each) => each === first).length, 1, 'without what was processed');
    const closing = consumer.close();
    while (gate.atWork > 0) gate.end();
    await kafka.run(closing);
    await run;
  });

  it('is a member as long as each handler takes less than maxPollIntervalMs, however long the run is', async () => {
    const kafka = kafkaWith(['a', 'b', 'c', 'd']);
    const { consumer, events } = subscribed(kafka, { maxPollIntervalMs: 60_000 });
    const left: string[] = [];
    events.on('group.left', ({ reason }) => left.push(reason));
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler });
    for (let handled = 0; handled < 4; handled++) {
      await kafka.clock.advance(50_000);
      gate.end();
    }
    await kafka.clock.advance(300_000);
    assert.deepEqual([left, gate.begun.length], [[], 4]);
    await kafka.run(consumer.close());
    await run;
  });

  it('leaves when a handler takes longer, names the record, and joins again when the handler is done', async () => {
    const kafka = kafkaWith(['a', 'b']);
    const lost: unknown[] = [];
    const { consumer, events } = subscribed(
      kafka,
      { maxPollIntervalMs: 60_000, heartbeatIntervalMs: 3000 },
      { onPartitionsLost: (partitions) => void lost.push(partitions) },
    );
    const left: string[] = [];
    events.on('group.left', ({ reason }) => left.push(reason));
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler });
    await kafka.clock.advance(61_000);
    assert.match(left.join(), /longer than maxPollIntervalMs \(60000 ms\).*t-0/);
    assert.equal(gate.contexts[0]?.signal.aborted, true);
    assert.equal(kafka.brokers.count('LeaveGroup'), 1);
    await kafka.clock.advance(60_000);
    const joins = kafka.brokers.count('SyncGroup');
    assert.deepEqual([gate.begun, lost.length], [['0:a'], 0], 'nothing begins while it is at work');
    gate.end();
    await kafka.clock.advance(1000);
    assert.equal(kafka.brokers.count('SyncGroup'), joins + 1);
    assert.deepEqual(lost, [[{ topic: 't', partition: 0 }]]);
    assert.deepEqual(gate.begun, ['0:a', '0:a'], 'the record is delivered again: its partition was lost meanwhile');
    const closing = consumer.close();
    gate.end();
    await kafka.run(closing);
    await run;
  });

  it('does not let the others wait longer than maxPollIntervalMs for a handler of what is revoked, and commits nothing of it', async () => {
    const kafka = kafkaWith(['a', 'b']);
    const { consumer, events } = subscribed(kafka, { maxPollIntervalMs: 60_000, heartbeatIntervalMs: 3000 });
    const left: string[] = [];
    events.on('group.left', ({ reason }) => left.push(reason));
    const gate = new Gate();
    const run = consumer.run({ eachRecord: gate.handler });
    await kafka.clock.advance(5000);
    kafka.heartbeatCode = codes.REBALANCE_IN_PROGRESS;
    await kafka.clock.advance(50_000);
    assert.equal(gate.contexts[0]?.signal.aborted, true, 'it is told to end');
    assert.deepEqual([left, kafka.brokers.count('LeaveGroup')], [[], 0], 'the handler has its time');
    await kafka.clock.advance(6000);
    assert.match(left.join(), /longer than maxPollIntervalMs \(60000 ms\).*t-0/);
    assert.equal(kafka.brokers.count('LeaveGroup'), 1);
    gate.end();
    await kafka.clock.advance(5000);
    assert.notEqual(kafka.committed.get(0), 1n, 'somebody else may have read it by now');
    assert.deepEqual(gate.begun, ['0:a', '0:a'], 'it is delivered again');
    const closing = consumer.close();
    gate.end();
    await kafka.run(closing);
    await run;
  });

  it('ends with what a listener throws', async () => {
    const kafka = kafkaWith(['a']);
    const { consumer } = subscribed(
      kafka,
      {},
      {
        onPartitionsAssigned: () => {
          throw new Error('from the listener');
        },
      },
    );
    await assert.rejects(kafka.run(consumer.run({ eachRecord: () => undefined })), /from the listener/);
    await kafka.run(consumer.close());
  });
});
