import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientEvents } from '../../../src/instrumentation/events.ts';
import type { FakeAnswer } from '../cluster/fake-brokers.ts';
import { FakeKafka, markerOf } from './fake-kafka.ts';

const t0 = { topic: 't', partition: 0 };

/** A log of ten records of which the first six are decided. */
function undecided(): FakeKafka {
  const kafka = new FakeKafka();
  kafka.append(0, ['a', 'b', 'c', 'd', 'e', 'f']);
  kafka.append(0, ['g', 'h', 'i', 'j']);
  kafka.intercept = (request): FakeAnswer | undefined => {
    if (request.api !== 'Fetch') return undefined;
    const { answer } = kafka.fetchAnswer(request);
    const { responses } = answer as { responses: { partitions: Record<string, unknown>[] }[] };
    for (const { partitions } of responses)
      for (const partition of partitions) Object.assign(partition, { lastStableOffset: 6n });
    return answer;
  };
  return kafka;
}

describe('Consumer.currentLag', () => {
  it('is undefined before the first answer, then what lies between position and high watermark, without asking', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b', 'c']);
    const { consumer } = kafka.consumer();
    consumer.assign([t0]);
    assert.equal(consumer.currentLag(t0), undefined);
    await kafka.run(consumer.poll({ maxRecords: 1 }));
    const asked = kafka.brokers.requests.length;
    assert.equal(consumer.currentLag(t0), 2n);
    assert.equal(kafka.brokers.requests.length, asked);
    assert.equal(kafka.brokers.count('ListOffsets'), 1, 'the one that found the beginning');
    await kafka.run(consumer.poll());
    assert.equal(consumer.currentLag(t0), 0n);
    await kafka.run(consumer.close());
  });

  it('counts to the last stable offset with read_committed, to the high watermark otherwise', async () => {
    for (const [isolationLevel, lag] of [
      ['read_committed', 5n],
      ['read_uncommitted', 9n],
    ] as const) {
      const kafka = undecided();
      const { consumer } = kafka.consumer({ isolationLevel });
      consumer.assign([t0]);
      await kafka.run(consumer.poll({ maxRecords: 1 }));
      assert.equal(consumer.currentLag(t0), lag, isolationLevel);
      await kafka.run(consumer.close());
    }
  });

  it('is undefined while the position is looked up, and of a partition that is not assigned; never below 0', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a', 'b']);
    const { consumer } = kafka.consumer();
    consumer.assign([t0]);
    await kafka.run(consumer.poll());
    consumer.seek({ ...t0, offset: 7n });
    assert.equal(consumer.currentLag(t0), 0n);
    consumer.seekToBeginning();
    assert.equal(consumer.currentLag(t0), undefined);
    assert.equal(consumer.currentLag({ topic: 't', partition: 1 }), undefined);
    await kafka.run(consumer.close());
    assert.equal(consumer.currentLag(t0), undefined);
  });
});

describe('Consumer.statistics', () => {
  it('tells position, end, lag and what is buffered of each partition, and forgets those that are given up', async () => {
    const kafka = new FakeKafka(2);
    kafka.append(0, ['a', 'b', 'c']);
    const { consumer } = kafka.consumer({ maxBufferedBytes: 1_000_000 });
    const nothing = { position: undefined, endOffset: undefined, lag: undefined, paused: false, bufferedBytes: 0 };
    const all = { lane: 'fetch-1', groupId: undefined, memberId: undefined, maxBufferedBytes: 1_000_000 };
    consumer.assign([t0, { topic: 't', partition: 1 }]);
    assert.deepEqual(consumer.statistics(), {
      ...all,
      partitions: [
        { ...t0, ...nothing },
        { topic: 't', partition: 1, ...nothing },
      ],
      bufferedBytes: 0,
    });
    await kafka.run(consumer.poll({ maxRecords: 1 }));
    consumer.pause({ topic: 't', partition: 1 });
    const [first, second] = consumer.statistics().partitions;
    const bufferedBytes = first?.bufferedBytes ?? 0;
    assert.ok(bufferedBytes > 70, `${bufferedBytes} bytes are buffered`);
    assert.equal(consumer.statistics().bufferedBytes, bufferedBytes);
    assert.deepEqual(first, { ...t0, ...nothing, position: 1n, endOffset: 3n, lag: 2n, bufferedBytes });
    assert.deepEqual([second?.paused, second?.position], [true, 0n]);
    const told = JSON.parse(JSON.stringify(first)) as object;
    assert.deepEqual(told, { ...t0, paused: false, position: '1', endOffset: '3', lag: '2', bufferedBytes });
    await kafka.run(consumer.poll());
    // Only who asks again has read the last one.
    await kafka.run(consumer.poll({ timeoutMs: 0 }));
    assert.equal(consumer.statistics().bufferedBytes, 0);
    consumer.assign([t0]);
    assert.equal(consumer.statistics().partitions.length, 1);
    await kafka.run(consumer.close());
    assert.deepEqual(consumer.statistics().partitions, []);
  });

  it('tells the group, and who the member is while it is one', async () => {
    const kafka = new FakeKafka();
    const { consumer } = kafka.consumer({ groupId: 'g' });
    consumer.subscribe('t');
    assert.deepEqual([consumer.statistics().groupId, consumer.statistics().memberId], ['g', undefined]);
    await kafka.run(consumer.waitForAssignment());
    assert.deepEqual([consumer.statistics().groupId, consumer.statistics().memberId], ['g', 'm-1']);
    await kafka.run(consumer.close());
  });
});

describe('consumer.fetched', () => {
  it('tells the group, the records that the batches say they have, and how much there is of each topic', async () => {
    const kafka = new FakeKafka(2);
    kafka.append(0, ['a', 'b', 'c']);
    kafka.append(0, ['d']);
    kafka.store(0, markerOf('commit', 5n, 4n), 5n);
    kafka.append(1, ['x', 'y']);
    const { consumer, events } = kafka.consumer({ groupId: 'g' });
    const seen: ClientEvents['consumer.fetched'][] = [];
    events.on('consumer.fetched', (payload) => seen.push(payload));
    consumer.assign([t0, { topic: 't', partition: 1 }]);
    await kafka.run(consumer.poll({ minRecords: 6 }));
    const [fetched] = seen;
    assert.ok(fetched !== undefined && seen.length === 1);
    const { nodeId, groupId, bytes, records, partitions, topics } = fetched;
    assert.deepEqual([nodeId, groupId, records, partitions], [1, 'g', 7, 2]);
    assert.deepEqual(topics, [{ topic: 't', records: 7, bytes }]);
    await kafka.run(consumer.close());
  });

  it('makes no payload where nobody listens', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['a']);
    const { consumer, events } = kafka.consumer();
    const published: string[] = [];
    events.publish = (name) => void published.push(name);
    consumer.assign([t0]);
    await kafka.run(consumer.poll());
    assert.deepEqual(
      published.filter((name) => name.startsWith('consumer.')),
      [],
    );
    await kafka.run(consumer.close());
  });
});
