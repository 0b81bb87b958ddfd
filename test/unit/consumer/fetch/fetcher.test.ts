import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Consumer } from '../../../../src/consumer/consumer.ts';
import type { SeenRequest } from '../../cluster/fake-brokers.ts';
import { FakeKafka } from '../fake-kafka.ts';

const t0 = { topic: 't', partition: 0 };

/** Where the fetches of partition 0 went, and what they said. */
function asked(kafka: FakeKafka): { nodeId: number | undefined; offset: bigint; lastEpoch: number }[] {
  return kafka.brokers.requests
    .filter(({ api }) => api === 'Fetch')
    .flatMap(({ nodeId, message }) => {
      const topics = message['topics'] as { partitions: { fetchOffset: bigint; lastFetchedEpoch: number }[] }[];
      const [partition] = topics[0]?.partitions ?? [];
      return partition === undefined
        ? []
        : [{ nodeId, offset: partition.fetchOffset, lastEpoch: partition.lastFetchedEpoch }];
    });
}

async function read(kafka: FakeKafka, consumer: Consumer, count: number): Promise<(string | undefined)[]> {
  const records = await kafka.run(consumer.poll({ minRecords: count, timeoutMs: 4000 }));
  return records.map(({ value }) => value?.toString());
}

/** The usual answer to a fetch, with something else said of partition 0. */
function answerWith(kafka: FakeKafka, request: SeenRequest, change: object): Record<string, unknown> {
  const { responses } = kafka.fetchAnswer(request).answer as { responses: { partitions: object[] }[] };
  const [topic] = responses;
  return { responses: [{ ...topic, partitions: [{ ...topic?.partitions[0], records: null, ...change }] }] };
}

describe('Fetcher', () => {
  it('tells the leader the epoch of what it has fetched, and reads on where the leader says that the logs part (KIP-595)', async () => {
    const kafka = new FakeKafka();
    const { consumer, events } = kafka.consumer();
    const warnings: string[] = [];
    events.on('warning', ({ message }) => warnings.push(message));
    consumer.assign([t0]);
    kafka.append(0, ['a', 'b', 'c'], { leaderEpoch: 0 });
    assert.deepEqual(await read(kafka, consumer, 3), ['a', 'b', 'c']);
    let isCutOff = false;
    kafka.intercept = (request) => {
      if (request.api !== 'Fetch' || isCutOff) return undefined;
      isCutOff = true;
      // The log is another one from offset 1 on.
      kafka.logs[0]?.splice(0);
      kafka.append(0, ['a'], { leaderEpoch: 0 });
      kafka.append(0, ['x', 'y'], { leaderEpoch: 4 });
      return answerWith(kafka, request, { divergingEpoch: { epoch: 0, endOffset: 1n } });
    };
    assert.deepEqual(await read(kafka, consumer, 2), ['x', 'y']);
    assert.deepEqual(warnings, ['The log of t-0 was cut off']);
    const epochs = asked(kafka).map(({ offset, lastEpoch }) => `${offset}:${lastEpoch}`);
    assert.deepEqual([...new Set(epochs)].slice(0, 3), ['0:-1', '3:0', '1:0']);
    await kafka.run(consumer.poll({ timeoutMs: 1000 }));
    assert.deepEqual(asked(kafka).at(-1), { nodeId: 1, offset: 3n, lastEpoch: 4 });
    await kafka.run(consumer.close());
  });

  it('tells a follower no epoch, and believes the leader alone that something was cut off', async () => {
    const kafka = new FakeKafka();
    const { consumer, events } = kafka.consumer();
    const warnings: string[] = [];
    events.on('warning', ({ message }) => warnings.push(message));
    consumer.assign([t0]);
    kafka.append(0, ['a', 'b']);
    let isNamed = false;
    kafka.intercept = (request) => {
      if (request.api !== 'Fetch') return undefined;
      if (request.nodeId === 2) return answerWith(kafka, request, { divergingEpoch: { epoch: 0, endOffset: 1n } });
      if (isNamed || asked(kafka).at(-1)?.offset !== 2n) return undefined;
      isNamed = true;
      return answerWith(kafka, request, { preferredReadReplica: 2 });
    };
    assert.deepEqual(await read(kafka, consumer, 2), ['a', 'b']);
    kafka.append(0, ['c']);
    assert.deepEqual(await read(kafka, consumer, 1), ['c']);
    const ofFollower = asked(kafka).filter(({ nodeId }) => nodeId === 2);
    assert.deepEqual(ofFollower, [{ nodeId: 2, offset: 2n, lastEpoch: -1 }]);
    assert.deepEqual(warnings, []);
    await kafka.run(consumer.close());
  });
});
