import type { Cluster } from '../../cluster/cluster.ts';
import { UNKNOWN_TOPIC_ID } from '../../cluster/metadata-snapshot.ts';
import { retryBackoff } from '../../cluster/options.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import { KafkaError, ProtocolError } from '../../errors/kafka-error.ts';
import { asError } from '../../errors/thrown.ts';
import { chooseVersion, type Connection } from '../../cluster/connection.ts';
import { topicPartitionKey } from '../../model/topic-partition.ts';
import { Fetch, type FetchResponse, type FetchResponsePartitionData } from '../../protocol/generated/fetch.ts';
import type { TimerHandle } from '../../util/clock.ts';
import type { RecordDeserializers } from '../consumer-record.ts';
import { isPassingFailure } from '../offset-client.ts';
import type { ResolvedConsumerOptions } from '../options.ts';
import type { PartitionState } from '../partition-state.ts';
import { spanOf } from './batch-span.ts';
import { decompressor, type Decompressor } from './decompressor.ts';
import { EpochValidation, type Divergence } from './epoch-validation.ts';
import { FetchMachine, type FetchPlan } from './fetch-machine.ts';
import { FETCH_BY_TOPIC_ID, fetchRequest, type FetchSettings } from './fetch-request.ts';
import { FetchSessionMachine, type SessionPartition } from './fetch-session-machine.ts';
import { FrameLease } from './frame-lease.ts';
import { FetchedTopics, recordCountOf } from './fetched-topics.ts';
import { FetchedRecords, type FetchedRecordsOptions } from './fetched-records.ts';
import { staleMetadata } from './stale-metadata.ts';

/** What the fetcher needs of its consumer. */
export interface FetcherParts {
  readonly cluster: Cluster;
  readonly lane: string;
  readonly options: ResolvedConsumerOptions;
  readonly deserializers: RecordDeserializers;
  /** The partitions that are assigned now. */
  readonly partitions: () => Iterable<PartitionState>;
  /** There are records, or a partition has something to say. */
  readonly onChange: () => void;
  /** The offset that was asked for lies outside of the partition's log. */
  readonly onOutOfRange: (state: PartitionState, error: Error) => void;
  /** The log was cut off before the fetch position, as by an unclean election (KIP-320). */
  readonly onTruncated: (state: PartitionState, divergence: Divergence | undefined) => void;
  /** Reading cannot go on. */
  readonly onFatal: (error: Error) => void;
}

/** What was asked of a partition, to know its answer by. */
interface Asked {
  readonly state: PartitionState;
  readonly offset: bigint;
  readonly round: number;
}

/** So long a broker has to hear that its session is over. */
const END_SESSIONS_WITHIN_MS = 1000;

const NO_LEADER = { leaderId: -1, leaderEpoch: -1 };

/** Sends the fetches that {@link FetchMachine} plans, and hands what comes back to the partitions. */
export class Fetcher {
  readonly #parts: FetcherParts;
  readonly #machine: FetchMachine;
  readonly #decompressor: Decompressor;
  readonly #validation: EpochValidation;
  /** One session with each broker. */
  readonly #sessions = new Map<number, FetchSessionMachine>();
  #timer: TimerHandle | undefined;
  #answers = 0;
  #isClosed = false;

