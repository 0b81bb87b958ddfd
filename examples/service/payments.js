// A service that reads orders and writes a payment for each, exactly once: what it read and what it wrote are committed together.
//
// It is tested without a Kafka of its own in payments.test.js beside it.

import { FencedError, json, required } from 'kavka';

/** Starts one instance of the service; instances share the work as members of one group. */
export function startPayments(kafka, { instance, heartbeatIntervalMs = 3000 }) {
  const producer = kafka.producer({ transactionalId: `payments-${instance}`, value: required(json()) });
  const consumer = kafka.consumer({
    groupId: 'payments',
    value: required(json()),
    autoOffsetReset: 'earliest',
    autoCommit: false,
    isolationLevel: 'read_committed',
    heartbeatIntervalMs,
  });
  const stopping = new AbortController();
  let redone = 0;

  async function run() {
    // An instance of this name that died may have left a transaction open: it is ended before the first record is read.
    await producer.ready();
    consumer.subscribe(['orders']);
    while (!stopping.signal.aborted) {
      const orders = await consumer.poll({ maxRecords: 50, minRecords: 1, timeoutMs: 100 });
      if (orders.length === 0) continue;
      try {
        await producer.transaction(async (tx) => {
          for (const { key, value } of orders) void tx.send({ topic: 'payments', key, value: paymentFor(value) });
          await tx.sendOffsets(orders, consumer.groupMetadata());
        });
      } catch (error) {
        if (error instanceof FencedError) throw error; // another instance has this name
        redone++;
        consumer.rewind(); // nothing of it was written: read again what is still ours
      }
    }
  }

  const running = run();
  running.catch(() => undefined); // told by stop
  return {
    /** How often a transaction was aborted and its orders were read again. */
    get redone() {
      return redone;
    },
    /** Ends the instance; its share goes to the others. */
    async stop() {
      stopping.abort();
      await running;
      await Promise.all([consumer.close(), producer.close()]);
    },
  };
}

/** What is asked of the customer: the order's price with VAT. */
export function paymentFor(order) {
  return { orderId: order.id, amount: Math.round(order.price * 121) / 100 };
}
