import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';
import { NetworkError } from '../../../../src/errors/kafka-error.ts';
import { FakeBrokers, metadataAnswer, type FakeAnswer, type SeenRequest } from '../../cluster/fake-brokers.ts';
import { batchOf } from '../fake-kafka.ts';

export const TOPIC = 't';
export const LOCK_MS = 2000;
const TOPIC_ID = 'dG9waWMtaWQtMDAwMDAwMQ';

/** One offset of a share partition. */
interface Offset {
  readonly batch: { readonly bytes: Buffer; readonly first: number; readonly last: number };
  state: 'available' | 'acquired' | 'done';
  untilMs: number;
  deliveryCount: number;
  /** Until when it was locked, by delivery. */
  readonly locks: Map<number, number>;
}

interface Partition {
  leaderId: number;
  leaderEpoch: number;
  readonly offsets: Offset[];
}

interface Session {
  epoch: number;
  readonly partitions: Set<number>;
}

interface AcknowledgementBatch {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly acknowledgeTypes: readonly number[];
}

interface Message {
  readonly shareSessionEpoch: number;
  readonly maxWaitMs: number;
  readonly maxRecords: number;
  readonly isRenewAck?: boolean;
  readonly topics: readonly {
    readonly partitions: readonly {
      readonly partitionIndex: number;
      readonly acknowledgementBatches: readonly AcknowledgementBatch[];
    }[];
  }[];
  readonly forgottenTopicsData?: readonly { readonly partitions: readonly number[] }[];
}

/**
 * Leaders of one topic that share its records out to one member, as Kafka 4.3.1 was seen to: sessions with epochs, locks with an end, whole
 * batches. Late, or not at all, where the schedule says so; what no client may do is noted.
 */
export class SimulatedShareLeaders {
  readonly brokers: FakeBrokers = new FakeBrokers();
  readonly partitions: readonly Partition[];
  readonly latencyMs: Map<number, number> = new Map();
  readonly violations: string[] = [];
  readonly faults = { lostRequests: 0, lostAnswers: 0, evicted: 0, moved: 0, timedOut: 0, renewed: 0 };
  fetches = 0;
  /** What becomes of the next requests of a broker. */
  readonly #breaks = new Map<number, 'request' | 'answer'>();
  readonly #sessions = new Map<number, Session>();
  readonly #busy = new Set<number>();
  readonly #waiting = new Set<() => void>();
  readonly #nodes: readonly number[];

  constructor(nodes: readonly number[], partitions: number) {
    this.#nodes = nodes;
    this.partitions = Array.from({ length: partitions }, (_, index) => ({
      leaderId: nodes[index % nodes.length] ?? -1,
      leaderEpoch: 1,
      offsets: [],
    }));
    this.brokers.answer = (request) => {
      if (request.api === 'ShareFetch' || request.api === 'ShareAcknowledge') return this.#share(request);
      if (request.api === 'FindCoordinator')
        return { coordinators: [{ key: 'g', nodeId: nodes[0], host: 'kafka', port: 9000 + (nodes[0] ?? 0) }] };
      if (request.api === 'ShareGroupHeartbeat') return this.#heartbeat();
      const leaders = this.partitions.map(({ leaderId, leaderEpoch }) => [leaderId, leaderEpoch] as const);
      return metadataAnswer(request, { [TOPIC]: { topicId: TOPIC_ID, leaders } }, nodes);
    };
  }

  append(partition: number, records: number): void {
    const { offsets } = this.#partition(partition);
    const first = offsets.length;
    const values = Array.from({ length: records }, (_, index) => `${partition}@${first + index}`);
    // Now and then the last offsets of a batch hold no record, as after compaction.
    const gaps = records % 3 === 0 ? 2 : 0;
    const last = first + records + gaps - 1;
    const bytes = batchOf(values, { baseOffset: BigInt(first), lastOffsetDelta: last - first });
    const batch = { bytes, first, last };
    for (let offset = first; offset <= last; offset++)
      offsets.push({ batch, state: 'available', untilMs: 0, deliveryCount: 0, locks: new Map() });
    this.#wake();
  }

  move(partition: number): void {
    const moved = this.#partition(partition);
    moved.leaderId = this.#nodes[(this.#nodes.indexOf(moved.leaderId) + 1) % this.#nodes.length] ?? -1;
    moved.leaderEpoch++;
    for (const offset of moved.offsets) if (offset.state === 'acquired') this.#unlock(offset);
    this.faults.moved++;
    this.#wake();
  }

