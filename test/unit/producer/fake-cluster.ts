import { MetadataSnapshot, type Broker, type LeaderHint } from '../../../src/cluster/metadata-snapshot.ts';
import type { ClusterRequest } from '../../../src/cluster/request.ts';
import { codecFor, type Codec } from '../../../src/compression/index.ts';
import { resolveClientOptions, type ClientOptions, type ResolvedClientOptions } from '../../../src/cluster/options.ts';
import { brokerErrorCodes, type BrokerErrorName } from '../../../src/errors/broker-error-codes.ts';
import { brokerError } from '../../../src/errors/broker-error.ts';
import { NetworkError } from '../../../src/errors/kafka-error.ts';
import { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';
import { BrokerVersions } from '../../../src/network/broker-versions.ts';
import type { Connection, RequestOptions } from '../../../src/network/connection.ts';
import type { ProducerCluster } from '../../../src/producer/producer-cluster.ts';
import type { Api } from '../../../src/protocol/api.ts';
import { Produce, type ProduceRequest, type ProduceResponse } from '../../../src/protocol/generated/produce.ts';
import { readBatches, RecordCursor, type BatchHeader } from '../../../src/protocol/records/index.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { PartitionLog } from './partition-log.ts';

/** What a broker does with one partition of a request. */
export type PartitionAction =
  | { readonly kind: 'append' }
  | {
      readonly kind: 'error';
      readonly code: BrokerErrorName;
      readonly appended?: boolean;
      readonly leaderHint?: boolean;
      /** Only for a batch that is not in the log; one that is there is recognized. */
      readonly unlessWritten?: boolean;
      readonly message?: string;
      /** KIP-467: which records are at fault. */
      readonly recordErrors?: readonly {
        readonly batchIndex: number;
        readonly batchIndexErrorMessage: string | null;
      }[];
    };

/** A request that a broker has and has not answered. */
export interface PendingProduce {
  readonly nodeId: number;
  readonly version: number;
  readonly request: ProduceRequest;
  readonly noResponse: boolean;
  readonly sentAtMs: number;
  answer(onPartition?: (topic: string, partition: number) => PartitionAction): void;
  cut(arrived?: number): void;
}

interface FakeTopic {
  id: string;
  logs: TopicLog[];
  leaders: number[];
  epoch: number;
  /** As `max.message.bytes`. */
  maxBatchBytes: number;
}

/** One partition: what was written, by value. */
export class TopicLog {
  readonly values: string[] = [];
  readonly log: PartitionLog = new PartitionLog();
  /** Under which epochs something was sent. */
  readonly epochs: Set<number> = new Set<number>();
  readonly #offsets = new Map<string, number>();
  readonly #ids = new Map<string, number>();

  /** Whether the first record of these is here. */
  has(records: Buffer): boolean {
    const [first] = [...readBatches(records)];
    if (first === undefined) return false;
    const cursor = new RecordCursor(first, decompressed(first));
    if (!cursor.next()) return false;
    const value = cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueStart + cursor.valueLength);
    return this.values.includes(value);
  }

  append(records: Buffer): { code: BrokerErrorName; baseOffset: number } {
    const values: string[] = [];
    let stamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1 };
    for (const batch of readBatches(records)) {
      stamp = batch;
      const cursor = new RecordCursor(batch, decompressed(batch));
      while (cursor.next())
        values.push(cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueStart + cursor.valueLength));
    }
    const first = values[0] ?? '';
    const id = this.#ids.get(first) ?? this.#ids.size;
    this.#ids.set(first, id);
    const before = this.log.ids.length;
    const { producerId, producerEpoch, baseSequence } = stamp;
    this.epochs.add(producerEpoch);
    const code = this.log.append({ id, producerId, producerEpoch, baseSequence, recordCount: values.length });
    if (this.log.ids.length > before) {
      this.#offsets.set(first, this.values.length);
      this.values.push(...values);
    }
    return { code, baseOffset: this.#offsets.get(first) ?? -1 };
  }
}

/** What the producer has compressed: small enough that a codec answers at once. */
function decompressed(batch: BatchHeader): Buffer | undefined {
  if (batch.compression === 'none') return undefined;
  const codec = codecFor(batch.compression) as Codec;
  return codec.decompress(batch.bytes.subarray(batch.recordsStart, batch.end), 1_000_000) as Buffer;
}

