import assert from 'node:assert/strict';
import { NetworkError } from '../../../../src/errors/kafka-error.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';
import { FakeBrokers, metadataAnswer, type FakeAnswer, type SeenRequest } from '../../cluster/fake-brokers.ts';
import { batchOf } from '../fake-kafka.ts';

export const TOPIC = 't';
const TOPIC_ID = 'dG9waWMtaWQtMDAwMDAwMQ';

interface StoredBatch {
  readonly bytes: Buffer;
  readonly nextOffset: bigint;
}

/** One partition as the cluster has it. */
export interface SimulatedPartition {
  leaderId: number;
  leaderEpoch: number;
  readonly log: StoredBatch[];
}

/** What the broker of a fetch session remembers of a partition (KIP-227). */
interface Wanted {
  readonly fetchOffset: bigint;
  readonly maxBytes: number;
}

interface Session {
  readonly id: number;
  epoch: number;
  readonly wanted: Map<number, Wanted>;
}

/** A fetch that has not been answered. */
interface OpenFetch {
  readonly nodeId: number;
  readonly wanted: ReadonlyMap<number, Wanted>;
  /** The epochs of the leaders when it came: a partition may be asked for elsewhere once its leader has moved. */
  readonly epochs: ReadonlyMap<number, number>;
}

interface FetchMessage {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  readonly topics: readonly {
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: bigint;
      readonly partitionMaxBytes: number;
    }[];
  }[];
  readonly forgottenTopicsData: readonly { readonly partitions: readonly number[] }[];
}

/**
 * Leaders of one topic that answer fetches as brokers do: sessions, long polls, limits of bytes, moved leaders; late, or not at all, where
 * the schedule says so. Every fetch is checked when it comes.
 */
export class SimulatedLeaders {
  readonly brokers: FakeBrokers = new FakeBrokers();
  readonly partitions: readonly SimulatedPartition[];
  /** How long each broker takes to answer. */
  readonly latencyMs: Map<number, number> = new Map();
  /** Brokers whose connections break. */
  readonly broken: Set<number> = new Set();
  readonly paused: Set<number> = new Set();
  hasRoomForSessions = true;
  /** What no client may do, as it was seen. */
  readonly violations: string[] = [];
  fetches = 0;
  /** How many answers had records of each partition. */
  readonly served: number[];
  readonly faults: { moved: number; broken: number; evicted: number; stale: number } = {
    moved: 0,
    broken: 0,
    evicted: 0,
    stale: 0,
  };
  readonly #sessions = new Map<number, Session>();
  readonly #open = new Set<OpenFetch>();
  readonly #waiting = new Set<() => void>();
  #lastSessionId = 0;
  readonly #nodes: readonly number[];

