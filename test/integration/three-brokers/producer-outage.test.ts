import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, type Producer } from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
/** How long no broker answers; `npm run soak` takes 12 s. */
const outageMs = Number(process.env['OUTAGE_MS'] ?? 3000);
const partitions = 3;

/** Whether a broker answers at this address: a bare socket, no client of ours. */
async function isReachable(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect(Number(port), host);
  try {
    return await new Promise<boolean>((resolve) => {
      // A request of ApiVersions 0: only a process that runs answers it.
      const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
      socket.once('connect', () => socket.write(request));
      socket.once('data', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.setTimeout(500, () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

describe('Producer while no broker is there', { skip: brokers.skip }, () => {
  after(() => brokers.restore());

  for (const outage of ['killed', 'stopped'] as const) {
    it(`rejects no send, loses, doubles and reorders nothing while all brokers are ${outage} for ${outageMs} ms, its buffer full`, async (context) => {
      const kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers, requestTimeoutMs: 5000 });
      const topic = `all-${outage}-${randomUUID()}`;
      const configs = { 'min.insync.replicas': '2' };
      await kafka.admin().createTopics({ topic, partitions, replicationFactor: 3, configs });
      const producer = kafka.producer({ bufferMemoryBytes: 2 * 1024 * 1024 });
      const load = new Load(producer, topic);
      let over = false;
      const loading = load.run(() => over);
      let longestMs = 0;
      try {
        await eventually(() => load.acknowledged > 2000, 'records before the outage');
        const began = performance.now();
        await Promise.all(brokers.brokerIds.map((id) => (outage === 'killed' ? brokers.kill(id) : brokers.pause(id))));
        while (performance.now() - began < outageMs) {
          const answers = await Promise.all(brokers.bootstrapServers.map(isReachable));
          assert.deepEqual(answers, [false, false, false], 'a broker was there during the outage');
          await delay(100);
        }
        longestMs = performance.now() - began;
        await eventually(() => load.isHeldUp, 'the buffer to be full');
        const during = load.acknowledged;
        await Promise.all(
          brokers.brokerIds.map((id) => (outage === 'killed' ? brokers.start(id) : brokers.unpause(id))),
        );
        await eventually(() => load.acknowledged > during + 2000, 'records after the outage', 120_000);
      } finally {
        over = true; // a load that goes on would keep the process from telling what failed
        await loading;
      }
      await producer.flush();
      context.diagnostic(
        `${load.sent} records, no broker for ${longestMs.toFixed(0)} ms, ${load.waits} waits for memory`,
      );
      assert.deepEqual(load.rejected, []);
      assert.equal(load.acknowledged, load.sent);
      assert.ok(load.waits > 0);
      await load.checkLog(kafka);
      await kafka.close();
    });
  }
});

/** Sends numbered records as fast as memory allows: it heeds back-pressure, and sends a few more all the same, which then wait. */
class Load {
  readonly #producer: Producer;
  readonly #topic: string;
  readonly rejected: unknown[] = [];
  sent = 0;
  acknowledged = 0;
  waits = 0;
  isHeldUp = false;

  constructor(producer: Producer, topic: string) {
    this.#producer = producer;
    this.#topic = topic;
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      for (let burst = 0; burst < 200; burst++) this.#send();
      const since = performance.now();
      const timer = setTimeout(() => (this.isHeldUp = true), 1000);
      await this.#producer.ready();
      clearTimeout(timer);
      if (performance.now() - since > 1000) this.waits++;
      this.isHeldUp = false;
      await delay(5);
    }
  }

  /** Each partition holds exactly what was sent to it, in the order of the calls. */
  async checkLog(kafka: Kafka): Promise<void> {
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic: this.#topic, partition })));
    const seen: number[][] = Array.from({ length: partitions }, () => []);
    for await (const record of consumer.records({ until: 'end' })) {
      seen[record.partition]?.push(Number.parseInt(String(record.value), 10));
    }
    await consumer.close();
    for (const [partition, numbers] of seen.entries()) {
      const expected = Array.from({ length: this.sent }, (_, at) => at).filter((at) => at % partitions === partition);
      assert.deepEqual(numbers, expected, `partition ${partition}`);
    }
  }

  #send(): void {
    const number = this.sent++;
    this.#producer
      .send({ topic: this.#topic, partition: number % partitions, value: `${number} `.padEnd(500, '.') })
      .then(
        () => this.acknowledged++,
        (error: unknown) => this.rejected.push(error),
      );
  }
}
