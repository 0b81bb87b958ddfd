import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { Kafka } from '../../src/index.ts';
import { runClientScript } from '../support/client-script.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const broker = await kafkaUnderTest({ brokers: 1 });
const MIB = 1024 * 1024;

describe('A consumer of large records', { skip: broker.skip }, () => {
  it('with slow handlers holds no more than maxBufferedBytes, one answer, and what is in hand', async () => {
    const topic = `consumer-memory-${randomUUID()}`;
    const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const configs = { 'max.message.bytes': String(2 * MIB) };
    await kafka.admin().createTopics({ topic, partitions: 4, replicationFactor: 1, configs });
    const producer = kafka.producer({ maxRequestBytes: 2 * MIB });
    for (let index = 0; index < 80; index++)
      await producer.send({ topic, partition: index % 4, value: Buffer.alloc(MIB, index) });
    await kafka.close();

    const limits = { maxBufferedBytes: 8 * MIB, fetchMaxBytes: 4 * MIB };
    // In a process of its own, so that nothing but the consumer's own buffers counts.
    const script = `
      const held = () => { gc(); const { external, arrayBuffers } = process.memoryUsage(); return Math.max(external, arrayBuffers); };
      const consumer = kafka.consumer({ autoOffsetReset: 'earliest', ...${JSON.stringify(limits)} });
      consumer.assign([0, 1, 2, 3].map((partition) => ({ topic: ${JSON.stringify(topic)}, partition })));
      const before = held();
      let most = 0;
      let count = 0;
      await consumer.run({ concurrency: 2, eachRecord: async (record, { stop }) => {
        await new Promise((resolve) => setTimeout(resolve, 40));
        if (record.value.length !== ${MIB}) throw new Error('a record of another size');
        most = Math.max(most, held() - before);
        if (++count === 80) stop();
      } });
      await kafka.close();
      console.log(JSON.stringify({ most, count }));
    `;
    const { stdout } = await runClientScript(broker.bootstrapServers, script, ['--expose-gc']);
    const { most, count } = JSON.parse(stdout) as { readonly most: number; readonly count: number };
    assert.equal(count, 80);
    const allowed = limits.maxBufferedBytes + limits.fetchMaxBytes + 6 * MIB;
    assert.ok(most <= allowed, `${(most / MIB).toFixed(1)} MiB held, ${(allowed / MIB).toFixed(1)} are allowed`);
    assert.ok(most >= 2 * MIB, 'the measurement sees the records');
  });
});
