import type { TestCluster, TestClusterOptions, TestTopic } from '../testing/index.ts';
import { parseArguments, parsePair, type CliOptions, type GivenArguments } from './arguments.ts';
import { CliError } from './cli-error.ts';
import type { Command } from './command.ts';
import { isLoopback, parseListenAddress } from './listen-address.ts';
import { styled, type Terminal } from './terminal.ts';

const defaultListen = '127.0.0.1:9092';

const options: CliOptions = {
  listen: {
    type: 'string',
    value: 'HOST:PORT',
    help: `where the first broker listens; the others take the ports behind it (${defaultListen}; port 0: free ones)`,
  },
  advertise: { type: 'string', value: 'HOST', help: 'the name that clients are told, if it is not that of --listen' },
  brokers: { type: 'string', value: 'N', help: 'how many brokers (1)' },
  topic: {
    type: 'string',
    multiple: true,
    value: 'NAME[:PARTITIONS[:REPLICAS]]',
    help: 'a topic from the start; may be repeated',
  },
  config: {
    type: 'string',
    multiple: true,
    value: 'NAME=VALUE',
    help: "a setting of the brokers by Kafka's name; may be repeated",
  },
  'kafka-version': {
    type: 'string',
    value: 'VERSION',
    help: 'the Kafka that the brokers pretend to be, such as 3.9 (the newest)',
  },
  data: { type: 'string', value: 'DIR', help: 'a folder that keeps records, topics and settings for the next start' },
  quiet: { type: 'boolean', help: 'print no addresses' },
  json: { type: 'boolean', help: 'print the addresses as JSON, as when the output is no terminal' },
  help: { type: 'boolean', help: 'show this' },
};

/** `kavka broker`: a Kafka for development, in this process. */
export const brokerCommand: Command = {
  name: 'broker',
  summary: 'start a Kafka for development',
  usage: 'kavka broker [options]',
  about:
    'Starts a Kafka cluster inside this process and runs until Ctrl-C. It is for tests and development;\n' +
    'production is Apache Kafka.',
  options,
  run: runBroker,
};

async function runBroker(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = parseArguments(args, options);
  if (given.positionals.length > 0)
    throw new CliError(`Cannot use "${given.positionals[0]}": kavka broker takes options only`);
  const plan = planOf(given);
  // Loaded where it is wanted: it is the larger half of the program, and no other command has use for it.
  const { TestCluster } = await import('../testing/index.ts');
  const cluster = await TestCluster.start(plan);
  // From before the addresses are printed: who reads them may end the program at once.
  const interrupted = terminal.interrupted();
  try {
    if (!isLoopback(plan.host ?? ''))
      terminal.say(
        `Warning: listening on ${plan.host}: everybody who reaches this machine can read, write and delete; nothing is authenticated`,
      );
    if (!given.has('quiet')) {
      const asJson = given.has('json') || !terminal.isInteractive;
      terminal.print(asJson ? JSON.stringify(describe(cluster)) : table(cluster, plan.dataDir, terminal));
    }
    await interrupted;
  } finally {
    await cluster.close();
  }
}

function planOf(given: GivenArguments): TestClusterOptions {
  const brokers = brokersOf(given.text('brokers') ?? '1');
  const { host, port } = parseListenAddress(given.text('listen') ?? defaultListen);
  if (port + brokers - 1 > 65_535)
    throw new CliError(`Cannot listen on port ${port} with ${brokers} brokers: the last port would be above 65535`);
  const ports = Array.from({ length: brokers }, (_, index) => (port === 0 ? 0 : port + index));
  const advertisedHost = given.text('advertise');
  return {
    brokers,
    host,
    ports,
    ...(advertisedHost === undefined ? {} : { advertisedHost }),
    topics: Object.fromEntries(given.texts('topic').map(topicOf)),
    configs: Object.fromEntries(given.texts('config').map((text) => parsePair('setting', text, 'num.partitions=3'))),
    ...kafkaVersionOf(given.text('kafka-version')),
    ...(given.text('data') === undefined ? {} : { dataDir: given.text('data') ?? '' }),
    // Nobody asks for them here.
    requestLogBytes: 0,
  };
}

/** Which versions there are is checked where they are known, and told by name. */
function kafkaVersionOf(text: string | undefined): Pick<TestClusterOptions, 'kafkaVersion'> {
  return text === undefined ? {} : { kafkaVersion: text as NonNullable<TestClusterOptions['kafkaVersion']> };
}

function brokersOf(text: string): number {
  const brokers = Number(text);
  if (Number.isInteger(brokers) && brokers >= 1 && brokers <= 100) return brokers;
  throw new CliError(`Cannot start "${text}" brokers: give a number from 1 to 100`);
}

function topicOf(text: string): [string, TestTopic] {
  const [name = '', ...numbers] = text.split(':');
  const [partitions, replicationFactor] = numbers.map(Number);
  const isFine = numbers.length <= 2 && numbers.every((number) => /^[1-9]\d{0,4}$/.test(number));
  if (name === '' || !isFine)
    throw new CliError(`Cannot make topic "${text}": give NAME, NAME:PARTITIONS or NAME:PARTITIONS:REPLICAS`);
  const plan: TestTopic = {
    ...(partitions === undefined ? {} : { partitions }),
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
  };
  return [name, plan];
}

function describe(cluster: TestCluster): object {
  const { bootstrapServers, brokers, topics } = cluster;
  return { bootstrapServers, brokers: brokers.map(({ id, host, port }) => ({ id, host, port })), topics };
}

function table(cluster: TestCluster, folder: string | undefined, terminal: Terminal): string {
  const { bootstrapServers, topics } = cluster;
  const rows = cluster.brokers.map(({ id, isController }, index) => {
    return `  broker ${id}  ${bootstrapServers[index] ?? ''}${isController ? styled(terminal, 'dim', '  controller') : ''}`;
  });
  return [
    styled(terminal, 'bold', 'Kafka for development is ready'),
    ...rows,
    ...(topics.length === 0 ? [] : [`  topics    ${topics.join(', ')}`]),
    `  bootstrap servers: ${styled(terminal, 'bold', bootstrapServers.join(','))}`,
    styled(terminal, 'dim', `Records are kept in ${folder === undefined ? 'memory' : folder}. Ctrl-C ends it.`),
  ].join('\n');
}
