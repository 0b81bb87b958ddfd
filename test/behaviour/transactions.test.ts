import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { isKafkaError, Kafka, type Consumer } from '../../src/index.ts';
import { TestCluster } from '../../src/testing/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { itHandlesTransactions } from '../support/transaction-behaviours.ts';

const broker = await kafkaUnderTest({ brokers: 1 });

describe('Transactions', { skip: broker.skip }, () => {
  itHandlesTransactions(() => broker);

  it('Transaction.sendOffsets under an epoch of the new protocol that is over is refused for what has gone, and the producer goes on', async () => {
    const kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const [from, to] = [`epochs-${randomUUID()}`, `epochs-${randomUUID()}`];
    const admin = kafka.admin();
    await admin.createTopics([from, to].map((topic) => ({ topic, partitions: 2, replicationFactor: 1 })));
    const join = (): Consumer =>
      kafka.consumer({ groupId: from, groupProtocol: 'consumer', autoCommit: false, autoOffsetReset: 'earliest' });
    const first = join();
    first.subscribe(from);
    await eventually(async () => {
      await first.poll({ timeoutMs: 100 });
      return first.assignment().length === 2;
    }, 'both partitions for the first member');
    const before = first.groupMetadata();

    const second = join();
    second.subscribe(from);
    // What changes hands does so in reads.
    await eventually(async () => {
      await Promise.all([first.poll({ timeoutMs: 100 }), second.poll({ timeoutMs: 100 })]);
      return first.assignment().length === 1 && second.assignment().length === 1;
    }, 'each to have one partition');
    const [gone] = second.assignment();
    const [kept] = first.assignment();
    assert.ok(gone !== undefined && kept !== undefined);
    const after = first.groupMetadata();
    assert.ok(after.generationId > before.generationId, 'another epoch');

    const producer = kafka.producer({ transactionalId: from });
    const refused = await producer
      .transaction(async (tx) => {
        await tx.send({ topic: to, value: 'dropped' });
        await tx.sendOffsets([{ ...gone, offset: 1n }], before);
      })
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    assert.ok(isKafkaError(refused, 'ILLEGAL_GENERATION'), String(refused));
    assert.match(refused.message, /given the partitions to another member/);
    await producer.transaction(async (tx) => {
      await tx.send({ topic: to, value: 'copied' });
      await tx.sendOffsets([{ ...kept, offset: 1n }], after);
    });
    await eventually(async () => {
      const offsets = await second.committed([kept, gone]);
      return offsets[0]?.offset === 1n && offsets[1]?.offset === undefined;
    }, 'the offset of the kept partition, and none of the other');
    await kafka.close();
  });

  it('Transaction.sendOffsets refuses what are no offsets and what is no group, and the transaction commits nothing', async () => {
    await using kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    const topic = `offsets-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
    const producer = kafka.producer({ transactionalId: topic });
    const metadata = { groupId: topic, generationId: -1, memberId: '', groupInstanceId: undefined };
    const offsets = [{ topic, partition: 0, offset: 1n }];
    const bad: [offsets: unknown, group: unknown, message: RegExp][] = [
      [offsets, topic, /" given, where what consumer\.groupMetadata\(\) gives was expected for the group/],
      [offsets, undefined, /undefined given, where what consumer\.groupMetadata\(\) gives/],
      [offsets, { groupId: topic }, /an object given, where what consumer\.groupMetadata\(\) gives/],
      [offsets, { ...metadata, groupId: '' }, /an object given, where what consumer\.groupMetadata\(\) gives/],
      [offsets, { ...metadata, generationId: '1' }, /an object given, where what consumer\.groupMetadata\(\) gives/],
      [null, metadata, /null given, where \{ topic, partition, offset \} was expected/],
      [[{ topic }], metadata, /undefined given for the partition/],
      [
        { topic, partitions: [{ partition: 0, offset: 1n }] },
        metadata,
        /give \{ topic, partition, offset \} for each of them/,
      ],
    ];
    for (const [what, group, message] of bad) {
      const transaction = await producer.beginTransaction();
      await transaction.send({ topic, value: 'dropped' });
      await assert.rejects(transaction.sendOffsets(what as never, group as never), (error) => {
        assert.ok(isKafkaError(error, 'INVALID_ARGUMENT'), String(error));
        assert.match(error.message, message);
        return true;
      });
      await assert.rejects(transaction.commit(), (error) => isKafkaError(error, 'TRANSACTION_ABORTED'));
    }
    const transaction = await producer.beginTransaction();
    await transaction.send({ topic, value: 'kept' });
    await transaction.sendOffsets({ topic, partition: 0, offset: 1n }, metadata);
    for (const call of ['commit', 'abort'] as const)
      await assert.rejects(transaction[call]({ timeout: 5 } as never), (error) =>
        isKafkaError(error, 'UNKNOWN_OPTION'),
      );
    await transaction.commit();
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest', isolationLevel: 'read_committed' });
    consumer.assign({ topic, partition: 0 });
    // Not up to the end: a broker answers a commit before its marker is written.
    const values: unknown[] = [];
    for await (const record of consumer.records({ limit: 1 })) values.push(record.value?.toString());
    assert.deepEqual(values, ['kept']);
  });
});

describe('A transaction whose group has no coordinator', () => {
  it('is aborted at once: offsets that have not left are not waited for', { timeout: 50_000 }, async () => {
    await using cluster = await TestCluster.start({ topics: { t: 1 } });
    await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    const producer = kafka.producer({ transactionalId: 'copies' });
    const group = { groupId: 'g', generationId: -1, memberId: '', groupInstanceId: undefined };
    const transaction = await producer.beginTransaction();
    await transaction.send({ topic: 't', value: 'dropped' });
    using missing = cluster.intercept({ api: 'FindCoordinator' }, { fail: 'COORDINATOR_NOT_AVAILABLE' });
    const taken = assert.rejects(transaction.sendOffsets([{ topic: 't', partition: 0, offset: 1n }], group), (error) =>
      isKafkaError(error, 'TRANSACTION_ABORTED'),
    );
    await missing.caught(2);
    await transaction.abort();
    await taken;
    missing.release();
    await producer.transaction(async (tx) => {
      await tx.send({ topic: 't', value: 'kept' });
      await tx.sendOffsets([{ topic: 't', partition: 0, offset: 2n }], group);
    });
    const records = await cluster.records('t', { isolationLevel: 'read_committed' });
    assert.deepEqual(
      records.map(({ value }) => value?.toString()),
      ['kept'],
    );
  });
});
