// Topic administration: create, find out that one exists already, list, describe, delete.
//
//     KAFKA_BOOTSTRAP=localhost:9092 node examples/topics.js

import assert from 'node:assert/strict';
import { isKafkaError, Kafka } from 'kavka';

const bootstrapServers = (process.env.KAFKA_BOOTSTRAP ?? 'localhost:9092').split(',');
const topic = `example-topics-${Date.now()}`;

const kafka = new Kafka({ clientId: 'example-topics', bootstrapServers });
try {
  const admin = kafka.admin();

  // Resolves when the topic has leaders: it can be used at once.
  const wanted = { topic, partitions: 4, replicationFactor: 1, configs: { 'retention.ms': '86400000' } };
  await admin.createTopics([wanted]);
  console.log(`created ${topic}`);

  // A second time it is an error, which has Kafka's own name …
  await assert.rejects(admin.createTopics([wanted]), (error) => {
    const [result] = error.results;
    assert.ok(isKafkaError(result.reason, 'TOPIC_ALREADY_EXISTS'));
    console.log(`again: ${result.reason.message}`);
    return true;
  });
  // … unless it may exist.
  await admin.createTopics([wanted], { ifNotExists: true });

  const names = (await admin.listTopics()).map((listed) => listed.topic);
  assert.ok(names.includes(topic));

  const [description] = await admin.describeTopics([topic]);
  assert.equal(description.partitions.length, 4);
  for (const { partition, leaderId, replicas } of description.partitions) {
    console.log(`partition ${partition}: leader ${leaderId}, replicas ${replicas.join(' ')}`);
  }

  await admin.deleteTopics([topic]);
  await assert.rejects(admin.deleteTopics([topic]), (error) =>
    isKafkaError(error.results[0].reason, 'UNKNOWN_TOPIC_OR_PARTITION'),
  );
  console.log('ok: created, listed, described and deleted');
} finally {
  await kafka.close();
}
