import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClientOptions } from '../../../src/cluster/options.ts';
import { SendError } from '../../../src/errors/send-error.ts';
import type { ProducerOptions } from '../../../src/producer/options.ts';
import { defaultPartitioner, type Partitioner } from '../../../src/producer/partitioner.ts';
import { Producer } from '../../../src/producer/producer.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { FakeCluster } from './fake-cluster.ts';

function setUp(
  options: ProducerOptions,
  partitions: number,
  clientOptions: Partial<ClientOptions> = {},
): { cluster: FakeCluster; producer: Producer } {
  const cluster = new FakeCluster(clientOptions);
  cluster.random = seededRandom(11);
  cluster.addTopic('t', partitions, { isKnown: true });
  cluster.onRequest = (pending) => cluster.clock.setTimer(() => pending.answer(), 5);
  return { cluster, producer: new Producer(cluster, options) };
}

const kilobyte = 'x'.repeat(1000);

/** How many records each partition has. */
function counts(cluster: FakeCluster, partitions: number): number[] {
  return Array.from({ length: partitions }, (_, partition) => cluster.log('t', partition).values.length);
}

/** Partitions of even numbers are led by broker 1, of odd ones by broker 2. */
const led = (cluster: FakeCluster, partitions: number): [byFirst: number, bySecond: number] => {
  const all = counts(cluster, partitions);
  const sum = (rest: number): number => all.reduce((total, each, at) => total + (at % 2 === rest ? each : 0), 0);
  return [sum(0), sum(1)];
};

/** Sends records without a key at a steady rate, one every millisecond. */
async function drip(
  cluster: FakeCluster,
  producer: Producer,
  records: number,
  key: string | null = null,
): Promise<void> {
  for (let at = 0; at < records; at++) {
    producer.enqueue({ topic: 't', key, value: kilobyte });
    await cluster.clock.advance(1);
  }
  await cluster.clock.advance(60_000);
}

