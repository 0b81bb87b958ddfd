import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { defaultPartitioner, Kafka, type DefaultPartitionerOptions } from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });

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

  /** How many of the records that are sent while a broker is silent go to it; all are delivered when it speaks again. */
  async function toSilentBroker(options: DefaultPartitionerOptions): Promise<{ silent: number; others: number }> {
    const topic = await makeTopic();
    const producer = kafka.producer({
      partitioner: defaultPartitioner(options),
      batchSizeBytes: 4000,
      maxInFlightRequests: 1,
    });
    await producer.send(partitions.map((partition) => ({ topic, partition, value: 'warm' })));
    const silentId = brokers.brokerIds[2] ?? -1;
    await brokers.pause(silentId);
    const sends: Promise<{ readonly partition: number }>[] = [];
    let delivered = 0;
    for (let at = 0; at < 600; at++) {
      const sent = producer.send({ topic, value: 'x'.repeat(500) });
      void sent.then(() => delivered++);
      sends.push(sent);
      if (at % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await eventually(() => delivered > 100, 'records at the brokers that speak');
    assert.ok(delivered < 600, 'the silent broker has answered');
    await brokers.unpause(silentId);
    const taken = (await Promise.all(sends)).map(({ partition }) => partition);
    await producer.close();
    const silent = taken.filter(ledBy(2)).length;
    return { silent, others: taken.length - silent };
  }

  it('option partitioner with adaptive: a silent broker gets less than its share', async () => {
    const [adaptive, uniform] = [await toSilentBroker({}), await toSilentBroker({ adaptive: false })];
    assert.ok(uniform.silent > 130, `${uniform.silent} of 600 if it is not adaptive`);
    assert.ok(adaptive.silent > 0 && adaptive.silent < uniform.silent * 0.7, `${adaptive.silent} of 600 if it is`);
  });

  it('option partitioner with availabilityTimeoutMs: a silent broker gets nothing more after that', async () => {
    const [available, uniform] = [
      await toSilentBroker({ adaptive: false, availabilityTimeoutMs: 20 }),
      await toSilentBroker({ adaptive: false }),
    ];
    assert.ok(uniform.silent > 130, `${uniform.silent} of 600 without it`);
    assert.ok(available.silent < uniform.silent / 2, `${available.silent} of 600 with it`);
  });
});