/** Brokers, topics and a network of which a test decides what they do, and when. */
export class FakeCluster implements ProducerCluster {
  readonly clock: FakeClock = new FakeClock();
  readonly events: EventPublisher = new EventPublisher();
  readonly options: ResolvedClientOptions;
  readonly pending: PendingProduce[] = [];
  readonly connects: number[] = [];
  readonly closedLanes: string[] = [];
  readonly requests: PendingProduce[] = [];
  readonly problems: string[] = [];
  random: () => number = () => 0.5;
  metadata: MetadataSnapshot = MetadataSnapshot.empty;
  refreshes = 0;
  /** Told of each record that is written: its time, its key, and how many headers it has. */
  onAppend: ((record: readonly [timestampMs: number, key: string | null, headers: number]) => void) | undefined;
  /** How many batches were too large. */
  tooLarge = 0;
  initProducerIds = 0;
  initError: Error | undefined;
  /** Brokers that cannot be reached. */
  readonly down: Set<number> = new Set<number>();
  /** Called with each request; by default the request stays in {@link pending}. */
  onRequest: ((pending: PendingProduce) => void) | undefined;
  /** What the metadata says when it is read the next time. */
  readonly topicsNow: Map<string, FakeTopic> = new Map<string, FakeTopic>();
  topicsError: Error | undefined;
  produceVersions: { min: number; max: number } = { min: 0, max: 13 };
  readonly #listeners = new Set<(snapshot: MetadataSnapshot, previous: MetadataSnapshot) => void>();
  readonly #connections = new Map<number, FakeConnection>();
  #clients = 0;

  constructor(options: Partial<ClientOptions> = {}) {
    this.options = resolveClientOptions({ bootstrapServers: 'fake:1', clock: this.clock, ...options });
  }

  topics(names: readonly string[], options: { timeoutMs?: number | undefined } = {}): Promise<MetadataSnapshot> {
    return this.#topics(names, options.timeoutMs ?? 60_000);
  }

  onMetadata(listener: (snapshot: MetadataSnapshot, previous: MetadataSnapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  connection(nodeId: number): Promise<Connection> {
    return this.#connect(nodeId);
  }

  coordinator(): Promise<number> {
    return Promise.resolve(1);
  }

  forgetCoordinator(): void {
    // Nothing is remembered.
  }

  async closeLane(lane: string): Promise<void> {
    this.closedLanes.push(lane);
  }

  nextClientNumber(): number {
    return ++this.#clients;
  }

  learnLeaders(leaders: readonly LeaderHint[], brokers: readonly Broker[]): void {
    const learned = this.metadata.withLeaders(leaders, brokers);
    if (learned !== this.metadata) this.#set(learned);
  }

  /** Only producer ids are asked for in this way. */
  async request<Req, Res>(_request: ClusterRequest<Req, Res>): Promise<Res> {
    this.initProducerIds++;
    if (this.initError !== undefined) throw this.initError;
    return { producerId: BigInt(1000 + this.initProducerIds), producerEpoch: 0, errorCode: 0 } as Res;
  }

  refreshSoon(): void {
    this.refreshes++;
    this.clock.setTimer(() => this.readMetadata(), 20);
  }

  /** A topic, which the metadata names from now on. */
  addTopic(
    name: string,
    partitions: number,
    options: { id?: string; isKnown?: boolean; maxBatchBytes?: number } = {},
  ): TopicLog[] {
    const logs = Array.from({ length: partitions }, () => new TopicLog());
    const leaders = logs.map((_, partition) => (partition % 2) + 1);
    const id = options.id ?? `${name.padEnd(21, '-').slice(0, 21)}A`;
    this.topicsNow.set(name, { id, logs, leaders, epoch: 1, maxBatchBytes: options.maxBatchBytes ?? Infinity });
    if (options.isKnown === true) this.readMetadata();
    return logs;
  }

  /** The topic gains partitions; the metadata must be read to see them. */
  growTopic(name: string, partitions: number): void {
    const { logs, leaders } = this.#topic(name);
    for (let partition = logs.length; partition < partitions; partition++) {
      logs.push(new TopicLog());
      leaders.push((partition % 2) + 1);
    }
  }

  /** From now on no larger batch is taken. */
  limitBatches(topic: string, maxBatchBytes: number): void {
    this.#topic(topic).maxBatchBytes = maxBatchBytes;
  }

  moveLeader(topic: string, partition: number, nodeId: number): void {
    const found = this.#topic(topic);
    found.leaders[partition] = nodeId;
    found.epoch++;
  }

  leader(topic: string, partition: number): number {
    return this.#topic(topic).leaders[partition] ?? -1;
  }

  log(topic: string, partition: number): TopicLog {
    const log = this.#topic(topic).logs[partition];
    if (log === undefined) throw new Error(`no partition ${partition}`);
    return log;
  }

  /** The metadata is read: what {@link topicsNow} says becomes known. */
  readMetadata(): void {
    const brokers = [1, 2].map((nodeId) => ({ nodeId, host: 'fake', port: 9000 + nodeId, rack: `rack-${nodeId}` }));
    const topics = Array.from(this.topicsNow, ([name, { id, logs, leaders, epoch }]) => ({
      name,
      topicId: id,
      isInternal: false,
      errorCode: 0,
      partitions: logs.map((_, partition) => ({
        partition,
        leaderId: leaders[partition] ?? -1,
        leaderEpoch: epoch,
        replicas: [],
        isr: [],
        offlineReplicas: [],
        errorCode: 0,
      })),
    }));
    this.#set(this.metadata.withUpdate({ clusterId: 'fake', controllerId: 1, brokers, topics, keep: () => false }));
  }

  /** Ends the connections to a broker: what it had not answered is lost, the first `arrived` requests were written. */
  cut(nodeId: number, arrived = 0): void {
    const cut = this.pending.filter((pending) => pending.nodeId === nodeId);
    for (const [at, pending] of cut.entries()) pending.cut(at < arrived ? Infinity : 0);
  }

  #topic(name: string): FakeTopic {
    const topic = this.topicsNow.get(name);
    if (topic === undefined) throw new Error(`no topic ${name}`);
    return topic;
  }

  #set(snapshot: MetadataSnapshot): void {
    const previous = this.metadata;
    this.metadata = snapshot;
    for (const listener of this.#listeners) listener(snapshot, previous);
  }

  #topics(names: readonly string[], timeoutMs: number): Promise<MetadataSnapshot> {
    return new Promise((resolve, reject) => {
      const endsAtMs = this.clock.nowMs() + timeoutMs;
      const look = (): void => {
        if (this.topicsError !== undefined) return reject(this.topicsError);
        if (names.every((name) => this.topicsNow.has(name))) {
          this.readMetadata();
          return resolve(this.metadata);
        }
        if (this.clock.nowMs() >= endsAtMs)
          return reject(brokerError(brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION, 'Cannot find topics'));
        this.clock.setTimer(look, Math.min(50, endsAtMs - this.clock.nowMs()));
      };
      this.clock.setTimer(look, 1);
    });
  }

