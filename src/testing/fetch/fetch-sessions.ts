import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { Input } from '../../protocol/api.ts';
import type {
  FetchRequestForgottenTopic,
  FetchResponseFetchableTopicResponse,
  FetchResponsePartitionData,
} from '../../protocol/generated/fetch.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { FetchedPartition } from './fetched-partition.ts';

/** What a fetch is answered about one partition. */
export type PartitionAnswer = Input<FetchResponsePartitionData> & { readonly records: Buffer };

/** A partition with its answer. */
export interface Answered {
  readonly partition: FetchedPartition;
  readonly answer: PartitionAnswer;
}

/** What a request says of its session. */
export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly partitions: readonly FetchedPartition[];
  readonly forgotten: readonly FetchRequestForgottenTopic[];
  readonly usesTopicIds: boolean;
}

/** What is to be fetched, and what of the answers is told. */
export interface FetchPlan {
  readonly partitions: readonly FetchedPartition[];
  /** Leaves out what the client knows, and answers under which session. */
  conclude(answers: readonly Answered[]): { readonly sessionId: number; readonly answers: readonly Answered[] };
}

interface CachedPartition {
  wanted: FetchedPartition;
  /** As the client was last told; -1 makes that it is told again. */
  highWatermark: bigint;
  logStartOffset: bigint;
}

interface Session {
  readonly id: number;
  readonly usesTopicIds: boolean;
  epoch: number;
  lastUsedMs: number;
  /** In the order in which they are read: whoever gave records goes to the end, so that all have their turn. */
  readonly partitions: Map<string, CachedPartition>;
}

const FULL = 0;
const SESSIONLESS = -1;
/** Kafka's `min.incremental.fetch.session.eviction.ms`: a session that was used since is not given up for a new one. */
const EVICTABLE_AFTER_MS = 120_000;

/** The fetch sessions of all brokers (KIP-227): what each client has asked for, so that it need not say it again. */
export class FetchSessions {
  readonly #cluster: ClusterState;
  readonly #byBroker = new Map<number, Map<number, Session>>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /** What this request is about, or the error code of the whole answer. */
  plan(broker: BrokerState, request: SessionRequest): FetchPlan | number {
    const sessions = this.#of(broker);
    const { sessionId, sessionEpoch, partitions } = request;
    if (sessionEpoch === FULL || sessionEpoch === SESSIONLESS) {
      sessions.delete(sessionId);
      return sessionEpoch === FULL ? this.#full(broker, request) : sessionless(partitions);
    }
    const session = sessions.get(sessionId);
    if (session === undefined) return brokerErrorCodes.FETCH_SESSION_ID_NOT_FOUND;
    if (session.epoch !== sessionEpoch) return brokerErrorCodes.INVALID_FETCH_SESSION_EPOCH;
    if (session.usesTopicIds !== request.usesTopicIds) return brokerErrorCodes.FETCH_SESSION_TOPIC_ID_ERROR;
    update(session, request);
    session.epoch = sessionEpoch === 0x7fff_ffff ? 1 : sessionEpoch + 1;
    session.lastUsedMs = this.#cluster.clock.nowMs();
    if (session.partitions.size > 0) return incremental(session);
    sessions.delete(sessionId);
    return sessionless([]);
  }

  /** Forgets the sessions of a broker, as its end does. */
  clear(broker: BrokerState): void {
    this.#of(broker).clear();
  }

