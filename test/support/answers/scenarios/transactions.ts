import { apis } from '../../../../src/protocol/index.ts';
import { RawProducer } from '../raw-producer.ts';
import { normalise, type Scenario } from '../scenario.ts';

/** Transactions, before and after the second part of KIP-890 (AddPartitionsToTxn v3 and EndTxn v4, Produce v12 and EndTxn v5). */
export const scenarios: readonly Scenario[] = [
  {
    name: 'InitProducerId without a transactional id gives new ids, one after the other',
    async run(kafka) {
      const producer = await RawProducer.open(kafka);
      for (const version of [0, 1, 2, 3, 4, 5]) await producer.init(version, { transactionalId: null });
      return producer.log;
    },
  },
  {
    name: 'InitProducerId raises the epoch each time',
    async run(kafka) {
      const producer = await RawProducer.open(kafka);
      for (const version of [0, 1, 2, 3, 4, 5]) await producer.init(version);
      await producer.describe();
      return producer.log;
    },
  },
  {
    name: 'InitProducerId refuses timeouts and transactional ids that cannot be',
    async run(kafka) {
      const producer = await RawProducer.open(kafka);
      for (const transactionTimeoutMs of [900_001, 0, -1]) await producer.init(5, { transactionTimeoutMs });
      await producer.init(5, { transactionTimeoutMs: 900_000 });
      await producer.init(5, { transactionTimeoutMs: 1 });
      await producer.init(5, { transactionalId: '' });
      await producer.init(5, { transactionalId: null, transactionTimeoutMs: 900_001 });
      return producer.log;
    },
  },
  {
    name: 'InitProducerId with the expected id and epoch (KIP-360)',
    async run(kafka) {
      const producer = await RawProducer.open(kafka);
      const unknown = { producerId: 123_456n, producerEpoch: 3 };
      await producer.init(5, { expected: unknown });
      await producer.init();
      const first = producer.identity;
      await producer.init(5, { expected: first });
      producer.note('the same request again');
      await producer.init(5, { expected: first });
      await producer.init(5, { expected: { ...first, producerEpoch: first.producerEpoch - 1 } });
      await producer.init(3, { expected: { ...first, producerEpoch: first.producerEpoch - 1 } });
      await producer.init(5, { expected: { ...first, producerEpoch: first.producerEpoch + 9 } });
      await producer.init(5, { expected: unknown });
      await producer.init(3, { expected: unknown });
      producer.note('an epoch without an id, and the other way round');
      await producer.init(5, { expected: { producerId: -1n, producerEpoch: 1 } });
      await producer.init(5, { expected: { producerId: first.producerId, producerEpoch: -1 } });
      await producer.init(5, { transactionalId: null, expected: first });
      producer.note('another producer takes over');
      const current = producer.identity;
      await producer.init();
      await producer.init(5, { expected: current });
      return producer.log;
    },
  },
  {
    name: 'InitProducerId ends the transaction of the producer that it fences',
    async run(kafka) {
      const { name } = await kafka.topic();
      const zombie = await RawProducer.open(kafka);
      await zombie.init();
      await zombie.produce(name);
      const next = await RawProducer.open(kafka, zombie.transactionalId, zombie);
      await next.init();
      await next.settled();
      await next.init();
      zombie.note('the zombie');
      await zombie.produce(name);
      await zombie.end(true);
      await zombie.end(true, 4);
      await zombie.add(name, [0], 3);
      await zombie.add(name, [0], 1);
      await zombie.addOffsets('group', 4);
      await zombie.addOffsets('group', 1);
      await zombie.end(true, 1);
      await zombie.init(5, { expected: zombie.identity });
      await zombie.read(name);
      return zombie.log;
    },
  },
  {
    name: 'InitProducerId fences a transaction from before KIP-890',
    async run(kafka) {
      const { name } = await kafka.topic();
      const zombie = await RawProducer.open(kafka);
      await zombie.init(4);
      await zombie.add(name);
      await zombie.produce(name, 0, 11);
      const next = await RawProducer.open(kafka, zombie.transactionalId, zombie);
      await next.init(4);
      await next.settled();
      await next.init(4);
      await zombie.produce(name, 0, 11);
      await zombie.produce(name, 0, 9);
      await zombie.end(true, 4);
      await zombie.read(name);
      return zombie.log;
    },
  },
  {
    name: 'InitProducerId with the expected id and epoch during a transaction',
    async run(kafka) {
      const { name } = await kafka.topic();
      const producer = await RawProducer.open(kafka);
      await producer.init();
      const first = producer.identity;
      await producer.produce(name);
      await producer.init(5, { expected: first });
      await producer.settled();
      await producer.init(5, { expected: first });
      await producer.init(5, { expected: { ...first, producerEpoch: first.producerEpoch + 1 } });
      await producer.init(5, { expected: { ...first, producerEpoch: first.producerEpoch + 2 } });
      return producer.log;
    },
  },
  {
    name: 'Transactions before KIP-890: partitions are added first, id and epoch stay',
    async run(kafka) {
      const { name } = await kafka.topic(2);
      const producer = await RawProducer.open(kafka);
      await producer.init(4);
      for (const [version, committed] of [0, 1, 2, 3].map((each) => [each, each % 2 === 0] as const)) {
        await producer.add(name, [1, 0], version);
        await producer.produce(name, 0, 11, { values: [`a${version}`, `b${version}`] });
        await producer.describe();
        await producer.end(committed, version);
        await producer.settled();
        producer.note('the same end again');
        await producer.end(committed, version);
        await producer.end(!committed, version);
      }
      await producer.read(name, 0);
      await producer.read(name, 1);
      return producer.log;
    },
  },
  {
    name: 'Transactions of KIP-890: each end raises the epoch',
    async run(kafka) {
      const { name } = await kafka.topic(2);
      const producer = await RawProducer.open(kafka);
      await producer.init();
      for (const committed of [true, false, true]) {
        const before = producer.identity;
        await producer.produce(name, 0, 12, { values: [`a-${committed}`] });
        await producer.produce(name, 1, 12);
        await producer.describe();
        await producer.end(committed);
        await producer.settled();
        producer.note('the same end again');
        await producer.end(committed, 5, before);
        producer.note('the other end with the old epoch');
        await producer.end(!committed, 5, before);
      }
      await producer.read(name);
      return producer.log;
    },
  },
  {
    name: 'EndTxn v5 of a transaction without partitions',
    async run(kafka) {
      const { name } = await kafka.topic();
      const producer = await RawProducer.open(kafka);
      await producer.init();
      producer.note('Empty');
      await producer.end(true);
      await producer.end(true, 5, { producerEpoch: -1 });
      const first = producer.identity;
      await producer.end(false);
      await producer.settled();
      producer.note('CompleteAbort');
      await producer.end(false, 5, first);
      await producer.end(true, 5, first);
      await producer.end(true);
      await producer.end(false);
      await producer.settled();
      await producer.produce(name);
      await producer.end(true);
      await producer.settled();
      producer.note('CompleteCommit');
      await producer.end(true);
      await producer.end(false);
      await producer.settled();
      return producer.log;
    },
  },
  {
    name: 'EndTxn v4 of a transaction without partitions',
    async run(kafka) {
      const producer = await RawProducer.open(kafka);
      await producer.init();
      await producer.end(true, 4);
      await producer.end(false, 4);
      await producer.end(false, 0);
      return producer.log;
    },
  },
  {
    name: 'EndTxn and the others refuse whom they do not know',
    async run(kafka) {
      const { name } = await kafka.topic();
      const producer = await RawProducer.open(kafka);
      producer.identity = { producerId: 123_456n, producerEpoch: 0 };
      producer.note('a transactional id that was never there');
      await producer.end(true);
      await producer.end(true, 4);
      await producer.add(name);
      await producer.verify(name);
      await producer.addOffsets('group');
      await producer.produce(name);
      await producer.produce(name, 0, 11);
      await producer.describe();
      await producer.init();
      producer.note('another producer id');
      const other = { producerId: 123_456n };
      await producer.end(true, 5, other);
      await producer.end(true, 4, other);
      await producer.end(true, 0, other);
      await producer.add(name, [0], 3, other);
      await producer.verify(name, [0], other);
      await producer.addOffsets('group', 4, other);
      await producer.produce(name, 0, 12, other);
      producer.note('an epoch that is not there yet');
      const later = { producerEpoch: 7 };
      await producer.end(true, 5, later);
      await producer.end(true, 4, later);
      await producer.add(name, [0], 3, later);
      await producer.verify(name, [0], later);
      await producer.addOffsets('group', 4, later);
      await producer.produce(name, 0, 12, later);
      producer.note('an empty transactional id');
      await producer.end(true, 5, { transactionalId: '' });
      await producer.end(true, 4, { transactionalId: '' });
      await producer.add(name, [0], 3, { transactionalId: '' });
      return producer.log;
    },
  },
  {
    name: 'AddPartitionsToTxn refuses all when one partition does not exist',
    async run(kafka) {
      const { name } = await kafka.topic(2);
      const producer = await RawProducer.open(kafka);
      await producer.init();
      await producer.add(name, [0, 1, 7]);
      await producer.add(kafka.name('missing'), [0]);
      await producer.describe();
      await producer.add(name, [0, 1]);
      await producer.add(name, [0]);
      await producer.describe();
      return producer.log;
    },
  },
  {
    name: 'AddPartitionsToTxn v4 and v5 verify or add, for brokers',
    async run(kafka) {
      const { name } = await kafka.topic(3);
      const producer = await RawProducer.open(kafka);
      await producer.init();
      for (const version of [4, 5]) {
        await producer.verify(name, [0, 1], { version });
        await producer.verify(name, [0], { verifyOnly: false, version });
        await producer.verify(name, [0, 1], { version });
        await producer.verify(name, [0, 1, 9], { version });
        await producer.verify(name, [0, 1, 9], { verifyOnly: false, version });
        await producer.end(true);
        await producer.settled();
        await producer.verify(name, [0], { version });
      }
      const topics = [{ name, partitions: [0] }];
      const message = {
        transactions: [
          { transactionalId: producer.transactionalId, ...producer.identity, topics },
          { transactionalId: 'nobody', producerId: 1n, producerEpoch: 0, topics },
        ],
      };
      const names = { topic: name, tx: producer.transactionalId };
      return [...producer.log, normalise(await producer.connection.send(apis.AddPartitionsToTxn, 5, message), names)];
    },
  },
  {
    name: 'Produce belongs to a transaction that knows its partition',
    async run(kafka) {
      const { name } = await kafka.topic(2);
      const producer = await RawProducer.open(kafka);
      await producer.init(4);
      for (const version of [3, 7, 9, 10, 11]) {
        producer.note('not added');
        await producer.produce(name, 0, version);
      }
      await producer.add(name, [0]);
      await producer.produce(name, 0, 9);
      await producer.produce(name, 1, 11);
      producer.note('v12 adds');
      await producer.produce(name, 1, 12);
      await producer.describe();
      await producer.end(true, 4);
      await producer.settled();
      producer.note('ended');
      await producer.produce(name, 0, 9);
      await producer.produce(name, 0, 11);
      await producer.produce(name, 0, 11, { transactionalId: 'another' });
      return producer.log;
    },
  },
  {
    name: 'Produce of sequence numbers in transactions',
    async run(kafka) {
      const { name } = await kafka.topic(2);
      const producer = await RawProducer.open(kafka);
      await producer.init();
      await producer.produce(name, 0, 12, { baseSequence: 5 });
      await producer.produce(name, 0, 12);
      await producer.produce(name, 0, 12, { baseSequence: 0 });
      await producer.produce(name, 0, 12, { baseSequence: 9 });
      const before = producer.identity;
      await producer.end(true);
      await producer.settled();
      producer.note('with the epoch of the transaction that has ended');
      await producer.produce(name, 0, 12, before);
      await producer.produce(name, 0, 12, { baseSequence: 3 });
      await producer.produce(name, 0, 12);
      await producer.produce(name, 1, 12, { baseSequence: 4 });
      await producer.end(false);
      await producer.settled();
      await producer.read(name);
      return producer.log;
    },
  },
  {
    name: 'Produce of sequence numbers in transactions before KIP-890',
    async run(kafka) {
      const { name } = await kafka.topic(2);
      const producer = await RawProducer.open(kafka);
      await producer.init(4);
      await producer.add(name, [0, 1]);
      await producer.produce(name, 0, 11, { baseSequence: 5 });
      await producer.produce(name, 0, 11, { baseSequence: 4 });
      await producer.produce(name, 0, 11, { baseSequence: 0 });
      await producer.produce(name, 0, 11);
      await producer.produce(name, 1, 11);
      await producer.end(true, 4);
      await producer.settled();
      await producer.add(name, [0, 1]);
      producer.note('after a marker of the same epoch');
      await producer.produce(name, 0, 11, { baseSequence: 9 });
      await producer.produce(name, 1, 11);
      await producer.end(true, 4);
      await producer.settled();
      await producer.init(4);
      await producer.add(name, [0, 1]);
      producer.note('with a new epoch');
      await producer.produce(name, 0, 11, { baseSequence: 3 });
      await producer.produce(name, 0, 11, { baseSequence: 0 });
      await producer.end(true, 4);
      await producer.settled();
      return producer.log;
    },
  },
  {
    name: 'WriteTxnMarkers writes markers that a client sends',
    async run(kafka) {
      const { name } = await kafka.topic(2);
      const producer = await RawProducer.open(kafka);
      await producer.init();
      await producer.produce(name);
      await producer.ready(name, 2);
      const topics = [{ name, partitionIndexes: [0, 1, 5] }];
      const missing = [{ name: kafka.name('missing'), partitionIndexes: [0] }];
      const answers: unknown[] = [];
      const marker = { ...producer.identity, transactionResult: true, coordinatorEpoch: 5, topics };
      const names = { topic: name, missing: missing[0]?.name ?? '', id: producer.identity.producerId };
      const write = async (version: number, fields: object): Promise<void> => {
        const message = { markers: [{ ...marker, ...fields }] };
        const { markers } = await producer.connection.send(apis.WriteTxnMarkers, version, message);
        for (const { topics: written } of markers)
          for (const { partitions } of written) partitions.sort((a, b) => a.partitionIndex - b.partitionIndex);
        answers.push(normalise({ markers }, names));
      };
      await write(2, { transactionVersion: 2 });
      await write(1, {});
      await write(1, { topics: missing });
      await write(1, { coordinatorEpoch: 4, producerEpoch: 0 });
      await write(2, { coordinatorEpoch: 4, transactionVersion: 2 });
      await write(1, { producerEpoch: -1 });
      await write(2, { producerEpoch: 0, transactionVersion: 2 });
      await write(2, { producerEpoch: 3, transactionVersion: 2, transactionResult: false });
      await write(2, { producerEpoch: 2, transactionVersion: 2, transactionResult: false });
      await write(2, { producerEpoch: 2, transactionVersion: 0, transactionResult: false });
      await producer.read(name);
      await producer.read(name, 1);
      await producer.describe();
      return [...producer.log, ...answers];
    },
  },
  {
    name: 'DescribeTransactions and ListTransactions',
    async run(kafka) {
      const { name } = await kafka.topic(3);
      const open = await RawProducer.open(kafka);
      await open.init();
      await open.produce(name, 2);
      await open.produce(name, 0);
      const empty = await RawProducer.open(kafka, kafka.name('empty'), open);
      await empty.init(5, { transactionTimeoutMs: 5_000 });
      const done = await RawProducer.open(kafka, kafka.name('done'), open);
      await done.init();
      await done.produce(name, 1);
      await done.end(true);
      await done.settled();
      const own = new Set([open.transactionalId, empty.transactionalId, done.transactionalId]);
      const names = {
        topic: name,
        open: open.transactionalId,
        empty: empty.transactionalId,
        done: done.transactionalId,
        'id of open': open.identity.producerId,
        'id of empty': empty.identity.producerId,
        'id of done': done.identity.producerId,
      };
      const answers: unknown[] = [];
      const ids = [...own, 'nobody', ''];
      const described = await open.connection.send(apis.DescribeTransactions, 0, { transactionalIds: ids });
      for (const state of described.transactionStates) {
        const start = state.transactionStartTimeMs > 0n ? 1n : state.transactionStartTimeMs;
        for (const { partitions } of state.topics) partitions.sort();
        answers.push(normalise({ ...state, transactionStartTimeMs: start }, names));
      }
      const list = async (version: number, filters: object): Promise<void> => {
        const answer = await open.connection.send(apis.ListTransactions, version, filters);
        const order = [...own];
        const transactionStates = answer.transactionStates
          .filter(({ transactionalId }) => own.has(transactionalId))
          .toSorted((a, b) => order.indexOf(a.transactionalId) - order.indexOf(b.transactionalId));
        answers.push(normalise({ ...answer, transactionStates }, names));
      };
      for (const version of [0, 1, 2]) await list(version, {});
      await list(0, { stateFilters: ['Ongoing', 'Empty'] });
      await list(0, { stateFilters: ['Ongoing', 'ongoing', 'Nonsense'] });
      await list(0, { stateFilters: ['Nonsense'] });
      await list(0, { producerIdFilters: [done.identity.producerId, 77_777n] });
      await list(0, { stateFilters: ['Empty'], producerIdFilters: [done.identity.producerId] });
      await list(1, { durationFilter: 3_600_000n });
      await list(2, { transactionalIdPattern: 'empty-.*' });
      await list(2, { transactionalIdPattern: 'empty' });
      await list(2, { transactionalIdPattern: '' });
      await list(2, { transactionalIdPattern: '(' });
      await open.end(false);
      await open.settled();
      return [...open.log, ...answers];
    },
  },
  {
    name: 'A transaction that takes too long is aborted, its producer fenced',
    async run(kafka) {
      const { name } = await kafka.topic();
      const producer = await RawProducer.open(kafka);
      await producer.init(5, { transactionTimeoutMs: 100 });
      await producer.produce(name);
      await producer.reaches('CompleteAbort');
      await producer.produce(name);
      await producer.end(true);
      await producer.end(true, 4);
      await producer.add(name);
      await producer.addOffsets('group');
      const aborted = producer.identity;
      await producer.end(false);
      await producer.init(5, { expected: aborted });
      await producer.init(5, { expected: producer.identity });
      await producer.init(5, { expected: aborted });
      await producer.init();
      await producer.read(name);
      return producer.log;
    },
  },
  {
    name: 'A transaction from before KIP-890 that takes too long',
    async run(kafka) {
      const { name } = await kafka.topic();
      const producer = await RawProducer.open(kafka);
      await producer.init(4, { transactionTimeoutMs: 100 });
      await producer.add(name);
      await producer.produce(name, 0, 11);
      await producer.reaches('CompleteAbort');
      await producer.produce(name, 0, 11);
      await producer.end(true, 4);
      await producer.end(false, 4);
      await producer.init(4, { expected: producer.identity });
      await producer.init(4);
      await producer.read(name);
      return producer.log;
    },
  },
  {
    name: 'AddOffsetsToTxn adds the partition of the group',
    async run(kafka) {
      const producer = await RawProducer.open(kafka);
      await producer.init();
      for (const version of [0, 1, 2, 3, 4]) await producer.addOffsets(`group-${version % 2}`, version);
      await producer.addOffsets('');
      await producer.reaches('Ongoing');
      await producer.end(true, 4);
      await producer.settled();
      return producer.log;
    },
  },
  {
    name: 'InitProducerId v6 of KIP-939 is not offered',
    async run(kafka) {
      const connection = await kafka.connect();
      const { apiKeys } = await connection.send(apis.ApiVersions, 3, {
        clientSoftwareName: 'raw',
        clientSoftwareVersion: '1',
      });
      return [22, 24, 25, 26, 27, 65, 66].map((key) => apiKeys.find(({ apiKey }) => apiKey === key) ?? key);
    },
  },
];
