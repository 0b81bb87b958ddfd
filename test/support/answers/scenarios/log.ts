import { apis } from '../../../../src/protocol/index.ts';
import { DeleteRecords } from '../../../../src/protocol/generated/delete-records.ts';
import { DescribeProducers } from '../../../../src/protocol/generated/describe-producers.ts';
import { EndTxn } from '../../../../src/protocol/generated/end-txn.ts';
import { AddPartitionsToTxn } from '../../../../src/protocol/generated/add-partitions-to-txn.ts';
import { Fetch, type FetchRequest } from '../../../../src/protocol/generated/fetch.ts';
import { FindCoordinator } from '../../../../src/protocol/generated/find-coordinator.ts';
import { InitProducerId } from '../../../../src/protocol/generated/init-producer-id.ts';
import { ListOffsets } from '../../../../src/protocol/generated/list-offsets.ts';
import { OffsetForLeaderEpoch } from '../../../../src/protocol/generated/offset-for-leader-epoch.ts';
import { Produce, type ProduceResponsePartitionProduceResponse } from '../../../../src/protocol/generated/produce.ts';
import { BatchBuilder } from '../../../../src/protocol/records/batch-builder.ts';
import { BatchReader } from '../../../../src/protocol/records/batch-reader.ts';
import { RecordCursor } from '../../../../src/protocol/records/record-cursor.ts';
import type { CompressionName } from '../../../../src/protocol/records/compression-type.ts';
import type { Input } from '../../../../src/protocol/api.ts';
import { codecFor } from '../../../../src/compression/index.ts';
import { eventually } from '../../eventually.ts';
import type { RawConnection, RawKafka, RawTopic } from '../raw-kafka.ts';
import { errorName, normalise, type Scenario } from '../scenario.ts';

interface BatchOptions {
  readonly records?: readonly {
    readonly key?: string | null;
    readonly value?: string | null;
    readonly time?: number;
  }[];
  readonly producerId?: bigint;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  readonly baseOffset?: bigint;
  readonly compression?: CompressionName;
  readonly lastOffsetDelta?: number;
}

async function batch(options: BatchOptions = {}): Promise<Buffer> {
  const { records = [{ key: 'k', value: 'v' }], compression = 'none' } = options;
  const builder = new BatchBuilder({ initialBytes: 256, maxBytes: 4_000_000 });
  for (const { key = 'k', value = 'v', time = Date.now() } of records) builder.append(time, key, value, undefined);
  const codec = await codecFor(compression);
  return builder.close({
    compression,
    ...(compression === 'none' ? {} : { compressed: await codec.compress(builder.body(), undefined) }),
    transactional: options.transactional ?? false,
    producerId: options.producerId ?? -1n,
    producerEpoch: options.producerEpoch ?? -1,
    baseSequence: options.baseSequence ?? -1,
    ...(options.control === true ? { control: true } : {}),
    ...(options.baseOffset === undefined ? {} : { baseOffset: options.baseOffset }),
    ...(options.lastOffsetDelta === undefined ? {} : { lastOffsetDelta: options.lastOffsetDelta }),
  });
}

async function produceRaw(
  broker: RawConnection,
  topic: RawTopic,
  records: Buffer,
  { version = 11, acks = -1, index = 0, transactionalId = null as string | null } = {},
): Promise<ProduceResponsePartitionProduceResponse> {
  const topicData = [{ ...nameOrId(topic, version >= 13), partitionData: [{ index, records }] }];
  const answer = await broker.send(Produce, version, { transactionalId, acks, timeoutMs: 10_000, topicData });
  const [partition] = answer.responses[0]?.partitionResponses ?? [];
  if (partition === undefined) throw new Error('the answer has no partition');
  return partition;
}

function nameOrId(topic: RawTopic, byId: boolean): { readonly name: string } | { readonly topicId: string } {
  return byId ? { topicId: topic.topicId } : { name: topic.name };
}

/** What of a produce answer can be compared: times are only there or not. */
function told({
  errorCode,
  baseOffset,
  logAppendTimeMs,
  logStartOffset,
  recordErrors,
  errorMessage,
}: ProduceResponsePartitionProduceResponse): unknown {
  return {
    error: errorName(errorCode),
    baseOffset: `${baseOffset}`,
    hasTime: logAppendTimeMs !== -1n,
    logStartOffset: `${logStartOffset}`,
    recordErrors: recordErrors.map(({ batchIndex, batchIndexErrorMessage }) => [
      batchIndex,
      batchIndexErrorMessage !== null,
    ]),
    hasMessage: errorMessage !== null,
  };
}

