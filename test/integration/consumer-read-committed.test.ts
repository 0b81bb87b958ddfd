import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Kafka } from '../../src/index.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const kafka = await kafkaUnderTest({ brokers: 1, needs: ['tools'] });

describe('read_committed beside the Java consumer', { skip: kafka.skip }, () => {
  let client: Kafka;
  before(() => {
    client = new Kafka({ bootstrapServers: kafka.bootstrapServers });
  });
  after(() => client.close());

  it('reads what Java reads: several aborts of one producer, markers in later fetches, aborts interleaved with others', async () => {
    const topic = `read-committed-${randomUUID()}`;
    await client.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    const producers = [0, 1, 2].map((number) => client.producer({ transactionalId: `${topic}-${number}` }));
    const plain = client.producer();
    const open = new Map<number, Awaited<ReturnType<(typeof producers)[number]['beginTransaction']>>>();
    const expected: string[] = [];
    const pending = new Map<number, { readonly at: bigint; readonly value: string }[]>();
    const decided: { readonly at: bigint; readonly value: string }[] = [];
    const end = async (number: number, how: 'commit' | 'abort'): Promise<void> => {
      const tx = open.get(number);
      if (tx === undefined) return;
      open.delete(number);
      await tx[how]();
      if (how === 'commit') decided.push(...(pending.get(number) ?? []));
      pending.delete(number);
    };
    // Which producer writes (w), commits (c) or aborts (a), one after the other; 3 writes without a transaction.
    const story = 'w0 w1 w3 w2 a0 w1 w0 c1 w2 a0 w0 c0 a2 w0 w3 w1 a0 w0 a0 w1 w2 c2 a1 w3'.split(' ');
    for (const [index, step] of story.entries()) {
      const number = Number(step[1]);
      const producer = producers[number];
      if (!step.startsWith('w')) await end(number, step.startsWith('c') ? 'commit' : 'abort');
      else if (producer === undefined) {
        const { offset } = await plain.send({ topic, value: `plain ${index}` });
        decided.push({ at: offset, value: `plain ${index}` });
      } else {
        const tx = open.get(number) ?? (await producer.beginTransaction());
        open.set(number, tx);
        const value = `tx ${number} ${index}`;
        const { offset } = await tx.send({ topic, value });
        pending.set(number, [...(pending.get(number) ?? []), { at: offset, value }]);
      }
    }
    for (const number of open.keys()) await end(number, 'abort');
    decided.sort((a, b) => Number(a.at - b.at));
    expected.push(...decided.map(({ value }) => value));

    const java = await kafka.tool('console-consumer', [
      ...[
        '--bootstrap-server',
        '{bootstrap}',
        '--topic',
        topic,
        '--from-beginning',
        '--isolation-level',
        'read_committed',
      ],
      ...['--max-messages', String(expected.length), '--timeout-ms', '30000'],
    ]);
    const read = async (maxPartitionFetchBytes: number): Promise<string[]> => {
      const consumer = client.consumer({
        autoOffsetReset: 'earliest',
        isolationLevel: 'read_committed',
        maxPartitionFetchBytes,
      });
      consumer.assign([{ topic, partition: 0 }]);
      const values: string[] = [];
      for await (const record of consumer.records({ until: 'end' })) values.push(String(record.value));
      await consumer.close();
      return values;
    };
    const javaRead = java.stdout.split('\n').filter((line) => /^(?:tx|plain) /.test(line));
    assert.deepEqual(javaRead, expected, 'what Java reads');
    // All in one answer, and a batch per answer, so that markers come later than what they decide.
    assert.deepEqual([await read(1024 * 1024), await read(1)], [javaRead, javaRead]);
  });
});
