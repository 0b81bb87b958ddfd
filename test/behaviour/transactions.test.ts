import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { isKafkaError, Kafka, type Consumer } from '../../src/index.ts';
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
});