  constructor(parts: FetcherParts) {
    this.#parts = parts;
    const { options, cluster } = parts;
    this.#machine = new FetchMachine({
      ...options,
      retryBackoff: retryBackoff(cluster.options),
      random: cluster.random,
    });
    this.#validation = new EpochValidation({
      cluster,
      onChange: () => {
        this.pump();
        parts.onChange();
      },
      onFailed: (state) => this.#failPartition(state),
      onTruncated: parts.onTruncated,
      onFatal: parts.onFatal,
    });
    this.#decompressor = decompressor(options.maxBufferedBytes);
  }

  /** Sends what is due. Call it whenever something has changed; it does nothing if nothing is due. */
  pump(): void {
    if (this.#isClosed) return;
    const nowMs = this.#parts.cluster.clock.nowMs();
    const plans = this.#machine.plan(this.#parts.partitions(), (state) => this.#sourceOf(state), nowMs);
    for (const plan of plans) void this.#fetch(plan);
    this.#arm(nowMs);
  }

  /** A partition's records were taken: there is room for more of it. */
  drained(state: PartitionState): void {
    const nodeId = this.#sourceOf(state);
    if (nodeId === undefined || this.#machine.handleDrained(nodeId)) this.pump();
  }

  /** The batch at the partition's position is corrupt: it is fetched again, after a pause. */
  handleCorruption(state: PartitionState): void {
    state.refetch();
    state.failures++;
    state.retryAtMs = this.#machine.partitionRetryAtMs(state.failures, this.#parts.cluster.clock.nowMs());
    this.pump();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== undefined) this.#parts.cluster.clock.clearTimer(this.#timer);
  }

  /**
   * Has the brokers forget its sessions, of which they keep a limited number. A courtesy: a broker that does not hear at once is not
   * waited for.
   */
  async endSessions(): Promise<void> {
    await Promise.allSettled([...this.#sessions].map(([nodeId, session]) => this.#endSession(nodeId, session)));
  }

  async #endSession(nodeId: number, session: FetchSessionMachine): Promise<void> {
    const final = session.takeFinal();
    if (final === undefined) return;
    const settings = { maxWaitMs: 0, minBytes: 0, maxBytes: 0, isReadCommitted: false, rack: undefined };
    // Not on the lane of the fetches: there the answer to a long poll comes first.
    await this.#parts.cluster.request(
      {
        api: Fetch,
        to: { kind: 'broker', nodeId },
        doing: `Cannot end the fetch session with broker ${nodeId}`,
        retry: 'never',
        versions: { topicIdsKnown: true },
        message: (version) => fetchRequest(final, settings, version),
      },
      { timeoutMs: END_SESSIONS_WITHIN_MS },
    );
  }

  /** The broker to fetch a partition from; undefined while there is none. */
  #sourceOf(state: PartitionState): number | undefined {
    const { cluster } = this.#parts;
    const { metadata } = cluster;
    const partition = metadata.partition(state.topic, state.partition);
    if (partition === undefined || !metadata.brokers.has(partition.leaderId)) {
      cluster.refreshSoon();
      return undefined;
    }
    const { leaderId, leaderEpoch, offlineReplicas } = partition;
    if (!this.#validation.isValid(state, leaderId, leaderEpoch)) return undefined;
    const near = state.nearReplica;
    if (near === undefined) return leaderId;
    const isUsable = metadata.brokers.has(near.nodeId) && !offlineReplicas.includes(near.nodeId);
    if (isUsable && near.untilMs > cluster.clock.nowMs()) return near.nodeId;
    // A replica that came back is known to the leader first, which sends no records while it names one that is nearer.
    if (!isUsable) cluster.refreshSoon();
    state.nearReplica = undefined;
    return leaderId;
  }

  #sessionWith(nodeId: number): FetchSessionMachine {
    let session = this.#sessions.get(nodeId);
    if (session === undefined) this.#sessions.set(nodeId, (session = new FetchSessionMachine()));
    return session;
  }

  /** @param nowMs when it was looked what is due: a pause that has ended since must not be taken for one that was seen to have ended */
  #arm(nowMs: number): void {
    const { clock } = this.#parts.cluster;
    if (this.#timer !== undefined) clock.clearTimer(this.#timer);
    this.#timer = undefined;
    const deadlineMs = this.#machine.nextDeadlineMs(this.#parts.partitions(), nowMs);
    if (deadlineMs === undefined) return;
    this.#timer = clock.setTimer(() => this.pump(), deadlineMs - nowMs);
    this.#timer.unref();
  }

  async #fetch(plan: FetchPlan<PartitionState>): Promise<void> {
    const { cluster, lane } = this.#parts;
    const asked = new Map<string, Asked>();
    try {
      const connection = await cluster.connection(plan.nodeId, lane);
      if (this.#isClosed) return;
      const topicIdsKnown = plan.partitions.every(({ topic }) => this.#topicId(topic) !== undefined);
      const version = chooseVersion(Fetch, connection.versions, { topicIdsKnown });
      const session = this.#sessionWith(plan.nodeId);
      const wanted = this.#wanted(plan, version, asked);
      const message = fetchRequest(session.take(wanted, version >= FETCH_BY_TOPIC_ID), this.#settings(plan), version);
      const startMs = cluster.clock.nowMs();
      const timeoutMs = cluster.options.requestTimeoutMs + plan.maxWaitMs;
      const response = await connection.send(Fetch, version, message, { timeoutMs, background: true });
      if (this.#isClosed) return;
      this.#handleResponse(plan, response, asked, cluster.clock.nowMs() - startMs, connection);
    } catch (error) {
      if (this.#isClosed) return;
      this.#handleFailure(plan, asError(error));
    }
    this.pump();
    this.#parts.onChange();
  }

  /** What the broker should send, by the keys that its answer has. */
  #wanted(
    plan: FetchPlan<PartitionState>,
    version: number,
    asked: Map<string, Asked>,
  ): ReadonlyMap<string, SessionPartition> {
    const { cluster, options } = this.#parts;
    const wanted = new Map<string, SessionPartition>();
    for (const state of plan.partitions) {
      const { partition, fetchOffset } = state;
      const topic = version >= FETCH_BY_TOPIC_ID ? (this.#topicId(state.topic) ?? UNKNOWN_TOPIC_ID) : state.topic;
      const { leaderId, leaderEpoch: currentLeaderEpoch } =
        cluster.metadata.partition(state.topic, partition) ?? NO_LEADER;
      // A follower that is behind would say that the log was cut off where its own ends.
      const lastFetchedEpoch = plan.nodeId === leaderId ? state.fetchEpoch : -1;
      const key = topicPartitionKey(topic, partition);
      asked.set(key, { state, offset: fetchOffset, round: state.fetchRound });
      const partitionMaxBytes = options.maxPartitionFetchBytes;
      wanted.set(key, { topic, partition, fetchOffset, currentLeaderEpoch, lastFetchedEpoch, partitionMaxBytes });
    }
    return wanted;
  }

  #settings({ maxWaitMs, maxBytes }: FetchPlan<PartitionState>): FetchSettings {
    const { cluster, options } = this.#parts;
    return {
      maxWaitMs,
      maxBytes,
      minBytes: options.fetchMinBytes,
      isReadCommitted: options.isolationLevel === 'read_committed',
      rack: cluster.options.clientRack,
    };
  }

  #topicId(topic: string): string | undefined {
    const id = this.#parts.cluster.metadata.topic(topic)?.topicId;
    return id === UNKNOWN_TOPIC_ID ? undefined : id;
  }

  #handleResponse(
    plan: FetchPlan<PartitionState>,
    response: FetchResponse,
    asked: Map<string, Asked>,
    tookMs: number,
    connection: Connection,
  ): void {
    const { cluster, options } = this.#parts;
    const session = this.#sessionWith(plan.nodeId);
    if (response.errorCode !== brokerErrorCodes.NONE) {
      // The session has ended, and with it nothing else: a new one begins with the next fetch.
      if (session.handleRefusal(response.errorCode)) return this.#machine.handleAnswer(plan, true, 0, 0);
      throw brokerError(response.errorCode, `Cannot fetch from broker ${plan.nodeId}`);
    }
    const { isFull } = session;
    session.handleAnswer(response.sessionId);
    this.#learnLeaders(response, asked);
    let bytes = 0;
    let partitions = 0;
    const topics = cluster.events.has('consumer.fetched') ? new FetchedTopics() : undefined;
    const lease = leaseOf(response, connection);
    for (const topic of response.responses) {
      for (const data of topic.partitions) {
        // A partition that was not asked for, or comes twice, is nobody's.
        const key = topicPartitionKey(topic.topic === '' ? topic.topicId : topic.topic, data.partitionIndex);
        const question = asked.get(key);
        if (question === undefined) continue;
        asked.delete(key);
        // Walkthrough: 1. a fetch is under way; 2. the user seeks, or the partition is given up; 3. the answer arrives. Without
        // this check, step 3 would put records of the old position behind the new one.
        // And: 1. a fetch is under way to broker 1, which takes its time; 2. the leader moves to broker 2, which is asked for the same
        // offset and answers first; 3. broker 1 answers. Without it, step 3 would hand out these records a second time.
        const { state, round, offset } = question;
        if (state.fetchRound !== round || state.fetchOffset !== offset || state.term.ended) continue;
        const taken = this.#handlePartition(question, data, plan.nodeId, lease);
        bytes += taken;
        if (taken === 0 || data.records === null) continue;
        partitions++;
        topics?.add(state.topic, recordCountOf(data.records), taken);
      }
    }
    lease?.end();
    // In a session, a partition that is left out has nothing new.
    for (const { state, round } of isFull ? asked.values() : []) {
      if (state.fetchRound === round) this.#failPartition(state);
    }
    this.#machine.handleAnswer(plan, bytes > 0, tookMs, cluster.clock.nowMs());
    if (bytes > 0 && topics !== undefined) {
      cluster.events.publish('consumer.fetched', {
        nodeId: plan.nodeId,
        groupId: options.groupId,
        bytes,
        records: topics.records,
        partitions,
        topics: topics.list,
        durationMs: tookMs,
      });
    }
  }

  /** Answers how many bytes of records were taken. */
  #handlePartition(
    { state, offset }: Asked,
    data: FetchResponsePartitionData,
    nodeId: number,
    lease: FrameLease | undefined,
  ): number {
    if (data.errorCode !== brokerErrorCodes.NONE) {
      this.#handlePartitionError(state, data, nodeId);
      return 0;
    }
    if (data.divergingEpoch.endOffset >= 0n) {
      // Of the log's history a follower knows less than the leader.
      if (state.nearReplica?.nodeId === nodeId) {
        state.nearReplica = undefined;
        return 0;
      }
      const { endOffset, epoch } = data.divergingEpoch;
      this.#parts.onTruncated(state, { offset: endOffset, epoch });
      return 0;
    }
    if (data.preferredReadReplica >= 0) this.#useReplica(state, data.preferredReadReplica);
    state.highWatermark = data.highWatermark;
    state.lastStableOffset = data.lastStableOffset;
    const { records } = data;
    if (records === null || records.length === 0) {
      state.failures = 0;
      return 0;
    }
    const span = spanOf(records);
    // Not even one batch fits into what was left of the answer: this partition is among the first to be asked for next.
    if (span === undefined) return 0;
    const { nextOffset, leaderEpoch } = span;
    state.failures = 0;
    if (nextOffset <= offset) {
      const error = new ProtocolError(
        `Cannot use what broker ${nodeId} sent of ${state.topic}-${state.partition}: it ends before offset ${offset}, which was asked for`,
      );
      this.#publishFailure(nodeId, error);
      this.#failPartition(state);
      return 0;
    }
    const fetched = new FetchedRecords({ ...this.#recordsOptions(state, data, records), lease }, offset);
    state.buffered.push(fetched);
    state.bufferedBytes += fetched.bytes;
    state.fetchOffset = nextOffset;
    state.fetchEpoch = leaderEpoch;
    state.lastServed = ++this.#answers;
    return records.length;
  }

  /** A replica that is nearer than the leader; asked again now and then, as the racks of brokers and replicas change. */
  #useReplica(state: PartitionState, nodeId: number): void {
    const { clock, options } = this.#parts.cluster;
    state.nearReplica = { nodeId, untilMs: clock.nowMs() + options.metadataMaxAgeMs };
  }

  #recordsOptions(state: PartitionState, data: FetchResponsePartitionData, records: Buffer): FetchedRecordsOptions {
    const { options, deserializers } = this.#parts;
    return {
      state,
      records,
      highWatermark: data.highWatermark,
      aborted: options.isolationLevel === 'read_committed' ? (data.abortedTransactions ?? []) : undefined,
      checkCrcs: options.checkCrcs,
      decompressor: this.#decompressor,
      deserializers,
    };
  }

  #handlePartitionError(state: PartitionState, data: FetchResponsePartitionData, nodeId: number): void {
    const { errorCode } = data;
    const error = brokerError(
      errorCode,
      `Cannot fetch ${state.topic}-${state.partition} at offset ${state.fetchOffset} from broker ${nodeId}`,
    );
    // A follower may be behind, or not a replica any more: the leader knows.
    const isFollower = state.nearReplica?.nodeId === nodeId;
    state.nearReplica = undefined;
    if (isFollower && errorCode === brokerErrorCodes.OFFSET_OUT_OF_RANGE) return;
    if (errorCode === brokerErrorCodes.OFFSET_OUT_OF_RANGE) {
      // What is buffered lies before the gap and is good: the position is looked up only once it is used up.
      this.#failPartition(state);
      if (state.buffered.length === 0 && !state.hasReady) this.#parts.onOutOfRange(state, error);
      return;
    }
    if (!error.retriable && !staleMetadata.has(errorCode) && error.code !== 'UNKNOWN_SERVER_ERROR') {
      this.#parts.onFatal(error);
      return;
    }
    this.#publishFailure(nodeId, error);
    if (staleMetadata.has(errorCode)) this.#parts.cluster.refreshSoon();
    this.#failPartition(state);
    // The answer named the new leader: no need to wait, unless that one is wrong as well.
    if (data.currentLeader.leaderId >= 0 && state.failures === 1) state.retryAtMs = 0;
  }

  #failPartition(state: PartitionState): void {
    state.failures++;
    state.retryAtMs = this.#machine.partitionRetryAtMs(state.failures, this.#parts.cluster.clock.nowMs());
  }

  /** KIP-951: an answer that says "not the leader" may say who is. */
  #learnLeaders(response: FetchResponse, asked: ReadonlyMap<string, Asked>): void {
    const leaders = response.responses.flatMap((topic) =>
      topic.partitions.flatMap(({ partitionIndex, currentLeader }) => {
        const question = asked.get(topicPartitionKey(topic.topic === '' ? topic.topicId : topic.topic, partitionIndex));
        if (question === undefined || currentLeader.leaderId < 0) return [];
        return [
          {
            topic: question.state.topic,
            partition: partitionIndex,
            leaderId: currentLeader.leaderId,
            leaderEpoch: currentLeader.leaderEpoch,
          },
        ];
      }),
    );
    if (leaders.length > 0) this.#parts.cluster.learnLeaders(leaders, response.nodeEndpoints);
  }

  #publishFailure(nodeId: number, error: Error): void {
    const { cluster, options } = this.#parts;
    cluster.events.publish('consumer.fetch.failed', { nodeId, groupId: options.groupId, error });
  }

  #handleFailure(plan: FetchPlan<PartitionState>, error: Error): void {
    const { cluster } = this.#parts;
    this.#machine.handleFailure(plan, cluster.clock.nowMs());
    this.#sessionWith(plan.nodeId).handleFailure();
    for (const state of plan.partitions) if (state.nearReplica?.nodeId === plan.nodeId) state.nearReplica = undefined;
    if (error instanceof KafkaError && !isPassingFailure(error)) this.#parts.onFatal(error);
    else this.#publishFailure(plan.nodeId, error);
    cluster.refreshSoon();
  }
}

/** The memory of the answer, which all of its records are views of; begun for the one who hands them on. */
function leaseOf({ responses }: FetchResponse, connection: Connection): FrameLease | undefined {
  for (const { partitions } of responses) {
    for (const { records } of partitions) {
      if (records === null || records.length === 0) continue;
      const giveBack = connection.leaseOf(records.buffer);
      return giveBack === undefined ? undefined : new FrameLease(giveBack).begin();
    }
  }
  return undefined;
}
