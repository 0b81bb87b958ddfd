import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { Kafka, string } from '../../src/index.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

/** Two seconds here, twenty in `npm run soak`: what is long about it is that records keep coming, with pauses between them. */
const durationMs = Number(process.env['TRANSACTION_MS'] ?? 2000);

for (const version of [undefined, '3.9.1']) {
  const broker = await kafkaUnderTest({ brokers: 1, ...(version === undefined ? {} : { version }) });

  describe(`A long transaction${version === undefined ? '' : ` on ${version}`}`, { skip: broker.skip }, () => {
    it(`of ${durationMs} ms is seen as a whole at its end, and not before`, async () => {
      const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
      const topic = `long-${randomUUID()}`;
      await kafka.admin().createTopics({ topic, partitions: 2, replicationFactor: 1 });
      const reader = kafka.consumer({ value: string, isolationLevel: 'read_committed', autoOffsetReset: 'earliest' });
      reader.assign([0, 1].map((partition) => ({ topic, partition })));
      const producer = kafka.producer({ transactionalId: topic });
      const parts = 10;
      await producer.transaction(async (tx) => {
        for (let part = 0; part < parts; part++) {
          await tx.send({ topic, partition: part % 2, value: `part ${part}` });
          assert.deepEqual([...(await reader.poll({ timeoutMs: durationMs / parts }))], []);
        }
      });
      const seen: (string | null)[] = [];
      while (seen.length < parts) seen.push(...(await reader.poll({ timeoutMs: 60_000 })).map(({ value }) => value));
      assert.deepEqual(
        seen.sort(),
        Array.from({ length: parts }, (_, part) => `part ${part}`),
      );
      await kafka.close();
    });
  });
}