async function produce(
  broker: RawConnection,
  topic: RawTopic,
  options: BatchOptions = {},
  more: { version?: number; acks?: number; index?: number; transactionalId?: string | null } = {},
): Promise<unknown> {
  return told(await produceRaw(broker, topic, await batch(options), more));
}

/** The producer id of a new idempotent producer. */
async function producerOf(
  broker: RawConnection,
): Promise<{ readonly producerId: bigint; readonly producerEpoch: number }> {
  let answer = { producerId: -1n, producerEpoch: -1, errorCode: -1 };
  await eventually(async () => {
    answer = await broker.send(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 60_000 });
    return answer.errorCode === 0;
  });
  return { producerId: answer.producerId, producerEpoch: answer.producerEpoch };
}

interface FetchOptions {
  readonly version?: number;
  readonly offset?: bigint;
  readonly partitions?: readonly object[];
  readonly request?: Input<FetchRequest>;
  readonly partition?: object;
}

function fetchRequest(
  topic: RawTopic,
  { version = 12, offset = 0n, partitions, request, partition }: FetchOptions,
): Input<FetchRequest> {
  const name = version >= 13 ? { topicId: topic.topicId } : { topic: topic.name };
  const wanted = partitions ?? [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1_000_000, ...partition }];
  return { maxWaitMs: 0, minBytes: 0, maxBytes: 10_000_000, topics: [{ ...name, partitions: wanted }], ...request };
}

/** A fetch with its batches taken apart. */
async function fetch(broker: RawConnection, topic: RawTopic, options: FetchOptions = {}): Promise<unknown> {
  const { version = 12 } = options;
  const answer = await broker.send(Fetch, version, fetchRequest(topic, options));
  const responses = answer.responses.map(({ partitions, ...rest }) => ({
    ...rest,
    partitions: partitions.map(({ records, abortedTransactions, ...partition }) => ({
      ...partition,
      abortedFrom: abortedTransactions?.map(({ firstOffset }) => firstOffset) ?? null,
      records: batchesIn(records),
    })),
  }));
  return normalise(
    {
      ...answer,
      responses,
      sessionId: answer.sessionId === 0 ? 0 : '<session>',
      nodeEndpoints: answer.nodeEndpoints.length,
    },
    { topic: topic.name, id: topic.topicId },
  );
}

function batchesIn(records: Buffer | null): unknown {
  if (records === null) return null;
  const batches: unknown[] = [];
  const reader = new BatchReader(records);
  for (let header = reader.next(); header !== undefined; header = reader.next()) {
    const { baseOffset, lastOffsetDelta, partitionLeaderEpoch, timestampType, isControl, isTransactional } = header;
    const keys: (string | null)[] = [];
    if (header.compression === 'none' && !isControl) {
      const cursor = new RecordCursor(header);
      while (cursor.next())
        keys.push(
          cursor.keyLength < 0
            ? null
            : cursor.bytes.toString('utf8', cursor.keyStart, cursor.keyStart + cursor.keyLength),
        );
    }
    batches.push({
      baseOffset,
      lastOffsetDelta,
      partitionLeaderEpoch,
      timestampType,
      isControl,
      isTransactional,
      keys,
    });
  }
  return { batches, hasPartOfOneMore: reader.position < records.length };
}

async function listOffset(
  broker: RawConnection,
  topic: RawTopic,
  timestamp: bigint,
  { version = 9, isolationLevel = 0, currentLeaderEpoch = -1, index = 0 } = {},
): Promise<unknown> {
  const partitions = [{ partitionIndex: index, timestamp, ...(version >= 4 ? { currentLeaderEpoch } : {}) }];
  const answer = await broker.send(ListOffsets, version, {
    replicaId: -1,
    isolationLevel,
    topics: [{ name: topic.name, partitions }],
  });
  const partition = answer.topics[0]?.partitions[0];
  return [
    errorName(partition?.errorCode ?? -1),
    `${partition?.offset}`,
    `${partition?.timestamp}`,
    partition?.leaderEpoch,
  ];
}

/** A new topic whose leaders serve it already: a broker announces them before it knows that it is one. */
async function readyTopic(
  kafka: RawKafka,
  partitions = 1,
  configs: Readonly<Record<string, string>> = {},
): Promise<RawTopic> {
  const topic = await kafka.topic(partitions, configs);
  const broker = await kafka.connect();
  const wanted = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n }));
  await eventually(async () => {
    const answer = await broker.send(ListOffsets, 1, {
      replicaId: -1,
      topics: [{ name: topic.name, partitions: wanted }],
    });
    return answer.topics.every(({ partitions: each }) => each.every(({ errorCode }) => errorCode === 0));
  });
  return topic;
}

