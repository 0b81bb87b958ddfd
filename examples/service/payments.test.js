// The service of payments.js, tested against a Kafka inside this process: a broker dies and instances come and go.
//
//     node --test examples/service/payments.test.js

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Kafka } from 'kavka';
import { TestCluster } from 'kavka/testing';
import { paymentFor, startPayments } from './payments.js';

let cluster;
let kafka;
let instances;

beforeEach(async () => {
  cluster = await TestCluster.start({ brokers: 3, topics: { orders: 6, payments: 3 } });
  kafka = new Kafka({ clientId: 'payments', bootstrapServers: cluster.bootstrapServers });
  instances = [];
});

afterEach(async () => {
  await kafka.close();
  await cluster.close();
});

function start() {
  // Instances learn of one another with their heartbeats: often, so that the test is quick.
  const instance = startPayments(kafka, { instance: instances.length + 1, heartbeatIntervalMs: 50 });
  instances.push(instance);
  return instance;
}

function ordersFrom(first, count) {
  return Array.from({ length: count }, (_, index) => {
    const id = first + index;
    return { key: `o-${id}`, value: JSON.stringify({ id, price: id }) };
  });
}

async function payments(count) {
  const records = await cluster.waitForRecords('payments', { count, isolationLevel: 'read_committed' });
  return records.map(({ value }) => JSON.parse(value.toString()));
}

test('a payment is the price with VAT', () => {
  assert.deepEqual(paymentFor({ id: 7, price: 10 }), { orderId: 7, amount: 12.1 });
});

test('every order is paid once, though a broker dies and instances come and go', async () => {
  const first = start();
  await cluster.append('orders', ordersFrom(0, 100));
  await payments(100);

  const second = start();
  await cluster.waitForGroup('payments', { members: 2 });

  const { leader, leaderEpoch } = cluster.partition('orders', 0);
  await cluster.kill(leader);
  cluster.fence(leader); // does not wait for the controller to notice
  await cluster.append('orders', ordersFrom(100, 100));
  await payments(200);
  assert.ok(cluster.partition('orders', 0).leaderEpoch > leaderEpoch, 'another broker leads');

  await first.stop();
  await cluster.append('orders', ordersFrom(200, 100));
  const paid = await payments(300);
  await cluster.waitForGroup('payments', { members: 1, lag: 0 });
  await second.stop();

  assert.deepEqual(
    paid.map(({ orderId }) => orderId).sort((a, b) => a - b),
    Array.from({ length: 300 }, (_, id) => id),
  );
});

test('orders whose transaction fails are paid later, once', async () => {
  const refused = cluster.intercept({ api: 'TxnOffsetCommit', times: 1 }, { fail: 'UNKNOWN_MEMBER_ID' });
  const service = start();
  await cluster.append('orders', ordersFrom(0, 10));
  const paid = await payments(10);
  await service.stop();
  assert.equal(refused.requests.length, 1);
  assert.ok(service.redone >= 1);
  assert.equal(new Set(paid.map(({ orderId }) => orderId)).size, 10);
  assert.equal(paid.length, 10);
});