  async #connect(nodeId: number): Promise<Connection> {
    this.connects.push(nodeId);
    if (this.down.has(nodeId)) {
      throw new NetworkError(`Cannot connect to broker ${nodeId}`, { code: 'CONNECTION_FAILED', retriable: true });
    }
    const open = this.#connections.get(nodeId);
    if (open?.isOpen === true) return open;
    const made = new FakeConnection(this, nodeId);
    this.#connections.set(nodeId, made);
    return made;
  }
}

class FakeConnection implements Connection {
  readonly cluster: FakeCluster;
  readonly nodeId: number;
  readonly endpoint = { host: 'fake', port: 1 };
  readonly lane = 'produce-1';
  readonly bytesToWrite = 0;
  readonly versions: BrokerVersions;
  isOpen = true;
  inFlight = 0;

  constructor(cluster: FakeCluster, nodeId: number) {
    this.cluster = cluster;
    this.nodeId = nodeId;
    const { min, max } = cluster.produceVersions;
    this.versions = new BrokerVersions({ apiKeys: [{ apiKey: 0, minVersion: min, maxVersion: max }] });
  }

  leaseOf(): undefined {
    return undefined;
  }

  send<Req, Res>(_api: Api<Req, Res>, version: number, message: unknown, options: RequestOptions = {}): Promise<Res> {
    return new Promise<ProduceResponse | undefined>((resolve, reject) => {
      // What goes over the wire is decided now; whoever writes into the buffers before the end is found out then.
      const request = Produce.decodeRequest(Produce.encodeRequest(message as never, version), version);
      this.inFlight++;
      this.cluster.pending.push(
        this.#pending(version, request, message as ProduceRequest, options.noResponse === true, resolve, reject),
      );
      const pending = this.cluster.pending.at(-1);
      if (pending === undefined) return;
      this.cluster.requests.push(pending);
      this.cluster.onRequest?.(pending);
    }) as Promise<Res>;
  }

  async close(): Promise<void> {
    this.isOpen = false;
  }