/** What becomes of a request that a broker may hang up on. */
async function orHangUp(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch(() => 'hangs up');
}

/** A transaction driven request by request, in the versions from before KIP-890's second part. */
class RawTransaction {
  readonly #broker: RawConnection;
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  #sequences = new Map<string, number>();

  private constructor(broker: RawConnection, transactionalId: string, producerId: bigint, producerEpoch: number) {
    this.#broker = broker;
    this.transactionalId = transactionalId;
    this.producerId = producerId;
    this.producerEpoch = producerEpoch;
  }

  static async start(
    kafka: RawKafka,
    broker: RawConnection,
    transactionalId = kafka.name('txn'),
  ): Promise<RawTransaction> {
    let answer = { producerId: -1n, producerEpoch: -1, errorCode: -1 };
    await eventually(async () => {
      await broker.send(FindCoordinator, 3, { key: transactionalId, keyType: 1 });
      answer = await broker.send(InitProducerId, 4, { transactionalId, transactionTimeoutMs: 60_000 });
      return answer.errorCode === 0;
    });
    return new RawTransaction(broker, transactionalId, answer.producerId, answer.producerEpoch);
  }

  async add(topic: RawTopic, partitions: readonly number[] = [0]): Promise<void> {
    const { transactionalId: v3AndBelowTransactionalId, producerId, producerEpoch } = this;
    await eventually(async () => {
      const answer = await this.#broker.send(AddPartitionsToTxn, 3, {
        v3AndBelowTransactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: topic.name, partitions }],
      });
      return answer.resultsByTopicV3AndBelow.every(({ resultsByPartition }) =>
        resultsByPartition.every(({ partitionErrorCode }) => partitionErrorCode === 0),
      );
    });
  }

  async write(topic: RawTopic, keys: readonly string[], index = 0, version = 11): Promise<unknown> {
    const place = `${topic.name}-${index}`;
    const baseSequence = this.#sequences.get(place) ?? 0;
    this.#sequences.set(place, baseSequence + keys.length);
    const { producerId, producerEpoch, transactionalId } = this;
    const records = keys.map((key) => ({ key }));
    return produce(
      this.#broker,
      topic,
      { records, producerId, producerEpoch, baseSequence, transactional: true },
      { transactionalId, index, version },
    );
  }

  async end(committed: boolean): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = this;
    await this.#broker.send(EndTxn, 3, { transactionalId, producerId, producerEpoch, committed });
  }
}

/** Waits until nothing is open any more: markers are written after EndTxn is answered. */
async function settled(broker: RawConnection, topic: RawTopic): Promise<void> {
  await eventually(async () => {
    const answer = await broker.send(DescribeProducers, 0, { topics: [{ name: topic.name, partitionIndexes: [0] }] });
    const producers = answer.topics[0]?.partitions[0]?.activeProducers ?? [];
    return producers.every(({ currentTxnStartOffset }) => currentTxnStartOffset === -1n);
  });
}

