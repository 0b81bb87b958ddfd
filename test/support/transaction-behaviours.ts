import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, it } from 'node:test';
import {
  FencedError,
  isKafkaError,
  Kafka,
  SendError,
  string,
  type Consumer,
  type Producer,
  type ProducerOptions,
} from '../../src/index.ts';
import { eventually } from './eventually.ts';

/** What transactions promise, on any cluster: tests for within a `describe`. */
export function itHandlesTransactions(cluster: () => { readonly bootstrapServers: readonly string[] }): void {
  let kafka: Kafka;
  before(() => {
    kafka = new Kafka({ bootstrapServers: cluster().bootstrapServers });
  });
  after(() => kafka.close());

  const producerOf = (transactionalId: string, options: ProducerOptions = {}): Producer =>
    kafka.producer({ transactionalId, ...options });

  async function makeTopic(partitions = 1, configs: Record<string, string> = {}): Promise<string> {
    const topic = `transactions-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1, configs });
    return topic;
  }

  /** What a reader sees who wants only what is committed; in the order of each partition. */
  async function committed(topic: string, partitions = 1): Promise<string[]> {
    const consumer = kafka.consumer({ value: string, isolationLevel: 'read_committed', autoOffsetReset: 'earliest' });
    consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition })));
    const values: string[] = [];
    for await (const { value } of consumer.records({ until: 'end' })) values.push(value ?? '');
    await consumer.close();
    return values;
  }

  const untilSeen = (topic: string, expected: readonly string[], partitions = 1): Promise<unknown> =>
    eventually(
      async () => JSON.stringify((await committed(topic, partitions)).sort()) === JSON.stringify([...expected].sort()),
      `readers to see ${expected.join(', ')}`,
    );

  /** What a promise was rejected with. */
  async function failure(promise: Promise<unknown>): Promise<unknown> {
    const outcome = await promise.then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    assert.ok(outcome !== undefined, 'it was expected to fail');
    return outcome.error;
  }

  const groupOf = (groupId: string): Consumer<string | null, string | null> =>
    kafka.consumer({ groupId, key: string, value: string, autoCommit: false, autoOffsetReset: 'earliest' });

  it('Producer.transaction commits when its body returns, sends that it did not await included', async () => {
    const topic = await makeTopic(3);
    const producer = producerOf(topic);
    const answer = await producer.transaction(async (tx) => {
      for (let at = 0; at < 9; at++) void tx.send({ topic, partition: at % 3, value: `v${at}` });
      const many = await tx.send([
        { topic, partition: 0, value: 'v9' },
        { topic, partition: 1, value: 'v10' },
      ]);
      return many.map(({ partition }) => partition);
    });
    assert.deepEqual(answer, [0, 1]);
    await untilSeen(
      topic,
      Array.from({ length: 11 }, (_, at) => `v${at}`),
      3,
    );
    await producer.close();
  });

  it('Producer.transaction aborts and rejects with what its body threw; commits and aborts may follow each other', async () => {
    const topic = await makeTopic();
    const producer = producerOf(topic);
    const problem = new Error('not today');
    for (let round = 0; round < 3; round++) {
      await producer.transaction((tx) => tx.send({ topic, value: `kept ${round}` }));
      const aborted = producer.transaction(async (tx) => {
        await tx.send({ topic, value: `dropped ${round}` });
        throw problem;
      });
      assert.equal(await failure(aborted), problem);
    }
    await producer.transaction((tx) => tx.send({ topic, value: 'last' }));
    await untilSeen(topic, ['kept 0', 'kept 1', 'kept 2', 'last']);
    await producer.close();
  });

  it('Producer.transaction aborts if a send of it failed, also when nobody looked, and works again', async () => {
    const topic = await makeTopic();
    const producer = producerOf(topic);
    const unawaited = producer.transaction(async (tx) => {
      await tx.send({ topic, value: 'goes with it' });
      void tx.send({ topic, partition: 5, value: 'no such partition' });
    });
    const error = await failure(unawaited);
    assert.ok(isKafkaError(error, 'TRANSACTION_ABORTED'));
    assert.ok(error.cause instanceof SendError && error.cause.code === 'INVALID_ARGUMENT');
    const swallowed = producer.transaction(async (tx) => {
      await tx.send({ topic, partition: 5, value: 'no such partition' }).catch(() => undefined);
      const next = await failure(tx.send({ topic, value: 'too late' }));
      assert.ok(next instanceof SendError && next.outcome === 'not-sent', 'nothing more is taken');
      assert.equal(next.code, 'TRANSACTION_ABORTED');
    });
    assert.ok(isKafkaError(await failure(swallowed), 'TRANSACTION_ABORTED'));
    await producer.transaction((tx) => tx.send({ topic, value: 'good' }));
    await untilSeen(topic, ['good']);
    await producer.close();
  });

  it('Producer.transaction waits for its turn: two never overlap, and a wait can be given up', async () => {
    const topic = await makeTopic();
    const producer = producerOf(topic);
    const order: string[] = [];
    const run = (name: string): Promise<void> =>
      producer.transaction(async (tx) => {
        order.push(`${name} begins`);
        await tx.send({ topic, value: `${name} 1` });
        await tx.send({ topic, value: `${name} 2` });
        order.push(`${name} ends`);
      });
    const first = run('a');
    const impatient = new AbortController();
    const given = producer.transaction(() => order.push('never'), { signal: impatient.signal });
    const reason = new Error('enough');
    impatient.abort(reason);
    assert.equal(await failure(given), reason);
    await Promise.all([first, run('b'), run('c')]);
    assert.deepEqual(order, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    await untilSeen(topic, ['a 1', 'a 2', 'b 1', 'b 2', 'c 1', 'c 2']);
    await producer.close();
  });

  it('Producer.transaction aborts if its signal has aborted by the end of its body', async () => {
    const topic = await makeTopic();
    const producer = producerOf(topic);
    const ending = new AbortController();
    const reason = new Error('shut down');
    const aborted = producer.transaction(
      async (tx) => {
        await tx.send({ topic, value: 'dropped' });
        ending.abort(reason);
      },
      { signal: ending.signal },
    );
    assert.equal(await failure(aborted), reason);
    await producer.transaction((tx) => tx.send({ topic, value: 'kept' }));
    await untilSeen(topic, ['kept']);
    await producer.close();
  });

  it('Producer.send of a transactional producer rejects TRANSACTION_REQUIRED, and so does a transaction that has ended', async () => {
    const topic = await makeTopic();
    const producer = producerOf(topic);
    const outside = await failure(producer.send({ topic, value: 'x' }));
    assert.ok(
      outside instanceof SendError && outside.outcome === 'not-sent' && outside.code === 'TRANSACTION_REQUIRED',
    );
    const first = await producer.beginTransaction();
    await first.commit();
    assert.ok(isKafkaError(await failure(first.send({ topic, value: 'late' })), 'TRANSACTION_REQUIRED'));
    assert.ok(isKafkaError(await failure(first.commit().then(() => first.abort())), 'INVALID_STATE'));
    // A send past an open transaction was most likely meant to be part of it.
    const mistaken = producer.transaction(async (tx) => {
      await tx.send({ topic, value: 'dropped' });
      void producer.send({ topic, value: 'forgot the tx' });
    });
    const error = await failure(mistaken);
    assert.ok(isKafkaError(error, 'TRANSACTION_ABORTED') && isKafkaError(error.cause, 'TRANSACTION_REQUIRED'));
    await producer.transaction((tx) => tx.send({ topic, value: 'kept' }));
    await untilSeen(topic, ['kept']);
    const plain = kafka.producer();
    assert.ok(isKafkaError(await failure(plain.beginTransaction()), 'INVALID_STATE'));
    await producer.close();
  });

  it('Producer.beginTransaction gives a transaction that is aborted unless it is committed', async () => {
    const topic = await makeTopic();
    const producer = producerOf(topic);
    const left = await producer.beginTransaction();
    await left.send({ topic, value: 'dropped' });
    assert.equal(left.isOpen, true);
    await left[Symbol.asyncDispose]();
    assert.equal(left.isOpen, false);
    const kept = await producer.beginTransaction();
    void kept.send({ topic, value: 'kept' });
    await kept.commit();
    await kept[Symbol.asyncDispose]();
    await kept.commit(); // a second time it is done already
    const twice = await producer.beginTransaction();
    void twice.send({ topic, value: 'dropped, too' });
    await twice.abort();
    await twice.abort();
    await untilSeen(topic, ['kept']);
    await producer.close();
  });

  it('Producer of the same transactionalId fences the one before: its sends settle once, and it says so for ever', async () => {
    const topic = await makeTopic(2);
    const old = producerOf(topic);
    const open = await old.beginTransaction();
    await open.send({ topic, partition: 0, value: 'of the old one' });
    const next = producerOf(topic);
    await next.transaction((tx) => tx.send({ topic, partition: 0, value: 'of the new one' }));
    let settled = 0;
    const late = Array.from({ length: 50 }, (_, at) =>
      open.send({ topic, partition: at % 2, value: `zombie ${at}` }).then(
        () => assert.fail('a zombie wrote'),
        (error: unknown) => {
          settled++;
          assert.ok(error instanceof SendError);
        },
      ),
    );
    await Promise.all(late);
    assert.equal(settled, 50);
    assert.ok((await failure(open.commit())) instanceof FencedError);
    assert.ok((await failure(old.transaction(() => undefined))) instanceof FencedError);
    const fencedAgain = await failure(old.beginTransaction());
    assert.ok(fencedAgain instanceof FencedError && fencedAgain.code === 'PRODUCER_FENCED');
    await old.close();
    await next.transaction((tx) => tx.send({ topic, partition: 1, value: 'still works' }));
    await untilSeen(topic, ['of the new one', 'still works'], 2);
    await next.close();
  });

  it('Producer.close with an open transaction aborts it, and who waits for a turn is told', async () => {
    const topic = await makeTopic();
    const producer = producerOf(topic);
    const open = await producer.beginTransaction();
    await open.send({ topic, value: 'dropped' });
    const waiting = failure(producer.beginTransaction());
    await producer.close();
    assert.ok(isKafkaError(await waiting, 'CLOSED'));
    assert.ok(isKafkaError(await failure(open.send({ topic, value: 'late' })), 'CLOSED'));
    assert.notEqual(await failure(open.commit()), undefined);
    // No successor has to end it: readers are not kept waiting for the transaction's time-out.
    const [end] = await kafka.admin().listOffsets([{ topic, partition: 0 }]);
    await eventually(async () => {
      const [stable] = await kafka.admin().listOffsets([{ topic, partition: 0 }], { isolationLevel: 'read_committed' });
      return stable !== undefined && end !== undefined && stable.offset > end.offset - 1n && stable.offset >= 2n;
    }, 'the marker of the abort');
    await untilSeen(topic, []);
  });

  it('Transaction.sendOffsets moves the group with the commit only: a batch, a poll result, a record, offsets', async () => {
    const [from, to] = [await makeTopic(2), await makeTopic()];
    const feeder = kafka.producer();
    await feeder.send(Array.from({ length: 10 }, (_, at) => ({ topic: from, partition: at % 2, value: `in ${at}` })));
    const producer = producerOf(to);
    const consumer = groupOf(to);
    consumer.subscribe([from]);
    const offsets = async (): Promise<(bigint | undefined)[]> => {
      // By name: of all partitions a broker tells those only that have an offset, without a word of one that is about to get its first.
      const partitions = [0, 1].map((partition) => ({ topic: from, partition }));
      const listed = await kafka.admin().listGroupOffsets(to, { partitions, requireStable: true });
      return [0, 1].map((partition) => listed.find((each) => each.partition === partition)?.offset);
    };
    let read: Awaited<ReturnType<typeof consumer.poll>> | undefined;
    await eventually(async () => {
      read = await consumer.poll({ minRecords: 10, timeoutMs: 5000 });
      return read.length === 10;
    }, 'all records in one poll');
    assert.ok(read !== undefined);
    const records = read;
    const [batch] = records.batches;
    const [record] = records;
    assert.ok(batch !== undefined && record !== undefined);
    const group = consumer.groupMetadata();
    assert.ok(group.generationId > 0 && group.memberId !== '');

    const tx = await producer.beginTransaction();
    await tx.send({ topic: to, value: 'dropped' });
    await tx.sendOffsets(records, group);
    await tx.abort();
    assert.deepEqual(await offsets(), [undefined, undefined], 'an abort leaves the group where it was');

    await producer.transaction((next) => next.sendOffsets(record, group));
    const afterOne = [undefined, undefined] as (bigint | undefined)[];
    afterOne[record.partition] = record.offset + 1n;
    assert.deepEqual(await offsets(), afterOne);
    await producer.transaction((next) => next.sendOffsets(batch, group));
    assert.equal((await offsets())[batch.partition], 5n);
    await producer.transaction(async (next) => {
      await next.send({ topic: to, value: 'kept' });
      void next.sendOffsets(records, group);
    });
    assert.deepEqual(await offsets(), [5n, 5n]);
    await producer.transaction((next) =>
      next.sendOffsets([{ topic: from, partition: 1, offset: 3n, metadata: 'back' }], group),
    );
    assert.deepEqual(await offsets(), [5n, 3n]);
    assert.deepEqual(await committed(to), ['kept']);
    await consumer.close();
    await Promise.all([producer.close(), feeder.close()]);
  });

  it('Transaction.sendOffsets is refused for a member that has left the group, and nothing of the transaction is seen', async () => {
    const [from, to] = [await makeTopic(), await makeTopic()];
    const feeder = kafka.producer();
    await feeder.send([{ topic: from, value: 'in' }]);
    const gone = groupOf(to);
    gone.subscribe([from]);
    const read = await gone.poll({ minRecords: 1, timeoutMs: 30_000 });
    const stale = gone.groupMetadata();
    await gone.close();
    const other = groupOf(to);
    other.subscribe([from]);
    await other.waitForAssignment();
    const producer = producerOf(to);
    const fencedOff = await failure(
      producer.transaction(async (tx) => {
        await tx.send({ topic: to, value: 'dropped' });
        await tx.sendOffsets([{ topic: from, partition: 0, offset: 1n }], stale);
      }),
    );
    assert.ok(isKafkaError(fencedOff), String(fencedOff));
    assert.ok(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'].includes(fencedOff.code), fencedOff.code);
    assert.match(fencedOff.message, /given the partitions to another member/);
    // What was read in an assignment that has ended is refused here already, whoever is named as its member.
    const ended = await failure(producer.transaction((tx) => tx.sendOffsets(read, other.groupMetadata())));
    assert.ok(isKafkaError(ended, 'PARTITION_NOT_OWNED'), String(ended));
    await producer.transaction((tx) => tx.send({ topic: to, value: 'kept' }));
    await untilSeen(to, ['kept']);
    assert.deepEqual(await kafka.admin().listGroupOffsets(to), []);
    await other.close();
    await Promise.all([producer.close(), feeder.close()]);
  });

  it('Transaction.abort fails what has not left as not-sent, and awaits what is under way', async () => {
    const topic = await makeTopic(2);
    const producer = producerOf(topic, { lingerMs: 60_000 });
    const tx = await producer.beginTransaction();
    const held = [0, 1].map((partition) => failure(tx.send({ topic, partition, value: 'waits to linger' })));
    await tx.abort();
    for (const error of await Promise.all(held)) {
      assert.ok(error instanceof SendError && error.outcome === 'not-sent', String(error));
      assert.equal(error.code, 'TRANSACTION_ABORTED');
    }
    const next = await producer.beginTransaction();
    void next.send({ topic, partition: 0, value: 'kept' });
    await next.commit();
    await untilSeen(topic, ['kept'], 2);
    await producer.close();
  });

  it('ProducerOptions.transactionTimeoutMs goes to the coordinator, which ends what takes longer', async () => {
    const topic = await makeTopic();
    const admin = kafka.admin();
    const producer = producerOf(topic, { transactionTimeoutMs: 1500 });
    const slow = await producer.beginTransaction();
    await slow.send({ topic, value: 'dropped' });
    const described = await admin.describeTransactions(topic);
    assert.equal(described.transactionTimeoutMs, 1500);
    assert.equal(described.state, 'Ongoing');
    assert.deepEqual(described.partitions, [{ topic, partition: 0 }]);
    await eventually(
      async () => (await admin.describeTransactions(topic)).state === 'CompleteAbort',
      'the coordinator to lose its patience',
      60_000,
    );
    assert.notEqual(await failure(slow.commit()), undefined);
    const heir = producerOf(topic);
    await heir.transaction((tx) => tx.send({ topic, value: 'kept' }));
    await untilSeen(topic, ['kept']);
    const greedy = producerOf(randomUUID(), { transactionTimeoutMs: 2_000_000_000 });
    assert.ok(isKafkaError(await failure(greedy.beginTransaction()), 'INVALID_TRANSACTION_TIMEOUT'));
    await Promise.all([producer.close(), heir.close(), greedy.close()]);
  });

  it('Admin.describeProducers, listTransactions and describeTransactions find a transaction; abortTransaction ends it where it hangs', async () => {
    const topic = await makeTopic();
    const admin = kafka.admin();
    const producer = producerOf(topic);
    await producer.transaction((tx) => tx.send({ topic, value: 'before' }));
    const open = await producer.beginTransaction();
    await open.send({ topic, value: 'hangs' });
    await kafka.producer().send({ topic, value: 'behind it' });
    assert.deepEqual(await committed(topic), ['before'], 'readers wait at the open transaction');

    const listed = (await admin.listTransactions({ states: ['Ongoing'] })).find(
      (each) => each.transactionalId === topic,
    );
    const described = await admin.describeTransactions(topic);
    assert.equal(listed?.producerId, described.producerId);
    assert.equal(described.producerId >= 0n && described.startedMs !== undefined, true);
    const filtered = await admin.listTransactions({ producerIds: [described.producerId] });
    assert.deepEqual(
      filtered.map(({ transactionalId }) => transactionalId),
      [topic],
    );
    const { producers } = await admin.describeProducers({ topic, partition: 0 });
    const hanging = producers.find(({ transactionStartOffset }) => transactionStartOffset !== undefined);
    assert.equal(hanging?.producerId, described.producerId);
    assert.equal(hanging?.transactionStartOffset, 2n);

    await admin.abortTransaction({ topic, partition: 0, producerId: described.producerId });
    await untilSeen(topic, ['before', 'behind it']);
    const again = await failure(admin.abortTransaction({ topic, partition: 0, producerId: described.producerId }));
    assert.ok(isKafkaError(again, 'INVALID_TXN_STATE'));
    const [unknown] = await admin.describeTransactions([randomUUID()], { settled: true });
    assert.ok(unknown?.status === 'rejected' && unknown.reason.code === 'TRANSACTIONAL_ID_NOT_FOUND');
    await open.abort().catch(() => undefined);
    await producer.close();
  });

  it('Admin.fenceProducers takes the transactional id from its producer and ends its transaction', async () => {
    const topic = await makeTopic();
    const admin = kafka.admin();
    const producer = producerOf(topic);
    const open = await producer.beginTransaction();
    await open.send({ topic, value: 'dropped' });
    await kafka.producer().send({ topic, value: 'behind it' });
    const before = await admin.describeTransactions(topic);
    const taken = await admin.fenceProducers(topic);
    assert.equal(taken.producerId === before.producerId && taken.producerEpoch > before.producerEpoch, true);
    await untilSeen(topic, ['behind it']);
    assert.ok((await failure(open.commit())) instanceof FencedError);
    await producer.close();
  });
}
