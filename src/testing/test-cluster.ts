import { UsageError } from '../errors/kafka-error.ts';
import type { Clock } from '../util/clock.ts';
import { endpointText } from '../util/endpoint-text.ts';
import { quote } from '../util/option-rules.ts';
import { ClusterClock } from './cluster-clock.ts';
import { DataFolder } from './data/data-folder.ts';
import { persistentServices } from './data/persistent.ts';
import { savingGate } from './data/saving-gate.ts';
import type { ApiName, ApiSelector } from './faults/api-names.ts';
import { BrokerControl, type ProcessState } from './faults/broker-control.ts';
import { Interceptions, type Fault, type InterceptFilter, type Interception } from './faults/interceptions.ts';
import { bringInSync, electUncleanLeader, keepInSync, moveLeader } from './faults/partition-control.ts';
import { RequestLog, type LoggedRequest } from './faults/request-log.ts';
import { SplitNetwork, type NetworkSide } from './faults/split-network.ts';
import { checkFilter, describeFilter, type RequestFilter } from './faults/test-request.ts';
import { Throttles } from './faults/throttles.ts';
import { apiVersionsHandler } from './handlers/api-versions.ts';
import { handlers } from './handlers/index.ts';
import {
  appendRecords,
  type AppendedRecord,
  type AppendRecordsOptions,
  type TestRecordInput,
} from './observation/append-records.ts';
import { awaitCondition, type WaitOptions } from './observation/await-condition.ts';
import { groupProgress, type GroupProgress } from './observation/group-progress.ts';
import { readRecords, type ReadRecordsOptions, type TestRecord } from './observation/read-records.ts';
import { AuthenticationGate } from './security/authentication-gate.ts';
import { AuthorizationGate } from './security/authorization-gate.ts';
import { AuthorizedOperationsGate } from './security/authorized-operations.ts';
import { Credentials } from './security/credentials.ts';
import { QuotaGate } from './security/quota-gate.ts';
import { SaslSettings } from './security/sasl-session.ts';
import { authorizerConfigs, tlsServerOptions, type ListenerName } from './security/security-options.ts';
import { kafkaRelease } from './releases/kafka-release.ts';
import { seededRandom } from './seeded-random.ts';
import { BrokerServer } from './server/broker-server.ts';
import { BrokerSockets } from './server/broker-sockets.ts';
import type { Serve } from './server/client-connection.ts';
import { Dispatcher } from './server/dispatcher.ts';
import { ServedApis } from './server/served-apis.ts';
import { BrokerState } from './state/broker-state.ts';
import { ClusterState, type CoordinatorType } from './state/cluster-state.ts';
import type { PartitionState } from './state/partition-state.ts';
import { topicNameProblem } from './state/topic-names.ts';
import type { TopicState } from './state/topic-state.ts';
import {
  checkTestTopic,
  resolveTestClusterOptions,
  type ResolvedTestClusterOptions,
  type TestClusterOptions,
  type TestTopic,
} from './test-cluster-options.ts';

/** A broker of a {@link TestCluster}, as it was when it was asked for. */
export interface TestBroker {
  /** From 1 on. */
  readonly id: number;
  /** The host that clients are told. */
  readonly host: string;
  /** Stays the same when the broker is stopped and started again. */
  readonly port: number;
  /** Kafka: `broker.rack`. */
  readonly rack: string | null;
  /** What was done to it: a broker that was killed is stopped. */
  readonly state: ProcessState;
  /** Whether the controller has given it up: it leads nothing and is in no metadata. */
  readonly isFenced: boolean;
  /** Whether it has the controller's role. */
  readonly isController: boolean;
}

/** A partition of a {@link TestCluster}, as it was when it was asked for. */
export interface TestPartition {
  /** The broker that leads it; -1 while nobody can. */
  readonly leader: number;
  /** Rises with each change of the leader. */
  readonly leaderEpoch: number;
  /** The brokers that hold it, the preferred leader first. */
  readonly replicas: readonly number[];
  /** The replicas that are in sync. */
  readonly isr: readonly number[];
  /** The offset of the first record that is kept. */
  readonly startOffset: bigint;
  /** The offset that the next record will get. */
  readonly endOffset: bigint;
  /** The offset up to which consumers see. */
  readonly highWatermark: bigint;
  /** The offset up to which consumers of committed records see. */
  readonly lastStableOffset: bigint;
}