describe('PartitionChooser', () => {
  it('PartitionChooser rejects only the record for which a partitioner answers nonsense, and says what it answered', async () => {
    const answers: [answer: unknown, message: RegExp][] = [
      [-1, /the partitioner chose partition -1, and the topic has 2: 0 to 1/],
      [2, /chose partition 2,/],
      [0.5, /chose partition 0.5,/],
      [NaN, /chose partition NaN,/],
      ['0', /chose partition "0",/],
      [undefined, /chose partition undefined,/],
      [0n, /chose partition 0n,/],
      [Promise.reject(new Error('late')), /the partitioner chose a promise, but must answer at once/],
    ];
    const partitioner = (({ key }) => {
      if (key === 'throws') throw new RangeError('no idea');
      return key === null ? 1 : answers[Number(key)]?.[0];
    }) as Partitioner<string | Uint8Array | null>;
    const { cluster, producer } = setUp({ partitioner }, 2);
    const failure = async (key: string): Promise<SendError> => {
      const error: unknown = await producer.send({ topic: 't', key, value: 'x' }).catch((reason: unknown) => reason);
      assert.ok(error instanceof SendError);
      assert.deepEqual([error.code, error.outcome, error.topic], ['INVALID_ARGUMENT', 'not-sent', 't']);
      return error;
    };
    for (const [index, [, message]] of answers.entries()) assert.match((await failure(String(index))).message, message);
    const thrown = await failure('throws');
    assert.match(thrown.message, /^Cannot send to topic "t": the partitioner threw: no idea$/);
    assert.ok(thrown.cause instanceof RangeError);
    const sent = producer.send({ topic: 't', value: 'good' });
    await cluster.clock.advance(50);
    assert.equal((await sent).partition, 1);
  });

  it('PartitionChooser uses partitions that a topic has gained, for keys and without', async () => {
    const { cluster, producer } = setUp({ batchSizeBytes: 2000 }, 2);
    await drip(cluster, producer, 50);
    cluster.growTopic('t', 6);
    cluster.readMetadata();
    await drip(cluster, producer, 300);
    assert.ok(
      counts(cluster, 6).every((count) => count > 20),
      counts(cluster, 6).join(),
    );
    const before = counts(cluster, 6);
    for (let key = 0; key < 100; key++) producer.enqueue({ topic: 't', key: `k${key}`, value: 'x' });
    await cluster.clock.advance(1000);
    for (const [partition, count] of counts(cluster, 6).entries()) assert.ok(count > (before[partition] ?? 0));
  });

  it('PartitionChooser asks for metadata when a record names a partition that is not known, and takes it afterwards', async () => {
    const { cluster, producer } = setUp({}, 1);
    cluster.growTopic('t', 3);
    const early = producer.send({ topic: 't', partition: 2, value: 'x' });
    await assert.rejects(early, /the record names partition 2, and the topic has 1: 0 to 0/);
    await cluster.clock.advance(50);
    const sent = producer.send({ topic: 't', partition: 2, value: 'x' });
    await cluster.clock.advance(50);
    assert.equal((await sent).partition, 2);
  });

  for (const adaptive of [true, false]) {
    it(`PartitionChooser gives a slow broker ${adaptive ? 'less' : 'as much, if it is not adaptive'}`, async () => {
      const options = { partitioner: defaultPartitioner({ adaptive }), batchSizeBytes: 4000 };
      const { cluster, producer } = setUp(options, 4);
      cluster.onRequest = (pending) => {
        cluster.clock.setTimer(() => pending.answer(), pending.nodeId === 1 ? 200 : 5);
      };
      await drip(cluster, producer, 2000);
      const [slow, fast] = led(cluster, 4);
      assert.equal(slow + fast, 2000);
      assert.ok(slow > 50, 'the slow one keeps a chance');
      if (adaptive) assert.ok(slow < fast / 2, `${slow} and ${fast}`);
      else assert.ok(slow > fast / 2 && fast > slow / 2, `${slow} and ${fast}`);
    });
  }

  it('PartitionChooser leaves out a broker that takes nothing for availabilityTimeoutMs, and comes back to it', async () => {
    const during = async (availabilityTimeoutMs: number): Promise<number> => {
      const partitioner = defaultPartitioner({ adaptive: false, availabilityTimeoutMs });
      const { cluster, producer } = setUp({ partitioner, batchSizeBytes: 2000, maxInFlightRequests: 1 }, 4);
      let isStuck = true;
      const stuck: (() => void)[] = [];
      cluster.onRequest = (pending) => {
        if (pending.nodeId === 1 && isStuck) stuck.push(() => pending.answer());
        else cluster.clock.setTimer(() => pending.answer(), 5);
      };
      for (let at = 0; at < 1000; at++) {
        producer.enqueue({ topic: 't', value: kilobyte });
        await cluster.clock.advance(1);
      }
      isStuck = false;
      for (const answer of stuck) answer();
      await cluster.clock.advance(5000);
      const [byFirst] = led(cluster, 4);
      await drip(cluster, producer, 500);
      const [byFirstLater] = led(cluster, 4);
      assert.ok(byFirstLater - byFirst > 100, `${byFirstLater - byFirst} of 500 when it answers again`);
      return byFirst;
    };
    const [with50, without] = [await during(50), await during(0)];
    assert.ok(with50 > 0 && with50 < 150, `${with50} of 1000 although it took nothing`);
    assert.ok(without > 350, `${without} of 1000 without the option`);
  });

  it('PartitionChooser with rackAware keeps records without a key in the rack, keys go where they belong', async () => {
    const options = { partitioner: defaultPartitioner({ rackAware: true }), batchSizeBytes: 2000 };
    const { cluster, producer } = setUp(options, 4, { clientRack: 'rack-2' });
    await drip(cluster, producer, 200);
    const [away, near] = led(cluster, 4);
    assert.deepEqual([away, near], [0, 200]);
    assert.ok(counts(cluster, 4).every((count, partition) => partition % 2 === 0 || count > 50));
    for (let key = 0; key < 50; key++) producer.enqueue({ topic: 't', key: `k${key}`, value: 'x' });
    await cluster.clock.advance(1000);
    assert.ok(led(cluster, 4)[0] > 10);
    for (const partition of [1, 3]) cluster.moveLeader('t', partition, 1);
    cluster.readMetadata();
    await drip(cluster, producer, 100);
    assert.equal(
      counts(cluster, 4).reduce((sum, each) => sum + each, 0),
      350,
      'with none in the rack, any will do',
    );
  });

  it('PartitionChooser takes the partitions in turn if told so, also for records that all have one key', async () => {
    const { cluster, producer } = setUp({ partitioner: 'round-robin' }, 4);
    await drip(cluster, producer, 40, 'the same');
    assert.deepEqual(counts(cluster, 4), [10, 10, 10, 10]);
    await producer.close();
  });

  it('PartitionChooser with ignoreKeys spreads a key over the partitions', async () => {
    const { cluster, producer } = setUp(
      { partitioner: defaultPartitioner({ ignoreKeys: true }), batchSizeBytes: 2000 },
      4,
    );
    await drip(cluster, producer, 200, 'same');
    assert.ok(
      counts(cluster, 4).every((count) => count > 20),
      counts(cluster, 4).join(),
    );
  });
});