  constructor(nodes: readonly number[], partitions: number) {
    this.#nodes = nodes;
    this.partitions = Array.from({ length: partitions }, (_, index) => ({
      leaderId: nodes[index % nodes.length] ?? -1,
      leaderEpoch: 0,
      log: [],
    }));
    this.served = this.partitions.map(() => 0);
    this.brokers.answer = (request) => {
      if (request.api === 'Fetch') return this.#fetch(request);
      if (request.api === 'OffsetForLeaderEpoch') return this.#offsetsOfEpochs(request);
      return metadataAnswer(request, { [TOPIC]: { topicId: TOPIC_ID, leaders: this.#leaders() } }, nodes);
    };
  }

  end(partition: number): bigint {
    return this.#partition(partition).log.at(-1)?.nextOffset ?? 0n;
  }

  /** Appends one batch; the value of each record says where it is. */
  append(partition: number, records: number, valueBytes: number): void {
    const baseOffset = this.end(partition);
    const { log, leaderEpoch } = this.#partition(partition);
    const values = Array.from({ length: records }, (_, index) =>
      `${partition}@${baseOffset + BigInt(index)}`.padEnd(valueBytes),
    );
    log.push({ bytes: batchOf(values, { baseOffset, leaderEpoch }), nextOffset: baseOffset + BigInt(records) });
    for (const wake of [...this.#waiting]) wake();
  }

  /** The partition has another leader; clients learn of it when somebody tells them. */
  move(partition: number): void {
    const moved = this.#partition(partition);
    moved.leaderId = this.#nodes[(this.#nodes.indexOf(moved.leaderId) + 1) % this.#nodes.length] ?? -1;
    moved.leaderEpoch++;
    this.faults.moved++;
    for (const wake of [...this.#waiting]) wake();
  }

  /** The broker forgets its sessions. */
  evict(nodeId: number): void {
    if (this.#sessions.delete(nodeId)) this.faults.evicted++;
  }

  /** Connections are as they should be from now on. */
  heal(): void {
    this.broken.clear();
    this.latencyMs.clear();
    this.hasRoomForSessions = true;
    for (const wake of [...this.#waiting]) wake();
  }

  async #fetch(request: SeenRequest): Promise<FakeAnswer> {
    const nodeId = request.nodeId ?? -1;
    const message = request.message as unknown as FetchMessage;
    this.fetches++;
    if (this.broken.has(nodeId)) return this.#breakDown();
    const session = this.#sessionOf(nodeId, message);
    if (typeof session === 'number') return { errorCode: session, sessionId: 0, responses: [] };
    const wanted: ReadonlyMap<number, Wanted> = new Map(session.wanted);
    const open = { nodeId, wanted, epochs: new Map([...wanted.keys()].map((each) => [each, this.#epoch(each)])) };
    this.#checkAlone(open);
    for (const partition of wanted.keys())
      this.#check(!this.paused.has(partition), `partition ${partition} is paused, and was fetched`);
    this.#open.add(open);
    let read = this.#read(open, message.maxBytes);
    if (!read.some(isNews)) {
      await this.#untilNews(message.maxWaitMs);
      read = this.#read(open, message.maxBytes);
    }
    // Within a session, what has nothing new is left out.
    const partitions = message.sessionEpoch === 0 ? read : read.filter(isNews);
    // What is answered late was read early: the leader may have moved, and the client may have asked the new one.
    const latencyMs = this.latencyMs.get(nodeId) ?? 1;
    await new Promise<void>((resolve) => this.brokers.clock.setTimer(resolve, latencyMs));
    this.#open.delete(open);
    if (this.broken.has(nodeId)) return this.#breakDown();
    for (const { partitionIndex, records } of partitions) {
      if (records.length === 0) continue;
      this.served[partitionIndex] = (this.served[partitionIndex] ?? 0) + 1;
      if (open.epochs.get(partitionIndex) !== this.#epoch(partitionIndex)) this.faults.stale++;
    }
    const responses = partitions.length === 0 ? [] : [{ topicId: TOPIC_ID, partitions }];
    return { sessionId: session.id, responses };
  }

  #breakDown(): Error {
    this.faults.broken++;
    return new NetworkError('Cannot fetch: the connection broke', { code: 'CONNECTION_CLOSED', retriable: true });
  }

  /** One fetch at a time per broker, and none for a partition that its own leader is being asked about. */
  #checkAlone(fetch: OpenFetch): void {
    for (const other of this.#open) {
      this.#check(other.nodeId !== fetch.nodeId, `broker ${fetch.nodeId} is asked twice at once`);
      for (const partition of fetch.wanted.keys()) {
        // A client that has heard late that the leader moved may have asked the old one, which takes its time.
        const isStale =
          other.nodeId !== this.#partition(partition).leaderId ||
          other.epochs.get(partition) !== this.#epoch(partition);
        this.#check(!other.wanted.has(partition) || isStale, `partition ${partition} is fetched twice at once`);
      }
    }
  }

  /** An assertion in here would only look like an answer that failed. */
  #check(isKept: boolean, violation: string): void {
    if (!isKept) this.violations.push(violation);
  }

  /** Nothing was ever cut off. */
  #offsetsOfEpochs(request: SeenRequest): FakeAnswer {
    const topics = request.message['topics'] as { partitions: { partition: number; leaderEpoch: number }[] }[];
    return {
      topics: topics.map(({ partitions }) => ({
        topic: TOPIC,
        partitions: partitions.map(({ partition, leaderEpoch }) => ({
          partition,
          leaderEpoch,
          endOffset: this.end(partition),
        })),
      })),
    };
  }

  /** The session of this request, as it is after it; or the error that it is answered with. */
  #sessionOf(nodeId: number, message: FetchMessage): Session | number {
    const named = message.topics.flatMap(({ partitions }) => partitions);
    const known = this.#sessions.get(nodeId);
    if (message.sessionEpoch === 0) {
      this.#sessions.delete(nodeId);
      const wanted = new Map<number, Wanted>();
      const id = this.hasRoomForSessions ? ++this.#lastSessionId : 0;
      const session: Session = { id, epoch: 1, wanted };
      for (const { partition, fetchOffset, partitionMaxBytes: maxBytes } of named)
        wanted.set(partition, { fetchOffset, maxBytes });
      if (id !== 0) this.#sessions.set(nodeId, session);
      return session;
    }
    if (known?.id !== message.sessionId) return codes.FETCH_SESSION_ID_NOT_FOUND;
    if (known.epoch !== message.sessionEpoch) return codes.INVALID_FETCH_SESSION_EPOCH;
    known.epoch++;
    for (const { partitions } of message.forgottenTopicsData)
      for (const partition of partitions)
        this.#check(known.wanted.delete(partition), `partition ${partition} is forgotten, and was not wanted`);
    for (const { partition, fetchOffset, partitionMaxBytes: maxBytes } of named) {
      // Behind the others, as Kafka does: so each has its turn when the answer is full.
      known.wanted.delete(partition);
      known.wanted.set(partition, { fetchOffset, maxBytes });
    }
    return known;
  }

  /** Like a broker: whole batches, the first one however large, until the answer is full. */
  #read({ nodeId, wanted }: OpenFetch, maxBytes: number): FetchedPartition[] {
    const partitions: FetchedPartition[] = [];
    let left = maxBytes;
    for (const [partitionIndex, { fetchOffset, maxBytes: partitionMaxBytes }] of wanted) {
      const { leaderId, log } = this.#partition(partitionIndex);
      const none = { partitionIndex, highWatermark: this.end(partitionIndex), records: Buffer.alloc(0) };
      if (leaderId !== nodeId) {
        partitions.push({ ...none, errorCode: codes.NOT_LEADER_OR_FOLLOWER });
        continue;
      }
      const batches: Buffer[] = [];
      let partitionLeft = partitionMaxBytes;
      for (const { bytes, nextOffset } of log) {
        if (nextOffset <= fetchOffset) continue;
        const isFirst = left === maxBytes && batches.length === 0;
        if (!isFirst && (bytes.length > left || bytes.length > partitionLeft)) break;
        batches.push(bytes);
        left -= bytes.length;
        partitionLeft -= bytes.length;
      }
      partitions.push({ ...none, errorCode: 0, records: Buffer.concat(batches) });
    }
    return partitions;
  }

  async #untilNews(maxWaitMs: number): Promise<void> {
    const { clock } = this.brokers;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        clock.clearTimer(timer);
        resolve();
      };
      const timer = clock.setTimer(wake, maxWaitMs);
      this.#waiting.add(wake);
    });
  }

  #leaders(): (readonly [number, number])[] {
    return this.partitions.map(({ leaderId, leaderEpoch }) => [leaderId, leaderEpoch] as const);
  }

  #epoch(partition: number): number {
    return this.#partition(partition).leaderEpoch;
  }

  #partition(partition: number): SimulatedPartition {
    const found = this.partitions[partition];
    assert.ok(found);
    return found;
  }
}

interface FetchedPartition {
  readonly partitionIndex: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly records: Buffer;
}

function isNews({ errorCode, records }: FetchedPartition): boolean {
  return errorCode !== 0 || records.length > 0;
}
