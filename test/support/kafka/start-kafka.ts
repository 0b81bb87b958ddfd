import { startDockerCluster } from './docker-cluster.ts';
import { useExistingCluster } from './existing-cluster.ts';
import { startJvmCluster } from './jvm-cluster.ts';
import { startInProcessCluster } from './in-process-cluster.ts';
import { defaultKafkaVersion } from './options.ts';
import type { KafkaCluster, KafkaOptions, KafkaSource } from './options.ts';

/** There is no way to a (real) Kafka on this machine; the message says per way why, and what to install. */
export class NoKafkaError extends Error {
  override readonly name = 'NoKafkaError';
}

/** Gets a Kafka in the first way that works (README.md beside this file) and says which. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const say = options.say ?? ((line: string) => process.stderr.write(`${line}\n`));
  const bootstrap = process.env['KAFKA_BOOTSTRAP'];
  const insisted = options.via ?? kafkaVia();
  if (insisted === 'existing' || (insisted === undefined && bootstrap !== undefined && bootstrap !== '')) {
    const cluster = await useExistingCluster(bootstrap ?? '', options);
    say(`Using the Kafka at ${bootstrap} (KAFKA_BOOTSTRAP)`);
    return cluster;
  }
  if (insisted === 'in-process') return await startInProcess(options, say);
  const ways = { docker: startDockerCluster, jvm: startJvmCluster };
  const reasons: string[] = [];
  for (const via of ['docker', 'jvm'] as const) {
    if (insisted !== undefined && insisted !== via) continue;
    const begun = performance.now();
    try {
      const cluster = await withOtherPorts(() => ways[via](options, say));
      say(`Kafka ${describe(options)} runs in ${placeOf(via)} after ${seconds(begun)} s`);
      return cluster;
    } catch (error) {
      reasons.push(`${via === 'docker' ? 'Docker' : 'JVM'}: ${error instanceof Error ? error.message : String(error)}`);
      if (via === 'docker' && insisted === undefined)
        say(`No Kafka through Docker (${reasons[0]?.slice(8).split('\n')[0]}); trying Java`);
    }
  }
  if (options.orInProcess === true && insisted === undefined) {
    say(`No Kafka through Java either (${reasons[1]?.slice(5).split('\n')[0]})`);
    return await startInProcess(options, say);
  }
  throw new NoKafkaError(
    `Cannot get a Kafka: install Docker, or Java 17 and Maven, or set KAFKA_BOOTSTRAP=host:port\n  ${reasons.join('\n  ')}`,
  );
}

function kafkaVia(): KafkaSource | undefined {
  const via = process.env['KAFKA_VIA'];
  return via === undefined || via === '' ? undefined : (via as KafkaSource);
}

async function startInProcess(options: KafkaOptions, say: (line: string) => void): Promise<KafkaCluster> {
  const cluster = await startInProcessCluster(options);
  say("Using Kavka's own Kafka inside this process (kavka/testing), which is no real one");
  return cluster;
}

/** Between choosing a port and listening on it another program may have taken it. */
async function withOtherPorts(start: () => Promise<KafkaCluster>): Promise<KafkaCluster> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === 3 || !/already (allocated|in use)/i.test(String(error))) throw error;
    }
  }
}

function describe(options: KafkaOptions): string {
  const brokers = options.brokers ?? 1;
  return `${options.version ?? defaultKafkaVersion} (${brokers} ${brokers === 1 ? 'broker' : 'brokers'})`;
}

function placeOf(via: 'docker' | 'jvm'): string {
  return via === 'docker' ? 'Docker' : 'a JVM on this machine';
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
