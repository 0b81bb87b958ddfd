import { brokerErrorCodes } from '../../../src/errors/broker-error-codes.ts';
import { apis, BatchBuilder, controlType, readBatches, RecordCursor } from '../../../src/protocol/index.ts';
import type { DescribeTransactionsResponseTransactionState as DescribedTransaction } from '../../../src/protocol/generated/describe-transactions.ts';
import { eventually } from '../eventually.ts';
import type { RawConnection, RawKafka } from './raw-kafka.ts';
import { errorName } from './scenario.ts';

/** Answers that only ask to come again: a coordinator is not there yet, a leader has not yet heard that it is one. */
const passing = new Set([
  brokerErrorCodes.COORDINATOR_LOAD_IN_PROGRESS,
  brokerErrorCodes.COORDINATOR_NOT_AVAILABLE,
  brokerErrorCodes.NOT_COORDINATOR,
  brokerErrorCodes.NOT_LEADER_OR_FOLLOWER,
]);

/** What a producer is known by. */
export interface Identity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/**
 * A transactional producer driven request by request. Each step adds one line to {@link RawProducer.log}: the request, then what
 * was answered; producer ids are numbered in the order in which they appear.
 */
export class RawProducer {
  readonly kafka: RawKafka;
  readonly transactionalId: string;
  readonly connection: RawConnection;
  /** What happened, a line per request. */
  readonly log: string[];
  /** Changed by {@link RawProducer.init} and an EndTxn that answers with a new one; a scenario may set it. */
  identity: Identity = { producerId: -1n, producerEpoch: -1 };
  readonly #ids: bigint[];
  readonly #sequences = new Map<string, number>();

  private constructor(kafka: RawKafka, transactionalId: string, connection: RawConnection, shared?: RawProducer) {
    this.kafka = kafka;
    this.transactionalId = transactionalId;
    this.connection = connection;
    this.log = shared?.log ?? [];
    this.#ids = shared?.producerIds ?? [];
  }

  /** @param beside a producer whose log is continued */
  static async open(
    kafka: RawKafka,
    transactionalId: string = kafka.name('tx'),
    beside?: RawProducer,
  ): Promise<RawProducer> {
    const asked = await kafka.connect();
    const coordinator = await eventually(async () => {
      const request = { coordinatorKeys: [transactionalId], keyType: 1 };
      const found = (await asked.send(apis.FindCoordinator, 4, request)).coordinators[0];
      return found?.errorCode === 0 && found;
    }, 'a transaction coordinator');
    return new RawProducer(
      kafka,
      transactionalId,
      await kafka.connectTo(`${coordinator.host}:${coordinator.port}`),
      beside,
    );
  }

  /** The producer ids that were seen, in order. */
  get producerIds(): bigint[] {
    return this.#ids;
  }

