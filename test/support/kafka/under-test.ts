import http from 'node:http';
import { after } from 'node:test';
import { startInProcessCluster } from './in-process-cluster.ts';
import type { ClusterAnswer, KeeperAddress, KeeperRequest } from './keeper.ts';
import { defaultKafkaVersion } from './options.ts';
import type { KafkaCluster, KafkaControl, KafkaDescription, KafkaOptions, ListenerName } from './options.ts';

export interface UnderTestOptions extends Pick<KafkaOptions, 'brokers' | 'version' | 'config' | 'racks' | 'listeners'> {
  /** What the suite cannot do without, besides a broker. */
  readonly needs?: readonly (Exclude<ListenerName, 'plaintext'> | 'control' | 'tools')[];
  /** A new cluster for this file alone, which `release()` ends: for settings of its own, or to stop a single broker. */
  readonly own?: boolean;
}

/** The cluster that a suite runs against; only `skip` may be read while it is a reason. */
export interface KafkaUnderTest extends KafkaControl, KafkaDescription {
  /** `false`, or why the suite cannot run: for the `skip` option of `describe`. */
  readonly skip: false | string;
  readonly bootstrapServers: string[];
  /** Ends a cluster of one's own; does nothing to one that serves others too. */
  release(): Promise<void>;
}

/**
 * The Kafka that `npm test` or `cli.ts` holds ready, started when it is asked for the first time; or one inside this process, where
 * the environment says so.
 *
 * @example
 * const kafka = await kafkaUnderTest({ brokers: 1 });
 * describe('Producer', { skip: kafka.skip }, () => { … });
 */
export async function kafkaUnderTest(options: UnderTestOptions = {}): Promise<KafkaUnderTest> {
  const address = keeperAddress();
  if (typeof address === 'string') return unavailable(address);
  if ('inProcess' in address) return await insideThisProcess(options);
  const { needs = [], own = false, ...rest } = options;
  if (!own && (rest.config !== undefined || rest.racks !== undefined || rest.listeners !== undefined))
    throw new Error('A cluster with settings of its own serves one file only: say "own: true"');
  const answer = (await ask(address, { do: 'cluster', options: rest, own })) as ClusterAnswer;
  if ('unavailable' in answer) return unavailable(answer.unavailable);
  const missing = needs.filter((need) => !has(answer.description, need));
  if (missing.length > 0)
    return unavailable(`needs ${missing.join(', ')}, which this Kafka (${answer.description.via}) has not`);
  return connected(address, answer.cluster, answer.description);
}

async function insideThisProcess(options: UnderTestOptions): Promise<KafkaUnderTest> {
  const { needs = [], version } = options;
  const missing = needs.filter((need) => need !== 'control');
  if (missing.length > 0) return unavailable(`needs ${missing.join(', ')}, which the in-process cluster has not`);
  if (version !== undefined && version !== defaultKafkaVersion)
    return unavailable(`needs Kafka ${version}, which the in-process cluster is not`);
  const cluster = await startInProcessCluster(options);
  after(() => cluster.close());
  return underTest(cluster);
}

function underTest(cluster: KafkaCluster): KafkaUnderTest {
  const { description } = cluster;
  const bootstrapServers = [...(description.listeners.plaintext ?? [])];
  return { ...description, ...cluster, skip: false, bootstrapServers, release: () => cluster.close() };
}

function has(description: KafkaDescription, need: ListenerName | 'control' | 'tools'): boolean {
  if (need === 'control') return description.hasControl;
  if (need === 'tools') return description.hasTools;
  return description.listeners[need] !== undefined;
}

function keeperAddress(): KeeperAddress | { readonly inProcess: true } | string {
  const json = process.env['KAVKA_TEST_KAFKA'];
  if (json === undefined || json === '')
    return 'no Kafka: run it by npm test, or start one with test/support/kafka/cli.ts';
  const value = JSON.parse(json) as KeeperAddress | { readonly inProcess: true } | { readonly unavailable: string };
  return 'unavailable' in value ? value.unavailable : value;
}

function unavailable(reason: string): KafkaUnderTest {
  return new Proxy({ skip: reason } as KafkaUnderTest, {
    get: (target, property) => {
      // A module that awaits this object looks for `then`.
      if (property === 'skip' || property === 'then') return Reflect.get(target, property) as unknown;
      // Clean-up hooks outside a skipped suite still run.
      if (property === 'release' || property === 'restore') return async () => [];
      throw new Error(`Cannot read "${String(property)}": there is no Kafka here (${reason}); pass "skip" to describe`);
    },
  });
}

function connected(address: KeeperAddress, cluster: string, description: KafkaDescription): KafkaUnderTest {
  const control = (what: 'stop' | 'kill' | 'pause' | 'unpause' | 'start' | 'logs') => async (brokerId: number) =>
    (await ask(address, { do: what, cluster, brokerId })) as never;
  return {
    ...description,
    skip: false,
    bootstrapServers: [...(description.listeners.plaintext ?? [])],
    stop: control('stop'),
    kill: control('kill'),
    pause: control('pause'),
    unpause: control('unpause'),
    start: control('start'),
    logs: control('logs'),
    restore: async () => (await ask(address, { do: 'restore', cluster })) as readonly number[],
    tool: async (name, args, options = {}) =>
      (await ask(address, { do: 'tool', cluster, name, args, options })) as never,
    release: async () => {
      await ask(address, { do: 'release', cluster });
    },
  };
}

/** One connection per question: none is left open when the test ends. */
function ask(address: KeeperAddress, question: KeeperRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port: address.port,
        method: 'POST',
        agent: false,
        headers: { authorization: address.token },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const answer: unknown = chunks.length === 0 ? null : JSON.parse(Buffer.concat(chunks).toString());
          if (response.statusCode === 200) resolve(answer);
          else reject(new Error(`The keeper of the test clusters could not do ${question.do}: ${String(answer)}`));
        });
      },
    );
    request.on('error', reject);
    request.end(JSON.stringify(question));
  });
}
