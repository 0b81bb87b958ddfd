import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultPartitioner, Kafka, type DefaultPartitionerOptions } from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
/** How many records without a key are sent: a partition has its turn 150 times, for one batch each. */
const keyless = 1200;

describe('Producer without keys', { skip: brokers.skip }, () => {
  const partitions = [0, 1, 2, 3, 4, 5];
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
  });
  afterEach(() => brokers.restore());
  after(() => kafka.close());

  /** Each broker leads two partitions, and holds no others. */
  async function makeTopic(): Promise<string> {
    const topic = `partitioning-${randomUUID()}`;
    const assignments = partitions.map((partition) => [brokers.brokerIds[partition % 3] ?? -1]);
    await kafka.admin().createTopics({ topic, assignments, configs: { 'min.insync.replicas': '1' } });
    return topic;
  }

  const ledBy = (broker: number) => (partition: number) => partition % 3 === broker;

  it('option partitioner with rackAware: only leaders in the rack of the client are written to', async () => {
    const topic = await makeTopic();
    const own = new Kafka({ bootstrapServers: brokers.bootstrapServers, clientRack: 'b' });
    const send = async (rackAware: boolean): Promise<Set<number>> => {
      const producer = own.producer({ partitioner: defaultPartitioner({ rackAware }), batchSizeBytes: 2000 });
      const sent = await producer.send(Array.from({ length: 200 }, () => ({ topic, value: 'x'.repeat(500) })));
      await producer.close();
      return new Set(sent.map(({ partition }) => partition));
    };
    assert.deepEqual([...(await send(true))].sort(), [1, 4]);
    assert.deepEqual([...(await send(false))].sort(), partitions);
    await own.close();
  });

  /**
   * How many of the records without a partition go to a broker that is silent. So much waits for it before they are sent that it makes no
   * difference how quickly this machine sends them, or how quickly the others answer; all are delivered when it speaks again.
   *
   * @param silentForMs how long nothing of what waits has moved by then
   */
  async function toSilentBroker(options: DefaultPartitionerOptions, silentForMs = 0): Promise<number> {
    const topic = await makeTopic();
    const partitioner = defaultPartitioner(options);
    const producer = kafka.producer({ partitioner, batchSizeBytes: 4000, maxInFlightRequests: 1 });
    await producer.send(partitions.map((partition) => ({ topic, partition, value: 'warm' })));
    const silentId = brokers.brokerIds[2] ?? -1;
    await brokers.pause(silentId);
    const value = 'x'.repeat(500);
    let answered = 0;
    const waiting = partitions.filter(ledBy(2)).flatMap((partition) =>
      Array.from({ length: keyless / 2 }, async () => {
        await producer.send({ topic, partition, value });
        answered++;
      }),
    );
    await delay(silentForMs);
    let delivered = 0;
    const sends = Array.from({ length: keyless }, async () => {
      const { partition } = await producer.send({ topic, value });
      delivered++;
      return partition;
    });
    await eventually(() => delivered > keyless / 4, 'records at the brokers that speak');
    assert.equal(answered, 0, 'the silent broker has answered');
    await brokers.unpause(silentId);
    const taken = await Promise.all(sends);
    await Promise.all(waiting);
    await producer.close();
    return taken.filter(ledBy(2)).length;
  }

  // A third of all is its share; half of that is more than four deviations away.
  const fewAreLess = keyless / 6;

  it('option partitioner with adaptive: a silent broker gets less than its share', async () => {
    const [adaptive, uniform] = [await toSilentBroker({}), await toSilentBroker({ adaptive: false })];
    assert.ok(uniform > fewAreLess, `${uniform} of ${keyless} if it is not adaptive`);
    assert.ok(adaptive < fewAreLess, `${adaptive} of ${keyless} if it is`);
  });

  it('option partitioner with availabilityTimeoutMs: a silent broker gets nothing more after that', async () => {
    // Far more than the others need for an answer: who is as slow as that is left out, too.
    const availabilityTimeoutMs = 2000;
    const silentForMs = availabilityTimeoutMs + 500;
    const [available, uniform] = [
      await toSilentBroker({ adaptive: false, availabilityTimeoutMs }, silentForMs),
      await toSilentBroker({ adaptive: false }, silentForMs),
    ];
    assert.ok(uniform > fewAreLess, `${uniform} of ${keyless} without it`);
    assert.ok(available < fewAreLess, `${available} of ${keyless} with it`);
  });
});
