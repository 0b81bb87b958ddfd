import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { isKafkaError, Kafka, SendError, string } from '../../../src/index.ts';
import { eventually } from '../../support/eventually.ts';
import { kafkaUnderTest } from '../../support/kafka/under-test.ts';

const brokers = await kafkaUnderTest({ brokers: 3, needs: ['control'] });
const patienceMs = 120_000;

describe('Transactions while brokers are lost', { skip: brokers.skip }, () => {
  after(() => brokers.restore());

  async function committed(kafka: Kafka, topic: string): Promise<(string | null)[]> {
    const reader = kafka.consumer({ value: string, isolationLevel: 'read_committed', autoOffsetReset: 'earliest' });
    reader.assign([{ topic, partition: 0 }]);
    const values: (string | null)[] = [];
    for await (const { value } of reader.records({ until: 'end' })) values.push(value);
    await reader.close();
    return values;
  }

  it('commit and abort as they were asked to, though their coordinator is killed in each phase', async () => {
    const kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers });
    const topic = `coordinator-${randomUUID()}`;
    const admin = kafka.admin();
    const configs = { 'min.insync.replicas': '2' };
    await admin.createTopics({ topic, partitions: 1, replicationFactor: 3, configs });
    const producer = kafka.producer({ transactionalId: topic });
    await producer.transaction((tx) => tx.send({ topic, value: 'before' }));
    const expected = ['before'];
    let lost = 0;
    kafka.on('request.failed', ({ api }) => {
      if (['InitProducerId', 'AddPartitionsToTxn', 'EndTxn', 'Produce'].includes(api)) lost++;
    });
    const killCoordinator = async (): Promise<number> => {
      const { coordinatorId } = await admin.describeTransactions(topic);
      await brokers.kill(coordinatorId);
      return coordinatorId;
    };

    for (const phase of ['open', 'committing', 'aborting'] as const) {
      const tx = await producer.beginTransaction();
      await tx.send({ topic, value: `${phase} 1` });
      // Known before, so that nothing lies between the request and the blow.
      const { coordinatorId } = await admin.describeTransactions(topic);
      if (phase === 'open') {
        assert.equal(await killCoordinator(), coordinatorId);
        await tx.send({ topic, value: `${phase} 2` });
        await tx.commit();
        expected.push('open 1', 'open 2');
      } else {
        // One request certainly waits for its answer when the blow comes; the other may have been answered, or carried out.
        if (phase === 'committing') await brokers.pause(coordinatorId);
        const ending = phase === 'committing' ? tx.commit() : tx.abort();
        await Promise.all([ending, brokers.kill(coordinatorId)]);
        if (phase === 'committing') expected.push('committing 1');
      }
      assert.notEqual((await admin.describeTransactions(topic)).coordinatorId, coordinatorId, 'the coordinator moved');
      await brokers.start(coordinatorId);
    }
    await producer.transaction((tx) => tx.send({ topic, value: 'after' }));
    expected.push('after');
    await eventually(
      async () => (await committed(kafka, topic)).length >= expected.length,
      'all that was committed',
      patienceMs,
    );
    assert.deepEqual(await committed(kafka, topic), expected);
    assert.ok(lost > 0, 'no request was under way when a coordinator was killed');
    await kafka.close();
  });

  it('abort what too few replicas keep from being written, and go on when they are back', async () => {
    // Long enough that what the brokers say of the records is the last that is heard, even if all stand still for seconds.
    const [requestTimeoutMs, deliveryTimeoutMs] = [8000, 10_000];
    const kafka = new Kafka({ bootstrapServers: brokers.bootstrapServers, requestTimeoutMs });
    const topic = `too-few-${randomUUID()}`;
    const admin = kafka.admin();
    const configs = { 'min.insync.replicas': '3' };
    await admin.createTopics({ topic, partitions: 1, replicationFactor: 3, configs });
    const inSync = async (): Promise<number | undefined> =>
      (await admin.describeTopics(topic)).partitions[0]?.isr.length;
    const producer = kafka.producer({ transactionalId: topic, deliveryTimeoutMs });
    await producer.transaction((tx) => tx.send({ topic, value: 'before' }));
    // Its marker needs all replicas, too: without it the next transaction is refused for the sake of this one.
    await eventually(
      async () => (await admin.describeTransactions(topic)).state === 'CompleteCommit',
      'the marker of the first transaction',
      patienceMs,
    );
    const leader = (await admin.describeTopics(topic)).partitions[0]?.leaderId;
    const follower = brokers.brokerIds.find((id) => id !== leader) ?? 1;
    await brokers.stop(follower);
    await eventually(async () => (await inSync()) === 2, 'the in-sync set to shrink', patienceMs);
    const failed: unknown = await producer
      .transaction(async (tx) => {
        await tx.send({ topic, value: 'dropped' });
      })
      .catch((error: unknown) => error);
    assert.ok(failed instanceof SendError && failed.code === 'DELIVERY_TIMEOUT', String(failed));
    assert.ok(isKafkaError(failed.cause) && failed.cause.code.startsWith('NOT_ENOUGH_REPLICAS'), String(failed.cause));
    await brokers.start(follower);
    await eventually(async () => (await inSync()) === 3, 'the in-sync set to grow', patienceMs);
    await eventually(
      async () => {
        await producer.transaction((tx) => tx.send({ topic, value: 'after' }));
        return true;
      },
      'the next transaction',
      patienceMs,
    );
    await eventually(async () => (await committed(kafka, topic)).includes('after'), 'what was committed', patienceMs);
    assert.deepEqual(await committed(kafka, topic), ['before', 'after']);
    await kafka.close();
  });
});
