import { kafkaJars } from './jars.ts';
import { runJvmTool } from './jvm-cluster.ts';
import { defaultKafkaVersion } from './options.ts';
import type { KafkaCluster, KafkaOptions } from './options.ts';
import { aliveBrokers } from './probe.ts';
import { withBootstrap } from './tools.ts';

/** A cluster that somebody else runs: nothing in it is stopped or started. */
export async function useExistingCluster(bootstrap: string, options: KafkaOptions): Promise<KafkaCluster> {
  const servers = bootstrap.split(',').map((server) => server.trim());
  const brokerIds = await brokersBehind(servers);
  if (brokerIds.length < (options.brokers ?? 1))
    throw new Error(`KAFKA_BOOTSTRAP has ${brokerIds.length} of the ${options.brokers ?? 1} brokers needed`);
  const version = options.version ?? defaultKafkaVersion;
  const refuse = async (): Promise<never> => {
    throw new Error('Cannot stop or start brokers of the cluster behind KAFKA_BOOTSTRAP: it is not ours');
  };
  return {
    description: {
      via: 'existing',
      version,
      brokerIds,
      listeners: { plaintext: servers },
      tls: undefined,
      users: undefined,
      hasControl: false,
      hasTools: true,
      containers: [],
    },
    stop: refuse,
    kill: refuse,
    pause: refuse,
    unpause: refuse,
    start: refuse,
    restore: async () => [],
    logs: refuse,
    tool: async (name, args, toolOptions = {}) =>
      await runJvmTool(
        kafkaJars(version, () => undefined),
        version,
        name,
        withBootstrap(args, servers),
        toolOptions,
      ),
    close: async () => undefined,
  };
}

async function brokersBehind(servers: readonly string[]): Promise<number[]> {
  let cause: unknown;
  for (const server of servers) {
    const colon = server.lastIndexOf(':');
    try {
      return await aliveBrokers(
        server.slice(0, colon).replace(/^\[|\]$/g, ''),
        Number(server.slice(colon + 1)),
        10_000,
      );
    } catch (error) {
      cause = error;
    }
  }
  throw new Error(`Cannot reach Kafka at KAFKA_BOOTSTRAP=${servers.join(',')}`, { cause });
}
