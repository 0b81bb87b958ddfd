import { handlers } from './handlers/index.ts';
import { apiVersionsHandler } from './handlers/api-versions.ts';
import { seededRandom } from './seeded-random.ts';
import { BrokerServer } from './server/broker-server.ts';
import { Dispatcher } from './server/dispatcher.ts';
import { ServedApis } from './server/served-apis.ts';
import { BrokerState } from './state/broker-state.ts';
import { ClusterState } from './state/cluster-state.ts';
import {
  resolveTestClusterOptions,
  type ResolvedTestClusterOptions,
  type TestClusterOptions,
} from './test-cluster-options.ts';

const plaintext = { name: 'PLAINTEXT', tls: false, sasl: false } as const;

/**
 * A Kafka cluster inside this process: brokers that speak the real protocol on real sockets, for tests and development.
 *
 * @example
 * ```ts
 * await using cluster = await TestCluster.start({ brokers: 3, topics: { orders: 6 } });
 * const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
 * ```
 */
export class TestCluster implements AsyncDisposable {
  /** What chance was taken from; pass it as `seed` to repeat a run. */
  readonly seed: number;
  readonly #state: ClusterState;
  readonly #servers: ReadonlyMap<number, BrokerServer>;

  private constructor(seed: number, state: ClusterState, servers: ReadonlyMap<number, BrokerServer>) {
    this.seed = seed;
    this.#state = state;
    this.#servers = servers;
  }

  /**
   * Starts the brokers and makes the topics.
   *
   * @throws UsageError for an option that does not exist or a value it cannot have
   */
  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const resolved = resolveTestClusterOptions(options);
    const state = stateOf(resolved);
    const apis: ServedApis = new ServedApis([...handlers, apiVersionsHandler(() => apis)]);
    const dispatcher = new Dispatcher(state, apis, []);
    const servers = new Map<number, BrokerServer>();
    for (const broker of state.brokers.values()) {
      const plan = { info: plaintext, host: resolved.host, port: resolved.ports[servers.size] ?? 0 };
      const server = new BrokerServer(plan, dispatcher.serving(broker));
      await server.listen();
      broker.endpoints.set(plaintext.name, { host: resolved.host, port: server.port });
      servers.set(broker.id, server);
    }
    createTopics(state, resolved);
    return new TestCluster(resolved.seed, state, servers);
  }

  /** Where clients find the brokers: for the option of the same name. */
  get bootstrapServers(): string[] {
    return [...this.#servers.values()].map((server) => `${server.plan.host}:${server.port}`);
  }

  /** The broker that is the controller. */
  get controllerId(): number {
    return this.#state.controllerId;
  }

  /** Ends the brokers and all connections to them. */
  async close(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function stateOf({ brokers, racks, seed, clock, configs }: ResolvedTestClusterOptions): ClusterState {
  const random = seededRandom(seed);
  const states = Array.from({ length: brokers }, (_, index) => new BrokerState(index + 1, racks?.[index] ?? null));
  const clusterId = Buffer.from(Array.from({ length: 16 }, () => Math.floor(random() * 256))).toString('base64url');
  return new ClusterState({
    clusterId,
    clock,
    random,
    brokers: states,
    features: new Map([
      ['group.version', 1],
      ['transaction.version', 2],
    ]),
    configs: new Map(Object.entries(configs)),
  });
}

function createTopics(state: ClusterState, { topics, brokers }: ResolvedTestClusterOptions): void {
  for (const [name, plan] of Object.entries(topics)) {
    const {
      partitions = 1,
      replicationFactor = Math.min(brokers, 3),
      configs = {},
    } = typeof plan === 'number' ? { partitions: plan } : plan;
    state.createTopic({ name, partitions, replicationFactor, configs: new Map(Object.entries(configs)) });
  }
}
