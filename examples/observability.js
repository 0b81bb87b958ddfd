// What a service shows of itself: metrics for Prometheus over HTTP, and a trace that goes on from producer to consumer in a record's headers.
//
//     KAFKA_BOOTSTRAP=localhost:9092 node examples/observability.js

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Kafka, string } from 'kavka';
import { collectMetrics, prometheusContentType } from 'kavka/metrics';

const bootstrapServers = (process.env.KAFKA_BOOTSTRAP ?? 'localhost:9092').split(',');
const topic = `example-observability-${Date.now()}`;
const groupId = topic;
const orders = 5;

// What the program works on now, as a tracing library keeps it: https://www.w3.org/TR/trace-context/ says how it is written.
const traces = new AsyncLocalStorage();
const newTraceparent = (traceId = randomBytes(16).toString('hex')) =>
  `00-${traceId}-${randomBytes(8).toString('hex')}-01`;

/** Gives each record the trace in which `send` was called; called within that call, so the context is that of the caller. */
const tracing = {
  onSend(record) {
    const traceparent = traces.getStore();
    return traceparent === undefined ? record : { ...record, headers: { ...record.headers, traceparent } };
  },
};

const kafka = new Kafka({ clientId: 'example-observability', bootstrapServers });
const metrics = collectMetrics(kafka, { labels: { service: 'shop' } });
const server = createServer((_, response) => {
  response.setHeader('content-type', prometheusContentType).end(metrics.prometheus());
});
try {
  await kafka.admin().createTopics([{ topic, partitions: 1, replicationFactor: 1 }]);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  // Requests come in, each with a trace of its own, and each leads to an order.
  const producer = kafka.producer({ key: string, value: string, interceptors: [tracing] });
  const sent = new Map(); // order -> trace
  for (let number = 1; number <= orders; number++) {
    const traceparent = newTraceparent();
    sent.set(`o-${number}`, traceparent.split('-')[1]);
    await traces.run(traceparent, () => producer.send({ topic, key: `o-${number}`, value: 'created' }));
  }

  // The handler of a record works in the trace that its headers name.
  const consumer = kafka.consumer({ groupId, key: string, value: string, autoOffsetReset: 'earliest' });
  consumer.subscribe([topic]);
  const seen = new Map();
  const bill = (order) => seen.set(order, traces.getStore().split('-')[1]);
  await consumer.run({
    eachRecord(record, { stop }) {
      const [, traceId] = record.headers.getString('traceparent')?.split('-') ?? [];
      traces.run(newTraceparent(traceId), () => bill(record.key));
      if (seen.size === orders) stop();
    },
  });
  assert.deepEqual(seen, sent, 'every order is billed in the trace that it was made in');

  // What Prometheus would read every 15 seconds.
  const response = await fetch(`http://127.0.0.1:${server.address().port}/metrics`, {
    headers: { connection: 'close' },
  });
  const text = await response.text();
  console.log(text.match(/^kavka_(producer_records|consumer_records|consumer_lag).*/gm).join('\n'));
  assert.match(
    text,
    new RegExp(`^kavka_producer_records_total\\{.*topic="${topic}",service="shop"\\} ${orders}$`, 'm'),
  );
  assert.match(text, /^kavka_consumer_lag\{.*partition="0".*\} 0$/m);

  await consumer.close();
  await kafka.admin().deleteGroups([groupId]);
  await kafka.admin().deleteTopics([topic]);
  console.log(`ok: ${orders} orders, their traces and their figures`);
} finally {
  metrics.close();
  server.close();
  await kafka.close();
}
