// Reading a topic from a point in time, without a group.
//
//     KAFKA_BOOTSTRAP=localhost:9092 node examples/from-timestamp.js

import assert from 'node:assert/strict';
import { Kafka, string } from 'kavka';

const bootstrapServers = (process.env.KAFKA_BOOTSTRAP ?? 'localhost:9092').split(',');
const topic = `example-timestamp-${Date.now()}`;
const minute = 60_000;

const kafka = new Kafka({ clientId: 'example-timestamp', bootstrapServers });
try {
  const admin = kafka.admin();
  await admin.createTopics([{ topic, partitions: 2, replicationFactor: 1 }]);

  // One record per minute of the last hour.
  const now = Date.now();
  const producer = kafka.producer({ key: string, value: string });
  await producer.send(
    Array.from({ length: 60 }, (_, age) => ({
      topic,
      key: `sensor-${age % 7}`,
      value: `reading of ${59 - age} minutes ago`,
      timestamp: now - (59 - age) * minute,
    })),
  );

  // The last ten minutes: every partition from its first record that is not older.
  const since = now - 9 * minute;
  const consumer = kafka.consumer({ key: string, value: string });
  const partitions = [0, 1].map((partition) => ({ topic, partition }));
  consumer.assign(partitions);
  consumer.seekToTimestamp(since);

  const values = [];
  for await (const record of consumer) {
    assert.ok(record.timestamp >= since, `${record.value} is too old`);
    values.push(record.value);
    if (values.length === 10) break;
  }
  assert.deepEqual(
    new Set(values),
    new Set(Array.from({ length: 10 }, (_, minutes) => `reading of ${minutes} minutes ago`)),
  );

  await admin.deleteTopics([topic]);
  console.log(`ok: ${values.length} records of the last ten minutes`);
} finally {
  await kafka.close();
}