  /** InitProducerId; takes over the identity that it answers. */
  async init(
    version = 5,
    fields: {
      readonly transactionalId?: string | null;
      readonly transactionTimeoutMs?: number;
      readonly expected?: Identity;
      readonly enable2Pc?: boolean;
      readonly keepPreparedTxn?: boolean;
    } = {},
  ): Promise<number> {
    const { transactionalId = this.transactionalId, transactionTimeoutMs = 60_000, expected, ...rest } = fields;
    const message = { transactionalId, transactionTimeoutMs, ...expected, ...rest };
    const answer = await this.#patiently(() => this.connection.send(apis.InitProducerId, version, message));
    const { errorCode, producerId, producerEpoch } = answer;
    if (errorCode === 0) this.identity = { producerId, producerEpoch };
    const as = expected === undefined ? '' : ` as ${this.#who(expected)}`;
    this.#write(
      `InitProducerId v${version}${as}`,
      errorCode,
      errorCode === 0 || version === 6 ? this.#who(answer) : '',
    );
    return errorCode;
  }

  /** AddPartitionsToTxn in the form of clients, before v4. */
  async add(
    topic: string,
    partitions: readonly number[] = [0],
    version = 3,
    fields: Partial<Identity> & { readonly transactionalId?: string } = {},
  ): Promise<number> {
    const message = {
      v3AndBelowTransactionalId: fields.transactionalId ?? this.transactionalId,
      v3AndBelowProducerId: fields.producerId ?? this.identity.producerId,
      v3AndBelowProducerEpoch: fields.producerEpoch ?? this.identity.producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions: [...partitions] }],
    };
    const answer = await this.connection.send(apis.AddPartitionsToTxn, version, message);
    const results = answer.resultsByTopicV3AndBelow.flatMap(({ resultsByPartition }) => resultsByPartition);
    const sorted = results.toSorted((a, b) => a.partitionIndex - b.partitionIndex);
    const errors = sorted.map((result) => `${result.partitionIndex}: ${errorName(result.partitionErrorCode)}`);
    this.log.push(`AddPartitionsToTxn v${version} → ${errors.join(', ')}`);
    return results.find(({ partitionErrorCode }) => partitionErrorCode !== 0)?.partitionErrorCode ?? 0;
  }

  /** AddPartitionsToTxn in the form of brokers, from v4 on. */
  async verify(
    topic: string,
    partitions: readonly number[] = [0],
    fields: Partial<Identity> & { readonly verifyOnly?: boolean; readonly version?: number } = {},
  ): Promise<void> {
    const { version = 5, verifyOnly = true, ...identity } = fields;
    const transaction = { transactionalId: this.transactionalId, ...this.identity, ...identity, verifyOnly };
    const topics = [{ name: topic, partitions: [...partitions] }];
    const answer = await this.connection.send(apis.AddPartitionsToTxn, version, {
      transactions: [{ ...transaction, topics }],
    });
    const results = answer.resultsByTransaction
      .flatMap(({ topicResults }) => topicResults)
      .flatMap(({ resultsByPartition }) => resultsByPartition)
      .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
      .map((result) => `${result.partitionIndex}: ${errorName(result.partitionErrorCode)}`);
    this.#write(
      `AddPartitionsToTxn v${version}${verifyOnly ? ' verify' : ' add'}`,
      answer.errorCode,
      results.join(', '),
    );
  }

  async addOffsets(groupId: string, version = 4, fields: Partial<Identity> = {}): Promise<number> {
    const message = { transactionalId: this.transactionalId, ...this.identity, ...fields, groupId };
    const { errorCode } = await this.#patiently(() => this.connection.send(apis.AddOffsetsToTxn, version, message));
    this.#write(`AddOffsetsToTxn v${version}`, errorCode);
    return errorCode;
  }

  /** A transactional batch; its sequence numbers follow those before it. v12 (KIP-890) adds the partition by itself. */
  async produce(
    topic: string,
    partition = 0,
    version = 12,
    fields: Partial<Identity> & {
      readonly values?: readonly string[];
      readonly baseSequence?: number;
      readonly transactionalId?: string;
    } = {},
  ): Promise<number> {
    const { values = ['a'], transactionalId = this.transactionalId } = fields;
    const { producerId = this.identity.producerId, producerEpoch = this.identity.producerEpoch } = fields;
    const place = `${producerId}/${producerEpoch}/${topic}/${partition}`;
    const baseSequence = fields.baseSequence ?? this.#sequences.get(place) ?? 0;
    const batch = new BatchBuilder({ initialBytes: 256, maxBytes: 1 << 20 });
    for (const value of values) batch.append(Date.now(), null, value, undefined);
    const stamp = { producerId, producerEpoch, baseSequence };
    const records = batch.close({ ...stamp, compression: 'none', transactional: true });
    const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }];
    const message = { transactionalId, acks: -1, timeoutMs: 30_000, topicData };
    const { errorCode } = await this.#patiently(async () => {
      const answer = await (await this.#leaderOf(topic, partition)).send(apis.Produce, version, message);
      return { errorCode: answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1 };
    });
    if (errorCode === 0) this.#sequences.set(place, baseSequence + values.length);
    this.#write(`Produce v${version}`, errorCode);
    return errorCode;
  }

  /** EndTxn; takes over the identity that v5 answers. */
  async end(
    committed: boolean,
    version = 5,
    fields: Partial<Identity> & { readonly transactionalId?: string } = {},
  ): Promise<number> {
    const message = { transactionalId: this.transactionalId, ...this.identity, ...fields, committed };
    const answer = await this.connection.send(apis.EndTxn, version, message);
    const { errorCode, producerId, producerEpoch } = answer;
    if (errorCode === 0 && producerId !== -1n) this.identity = { producerId, producerEpoch };
    this.#write(
      `EndTxn v${version} ${committed ? 'commit' : 'abort'}`,
      errorCode,
      version >= 5 ? this.#who(answer) : '',
    );
    return errorCode;
  }

  /** Waits until the markers are written and notes the state. */
  async settled(): Promise<void> {
    const state = await eventually(async () => {
      const found = await this.#describe();
      return !found.transactionState.startsWith('Prepare') && found;
    }, 'the transaction to be completed');
    this.#noteState(state);
  }

  /** Waits for a state, by Kafka's name of it. */
  async reaches(name: string): Promise<void> {
    const state = await eventually(async () => {
      const found = await this.#describe();
      return found.transactionState === name && found;
    }, `the transaction to be ${name}`);
    this.#noteState(state);
  }

  /** What a read_committed and a read_uncommitted reader get of partition 0 from the beginning; markers in brackets. */
  async read(topic: string, partition = 0): Promise<void> {
    for (const isolationLevel of [1, 0]) {
      const leader = await this.#leaderOf(topic, partition);
      const partitions = [{ partition, fetchOffset: 0n, partitionMaxBytes: 1 << 20 }];
      const message = { maxWaitMs: 0, minBytes: 0, isolationLevel, topics: [{ topic, partitions }] };
      const data = (await leader.send(apis.Fetch, 11, message)).responses[0]?.partitions[0];
      const aborted = data?.abortedTransactions?.map((each) => `${this.#id(each.producerId)} from ${each.firstOffset}`);
      const { highWatermark = -1n, lastStableOffset = -1n } = data ?? {};
      const what = isolationLevel === 1 ? 'read_committed' : 'read_uncommitted';
      const offsets = `high watermark ${highWatermark}, last stable offset ${lastStableOffset}`;
      const lists = `aborted: ${aborted?.join(', ') ?? 'null'}`;
      this.log.push(`${what} → ${this.#contents(data?.records ?? null)}; ${offsets}; ${lists}`);
    }
  }

  /** Waits until the leaders of a new topic know that they are. */
  async ready(topic: string, partitions: number): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) {
      const topics = [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: -2n }] }];
      await this.#patiently(async () => {
        const answer = await (await this.#leaderOf(topic, partition)).send(apis.ListOffsets, 5, { topics });
        return { errorCode: answer.topics[0]?.partitions[0]?.errorCode ?? -1 };
      });
    }
  }

  note(line: string): void {
    this.log.push(line);
  }

  /** What the coordinator knows of this transactional id, noted. */
  async describe(): Promise<void> {
    this.#noteState(await this.#describe());
  }

  #contents(records: Buffer | null): string {
    const texts: string[] = [];
    for (const batch of readBatches(records ?? Buffer.alloc(0))) {
      const cursor = new RecordCursor(batch);
      while (cursor.next()) {
        const key = cursor.bytes.subarray(cursor.keyStart, cursor.keyStart + cursor.keyLength);
        const value = cursor.bytes.subarray(cursor.valueStart, cursor.valueStart + cursor.valueLength);
        const who = `${this.#id(batch.producerId)} epoch ${batch.producerEpoch}`;
        texts.push(batch.isControl ? `[${controlType(key)} of ${who}]` : value.toString());
      }
    }
    return texts.length === 0 ? 'nothing' : texts.join(' ');
  }

  #noteState(state: DescribedTransaction): void {
    const { errorCode, transactionState, topics } = state;
    const partitions = topics.reduce((sum, topic) => sum + topic.partitions.length, 0);
    this.#write(
      'DescribeTransactions',
      errorCode,
      `${transactionState}, ${this.#who(state)}, ${partitions} partitions, ` +
        `${state.transactionStartTimeMs > 0n ? 'started' : `start ${state.transactionStartTimeMs}`}, timeout ${state.transactionTimeoutMs}`,
    );
  }

  async #describe(): Promise<DescribedTransaction> {
    const message = { transactionalIds: [this.transactionalId] };
    const state = (await this.connection.send(apis.DescribeTransactions, 0, message)).transactionStates[0];
    if (state === undefined) throw new Error('DescribeTransactions answered nothing');
    return state;
  }

  async #leaderOf(topic: string, partition: number): Promise<RawConnection> {
    if (this.kafka.bootstrapServers.length === 1) return this.connection;
    const answer = await this.connection.send(apis.Metadata, 12, { topics: [{ name: topic }] });
    const leaderId = answer.topics[0]?.partitions.find((each) => each.partitionIndex === partition)?.leaderId;
    const broker = answer.brokers.find(({ nodeId }) => nodeId === leaderId);
    return this.kafka.connectTo(`${broker?.host}:${broker?.port}`);
  }

  async #patiently<T extends { readonly errorCode: number }>(send: () => Promise<T>): Promise<T> {
    return eventually(async () => {
      const answer = await send();
      return !passing.has(answer.errorCode) && answer;
    }, 'the coordinator to be loaded');
  }

  #id(producerId: bigint): string {
    if (producerId < 0n) return `id ${producerId}`;
    if (!this.#ids.includes(producerId)) this.#ids.push(producerId);
    return `id #${this.#ids.indexOf(producerId) + 1}`;
  }

  #who({ producerId, producerEpoch }: Identity): string {
    return `${this.#id(producerId)} epoch ${producerEpoch}`;
  }

  #write(what: string, errorCode: number, more = ''): void {
    this.log.push(`${what} → ${errorName(errorCode)}${more === '' ? '' : `: ${more}`}`);
  }
}
