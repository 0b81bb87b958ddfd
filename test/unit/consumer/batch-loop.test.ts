import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConsumerBatch } from '../../../src/consumer/consumer-batch.ts';
import type { Consumer } from '../../../src/consumer/consumer.ts';
import { FakeKafka } from './fake-kafka.ts';

interface Outcome {
  readonly seen: string[];
  readonly kafka: FakeKafka;
  readonly consumer: Consumer;
}

/** Batches of one record of two partitions with `count` records each; `body` is called with each batch and how many came before. */
async function loop(
  body: (batch: ConsumerBatch, at: number, parts: Omit<Outcome, 'seen'>) => unknown,
  options: { readonly signal?: AbortSignal; readonly count?: number } = {},
): Promise<Outcome> {
  const kafka = new FakeKafka(2);
  const { signal, count = 3 } = options;
  for (const partition of [0, 1]) {
    kafka.append(
      partition,
      Array.from({ length: count }, (_, index) => `${partition}.${index}`),
    );
  }
  const { consumer } = kafka.consumer({ groupId: 'g', maxPollRecords: 1 });
  consumer.assign([0, 1].map((partition) => ({ topic: 't', partition })));
  const seen: string[] = [];
  const read = async (): Promise<void> => {
    for await (const batch of consumer.batches(signal === undefined ? {} : { signal })) {
      seen.push(...batch.records.map(({ value }) => String(value)));
      if (body(batch, seen.length - 1, { kafka, consumer }) === 'break' || seen.length === 2 * count) break;
    }
  };
  await kafka.run(read());
  return { seen, kafka, consumer };
}

describe('A loop over batches that are ready', () => {
  it('hands out each record once, in the order of its partition', async () => {
    const { seen, consumer, kafka } = await loop(() => undefined);
    for (const partition of [0, 1]) {
      const own = seen.filter((value) => value.startsWith(`${partition}.`));
      assert.deepEqual(own, [`${partition}.0`, `${partition}.1`, `${partition}.2`]);
    }
    await kafka.run(consumer.close());
  });

  it('takes what it had before as processed when it is asked for the next', async () => {
    const { kafka, consumer } = await loop((batch, at) => (at === 3 ? 'break' : undefined));
    await kafka.run(consumer.close());
    // The fourth was in hand: the second of one partition is not processed, both of the other are.
    assert.deepEqual([...kafka.committed.values()].sort(), [1n, 2n]);
  });

  it('ends when the consumer was closed in its body, and hands out nothing more', async () => {
    const { seen } = await loop((batch, at, { consumer }) => {
      if (at === 3) void consumer.close();
    });
    assert.equal(seen.length, 4);
  });

  it('ends when its signal was aborted in its body', async () => {
    const controller = new AbortController();
    const { seen, kafka, consumer } = await loop((batch, at) => at === 3 && controller.abort(), {
      signal: controller.signal,
    });
    assert.equal(seen.length, 4);
    await kafka.run(consumer.close());
  });

  it('hands out again what was rewound in its body', async () => {
    const { seen, kafka, consumer } = await loop((batch, at, parts) => {
      if (at === 3) parts.consumer.seek({ topic: 't', partition: batch.partition, offset: 0n });
    });
    assert.equal(seen.filter((value) => value === seen[3]?.replace(/\d$/, '0')).length, 2);
    await kafka.run(consumer.close());
  });

  it('lets the event loop turn once 10 ms have gone by', async () => {
    let hasTurned = false;
    const turned: boolean[] = [];
    const { kafka, consumer } = await loop(
      (batch, at, parts) => {
        turned.push(hasTurned);
        hasTurned = false;
        setImmediate(() => (hasTurned = true));
        parts.kafka.clock.creepMs = at === 5 ? 11 : 0;
      },
      { count: 5 },
    );
    assert.deepEqual(turned.slice(4), [false, false, true, false, false, false]);
    await kafka.run(consumer.close());
  });
});