  #pending(
    version: number,
    request: ProduceRequest,
    given: ProduceRequest,
    noResponse: boolean,
    resolve: (response: ProduceResponse | undefined) => void,
    reject: (error: Error) => void,
  ): PendingProduce {
    const { cluster, nodeId } = this;
    const finish = (): boolean => {
      const at = cluster.pending.indexOf(pending);
      if (at < 0) return false;
      cluster.pending.splice(at, 1);
      this.inFlight--;
      this.#checkBuffers(request, given);
      return true;
    };
    const pending: PendingProduce = {
      nodeId,
      version,
      request,
      noResponse,
      sentAtMs: cluster.clock.nowMs(),
      answer: (onPartition = () => ({ kind: 'append' })) => {
        if (!finish()) return;
        const response = this.#handle(request, onPartition);
        resolve(noResponse ? undefined : response);
      },
      cut: (arrived = 0) => {
        if (!finish()) return;
        this.isOpen = false;
        if (arrived > 0) this.#handle(request, () => ({ kind: 'append' }));
        const message = `Cannot send Produce to broker ${nodeId}: the connection was lost`;
        reject(new NetworkError(message, { code: 'CONNECTION_CLOSED', retriable: true, sent: true }));
      },
    };
    return pending;
  }

  /** CVE-2026-35554: a buffer that is filled again while its request is under way. */
  #checkBuffers(request: ProduceRequest, given: ProduceRequest): void {
    for (const [t, { partitionData }] of request.topicData.entries()) {
      for (const [p, { records }] of partitionData.entries()) {
        const now = given.topicData[t]?.partitionData[p]?.records;
        if (records === null || now === null || now === undefined || !records.equals(now)) {
          this.cluster.problems.push('a buffer was changed while its request was under way');
        }
      }
    }
  }

  #handle(
    request: ProduceRequest,
    onPartition: (topic: string, partition: number) => PartitionAction,
  ): ProduceResponse {
    const { topicsNow } = this.cluster;
    const responses = request.topicData.map(({ name, topicId, partitionData }) => {
      const named = [...topicsNow].find(([candidate, { id }]) => (name === '' ? id === topicId : candidate === name));
      return {
        name,
        topicId,
        partitionResponses: partitionData.map(({ index, records }) => {
          const action = onPartition(named?.[0] ?? '', index);
          const { code, baseOffset } = this.#partition(named?.[1], index, records, action);
          const hint = action.kind === 'error' && action.leaderHint === true;
          const isRefused = action.kind === 'error' && action.code === code;
          if (code === 'MESSAGE_TOO_LARGE') this.cluster.tooLarge++;
          return {
            index,
            errorCode: brokerErrorCodes[code],
            baseOffset: BigInt(baseOffset),
            logAppendTimeMs: -1n,
            logStartOffset: 0n,
            recordErrors: isRefused ? [...(action.recordErrors ?? [])] : [],
            errorMessage: (isRefused ? action.message : undefined) ?? null,
            currentLeader: {
              leaderId: hint ? (named?.[1].leaders[index] ?? -1) : -1,
              leaderEpoch: hint ? (named?.[1].epoch ?? -1) : -1,
            },
          };
        }),
      };
    });
    return { responses, throttleTimeMs: 0, nodeEndpoints: [] };
  }

  #append(log: TopicLog, records: Buffer): { code: BrokerErrorName; baseOffset: number } {
    const before = log.values.length;
    const appended = log.append(records);
    const { onAppend } = this.cluster;
    if (log.values.length === before || onAppend === undefined) return appended;
    for (const batch of readBatches(records)) {
      if (batch.compression !== 'none') continue;
      const cursor = new RecordCursor(batch);
      while (cursor.next()) {
        const { bytes, keyStart, keyLength } = cursor;
        const key = keyLength < 0 ? null : bytes.toString('utf8', keyStart, keyStart + keyLength);
        onAppend([cursor.timestampMs, key, cursor.headerCount]);
      }
    }
    return appended;
  }

  #partition(
    topic: FakeTopic | undefined,
    index: number,
    records: Buffer | null,
    action: PartitionAction,
  ): { code: BrokerErrorName; baseOffset: number } {
    const log = topic?.logs[index];
    if (topic === undefined || log === undefined || records === null) {
      return { code: topic === undefined ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION', baseOffset: -1 };
    }
    if (topic.leaders[index] !== this.nodeId) return { code: 'NOT_LEADER_OR_FOLLOWER', baseOffset: -1 };
    // Before anything else is looked at, as a real broker does: also a batch that it has already.
    if (records.length > topic.maxBatchBytes) return { code: 'MESSAGE_TOO_LARGE', baseOffset: -1 };
    if (action.kind === 'append' || (action.unlessWritten === true && log.has(records)))
      return this.#append(log, records);
    const real = action.appended === true ? log.append(records).code : 'NONE';
    return { code: real === 'NONE' ? action.code : real, baseOffset: -1 };
  }
}
