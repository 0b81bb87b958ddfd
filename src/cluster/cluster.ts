import { ClosedError, NetworkError, type KafkaError } from '../errors/kafka-error.ts';
import type { EventPublisher } from '../instrumentation/event-publisher.ts';
import type { BrokerStatistics } from '../instrumentation/statistics.ts';
import { ConnectionPool } from '../network/connection-pool.ts';
import type { Connection } from '../network/connection.ts';
import type { Clock } from '../util/clock.ts';
import type { BrokerConnections } from './broker-connections.ts';
import { Coordinators } from './coordinators.ts';
import { MetadataRefresh, type RefreshOptions } from './metadata-refresh.ts';
import type { Broker, LeaderHint, MetadataSnapshot } from './metadata-snapshot.ts';
import type { ResolvedClientOptions } from './options.ts';
import { RequestEngine } from './request-engine.ts';
import type { CallOptions, ClusterRequest, CoordinatorType } from './request.ts';

/** How {@link Cluster.topics} may look for topics. */
export interface TopicsOptions extends CallOptions {
  /** Lets a broker that is set to `auto.create.topics.enable` create what is missing. @defaultValue false */
  readonly allowAutoTopicCreation?: boolean | undefined;
  /** Whether the topics stay among those that every refresh asks for. @defaultValue true */
  readonly remember?: boolean | undefined;
}

/** How a connection may be made. */
export interface ConnectionOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** How many requests may be under way at a time. */
  readonly maxInFlight?: number;
}

/**
 * The cluster as clients see it: what is known of it, connections to its brokers, and the engine that brings a request to the
 * broker which can answer it. Clients made from one `Kafka` share one.
 */
export class Cluster {
  readonly options: ResolvedClientOptions;
  readonly events: EventPublisher;
  readonly clock: Clock;
  readonly random: () => number;
  readonly #pool: BrokerConnections;
  readonly #refresh: MetadataRefresh;
  readonly #coordinators: Coordinators;
  readonly #engine: RequestEngine;
  #clients = 0;
  #closing: Promise<void> | undefined;

