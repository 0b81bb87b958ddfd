// Producing with keys and headers: one send, many sends, and the callback form.
//
//     KAFKA_BOOTSTRAP=localhost:9092 node examples/produce.js

import assert from 'node:assert/strict';
import { Kafka, string } from 'kavka';

const bootstrapServers = (process.env.KAFKA_BOOTSTRAP ?? 'localhost:9092').split(',');
const topic = `example-produce-${Date.now()}`;

const kafka = new Kafka({ clientId: 'example-produce', bootstrapServers });
try {
  const admin = kafka.admin();
  await admin.createTopics([{ topic, partitions: 3, replicationFactor: 1 }]);

  const producer = kafka.producer({ key: string, value: string });

  // One record: the promise resolves when all in-sync replicas have it.
  const first = await producer.send({ topic, key: 'o-1', value: 'created', headers: { source: 'web', trace: 'a1' } });
  console.log(`o-1 is in partition ${first.partition} at offset ${first.offset}`);

  // Many records: one promise, the results in the order of the records.
  const many = await producer.send([
    { topic, key: 'o-1', value: 'paid' },
    { topic, key: 'o-2', value: 'created' },
    { topic, key: 'o-1', value: 'sent' },
  ]);
  assert.equal(many.length, 3);
  assert.equal(many[0].partition, first.partition, 'records of one key stay in one partition');
  assert.ok(many[2].offset > many[0].offset, 'and in the order in which they were sent');

  // The callback form makes no promise; flush waits for what is outstanding.
  let delivered = 0;
  for (let number = 0; number < 1000; number++) {
    producer.enqueue({ topic, key: `o-${number % 10}`, value: `event ${number}` }, (error, metadata) => {
      if (error) throw error;
      assert.equal(metadata.topic, topic);
      delivered++;
    });
  }
  await producer.flush();
  assert.equal(delivered, 1000);

  // Read everything back: without a group, from the beginning.
  const consumer = kafka.consumer({ key: string, value: string, autoOffsetReset: 'earliest' });
  consumer.assign([0, 1, 2].map((partition) => ({ topic, partition })));
  const read = [];
  for await (const record of consumer) {
    read.push(record);
    if (read.length === 1004) break;
  }
  const created = read.find((record) => record.key === 'o-1' && record.value === 'created');
  assert.equal(created.headers.getString('source'), 'web');
  assert.equal(created.headers.getString('trace'), 'a1');

  await admin.deleteTopics([topic]);
  console.log(`ok: ${read.length} records written and read`);
} finally {
  await kafka.close();
}
