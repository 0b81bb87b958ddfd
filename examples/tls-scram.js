// TLS with SCRAM-SHA-512: what a right and a wrong password look like.
//
//     KAFKA_SASL_SSL=broker.example:9093 KAFKA_CA_FILE=ca.pem KAFKA_USERNAME=magpie KAFKA_PASSWORD=… \
//       node examples/tls-scram.js

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { isKafkaError, Kafka } from 'kavka';

const bootstrapServers = (process.env.KAFKA_SASL_SSL ?? 'localhost:9093').split(',');
const username = process.env.KAFKA_USERNAME ?? 'magpie';
const password = process.env.KAFKA_PASSWORD ?? '';
// Without `ca`, the authorities that Node trusts are used.
const tls = process.env.KAFKA_CA_FILE ? { ca: readFileSync(process.env.KAFKA_CA_FILE, 'utf8') } : true;
const topic = `example-tls-${Date.now()}`;

// A wrong password is told as such, at once, and the message does not show it.
const wrong = new Kafka({
  clientId: 'example-tls',
  bootstrapServers,
  tls,
  sasl: { mechanism: 'scram-sha-512', username, password: 'not-the-password' },
});
try {
  await assert.rejects(wrong.connect(), (error) => {
    assert.ok(isKafkaError(error, 'SASL_AUTHENTICATION_FAILED'), inspect(error));
    assert.doesNotMatch(inspect(error), /not-the-password/);
    console.log(`wrong password: ${error.message}`);
    return true;
  });
} finally {
  await wrong.close();
}

const kafka = new Kafka({
  clientId: 'example-tls',
  bootstrapServers,
  tls,
  sasl: { mechanism: 'scram-sha-512', username, password },
});
try {
  await kafka.connect();
  const admin = kafka.admin();
  await admin.createTopics([{ topic, partitions: 1, replicationFactor: 1 }]);
  const { offset } = await kafka.producer().send({ topic, value: 'sent through TLS' });
  assert.equal(offset, 0n);

  const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
  consumer.assign([{ topic, partition: 0 }]);
  for await (const record of consumer) {
    assert.equal(record.value.toString(), 'sent through TLS');
    break;
  }
  await admin.deleteTopics([topic]);
  console.log('ok: authenticated, written and read through TLS');
} finally {
  await kafka.close();
}