  /** @param pool where connections come from; tests pass their own */
  constructor(options: ResolvedClientOptions, events: EventPublisher, pool?: BrokerConnections) {
    this.options = options;
    this.events = events;
    this.clock = options.clock;
    this.random = options.random;
    this.#pool = pool ?? new ConnectionPool({ ...options, events });
    this.#refresh = new MetadataRefresh(options, events, this.#pool);
    this.#engine = new RequestEngine({
      options,
      events,
      metadata: this.#refresh,
      connect: (nodeId, lane, connectionOptions) => this.connection(nodeId, lane, connectionOptions),
      coordinator: (type, key, callOptions) => this.coordinator(type, key, callOptions),
      forgetCoordinator: (type, key) => this.forgetCoordinator(type, key),
    });
    this.#coordinators = new Coordinators({
      options,
      request: (request, callOptions) => this.#engine.request(request, callOptions),
      learnBrokers: (brokers) => this.learnLeaders([], brokers),
      lastFailure: () => this.#refresh.lastFailure,
    });
  }

  /** Why the metadata could not be read the last time; undefined once that has worked again. */
  get lastFailure(): KafkaError | undefined {
    return this.#refresh.lastFailure;
  }

  /** What is known of the cluster now. */
  get metadata(): MetadataSnapshot {
    return this.#refresh.snapshot;
  }

  /**
   * Resolves once every topic is known without a passing error, at once if all are; they stay topics of interest, which every
   * refresh asks for.
   *
   * @throws UNKNOWN_TOPIC_OR_PARTITION a cluster that can be reached has denied a topic at least four times in up to 5 s
   * @throws AuthorizationError at once
   * @throws BOOTSTRAP_FAILED or OPERATION_TIMEOUT after `timeoutMs`
   */
  async topics(names: readonly string[], options: TopicsOptions = {}): Promise<MetadataSnapshot> {
    this.#refuseWhenClosed();
    return this.#refresh.topics(names, options);
  }

  /**
   * Reads the metadata once, or joins a refresh under way, and rejects if that one try fails.
   *
   * @param options `topics: 'all'` reads every topic of the cluster, as a subscription by pattern needs; the next refresh of
   *   `'known'` ones (the default) drops those again that nobody asked for by name
   */
  async refresh(options: RefreshOptions = {}): Promise<MetadataSnapshot> {
    this.#refuseWhenClosed();
    return this.#refresh.refresh(options);
  }

  /** Something turned out to be stale: reads the metadata in the background, as soon as the back-off allows. */
  refreshSoon(): void {
    if (this.#closing === undefined) this.#refresh.refreshSoon();
  }

  /** Calls `listener` after each new snapshot of {@link metadata}, until the returned function is called. */
  onMetadata(listener: (snapshot: MetadataSnapshot, previous: MetadataSnapshot) => void): () => void {
    return this.#refresh.onMetadata(listener);
  }

  /**
   * The connection to a broker in a lane, opened if need be. For those that pipeline requests themselves; everything else goes
   * through {@link request}. A failure makes the metadata be read again, since the broker may be at another address now.
   *
   * @throws NetworkError BROKER_UNKNOWN the metadata does not name the broker
   */
  async connection(nodeId: number, lane: string, options: ConnectionOptions = {}): Promise<Connection> {
    this.#refuseWhenClosed();
    const broker = this.metadata.brokers.get(nodeId);
    if (broker === undefined) {
      this.refreshSoon();
      throw new NetworkError(
        `Cannot connect to broker ${nodeId}: the cluster does not name it; it may be down, or starting`,
        { code: 'BROKER_UNKNOWN', retriable: true },
      );
    }
    const endpoint = { host: broker.host, port: broker.port };
    try {
      return await this.#pool.connect({ nodeId, endpoint }, lane, options);
    } catch (error) {
      if (options.signal?.aborted !== true) this.refreshSoon();
      throw error;
    }
  }

  /** Closes the connections of a lane at all brokers. */
  async closeLane(lane: string): Promise<void> {
    await this.#pool.closeLane(lane);
  }

  /** The connections that are open now, by broker. */
  connections(): BrokerStatistics[] {
    return this.#pool.statistics();
  }

  /** A number of its own for each client, for the names of its lanes: `produce-1`. */
  nextClientNumber(): number {
    return ++this.#clients;
  }

  /**
   * The id of the broker that coordinates a group or a transactional id; remembered until {@link forgetCoordinator}. Look-ups
   * after a `forgetCoordinator` wait for the back-off by themselves.
   */
  async coordinator(type: CoordinatorType, key: string, options: CallOptions = {}): Promise<number> {
    this.#refuseWhenClosed();
    return this.#coordinators.find(type, key, options);
  }

  /** The broker said it is not, or no longer, the coordinator, or cannot be reached: the next request looks again. */
  forgetCoordinator(type: CoordinatorType, key: string): void {
    this.#coordinators.forget(type, key);
  }

  /** Takes in leaders that a Produce or Fetch response named; a leader epoch that is not newer is left alone (KIP-951). */
  learnLeaders(leaders: readonly LeaderHint[], brokers: readonly Broker[]): void {
    if (this.#closing === undefined) this.#refresh.learnLeaders(leaders, brokers);
  }

  /**
   * Sends a request where it belongs, tries it again as far as it allows, and resolves with the response.
   *
   * @throws OPERATION_TIMEOUT with the last error as its cause
   */
  async request<Req, Res>(request: ClusterRequest<Req, Res>, options: CallOptions = {}): Promise<Res> {
    this.#refuseWhenClosed();
    return this.#engine.request(request, options);
  }

  /** Ends all calls that wait with CLOSED, and all connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#refresh.close();
    this.#coordinators.close();
    this.#engine.close();
    await this.#pool.close();
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new ClosedError('the client');
  }
}
