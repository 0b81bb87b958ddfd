import { TestCluster } from '../../../src/testing/index.ts';
import { internalTopicProperties, racksOf, severalBrokersProperties } from './broker-settings.ts';
import { defaultKafkaVersion } from './options.ts';
import type { KafkaCluster, KafkaOptions } from './options.ts';

/**
 * The cluster inside this process, with the settings of the real ones.
 *
 * @throws Error for what it does not do: listeners other than PLAINTEXT, another version
 */
export async function startInProcessCluster(options: KafkaOptions): Promise<KafkaCluster> {
  const { brokers = 1, version = defaultKafkaVersion, config = {} } = options;
  const racks = options.racks ?? racksOf(brokers);
  const configs = {
    ...internalTopicProperties(brokers),
    ...(brokers === 1 ? {} : severalBrokersProperties),
    ...config,
  };
  const cluster = await TestCluster.start({ brokers, configs, ...(racks.length === 0 ? {} : { racks }) });
  const stateOf = (id: number): string | undefined => cluster.brokers.find((broker) => broker.id === id)?.state;
  return {
    description: {
      via: 'in-process',
      version,
      brokerIds: cluster.brokers.map(({ id }) => id),
      listeners: { plaintext: cluster.bootstrapServers },
      tls: undefined,
      users: undefined,
      hasControl: true,
      hasTools: false,
      containers: [],
    },
    stop: (id) => cluster.stop(id),
    kill: (id) => cluster.kill(id),
    pause: async (id) => cluster.pause(id),
    unpause: async (id) => cluster.unpause(id),
    start: (id) => cluster.start(id),
    restore: async () => {
      const touched = cluster.brokers.map(({ id }) => id).filter((id) => stateOf(id) !== 'running');
      await cluster.restore();
      return touched;
    },
    logs: async (id) =>
      cluster
        .requests({ broker: id })
        .map(({ api, version: used, clientId, outcome }) => `${api} v${used} of "${clientId}": ${outcome}`)
        .join('\n'),
    tool: async (name) => {
      throw new Error(`Cannot run ${name}: Kafka's tools come with a real Kafka`);
    },
    close: () => cluster.close(),
  };
}