  /** The broker has lost the connection that the session came by. */
  evict(nodeId: number): void {
    if (this.#end(nodeId)) this.faults.evicted++;
  }

  break(nodeId: number, what: 'request' | 'answer'): void {
    this.#breaks.set(nodeId, what);
  }

  heal(): void {
    this.#breaks.clear();
    this.latencyMs.clear();
    this.#wake();
  }

  /** Whether the record was locked at this time by the delivery that it came with. */
  wasLocked(partition: number, offset: number, deliveryCount: number, atMs: number): boolean {
    return (this.#partition(partition).offsets[offset]?.locks.get(deliveryCount) ?? -1) > atMs;
  }

  get locked(): number {
    this.#expire();
    return this.partitions.flatMap(({ offsets }) => offsets).filter(({ state }) => state === 'acquired').length;
  }

  get isDone(): boolean {
    return this.partitions.every(({ offsets }) => offsets.every(({ state }) => state === 'done'));
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  #heartbeat(): FakeAnswer {
    const partitions = this.partitions.map((_, index) => index);
    return {
      memberEpoch: 1,
      heartbeatIntervalMs: 5000,
      assignment: { topicPartitions: [{ topicId: TOPIC_ID, partitions }] },
    };
  }

  async #share(request: SeenRequest): Promise<FakeAnswer> {
    const nodeId = request.nodeId ?? -1;
    if (this.#busy.has(nodeId)) this.violations.push(`broker ${nodeId} has two requests of one session at once`);
    this.#busy.add(nodeId);
    try {
      return await this.#answer(nodeId, request);
    } finally {
      this.#busy.delete(nodeId);
    }
  }

  async #answer(nodeId: number, request: SeenRequest): Promise<FakeAnswer> {
    if (this.#takeBreak(nodeId, 'request')) {
      this.faults.lostRequests++;
      return broken();
    }
    const message = request.message as unknown as Message;
    const isFetch = request.api === 'ShareFetch';
    const refusal = this.#enter(nodeId, message, isFetch);
    const acknowledged = refusal === 0 ? this.#acknowledge(nodeId, message) : [];
    if (refusal === 0 && message.shareSessionEpoch === -1) this.#end(nodeId);
    let acquired = isFetch && refusal === 0 ? this.#acquire(nodeId, message.maxRecords) : [];
    if (isFetch && refusal === 0 && acquired.length === 0) {
      await this.#untilNews(message.maxWaitMs);
      if (this.#sessions.has(nodeId)) acquired = this.#acquire(nodeId, message.maxRecords);
    }
    await new Promise<void>((resolve) => this.brokers.clock.setTimer(resolve, this.latencyMs.get(nodeId) ?? 1));
    if (this.#takeBreak(nodeId, 'answer')) {
      // The connection is gone, and after a while the broker notices that as well.
      this.faults.lostAnswers++;
      if (this.faults.lostAnswers % 2 === 0) this.#end(nodeId);
      return broken();
    }
    const head = { errorCode: refusal, acquisitionLockTimeoutMs: LOCK_MS };
    if (!isFetch)
      return {
        ...head,
        responses: topics(acknowledged.map(([partitionIndex, errorCode]) => ({ partitionIndex, errorCode }))),
      };
    const errors = new Map(acknowledged);
    const records = new Map(acquired.map((one) => [one.partitionIndex, one]));
    const answered = [...new Set([...errors.keys(), ...records.keys()])];
    const partitions = answered.map((partitionIndex) => ({
      ...(records.get(partitionIndex) ?? { partitionIndex, records: Buffer.alloc(0) }),
      acknowledgeErrorCode: errors.get(partitionIndex) ?? 0,
    }));
    return { ...head, responses: topics(partitions) };
  }

  /** Takes the request into its session; answers with the error that there is. */
  #enter(nodeId: number, message: Message, isFetch: boolean): number {
    const { shareSessionEpoch: epoch } = message;
    const named = message.topics.flatMap(({ partitions }) => partitions);
    if (isFetch && epoch === 0) {
      this.fetches++;
      if (named.some(({ acknowledgementBatches }) => acknowledgementBatches.length > 0)) {
        this.violations.push('the first fetch of a session has acknowledgements');
        return codes.INVALID_REQUEST;
      }
      if (this.#sessions.has(nodeId)) this.violations.push(`a session with broker ${nodeId} was left without its end`);
      this.#sessions.set(nodeId, { epoch: 1, partitions: new Set(named.map(({ partitionIndex }) => partitionIndex)) });
      return 0;
    }
    const session = this.#sessions.get(nodeId);
    if (session === undefined) return codes.SHARE_SESSION_NOT_FOUND;
    if (epoch === -1) return 0;
    if (epoch !== session.epoch) {
      this.violations.push(`broker ${nodeId} has epoch ${session.epoch}, and was told ${epoch}`);
      return codes.INVALID_SHARE_SESSION_EPOCH;
    }
    session.epoch++;
    if (!isFetch) return 0;
    this.fetches++;
    for (const { partitionIndex } of named) session.partitions.add(partitionIndex);
    for (const { partitions } of message.forgottenTopicsData ?? [])
      for (const partition of partitions)
        if (!session.partitions.delete(partition))
          this.violations.push(`partition ${partition} was not in the session`);
    return 0;
  }

  #acknowledge(nodeId: number, message: Message): [number, number][] {
    this.#expire();
    const answers: [number, number][] = [];
    for (const { partitionIndex, acknowledgementBatches } of message.topics.flatMap(({ partitions }) => partitions)) {
      if (acknowledgementBatches.length === 0) continue;
      const partition = this.#partition(partitionIndex);
      if (partition.leaderId !== nodeId) answers.push([partitionIndex, codes.NOT_LEADER_OR_FOLLOWER]);
      else answers.push([partitionIndex, this.#acknowledgeBatches(partitionIndex, acknowledgementBatches)]);
    }
    return answers;
  }

  #acknowledgeBatches(partitionIndex: number, batches: readonly AcknowledgementBatch[]): number {
    const { offsets } = this.#partition(partitionIndex);
    let end = -1;
    for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
      if (Number(firstOffset) <= end) this.violations.push('batches of acknowledgements are not in order');
      end = Number(lastOffset);
      for (let at = Number(firstOffset); at <= end; at++) {
        const offset = offsets[at];
        const type = acknowledgeTypes[0];
        if (offset?.state !== 'acquired') {
          this.violations.push(
            `offset ${at} of partition ${partitionIndex} was acknowledged, and is ${offset?.state ?? 'none'}`,
          );
          return codes.INVALID_RECORD_STATE;
        }
        if (type === 0 && at < offset.batch.first + recordsIn(offset.batch))
          this.violations.push(`offset ${at} of partition ${partitionIndex} holds a record, and was called a gap`);
        if (type === 4) {
          this.faults.renewed++;
          this.#lock(offset);
        } else if (type === 2) this.#unlock(offset);
        else offset.state = 'done';
      }
    }
    return 0;
  }

  #acquire(
    nodeId: number,
    maxRecords: number,
  ): { partitionIndex: number; records: Buffer; acquiredRecords: object[]; errorCode?: number }[] {
    this.#expire();
    const session = this.#sessions.get(nodeId);
    const answers: { partitionIndex: number; records: Buffer; acquiredRecords: object[]; errorCode?: number }[] = [];
    let left = maxRecords;
    for (const [partitionIndex, { leaderId, offsets }] of this.partitions.entries()) {
      if (session?.partitions.has(partitionIndex) !== true) continue;
      if (leaderId !== nodeId) {
        const errorCode = codes.NOT_LEADER_OR_FOLLOWER;
        answers.push({ partitionIndex, errorCode, records: Buffer.alloc(0), acquiredRecords: [] });
      }
      if (leaderId !== nodeId || left <= 0) continue;
      const taken: number[] = [];
      for (const [at, offset] of offsets.entries()) {
        // Batches are not split.
        if (offset.state !== 'available' || (taken.length >= left && at === offset.batch.first)) continue;
        if (taken.length >= left && offsets[at - 1]?.state !== 'acquired') continue;
        offset.state = 'acquired';
        offset.deliveryCount++;
        this.#lock(offset);
        taken.push(at);
      }
      left -= taken.length;
      if (taken.length === 0) continue;
      const batches = [...new Set(taken.map((at) => offsets[at]?.batch))];
      answers.push({
        partitionIndex,
        records: Buffer.concat(batches.flatMap((batch) => (batch === undefined ? [] : [batch.bytes]))),
        acquiredRecords: taken.map((at) => ({
          firstOffset: BigInt(at),
          lastOffset: BigInt(at),
          deliveryCount: offsets[at]?.deliveryCount ?? 0,
        })),
      });
    }
    return answers;
  }

