import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/** A partition that a member asks a broker for. */
export interface SharedTopicPartition {
  readonly topicId: string;
  readonly partition: number;
}

/** Whose session it is. */
export interface ShareSessionOwner {
  readonly groupId: string;
  readonly memberId: string;
}

/** What a member has told one broker so far: which partitions it wants, so that it need not say it again. */
export interface ShareSession extends ShareSessionOwner {
  readonly connectionId: number;
  /** What the next request has to say. */
  epoch: number;
  /** In the order in which they are read, by their text. */
  readonly partitions: Map<string, SharedTopicPartition>;
}

/** What a request is about: a session that begins, goes on, or ends. */
export type ShareSessionPlan =
  | { readonly kind: 'begun' | 'continued' | 'ended'; readonly session: ShareSession }
  | { readonly kind: 'refused'; readonly errorCode: number };

/** What a fetch says of its session. */
export interface ShareSessionRequest extends ShareSessionOwner {
  readonly connectionId: number;
  readonly epoch: number;
  readonly partitions: readonly SharedTopicPartition[];
  readonly forgotten: readonly SharedTopicPartition[];
  readonly acknowledges: boolean;
}

const INITIAL = 0;
const FINAL = -1;

/** The share sessions of all brokers (KIP-932), one for each member of a group on a broker. */
export class ShareSessions {
  readonly #cluster: ClusterState;
  readonly #byBroker = new Map<number, Map<string, ShareSession>>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /** What a fetch is about. */
  fetch(broker: BrokerState, request: ShareSessionRequest): ShareSessionPlan {
    if (request.epoch === INITIAL) return this.#begin(broker, request);
    const plan = this.#proceed(broker, request, request.epoch);
    if (plan.kind !== 'continued') return plan;
    const { partitions } = plan.session;
    for (const each of request.partitions) partitions.set(keyOf(each), each);
    for (const each of request.forgotten) partitions.delete(keyOf(each));
    return plan;
  }

  /** What acknowledgements without a fetch are about. */
  acknowledge(broker: BrokerState, owner: ShareSessionOwner, epoch: number): ShareSessionPlan {
    if (epoch === INITIAL) return refused('INVALID_SHARE_SESSION_EPOCH');
    return this.#proceed(broker, owner, epoch);
  }

  /** Ends a session, unless another has taken its place. */
  end(broker: BrokerState, session: ShareSession): boolean {
    const sessions = this.#of(broker);
    const key = textOf(session);
    return sessions.get(key) === session && sessions.delete(key);
  }

  /** The session of a member on a broker. */
  find(broker: BrokerState, owner: ShareSessionOwner): ShareSession | undefined {
    return this.#of(broker).get(textOf(owner));
  }

  #begin(broker: BrokerState, request: ShareSessionRequest): ShareSessionPlan {
    if (request.acknowledges) return refused('INVALID_REQUEST');
    const sessions = this.#of(broker);
    const { groupId, memberId, connectionId } = request;
    sessions.delete(textOf(request));
    if (sessions.size >= Number(this.#cluster.brokerConfig('group.share.max.share.sessions', broker)))
      return refused('SHARE_SESSION_LIMIT_REACHED');
    const partitions = new Map(request.partitions.map((each) => [keyOf(each), each] as const));
    const session = { groupId, memberId, connectionId, epoch: 1, partitions };
    sessions.set(textOf(request), session);
    return { kind: 'begun', session };
  }

  #proceed(broker: BrokerState, owner: ShareSessionOwner, epoch: number): ShareSessionPlan {
    const session = this.find(broker, owner);
    if (session === undefined) return refused('SHARE_SESSION_NOT_FOUND');
    if (epoch === FINAL) return { kind: 'ended', session };
    if (session.epoch !== epoch) return refused('INVALID_SHARE_SESSION_EPOCH');
    session.epoch = epoch === 0x7fff_ffff ? 1 : epoch + 1;
    return { kind: 'continued', session };
  }

  #of(broker: BrokerState): Map<string, ShareSession> {
    const known = this.#byBroker.get(broker.id);
    if (known !== undefined) return known;
    const made = new Map<string, ShareSession>();
    this.#byBroker.set(broker.id, made);
    return made;
  }
}

function refused(name: keyof typeof brokerErrorCodes): ShareSessionPlan {
  return { kind: 'refused', errorCode: brokerErrorCodes[name] };
}

function keyOf({ topicId, partition }: SharedTopicPartition): string {
  return `${topicId}/${partition}`;
}

function textOf({ groupId, memberId }: ShareSessionOwner): string {
  return `${memberId}/${groupId}`;
}