/** What {@link TestCluster.waitForGroup} waits for; whatever is left out is not looked at. */
export interface GroupCondition extends WaitOptions {
  /** So many members, with nobody joining or leaving at the moment. */
  readonly members?: number;
  /** At most so many records that are not committed (or that a share group is not done with), over all partitions that the group reads. */
  readonly lag?: number;
}

/** What {@link TestCluster.waitForRecords} waits for. */
export interface RecordsCondition extends WaitOptions, ReadRecordsOptions {
  /** At least so many. */
  readonly count: number;
}

interface Parts {
  readonly seed: number;
  readonly state: ClusterState;
  readonly clock: ClusterClock;
  readonly dispatcher: Dispatcher;
  readonly servers: ReadonlyMap<number, BrokerSockets>;
  readonly control: BrokerControl;
  readonly network: SplitNetwork;
  readonly interceptions: Interceptions;
  readonly throttles: Throttles;
  readonly log: RequestLog;
  readonly folder: DataFolder | undefined;
}

/**
 * A Kafka cluster inside this process: brokers that speak the real protocol on real sockets, for tests and development.
 *
 * It holds what it is told in memory, and does what it is told to: brokers fall over, requests get lost, records vanish. It is
 * no place for records that matter; production is Apache Kafka.
 *
 * @example
 * ```ts
 * const cluster = await TestCluster.start({ brokers: 3, topics: { orders: 6 } });
 * try {
 *   const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
 * } finally {
 *   await cluster.close();
 * }
 * ```
 */
