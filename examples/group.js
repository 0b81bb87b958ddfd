// A group of three members that commits by itself every 10 records, restarted in the middle.
//
//     KAFKA_BOOTSTRAP=localhost:9092 node examples/group.js

import assert from 'node:assert/strict';
import { Kafka, string } from 'kavka';

const bootstrapServers = (process.env.KAFKA_BOOTSTRAP ?? 'localhost:9092').split(',');
const topic = `example-group-${Date.now()}`;
const groupId = topic;
const total = 600;

const kafka = new Kafka({ clientId: 'example-group', bootstrapServers });
const timesSeen = new Map(); // value of a record -> how often a member processed it
let rebalances = 0;

/** Runs one member until its consumer is closed; calls `onRecord` for each record. */
async function runMember(consumer, onRecord) {
  consumer.subscribe([topic], {
    onPartitionsAssigned(partitions) {
      rebalances++;
      console.log(`assigned ${partitions.map(({ partition }) => partition).join(' ') || 'nothing'}`);
    },
    // Awaited before the partitions are given up: the next owner begins where we ended.
    async onPartitionsRevoked() {
      await consumer.commit();
    },
  });
  let count = 0;
  for await (const record of consumer) {
    timesSeen.set(record.value, (timesSeen.get(record.value) ?? 0) + 1);
    if (++count % 10 === 0) await consumer.commit();
    onRecord();
  }
}

/** Runs three members until `isDone` says so, then closes them: as a deployment would. */
async function runGroup(isDone) {
  const consumers = [1, 2, 3].map(() =>
    kafka.consumer({ groupId, key: string, value: string, autoCommit: false, autoOffsetReset: 'earliest' }),
  );
  let finish;
  const done = new Promise((resolve) => (finish = resolve));
  const members = consumers.map((consumer) => runMember(consumer, () => isDone() && finish()));
  await Promise.race([done, ...members]);
  await Promise.all(consumers.map((consumer) => consumer.close())); // ends the loops
  await Promise.all(members);
}

try {
  const admin = kafka.admin();
  await admin.createTopics([{ topic, partitions: 6, replicationFactor: 1 }]);
  const producer = kafka.producer();
  await producer.send(
    Array.from({ length: total }, (_, number) => ({ topic, key: `k-${number}`, value: `v-${number}` })),
  );

  await runGroup(() => timesSeen.size >= total / 2);
  console.log(`restart after ${timesSeen.size} of ${total} records`);
  await runGroup(() => timesSeen.size === total);

  // At least once: all of them, and again only what a member had processed since its last commit.
  const repeated = [...timesSeen.values()].filter((times) => times > 1).length;
  assert.equal(timesSeen.size, total);
  assert.ok(repeated <= 3 * 10, `${repeated} records were processed more than once`);
  assert.ok(rebalances >= 2, 'both runs were given partitions');

  await admin.deleteGroups([groupId]);
  await admin.deleteTopics([topic]);
  console.log(`ok: ${total} records processed, ${repeated} of them again after the restart`);
} finally {
  await kafka.close();
}