/** Records, and everything that happens to them in a partition's log. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'Produce answers a first record in each version',
    async run(kafka) {
      const broker = await kafka.connect();
      const answers: Record<string, unknown> = {};
      for (const version of [3, 4, 5, 7, 8, 9, 10, 11, 12, 13])
        answers[version] = await produce(broker, await readyTopic(kafka), {}, { version });
      return answers;
    },
  },
  {
    name: 'Produce of version 0 to 2 is listed and refused',
    async run(kafka) {
      const broker = await kafka.connect();
      const { apiKeys } = await broker.send(apis.ApiVersions, 3, {
        clientSoftwareName: 'raw',
        clientSoftwareVersion: '1',
      });
      const listed = apiKeys.filter(({ apiKey }) => [0, 1, 2, 21, 23, 35, 61].includes(apiKey));
      const old = Object.create(Produce) as typeof Produce;
      Object.defineProperties(old, {
        minVersion: { value: 0 },
        writeRequest: {
          value: (writer: { int16(value: number, field: string): void; int32(value: number, field: string): void }) => {
            writer.int16(-1, 'acks');
            writer.int32(1000, 'timeout');
            writer.int32(0, 'topics');
          },
        },
      });
      const refused: unknown[] = [];
      for (const version of [0, 1, 2]) refused.push(await orHangUp((await kafka.connect()).send(old, version, {})));
      return { listed: listed.map(({ apiKey, minVersion, maxVersion }) => [apiKey, minVersion, maxVersion]), refused };
    },
  },
  {
    name: 'Produce refuses where it must not write',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      await broker.send(FindCoordinator, 3, { key: 'any', keyType: 0 });
      const unknown = { name: kafka.name('unknown'), topicId: 'dW5rbm93bi10b3BpYy1pZA', partitions: 1 };
      return {
        unknownTopic: await produce(broker, unknown),
        unknownId: await produce(broker, unknown, {}, { version: 13 }),
        unknownPartition: await produce(broker, topic, {}, { index: 7 }),
        acks: await produce(broker, topic, {}, { acks: 2 }),
        internal: await produce(broker, { ...topic, name: '__consumer_offsets' }),
      };
    },
  },
  {
    name: 'Produce refuses batches that are not what they should be',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      const good = await batch();
      const twoBatches = Buffer.concat([good, good]);
      const broken = Buffer.from(good);
      broken.writeUInt8((broken.at(-1) ?? 0) ^ 1, broken.length - 1);
      const oldMagic = Buffer.from(good);
      oldMagic.writeInt8(1, 16);
      const send = (records: Buffer, version = 11): Promise<unknown> =>
        orHangUp(
          kafka
            .connect()
            .then((own) => produceRaw(own, topic, records, { version }))
            .then(told),
        );
      return {
        empty: await send(Buffer.alloc(0)),
        two: await send(twoBatches),
        broken: await send(broken),
        oldMagic: await send(oldMagic),
        cutOff: await send(good.subarray(0, -1)),
        control: await send(await batch({ control: true })),
        offset: await send(await batch({ baseOffset: 5n })),
        count: await send(await batch({ lastOffsetDelta: 5 })),
        noRecords: await send(await batch({ records: [], lastOffsetDelta: 0 })),
        noSequence: await send(await batch({ producerId: 1n, producerEpoch: 0, baseSequence: -1 })),
        transactionWithoutProducer: await send(await batch({ transactional: true })),
        zstdInVersion6: await send(await batch({ compression: 'zstd' }), 6),
        zstdInVersion7: await send(await batch({ compression: 'zstd' }), 7),
        gzip: await send(await batch({ compression: 'gzip' })),
        left: await listOffset(broker, topic, -1n),
      };
    },
  },
  {
    name: 'Produce refuses batches larger than the topic takes',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka, 1, { 'max.message.bytes': '200' });
      const value = 'x'.repeat(200);
      return [
        await produce(broker, topic, { records: [{ value }] }),
        await produce(broker, topic, { records: [{ value: 'x' }] }),
        await produce(broker, topic, { records: [{ value: value.repeat(50) }], compression: 'gzip' }),
      ];
    },
  },
  {
    name: 'Produce names the records that a compacted topic does not take',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka, 1, { 'cleanup.policy': 'compact' });
      const records = [{ key: 'a' }, { key: null }, { key: 'c' }, { key: null }];
      return [
        await produce(broker, topic, { records }),
        await produce(broker, topic, { records }, { version: 7 }),
        await produce(broker, topic, { records, compression: 'gzip' }),
        await produce(broker, topic, { records: [{ key: 'a' }] }),
      ];
    },
  },
  {
    name: 'Produce refuses times that are too far away',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka, 1, { 'message.timestamp.before.max.ms': '1000' });
      const now = Date.now();
      const records = [{ time: now }, { time: now - 60_000 }, { time: now + 7_200_000 }];
      return [
        await produce(broker, topic, { records }),
        await produce(broker, topic, { records, compression: 'gzip' }),
        await produce(broker, topic, { records: [{ time: now + 1_800_000 }] }),
        await produce(broker, topic, { records: [{ time: -1 }] }),
      ];
    },
  },
  {
    name: 'Produce stamps the time where the topic says so',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka, 1, { 'message.timestamp.type': 'LogAppendTime' });
      const answer = await produceRaw(
        broker,
        topic,
        await batch({ records: [{ time: 1000 }, { time: 7_000_000_000_000 }] }),
      );
      return [
        told(answer),
        Math.abs(Number(answer.logAppendTimeMs) - Date.now()) < 600_000,
        await fetch(broker, topic),
      ];
    },
  },
  {
    name: 'Produce with acks 0 is not answered, and hung up on when refused',
    async run(kafka) {
      const topic = await readyTopic(kafka);
      const broker = await kafka.connect();
      const message = async (index: number): Promise<object> => ({
        acks: 0,
        timeoutMs: 1000,
        topicData: [{ name: topic.name, partitionData: [{ index, records: await batch() }] }],
      });
      const silent = broker.send(Produce, 9, await message(0)).catch(() => 'hung up');
      const offset = await eventually(async () => {
        const other = await kafka.connect();
        const answer = await listOffset(other, topic, -1n);
        return JSON.stringify(answer).includes('"1"') ? answer : undefined;
      });
      const refused = await orHangUp((await kafka.connect()).send(Produce, 9, await message(9)));
      broker.close();
      return [offset, refused, await silent];
    },
  },
  {
    name: 'Produce keeps the sequence of an idempotent producer',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      const who = await producerOf(broker);
      const send = (baseSequence: number, count = 1, more: BatchOptions = {}): Promise<unknown> =>
        produce(broker, topic, { ...who, baseSequence, records: Array.from({ length: count }, () => ({})), ...more });
      const answers: Record<string, unknown> = {};
      answers['first'] = await send(0, 2);
      answers['next'] = await send(2, 3);
      answers['same again'] = await send(2, 3);
      answers['older again'] = await send(0, 2);
      answers['same start, other count'] = await send(2, 2);
      answers['gap'] = await send(9);
      for (let sequence = 5; sequence < 10; sequence++) await send(sequence);
      answers['fifth last again'] = await send(5);
      answers['sixth last again'] = await send(2, 3);
      answers['newer epoch, wrong sequence'] = await send(10, 1, { producerEpoch: 1 });
      answers['newer epoch'] = await send(0, 1, { producerEpoch: 1 });
      answers['older epoch'] = await send(10, 1, { producerEpoch: 0 });
      answers['older epoch, known batch'] = await send(9, 1, { producerEpoch: 0 });
      return answers;
    },
  },
  {
    name: 'Produce takes any first sequence of an unknown producer',
    async run(kafka) {
      const broker = await kafka.connect();
      const who = await producerOf(broker);
      return [
        await produce(broker, await readyTopic(kafka), { ...who, baseSequence: 7 }),
        await produce(broker, await readyTopic(kafka), { ...who, producerEpoch: 3, baseSequence: 7 }),
        await produce(broker, await readyTopic(kafka), { ...who, baseSequence: 0x7fff_ffff, records: [{}, {}] }),
      ];
    },
  },
  {
    name: 'Produce goes round the largest sequence',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      const who = await producerOf(broker);
      return [
        await produce(broker, topic, { ...who, baseSequence: 0x7fff_fffe, records: [{}, {}] }),
        await produce(broker, topic, { ...who, baseSequence: 0 }),
        await produce(broker, topic, { ...who, baseSequence: 0x7fff_fffe, records: [{}, {}] }),
      ];
    },
  },
  {
    name: 'Produce of a duplicate in a topic that stamps times',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka, 1, { 'message.timestamp.type': 'LogAppendTime' });
      const who = await producerOf(broker);
      return [
        await produce(broker, topic, { ...who, baseSequence: 0 }),
        await produce(broker, topic, { ...who, baseSequence: 0 }),
      ];
    },
  },
  {
    name: 'Produce refuses transactional writes that belong to no transaction',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      const who = await producerOf(broker);
      const transaction = await RawTransaction.start(kafka, broker);
      const answers: Record<string, unknown> = {};
      answers['without an id'] = await produce(broker, topic, { ...who, baseSequence: 0, transactional: true });
      answers['not added'] = await transaction.write(topic, ['a']);
      answers['not added, before abortable errors'] = await transaction.write(topic, ['a'], 0, 10);
      return answers;
    },
  },
  {
    name: 'Fetch answers in each version',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      await produce(broker, topic, { records: [{ key: 'a' }, { key: 'b' }] });
      const answers: Record<string, unknown> = {};
      for (const version of [4, 5, 6, 7, 9, 11, 12, 13, 15, 16, 17, 18])
        answers[version] = await fetch(broker, topic, { version });
      answers['committed'] = await fetch(broker, topic, { request: { isolationLevel: 1 } });
      answers['middle'] = await fetch(broker, topic, { offset: 1n });
      answers['end'] = await fetch(broker, topic, { offset: 2n });
      return answers;
    },
  },
  {
    name: 'Fetch answers what is wrong with a partition',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      await produce(broker, topic);
      const unknown = { name: kafka.name('unknown'), topicId: 'dW5rbm93bi10b3BpYy1pZA', partitions: 1 };
      return {
        beyond: await fetch(broker, topic, { offset: 2n }),
        negative: await fetch(broker, topic, { offset: -1n }),
        unknownTopic: await fetch(broker, unknown),
        unknownId: await fetch(broker, unknown, { version: 13 }),
        unknownPartition: await fetch(broker, topic, {
          partitions: [{ partition: 5, fetchOffset: 0n, partitionMaxBytes: 1000 }],
        }),
        newerEpoch: await fetch(broker, topic, { version: 16 - 4, partition: { currentLeaderEpoch: 9 } }),
        sameEpoch: await fetch(broker, topic, { partition: { currentLeaderEpoch: 0 } }),
        lastEpoch: await fetch(broker, topic, { offset: 1n, partition: { lastFetchedEpoch: 0 } }),
        laterEpoch: await fetch(broker, topic, { offset: 1n, partition: { lastFetchedEpoch: 4 } }),
        laterOffset: await fetch(broker, topic, { offset: 8n, partition: { lastFetchedEpoch: 0 } }),
      };
    },
  },
  {
    name: 'Fetch keeps to its limits of bytes',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka, 2);
      const value = 'x'.repeat(100);
      for (const index of [0, 1])
        for (const key of ['a', 'b', 'c']) await produce(broker, topic, { records: [{ key, value }] }, { index });
      const wanted = (partitionMaxBytes: number): object[] =>
        [0, 1].map((partition) => ({ partition, fetchOffset: 0n, partitionMaxBytes }));
      return {
        tinyPartition: await fetch(broker, topic, { partitions: wanted(1) }),
        tinyAll: await fetch(broker, topic, { partitions: wanted(1000), request: { maxBytes: 1 } }),
        zero: await fetch(broker, topic, { partitions: wanted(0) }),
        oneAndHalf: await fetch(broker, topic, { partitions: wanted(260) }),
        shared: await fetch(broker, topic, { partitions: wanted(1000), request: { maxBytes: 800 } }),
      };
    },
  },
  {
    name: 'Fetch keeps sessions',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka, 3);
      await produce(broker, topic, { records: [{ key: 'a' }] });
      const open = (offset: bigint): object[] =>
        [0, 1, 2].map((partition) => ({
          partition,
          fetchOffset: partition === 0 ? offset : 0n,
          partitionMaxBytes: 1000,
        }));
      const first = await broker.send(
        Fetch,
        12,
        fetchRequest(topic, { partitions: open(0n), request: { sessionEpoch: 0 } }),
      );
      const { sessionId } = first;
      const next = (
        sessionEpoch: number,
        request: Input<FetchRequest> = { topics: [] },
        version = 12,
      ): Promise<unknown> => fetch(broker, topic, { version, request: { sessionId, sessionEpoch, ...request } });
      const topics = (partitions: readonly object[]): Input<FetchRequest> => ({
        topics: [{ topic: topic.name, partitions }],
      });
      const answers: Record<string, unknown> = {};
      answers['opened'] = [
        sessionId > 0,
        first.responses.map(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex)),
      ];
      answers['again'] = await next(1);
      answers['moved on'] = await next(2, topics([{ partition: 0, fetchOffset: 1n, partitionMaxBytes: 1000 }]));
      answers['nothing new'] = await next(3);
      await produce(broker, topic, { records: [{ key: 'b' }] }, { index: 2 });
      answers['something new'] = await next(4);
      answers['still not taken'] = await next(5, topics([{ partition: 1, fetchOffset: 9n, partitionMaxBytes: 1000 }]));
      answers['an error is told again'] = await next(6);
      answers['wrong epoch'] = await next(3);
      answers['unknown session'] = await fetch(broker, topic, {
        request: { sessionId: 987_654, sessionEpoch: 1, topics: [] },
      });
      answers['by id'] = await next(7, { topics: [{ topicId: topic.topicId, partitions: [] }] }, 13);
      answers['forgotten'] = await next(7, {
        topics: [],
        forgottenTopicsData: [{ topic: topic.name, partitions: [1, 2] }],
      });
      answers['closed'] = await next(-1);
      answers['after the close'] = await next(8);
      return answers;
    },
  },
  {
    name: 'Fetch sessions by topic id',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      await produce(broker, topic);
      const unknown = {
        topicId: 'dW5rbm93bi10b3BpYy1pZA',
        partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }],
      };
      const known = {
        topicId: topic.topicId,
        partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }],
      };
      const request = { sessionEpoch: 0, topics: [known, unknown] };
      const first = await broker.send(Fetch, 13, fetchRequest(topic, { request }));
      const next = (sessionEpoch: number, version = 13): Promise<unknown> =>
        fetch(broker, topic, { version, request: { sessionId: first.sessionId, sessionEpoch, topics: [] } });
      const opened = first.responses.map(({ topicId, partitions }) => [
        topicId === topic.topicId,
        partitions.map(({ errorCode }) => errorName(errorCode)),
      ]);
      return [first.sessionId > 0, opened, await next(1), await next(2, 12), await next(2)];
    },
  },
  {
    name: 'Transactions show in fetches, offsets and producers',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      const answers: Record<string, unknown> = {};
      const transaction = await RawTransaction.start(kafka, broker);
      const committed = (): Promise<unknown> => fetch(broker, topic, { request: { isolationLevel: 1 } });
      const ends = async (): Promise<unknown> => [
        await listOffset(broker, topic, -1n),
        await listOffset(broker, topic, -1n, { isolationLevel: 1 }),
      ];
      await produce(broker, topic, { records: [{ key: 'before' }] });
      await transaction.add(topic);
      answers['write'] = await transaction.write(topic, ['a', 'b']);
      await produce(broker, topic, { records: [{ key: 'beside' }] });
      answers['open'] = [await committed(), await ends()];
      const describe = async (): Promise<unknown> => {
        const answer = await broker.send(DescribeProducers, 0, {
          topics: [{ name: topic.name, partitionIndexes: [0, 4] }],
        });
        const partitions = answer.topics[0]?.partitions.map(({ activeProducers, ...partition }) => ({
          ...partition,
          activeProducers: activeProducers.map(({ lastTimestamp, producerId, ...producer }) => ({
            ...producer,
            isTheOne: producerId === transaction.producerId,
            hasTime: lastTimestamp > 0n,
          })),
        }));
        return normalise(partitions);
      };
      answers['described'] = await describe();
      await transaction.end(false);
      await settled(broker, topic);
      answers['aborted'] = [await committed(), await ends(), await describe()];
      await transaction.add(topic);
      await transaction.write(topic, ['c']);
      await transaction.end(true);
      await settled(broker, topic);
      answers['then committed'] = [await committed(), await ends()];
      answers['later part'] = await fetch(broker, topic, { offset: 5n, request: { isolationLevel: 1 } });
      answers['uncommitted'] = await fetch(broker, topic);
      return answers;
    },
  },
  {
    name: 'ListOffsets knows what is asked for',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      const now = Date.now();
      const empty = [-1n, -2n, -3n, -4n, -5n, BigInt(now)];
      const answers: Record<string, unknown> = {};
      const word = (answer: unknown): unknown =>
        JSON.parse(
          JSON.stringify(answer).replaceAll(/"(\d{13})"/g, (_, time: string) => `"now+${Number(time) - now}"`),
        ) as unknown;
      for (const spec of empty)
        answers[`empty ${spec > 0n ? 'time' : spec}`] = word(await listOffset(broker, topic, spec));
      await produce(broker, topic, { records: [{ time: now }, { time: now + 20 }, { time: now + 10 }] });
      await produce(broker, topic, { records: [{ time: now + 5 }, { time: now + 20 }], compression: 'gzip' });
      for (const spec of [-1n, -2n, -3n, -4n, -5n]) answers[`${spec}`] = word(await listOffset(broker, topic, spec));
      for (const delta of [-5, 0, 5, 15, 20, 21])
        answers[`now+${delta}`] = word(await listOffset(broker, topic, BigInt(now + delta)));
      for (const version of [1, 2, 4, 6, 7, 8, 10, 11])
        answers[`v${version}`] = [
          await listOffset(broker, topic, -1n, { version }),
          await orHangUp(
            kafka
              .connect()
              .then((own) => listOffset(own, topic, -3n, { version }))
              .then(word),
          ),
          await orHangUp(kafka.connect().then((own) => listOffset(own, topic, -4n, { version }))),
          await orHangUp(kafka.connect().then((own) => listOffset(own, topic, -5n, { version }))),
          await orHangUp(kafka.connect().then((own) => listOffset(own, topic, -6n, { version }))),
          await orHangUp(kafka.connect().then((own) => listOffset(own, topic, -9n, { version }))),
        ];
      answers['wrong epoch'] = await listOffset(broker, topic, -1n, { currentLeaderEpoch: 5 });
      answers['unknown partition'] = await listOffset(broker, topic, -1n, { index: 5 });
      answers['unknown topic'] = await listOffset(broker, { ...topic, name: kafka.name('unknown') }, -1n);
      return answers;
    },
  },
  {
    name: 'OffsetForLeaderEpoch tells where an epoch ended',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      const ask = async (leaderEpoch: number, more: object = {}, version = 4): Promise<unknown> => {
        const topics = [{ topic: topic.name, partitions: [{ partition: 0, leaderEpoch, ...more }] }];
        const answer = await broker.send(OffsetForLeaderEpoch, version, { topics });
        return normalise(answer.topics[0]?.partitions);
      };
      const empty = await ask(0);
      await produce(broker, topic, { records: [{}, {}] });
      return [
        empty,
        await ask(0),
        await ask(0, {}, 2),
        await ask(5),
        await ask(-1),
        await ask(0, { currentLeaderEpoch: 0 }),
        await ask(0, { currentLeaderEpoch: 3 }),
        await ask(0, { partition: 9 }),
      ];
    },
  },
  {
    name: 'DeleteRecords moves the start of the log',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka);
      const compacted = await readyTopic(kafka, 1, { 'cleanup.policy': 'compact' });
      for (const keys of [
        ['a', 'b', 'c'],
        ['d', 'e'],
      ])
        await produce(broker, topic, { records: keys.map((key) => ({ key })) });
      await produce(broker, compacted);
      const ask = async (where: RawTopic, offset: bigint, partitionIndex = 0, version = 2): Promise<unknown> => {
        const answer = await broker.send(DeleteRecords, version, {
          topics: [{ name: where.name, partitions: [{ partitionIndex, offset }] }],
          timeoutMs: 10_000,
        });
        return normalise(answer.topics[0]?.partitions);
      };
      const answers: Record<string, unknown> = {};
      answers['beyond'] = await ask(topic, 6n);
      answers['negative'] = await ask(topic, -3n);
      answers['middle of a batch'] = await ask(topic, 1n, 0, 0);
      answers['start'] = [await listOffset(broker, topic, -2n), await listOffset(broker, topic, -4n)];
      answers['before'] = await ask(topic, 0n);
      answers['fetch before'] = await fetch(broker, topic, { offset: 0n });
      answers['fetch there'] = await fetch(broker, topic, { offset: 1n });
      answers['all'] = await ask(topic, -1n);
      answers['nothing left'] = await fetch(broker, topic, { offset: 5n });
      answers['produce after'] = await produce(broker, topic);
      answers['by time'] = (await listOffset(broker, topic, 0n)) instanceof Array;
      answers['unknown partition'] = await ask(topic, 0n, 8);
      answers['unknown topic'] = await ask({ ...topic, name: kafka.name('unknown') }, 0n);
      answers['compacted'] = await ask(compacted, 1n);
      return answers;
    },
  },
  {
    name: 'DescribeLogDirs sizes partitions',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await readyTopic(kafka, 2);
      const records = await batch({ records: [{ key: 'a', value: 'x'.repeat(1000) }] });
      await produceRaw(broker, topic, records);
      const answers: Record<string, unknown> = {};
      for (const version of [1, 2, 3, 4]) {
        const asked = await broker.send(apis.DescribeLogDirs, version, {
          topics: [
            { topic: topic.name, partitions: [0, 1, 9] },
            { topic: kafka.name('unknown'), partitions: [0] },
          ],
        });
        answers[version] = normalise(
          {
            ...asked,
            results: asked.results.map(({ logDir, topics, totalBytes, usableBytes, ...result }) => ({
              ...result,
              hasDir: logDir.length > 0,
              sizes: [totalBytes > 0n, usableBytes > 0n],
              topics: topics.map(({ partitions, ...rest }) => ({
                ...rest,
                partitions: partitions
                  .map(({ partitionSize, ...partition }) => ({
                    ...partition,
                    isSize: Number(partitionSize) === records.length,
                    isEmpty: partitionSize === 0n,
                  }))
                  .sort((a, b) => a.partitionIndex - b.partitionIndex),
              })),
            })),
          },
          { topic: topic.name },
        );
      }
      const all = await broker.send(apis.DescribeLogDirs, 4, { topics: null });
      answers['all'] = all.results.some(({ topics }) => topics.some(({ name }) => name === topic.name));
      return answers;
    },
  },
];
