// Consume, transform, produce, exactly once: some transactions fail, and one producer dies in the middle.
//
//     KAFKA_BOOTSTRAP=localhost:9092 node examples/transactions.js

import assert from 'node:assert/strict';
import { FencedError, Kafka, string } from 'kavka';

const bootstrapServers = (process.env.KAFKA_BOOTSTRAP ?? 'localhost:9092').split(',');
const orders = `example-orders-${Date.now()}`;
const invoices = `example-invoices-${Date.now()}`;
const total = 200;

const kafka = new Kafka({ clientId: 'example-transactions', bootstrapServers });

/** Everything that is committed in the topic of invoices. */
async function readInvoices() {
  const reader = kafka.consumer({ value: string, isolationLevel: 'read_committed', autoOffsetReset: 'earliest' });
  reader.assign([0, 1, 2].map((partition) => ({ topic: invoices, partition })));
  const values = [];
  for await (const { value } of reader.records({ until: 'end' })) values.push(value);
  await reader.close();
  return values;
}

try {
  const admin = kafka.admin();
  await admin.createTopics([orders, invoices].map((topic) => ({ topic, partitions: 3, replicationFactor: 1 })));
  await kafka
    .producer()
    .send(
      Array.from({ length: total }, (_, number) => ({ topic: orders, key: `o-${number}`, value: `order ${number}` })),
    );

  // The one that dies: it leaves a transaction open, with an invoice that must never be seen.
  const dying = kafka.producer({ transactionalId: invoices });
  const leftOpen = await dying.beginTransaction();
  await leftOpen.send({ topic: invoices, value: 'invoice of a dead process' });

  const producer = kafka.producer({ transactionalId: invoices });
  await producer.ready(); // takes over the transactional id, and aborts what was left open
  const consumer = kafka.consumer({ groupId: orders, value: string, autoCommit: false, autoOffsetReset: 'earliest' });
  consumer.subscribe([orders]);

  let [done, failed] = [0, 0];
  while (done < total) {
    const batch = await consumer.poll({ minRecords: 1, maxRecords: 30, timeoutMs: 1000 });
    if (batch.length === 0) continue;
    try {
      await producer.transaction(async (tx) => {
        for (const { key, value } of batch) void tx.send({ topic: invoices, key, value: `invoice for ${value}` });
        await tx.sendOffsets(batch, consumer.groupMetadata());
        if (failed < 3) throw new Error('the printer is out of paper');
      });
      done += batch.length;
    } catch (error) {
      failed++;
      console.log(`aborted ${batch.length} invoices: ${error.message}`);
      consumer.rewind(); // nothing of it happened: the next poll gives the same orders again
    }
  }
  await consumer.close();

  const values = await readInvoices();
  assert.equal(values.length, total, 'each order has one invoice');
  assert.equal(new Set(values).size, total);
  await assert.rejects(leftOpen.commit(), FencedError);
  console.log(
    `ok: ${values.length} invoices for ${total} orders; ${failed} transactions were aborted, one producer was fenced`,
  );
} finally {
  await kafka.close();
}