  #lock(offset: Offset): void {
    // Without moving the clock, which creeps at each look.
    offset.untilMs = this.brokers.clock.nowMs() + LOCK_MS;
    offset.locks.set(offset.deliveryCount, offset.untilMs);
  }

  #unlock(offset: Offset): void {
    offset.state = 'available';
    this.#wake();
  }

  #expire(): void {
    const nowMs = this.brokers.clock.nowMs();
    for (const { offsets } of this.partitions) {
      for (const offset of offsets) {
        if (offset.state !== 'acquired' || offset.untilMs > nowMs) continue;
        offset.state = 'available';
        this.faults.timedOut++;
      }
    }
  }

  #end(nodeId: number): boolean {
    const session = this.#sessions.get(nodeId);
    if (session === undefined) return false;
    this.#sessions.delete(nodeId);
    for (const partition of session.partitions) {
      const { leaderId, offsets } = this.#partition(partition);
      if (leaderId === nodeId) for (const offset of offsets) if (offset.state === 'acquired') this.#unlock(offset);
    }
    return true;
  }

  #takeBreak(nodeId: number, what: 'request' | 'answer'): boolean {
    return this.#breaks.get(nodeId) === what && this.#breaks.delete(nodeId);
  }

  #partition(index: number): Partition {
    const partition = this.partitions[index];
    if (partition === undefined) throw new Error(`There is no partition ${index}`);
    return partition;
  }

  async #untilNews(maxWaitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.brokers.clock.clearTimer(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = this.brokers.clock.setTimer(done, maxWaitMs);
      this.#waiting.add(done);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

function recordsIn({ bytes }: { readonly bytes: Buffer }): number {
  return bytes.readInt32BE(57);
}

function broken(): NetworkError {
  return new NetworkError('Cannot go on: the connection broke', { code: 'CONNECTION_CLOSED', retriable: true });
}

function topics(partitions: readonly object[]): object[] {
  return partitions.length === 0 ? [] : [{ topicId: TOPIC_ID, partitions }];
}