  #of(broker: BrokerState): Map<number, Session> {
    const known = this.#byBroker.get(broker.id);
    if (known !== undefined) return known;
    const made = new Map<number, Session>();
    this.#byBroker.set(broker.id, made);
    return made;
  }

  #full(broker: BrokerState, { partitions, usesTopicIds }: SessionRequest): FetchPlan {
    return {
      partitions,
      conclude: (answers) => {
        const id = answers.length > 0 && this.#hasRoom(broker) ? this.#newId(broker) : 0;
        if (id !== 0) {
          const lastUsedMs = this.#cluster.clock.nowMs();
          const session = { id, usesTopicIds, epoch: 1, lastUsedMs, partitions: new Map(answers.map(cached)) };
          this.#of(broker).set(id, session);
        }
        return { sessionId: id, answers };
      },
    };
  }

  #hasRoom(broker: BrokerState): boolean {
    const sessions = this.#of(broker);
    const slots = Number(this.#cluster.brokerConfig('max.incremental.fetch.session.cache.slots', broker));
    if (sessions.size < slots) return true;
    const oldest = [...sessions.values()].sort((a, b) => a.lastUsedMs - b.lastUsedMs)[0];
    if (oldest === undefined || this.#cluster.clock.nowMs() - oldest.lastUsedMs < EVICTABLE_AFTER_MS) return false;
    return sessions.delete(oldest.id);
  }

  #newId(broker: BrokerState): number {
    for (;;) {
      const id = 1 + Math.floor(this.#cluster.random() * 0x7fff_fffe);
      if (!this.#of(broker).has(id)) return id;
    }
  }
}

/** Puts answers together by topic, as they follow each other. */
export function byTopic(answers: readonly Answered[]): Input<FetchResponseFetchableTopicResponse>[] {
  const topics: { topic: string; topicId: string; partitions: PartitionAnswer[] }[] = [];
  for (const { partition, answer } of answers) {
    const { topic, topicId } = partition;
    const last = topics.at(-1);
    if (last?.topic === topic && last.topicId === topicId) last.partitions.push(answer);
    else topics.push({ topic, topicId, partitions: [answer] });
  }
  return topics;
}

function sessionless(partitions: readonly FetchedPartition[]): FetchPlan {
  return { partitions, conclude: (answers) => ({ sessionId: 0, answers }) };
}

function incremental(session: Session): FetchPlan {
  return {
    partitions: [...session.partitions.values()].map(({ wanted }) => wanted),
    conclude: (answers) => ({ sessionId: session.id, answers: answers.filter((each) => isNews(session, each)) }),
  };
}

function isNews(session: Session, { partition, answer }: Answered): boolean {
  const key = keyOf(partition);
  const known = session.partitions.get(key);
  if (known === undefined) return true;
  const highWatermark = BigInt(answer.highWatermark ?? -1n);
  const logStartOffset = BigInt(answer.logStartOffset ?? -1n);
  const hasMoved = highWatermark !== known.highWatermark || logStartOffset !== known.logStartOffset;
  const mustBeToldAgain = answer.errorCode !== 0 || answer.divergingEpoch !== undefined;
  known.highWatermark = mustBeToldAgain ? -1n : highWatermark;
  known.logStartOffset = logStartOffset;
  if (answer.records.length > 0) {
    session.partitions.delete(key);
    session.partitions.set(key, known);
  }
  return answer.records.length > 0 || hasMoved || mustBeToldAgain || (answer.preferredReadReplica ?? -1) !== -1;
}

function update(session: Session, { partitions, forgotten }: SessionRequest): void {
  for (const wanted of partitions) {
    const key = keyOf(wanted);
    const known = session.partitions.get(key);
    if (known === undefined) session.partitions.set(key, { wanted, highWatermark: -1n, logStartOffset: -1n });
    else known.wanted = wanted;
  }
  for (const { topic, topicId, partitions: numbers } of forgotten)
    for (const partition of numbers) session.partitions.delete(keyOf({ topic, topicId, partition }));
}

function cached({ partition, answer }: Answered): [string, CachedPartition] {
  const isTold = answer.errorCode === 0;
  return [
    keyOf(partition),
    {
      wanted: partition,
      highWatermark: isTold ? BigInt(answer.highWatermark ?? -1n) : -1n,
      logStartOffset: BigInt(answer.logStartOffset ?? -1n),
    },
  ];
}

function keyOf({ topic, topicId, partition }: Pick<FetchedPartition, 'topic' | 'topicId' | 'partition'>): string {
  return `${topicId}/${topic}/${partition}`;
}