export class TestCluster implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #state: ClusterState;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /**
   * Starts the brokers and makes the topics.
   *
   * @throws `UsageError` an option does not exist or has a value it cannot have, or a port is taken (`INVALID_OPTION`)
   */
  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const resolved = resolveTestClusterOptions(options);
    const clock = new ClusterClock(resolved.clock);
    const { dataDir } = resolved;
    const folder = dataDir === undefined ? undefined : DataFolder.open(dataDir, resolved.brokers, persistentServices);
    const state = stateOf(resolved, clock, folder?.clusterId);
    const servers = new Map<number, BrokerSockets>();
    const control = new BrokerControl(state, servers);
    const log = new RequestLog(resolved.requestLogBytes);
    const [network, interceptions, throttles] = [
      new SplitNetwork(state, control),
      new Interceptions(),
      new Throttles(),
    ];
    const release = kafkaRelease(resolved.kafkaVersion);
    const apiVersions = apiVersionsHandler(() => apis, release.features);
    const apis: ServedApis = new ServedApis([...handlers, apiVersions], release.apis);
    const security = [
      new AuthenticationGate(),
      new QuotaGate(),
      new AuthorizedOperationsGate(),
      new AuthorizationGate(),
    ];
    const saving = folder === undefined ? [] : [savingGate(folder)];
    const dispatcher = new Dispatcher(state, apis, [log, network, interceptions, throttles, ...security, ...saving]);
    const seed = resolved.seed;
    const faults = { control, network, interceptions, throttles };
    const parts = { seed, state, clock, dispatcher, servers, ...faults, log, folder };
    const cluster = new TestCluster(parts);
    try {
      folder?.attach(state);
      for (const broker of state.brokers.values()) {
        const sockets = socketsOf(resolved, servers.size, dispatcher.serving(broker));
        await listen(sockets);
        const host = resolved.advertisedHost;
        for (const { plan, port } of sockets.servers) broker.endpoints.set(plan.info.name, { host, port });
        servers.set(broker.id, sockets);
      }
      for (const [name, plan] of Object.entries(resolved.topics))
        if (!state.topics.has(name)) cluster.createTopic(name, plan);
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** What chance was taken from; pass it as `seed` to repeat a run. */
  get seed(): number {
    return this.#parts.seed;
  }

  /** Where the brokers take their time from. */
  get clock(): Clock {
    return this.#parts.clock;
  }

  /** Where clients find the brokers: for the option of the same name. */
  get bootstrapServers(): string[] {
    return this.brokers.map(endpointText);
  }

  /**
   * Where clients find the brokers by one of their listeners.
   *
   * @throws `UsageError` the cluster was started without it
   */
  addresses(listener: ListenerName): string[] {
    const endpoints = [...this.#state.brokers.values()].map((broker) => broker.endpoints.get(listener));
    return endpoints.map((endpoint) => {
      if (endpoint !== undefined) return endpointText(endpoint);
      const advice = 'name it in the option "listeners"';
      throw refused(`Cannot find a listener ${quote(listener)}: the cluster was started without it; ${advice}`);
    });
  }

  /** The brokers as they are now. */
  get brokers(): TestBroker[] {
    const { servers, control } = this.#parts;
    return [...this.#state.brokers.values()].map(({ id, rack, isRunning, endpoints }) => ({
      id,
      host: [...endpoints.values()][0]?.host ?? '',
      port: servers.get(id)?.port ?? 0,
      rack,
      state: control.processOf(id),
      isFenced: !isRunning,
      isController: this.#state.controllerId === id,
    }));
  }

  /** The id of the broker that is the controller. */
  get controllerId(): number {
    return this.#state.controllerId;
  }

  /** The names of the topics, internal ones left out. */
  get topics(): string[] {
    return [...this.#state.topics.values()].filter((topic) => !topic.isInternal).map((topic) => topic.name);
  }

  /**
   * Makes a topic.
   *
   * @param plan the number of its partitions, or more about it
   * @throws `UsageError` there is one of this name, or it cannot be made as asked
   */
  createTopic(name: string, plan: number | TestTopic = {}): void {
    const doing = `Cannot create topic ${quote(name)}`;
    checkTestTopic(name, plan);
    const problem = topicNameProblem(name);
    if (problem !== undefined) throw refused(`${doing}: ${problem}`);
    if (this.#state.topics.has(name)) throw refused(`${doing}: there is one already`);
    const given: TestTopic = typeof plan === 'number' ? { partitions: plan } : plan;
    const running = this.#state.runningBrokers().length;
    const { partitions = 1, replicationFactor = Math.min(running, 3), configs = {} } = given;
    if (replicationFactor > running)
      throw refused(`${doing} with ${replicationFactor} replicas: there are ${running} brokers`);
    this.#state.createTopic({ name, partitions, replicationFactor, configs: new Map(Object.entries(configs)) });
  }

  /**
   * Deletes a topic with its records.
   *
   * @throws `UsageError` there is no such topic
   */
  deleteTopic(name: string): void {
    this.#state.deleteTopic(this.#topic(name));
  }

  /**
   * A partition as it is now.
   *
   * @throws `UsageError` there is no such partition
   */
  partition(topic: string, partition: number): TestPartition {
    const { leaderId, leaderEpoch, replicas, isr, log } = this.#partition(topic, partition);
    const { startOffset, endOffset, highWatermark, lastStableOffset } = log;
    const offsets = { startOffset, endOffset, highWatermark, lastStableOffset };
    return { leader: leaderId, leaderEpoch, replicas: [...replicas], isr: [...isr], ...offsets };
  }

  /**
   * Puts records into a topic, past sockets and faults, and answers where they are, in the order of the records.
   *
   * @throws `UsageError` there is no such topic or partition, or nobody leads it
   * @throws `BrokerError` the topic does not take the records, for instance because they are too large for it
   */
  async append(
    topic: string,
    records: TestRecordInput | readonly TestRecordInput[],
    options: AppendRecordsOptions = {},
  ): Promise<AppendedRecord[]> {
    const list = Array.isArray(records) ? (records as readonly TestRecordInput[]) : [records as TestRecordInput];
    return await appendRecords(this.#state, this.#parts.dispatcher, this.#topic(topic), list, options);
  }

  /**
   * The records of a topic that consumers may see, decompressed, by partition and offset.
   *
   * @throws `UsageError` there is no such topic or partition
   */
  async records(topic: string, options: ReadRecordsOptions = {}): Promise<TestRecord[]> {
    const { partition } = options;
    const wanted = partition === undefined ? this.#topic(topic).partitions : [this.#partition(topic, partition)];
    return (await Promise.all(wanted.map((each) => readRecords(each, options)))).flat();
  }

  /**
   * Waits until a topic has so many records, and answers all of them.
   *
   * @throws `UsageError` there is no such topic
   * @throws `TimeoutError` `OPERATION_TIMEOUT` it has fewer; the message says how many
   */
  async waitForRecords(topic: string, condition: RecordsCondition): Promise<TestRecord[]> {
    let records: TestRecord[] = [];
    const look = async (): Promise<true | string> => {
      records = await this.records(topic, condition);
      return records.length >= condition.count || `${records.length} records`;
    };
    await awaitCondition(`wait for ${condition.count} records in topic "${topic}"`, look, condition);
    return records;
  }

  /**
   * Waits until a group has so many members, has no more than so many records ahead of it, or both.
   *
   * @throws `TimeoutError` `OPERATION_TIMEOUT` it did not come to that; the message says what was seen
   */
  async waitForGroup(groupId: string, condition: GroupCondition): Promise<void> {
    const wanted = [
      ...(condition.members === undefined ? [] : [`to have ${condition.members} members`]),
      ...(condition.lag === undefined ? [] : [`to have a lag of at most ${condition.lag}`]),
    ];
    const look = async (): Promise<true | string> => {
      const progress = await groupProgress(this.#state, this.#parts.dispatcher, groupId);
      return progress === undefined ? 'no coordinator' : isThere(progress, condition) || tell(progress);
    };
    await awaitCondition(`wait for group "${groupId}" ${wanted.join(' and ')}`, look, condition);
  }

  /**
   * Does something to requests, before a broker handles them or after; the first fault in force that catches a request has it.
   *
   * @returns what tells which requests it caught, and ends it
   * @throws `UsageError` the fault is none, or the filter cannot be used
   * @example
   * ```ts
   * const lost = cluster.intercept({ api: 'Produce', times: 1 }, { disconnect: 'after' });
   * await producer.send({ topic: 'orders', value: 'one' });  // sent again, and not written twice
   * assert.equal(lost.requests.length, 1);
   * ```
   */
  intercept<const A extends ApiSelector = ApiName>(filter: InterceptFilter<A>, fault: Fault<A>): Interception<A> {
    this.#checkFilter(filter);
    return this.#parts.interceptions.add(filter, fault);
  }

  /**
   * The requests of late that the brokers got, oldest first, with their answers; see `requestLogBytes`.
   *
   * @throws `UsageError` the filter names an API or a broker that does not exist
   */
  requests<const A extends ApiSelector = ApiName>(filter: RequestFilter<A> = {}): LoggedRequest<A>[] {
    this.#checkFilter(filter);
    return this.#parts.log.find(filter);
  }

  /** Forgets the requests so far. */
  clearRequests(): void {
    this.#parts.log.clear();
  }

  /**
   * Waits until the brokers have got such a request, and answers the first.
   *
   * @throws `TimeoutError` `OPERATION_TIMEOUT` there was none
   */
  async waitForRequest<const A extends ApiSelector = ApiName>(
    filter: RequestFilter<A>,
    options: WaitOptions = {},
  ): Promise<LoggedRequest<A>> {
    let found: LoggedRequest<A> | undefined;
    const look = (): true | string => {
      found = this.requests(filter)[0];
      return found !== undefined || `${this.requests().length} other requests`;
    };
    await awaitCondition(`wait for ${describeFilter(filter)}`, look, options);
    return found as LoggedRequest<A>;
  }

  /**
   * Stops a broker in good order: others lead its partitions before its connections end.
   *
   * @throws `UsageError` there is no such broker, or it is stopped
   */
  async stop(brokerId: number): Promise<void> {
    await this.#parts.control.stop(brokerId);
  }

  /**
   * Ends a broker without a word. The controller notices after `broker.session.timeout.ms` (9 s, on the cluster's clock), or at
   * {@link TestCluster.fence}: until then its partitions have no leader that answers.
   *
   * @throws `UsageError` there is no such broker, or it is stopped
   */
  async kill(brokerId: number): Promise<void> {
    await this.#parts.control.kill(brokerId);
  }

  /**
   * Starts a broker again, at the same port and with what it had.
   *
   * @throws `UsageError` there is no such broker, it runs, or its port was taken meanwhile
   */
  async start(brokerId: number): Promise<void> {
    await this.#parts.control.start(brokerId);
  }

  /**
   * Lets a broker stand still: it accepts connections and answers nothing. The controller notices as with {@link TestCluster.kill}.
   *
   * @throws `UsageError` there is no such broker, or it does not run
   */
  pause(brokerId: number): void {
    this.#parts.control.pause(brokerId);
  }

  /**
   * Lets a broker go on, with the requests that it has got meanwhile first.
   *
   * @throws `UsageError` there is no such broker, or it is not paused
   */
  unpause(brokerId: number): void {
    this.#parts.control.unpause(brokerId);
  }

  /**
   * Lets the controller give a broker up now, as after the session timeout: others lead, and it is in no metadata until it is
   * started or unpaused.
   *
   * @throws `UsageError` there is no such broker
   */
  fence(brokerId: number): void {
    this.#parts.control.fence(brokerId);
  }

  /**
   * Makes another in-sync replica lead a partition.
   *
   * @throws `UsageError` there is no such partition, or the broker cannot lead it
   */
  moveLeader(topic: string, partition: number, brokerId: number): void {
    moveLeader(this.#state, this.#partition(topic, partition), brokerId);
  }

  /**
   * Makes another broker coordinate a group, a transactional id or a share group, and with it all others that hash to the same
   * partition of the internal topic.
   *
   * @throws `UsageError` the broker cannot be that
   */
  moveCoordinator(type: CoordinatorType, id: string, brokerId: number): void {
    moveLeader(this.#state, this.#state.coordinatorPartition(type, id), brokerId);
  }

  /** The id of the broker that coordinates a group, a transactional id or a share group; undefined while none can. */
  coordinator(type: CoordinatorType, id: string): number | undefined {
    return this.#state.coordinator(type, id)?.id;
  }

  /**
   * Keeps only these replicas in the in-sync set; the others copy nothing more.
   *
   * @throws `UsageError` there is no such partition, or these cannot be its in-sync set
   */
  shrinkIsr(topic: string, partition: number, brokerIds: readonly number[]): void {
    keepInSync(this.#state, this.#partition(topic, partition), brokerIds);
  }

  /**
   * Lets all replicas whose brokers run be in sync again.
   *
   * @throws `UsageError` there is no such partition
   */
  expandIsr(topic: string, partition: number): void {
    bringInSync(this.#state, this.#partition(topic, partition));
  }

  /**
   * Makes a replica lead that may not be in sync: records that it has not copied are lost (KIP-320). It alone is in sync then.
   *
   * @param options.loseRecords how many records at the end are lost, instead of those appended since the replica left the in-sync set
   * @throws `UsageError` there is no such partition, or the broker has no replica of it, or does not run
   */
  electUncleanLeader(
    topic: string,
    partition: number,
    brokerId: number,
    options: { readonly loseRecords?: number } = {},
  ): void {
    electUncleanLeader(this.#state, this.#partition(topic, partition), brokerId, options.loseRecords);
  }

  /**
   * Tells a client to wait after each of its requests, and does not read from its connections meanwhile (KIP-219).
   *
   * @param throttleTimeMs on the cluster's clock; 0 ends it
   * @throws `UsageError` the time is none
   */
  throttle(clientId: string, throttleTimeMs: number): void {
    this.#parts.throttles.set(clientId, throttleTimeMs);
  }

  /**
   * Splits the network: brokers (by id) and clients (by `clientId`) of different sides do not reach one another, and whoever
   * is on no side reaches all. What is sent is lost while connections stay open.
   *
   * The side with more than half of the brokers has the controller; the brokers of the others are fenced after
   * `broker.session.timeout.ms`. Until then they go on answering those on their side, but a Produce with `acks: 'all'`
   * waits for followers in vain.
   *
   * @throws `UsageError` a broker does not exist, or somebody is on two sides
   * @example
   * ```ts
   * cluster.splitNetwork([1], [2, 3, 'orders']);  // the client "orders" is cut off from broker 1, as are the other brokers
   * ```
   */
  splitNetwork(...sides: NetworkSide[]): void {
    this.#parts.network.split(sides);
  }

  /** Everybody reaches everybody again; what was lost stays lost, and so do the connections that it was lost on. */
  healNetwork(): void {
    this.#parts.network.heal();
  }

  /** Ends all faults: requests pass, the network is whole, all brokers run, all replicas are in sync. Lost records stay lost. */
  async restore(): Promise<void> {
    const { control, interceptions, throttles, network } = this.#parts;
    interceptions.releaseAll();
    throttles.clear();
    network.heal();
    for (const { id, state } of this.brokers) {
      if (state === 'stopped') await control.start(id);
      if (state === 'paused') control.unpause(id);
      if (state === 'running') control.welcome(id);
    }
    for (const topic of this.#state.topics.values())
      for (const partition of topic.partitions) bringInSync(this.#state, partition);
  }

  /** Ends the brokers and all connections to them. */
  async close(): Promise<void> {
    const { control, clock, interceptions, servers, folder } = this.#parts;
    control.end();
    interceptions.releaseAll();
    await Promise.all([...servers.values()].map((server) => server.close()));
    clock.end();
    folder?.close();
  }

  /** The same as {@link TestCluster.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #checkFilter(filter: RequestFilter<ApiSelector>): void {
    checkFilter(filter, { apis: this.#parts.dispatcher.apiNames, brokerIds: [...this.#state.brokers.keys()] });
  }

  #topic(name: string): TopicState {
    const topic = this.#state.topics.get(name);
    if (topic !== undefined) return topic;
    throw refused(`Cannot find topic ${quote(name)}: there are ${this.topics.join(', ') || 'none'}`);
  }

  #partition(topic: string, partition: number): PartitionState {
    const { partitions } = this.#topic(topic);
    const found = partitions[partition];
    if (found !== undefined) return found;
    throw refused(`Cannot find partition ${quote(partition)} of topic "${topic}": it has ${partitions.length}`);
  }
}

function isThere({ state, members, lag }: GroupProgress, wanted: GroupCondition): boolean {
  const isSettled = state === 'Stable' || state === 'Empty' || state === 'Dead';
  if (wanted.members !== undefined && (members !== wanted.members || !isSettled)) return false;
  return wanted.lag === undefined || (lag !== undefined && lag <= BigInt(wanted.lag));
}

function tell({ state, members, lag }: GroupProgress): string {
  const ahead = lag === undefined ? 'nothing committed or assigned' : `a lag of ${lag}`;
  return `state ${state}, ${members} members, ${ahead}`;
}

/** The first listener gets the port that was asked for, the others free ones. */
function socketsOf(
  { listeners, host, ports, tls }: ResolvedTestClusterOptions,
  index: number,
  serve: Serve,
): BrokerSockets {
  const [first, ...others] = listeners.map((name, at) => {
    const info = { name, tls: name.endsWith('SSL'), sasl: name.startsWith('SASL') };
    const port = at === 0 ? (ports[index] ?? 0) : 0;
    const secure = info.tls && tls !== undefined ? { tls: tlsServerOptions(tls) } : {};
    return new BrokerServer({ info, host, port, ...secure }, serve);
  });
  if (first === undefined) throw refused('Cannot start a broker without a listener');
  return new BrokerSockets([first, ...others]);
}

function refused(message: string): UsageError {
  return new UsageError(message, { code: 'INVALID_ARGUMENT' });
}

async function listen(server: BrokerSockets): Promise<void> {
  const { host, port } = server;
  try {
    await server.listen();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    const reason = code === 'EADDRINUSE' ? 'another program listens there' : code;
    throw new UsageError(`Cannot listen on ${host}:${port}: ${reason}; choose another port, or 0 for a free one`, {
      code: 'INVALID_OPTION',
      cause,
    });
  }
}

function stateOf(
  { brokers, racks, seed, configs, kafkaVersion, retentionBytes, sasl, authorizer }: ResolvedTestClusterOptions,
  clock: Clock,
  storedId: string | undefined,
): ClusterState {
  const random = seededRandom(seed);
  const states = Array.from({ length: brokers }, (_, index) => new BrokerState(index + 1, racks?.[index] ?? null));
  const ownId = Buffer.from(Array.from({ length: 16 }, () => Math.floor(random() * 256))).toString('base64url');
  const state = new ClusterState({
    clusterId: storedId ?? ownId,
    clock,
    random,
    brokers: states,
    features: new Map([...kafkaRelease(kafkaVersion).features].map(([name, { level }]) => [name, level])),
    configs: new Map(Object.entries({ ...authorizerConfigs(authorizer), ...configs })),
    retentionBytes,
  });
  for (const [name, password] of Object.entries(sasl.users)) state.service(Credentials).addUser(name, password);
  state.service(SaslSettings).mechanisms = sasl.mechanisms;
  return state;
}
