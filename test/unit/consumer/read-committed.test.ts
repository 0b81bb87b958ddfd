import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FakeKafka, markerOf } from './fake-kafka.ts';

type Step =
  | { readonly do: 'write'; readonly producer: number; readonly count: number }
  | { readonly do: 'end'; readonly producer: number; readonly with: 'commit' | 'abort' };

/** A log with transactions as a leader keeps it, and what a reader of decided transactions has to see of it. */
class TransactionalLog {
  readonly kafka: FakeKafka = new FakeKafka();
  readonly expected: string[] = [];
  readonly #open = new Map<
    number,
    { readonly firstOffset: bigint; readonly values: { at: bigint; value: string }[] }
  >();
  readonly #committed: { at: bigint; value: string }[] = [];
  readonly aborted: { readonly producerId: bigint; readonly firstOffset: bigint; readonly lastOffset: bigint }[] = [];

  write(producer: number, values: readonly string[]): void {
    const settings = producer < 0 ? {} : { producerId: BigInt(producer), transactional: true };
    const at = this.kafka.append(0, values, settings);
    const placed = values.map((value, index) => ({ at: at + BigInt(index), value }));
    if (producer < 0) return void this.#committed.push(...placed);
    const open = this.#open.get(producer) ?? { firstOffset: at, values: [] };
    this.#open.set(producer, open);
    open.values.push(...placed);
  }

  end(producer: number, type: 'commit' | 'abort'): void {
    const open = this.#open.get(producer);
    if (open === undefined) return;
    this.#open.delete(producer);
    const at = this.kafka.end(0);
    this.kafka.store(0, markerOf(type, BigInt(producer), at), at + 1n);
    if (type === 'commit') this.#committed.push(...open.values);
    else this.aborted.push({ producerId: BigInt(producer), firstOffset: open.firstOffset, lastOffset: at });
  }

  /** All transactions are decided from here on. */
  finish(): void {
    for (const producer of [...this.#open.keys()]) this.end(producer, 'abort');
    this.#committed.sort((a, b) => Number(a.at - b.at));
    this.expected.push(...this.#committed.map(({ value }) => value));
  }
}

/** What a consumer of committed records reads, where each answer holds at most so many batches. */
async function readAll(log: TransactionalLog, batchesPerAnswer: number): Promise<string[]> {
  const { kafka } = log;
  const batches = kafka.logs[0] ?? [];
  kafka.intercept = (request) => {
    if (request.api !== 'Fetch') return undefined;
    const [topic] = request.message['topics'] as { topicId: string; partitions: { fetchOffset: bigint }[] }[];
    const offset = topic?.partitions[0]?.fetchOffset ?? 0n;
    const given = batches.filter(({ nextOffset }) => nextOffset > offset).slice(0, batchesPerAnswer);
    const end = given.at(-1)?.nextOffset ?? offset;
    if (given.length === 0) return undefined;
    // As a leader lists them: every aborted transaction that reaches into what is given, in no order that one may rely on.
    const abortedTransactions = log.aborted
      .filter(({ firstOffset, lastOffset }) => firstOffset < end && lastOffset >= offset)
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
      .reverse();
    const partition = {
      partitionIndex: 0,
      highWatermark: kafka.end(0),
      lastStableOffset: kafka.end(0),
      abortedTransactions,
      records: Buffer.concat(given.map(({ bytes }) => bytes)),
    };
    return { responses: [{ topicId: topic?.topicId, partitions: [partition] }] };
  };
  const { consumer } = kafka.consumer({ isolationLevel: 'read_committed' });
  consumer.assign([{ topic: 't', partition: 0 }]);
  const seen: string[] = [];
  const loop = async (): Promise<void> => {
    for await (const record of consumer.records({ until: 'end' })) seen.push(record.value?.toString() ?? 'null');
  };
  await kafka.run(loop());
  await kafka.run(consumer.close());
  return seen;
}

async function assertRead(log: TransactionalLog): Promise<void> {
  log.finish();
  for (const batchesPerAnswer of [1, 2, 3, 100]) assert.deepEqual(await readAll(log, batchesPerAnswer), log.expected);
}

describe('Consumer with read_committed', () => {
  it('leaves out several aborted transactions of one producer in one answer, and reads the committed one between', async () => {
    const log = new TransactionalLog();
    for (const [value, end] of [
      ['a', 'abort'],
      ['b', 'commit'],
      ['c', 'abort'],
      ['d', 'abort'],
      ['e', 'commit'],
    ] as const) {
      log.write(1, [value]);
      log.end(1, end);
    }
    await assertRead(log);
    assert.deepEqual(log.expected, ['b', 'e']);
  });

  it('leaves out records whose marker comes in a later answer', async () => {
    const log = new TransactionalLog();
    log.write(1, ['a']);
    log.write(-1, ['plain']);
    log.write(1, ['b']);
    log.end(1, 'abort');
    log.write(1, ['c']);
    log.end(1, 'commit');
    await assertRead(log);
    assert.deepEqual(log.expected, ['plain', 'c']);
  });

  it('keeps interleaved transactions of several producers apart', async () => {
    const log = new TransactionalLog();
    log.write(1, ['a1']);
    log.write(2, ['b1']);
    log.write(3, ['c1']);
    log.end(2, 'commit');
    log.write(1, ['a2']);
    log.end(3, 'abort');
    log.write(2, ['b2']);
    log.end(1, 'abort');
    log.write(3, ['c2']);
    log.end(2, 'abort');
    log.end(3, 'commit');
    await assertRead(log);
    assert.deepEqual(log.expected, ['b1', 'c2']);
  });

  it('reads what is committed and nothing else, in every order of transactions and of answers', async () => {
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({
        do: fc.constant('write' as const),
        producer: fc.integer({ min: -1, max: 2 }),
        count: fc.integer({ min: 1, max: 3 }),
      }),
      fc.record({
        do: fc.constant('end' as const),
        producer: fc.nat(2),
        with: fc.constantFrom('commit' as const, 'abort' as const),
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 1, max: 4 }),
        async (steps, perAnswer) => {
          const log = new TransactionalLog();
          let number = 0;
          for (const each of steps) {
            if (each.do === 'end') log.end(each.producer, each.with);
            else
              log.write(
                each.producer,
                Array.from({ length: each.count }, () => String(number++)),
              );
          }
          log.finish();
          assert.deepEqual(await readAll(log, perAnswer), log.expected);
        },
      ),
      { numRuns: 40 },
    );
  });
});
