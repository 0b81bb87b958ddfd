// A queue of jobs: two workers share one partition, what fails is tried again, and what fails too often goes to a dead-letter topic.
//
//     KAFKA_BOOTSTRAP=localhost:9092 node examples/work-queue.js
//
// Share groups need Kafka 4.2 or later.

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, string } from 'kavka';

const bootstrapServers = (process.env.KAFKA_BOOTSTRAP ?? 'localhost:9092').split(',');
const topic = `example-jobs-${Date.now()}`;
const deadLetters = `${topic}-dead`;
const groupId = topic;
const total = 200;
const maxDeliveries = 3; // below the group's share.delivery.count.limit (5): at that one Kafka gives a job up without a word

const kafka = new Kafka({ clientId: 'example-work-queue', bootstrapServers });
const producer = kafka.producer({ key: string, value: string });
const done = new Map(); // job -> how often it had to be delivered
const dead = new Set();
const finished = new AbortController();

/** The work. One in ten jobs fails at first, job 13 and job 113 always do. */
async function work(job, delivery) {
  await delay(5);
  const number = Number(job.slice('job-'.length));
  if (number % 100 === 13) throw new Error(`nobody can do ${job}`);
  if (number % 10 === 0 && delivery === 1) throw new Error('a service was down');
}

/** Works until all is finished; then closes, which tells what is done, gives back the rest, and leaves the group. */
async function runWorker(name) {
  const consumer = kafka.shareConsumer({ groupId, key: string, value: string });
  consumer.subscribe(topic);
  await consumer.run({
    signal: finished.signal,
    concurrency: 10, // more than there are partitions: jobs have no order
    async eachRecord({ value, deliveryCount }) {
      await work(value, deliveryCount);
      done.set(value, deliveryCount); // to return is to accept the job
      endIfFinished();
    },
    async onError(error, record) {
      if (record.deliveryCount < maxDeliveries) return 'release'; // again, by whichever worker is free
      // First there, then rejected here: a worker that dies in between leaves a second dead letter, never none.
      await producer.send({ ...record.toProducerRecord({ topic: deadLetters }), headers: { reason: error.message } });
      console.log(`${name}: ${record.value} is given up after ${record.deliveryCount} deliveries`);
      dead.add(record.value);
      endIfFinished();
      return 'reject';
    },
  });
  await consumer.close();
}

function endIfFinished() {
  if (done.size + dead.size === total) finished.abort();
}

try {
  const admin = kafka.admin();
  await admin.createTopics([topic, deadLetters].map((name) => ({ topic: name, partitions: 1, replicationFactor: 1 })));
  // Where a new group begins is a setting of the group, not of its members.
  await admin.incrementalAlterConfigs({ type: 'group', name: groupId, set: { 'share.auto.offset.reset': 'earliest' } });
  await producer.send(Array.from({ length: total }, (_, number) => ({ topic, value: `job-${number}` })));

  await Promise.all([runWorker('first'), runWorker('second')]);

  const retried = [...done.values()].filter((deliveries) => deliveries > 1).length;
  assert.equal(done.size, total - 2);
  assert.ok(retried >= total / 10, `${retried} jobs were tried again`);
  assert.deepEqual([...dead].sort(), ['job-113', 'job-13']);
  const letters = new Map();
  const reader = kafka.consumer({ key: string, value: string, autoOffsetReset: 'earliest' });
  reader.assign([{ topic: deadLetters, partition: 0 }]);
  for await (const { value, headers } of reader.records({ until: 'end' }))
    letters.set(value, headers.getString('reason'));
  assert.deepEqual(Object.fromEntries(letters), {
    'job-13': 'nobody can do job-13',
    'job-113': 'nobody can do job-113',
  });

  await admin.deleteGroups([groupId]);
  await admin.deleteTopics([topic, deadLetters]);
  console.log(`ok: ${done.size} jobs done, ${retried} of them after a retry, ${dead.size} in the dead-letter topic`);
} finally {
  await kafka.close();
}
