import { existsSync } from 'node:fs';
import type * as testcontainers from 'testcontainers';
import type { ContainerRuntimeClient } from 'testcontainers';
import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { eventually } from '../eventually.ts';
import { brokerProperties, formatArguments, propertiesFile } from './broker-settings.ts';
import type { BrokerPlan, ClusterPlan } from './broker-settings.ts';
import { imageFor } from './docker-image.ts';
import { javaArguments, quickStart } from './jars.ts';
import { ManagedCluster } from './managed-cluster.ts';
import type { BrokerHost } from './managed-cluster.ts';
import { defaultKafkaVersion, testUsers } from './options.ts';
import type { KafkaCluster, KafkaOptions, ToolOptions, ToolResult } from './options.ts';
import { addressesOf, makeSecrets, newClusterId, planBrokers } from './plan-cluster.ts';
import { isOwnerGone, ownerName } from './process-owner.ts';
import { mainClass, withBootstrap } from './tools.ts';

type Testcontainers = typeof testcontainers;
type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

const labels = { owner: 'kavka.owner', run: 'kavka.run' } as const;
const jars = '/opt/kafka/libs';
const settings = '/tmp/kavka';
const data = '/tmp/kavka-data';

/** Brokers as containers, through testcontainers; throws an error that says what is missing where there is no engine. */
export async function startDockerCluster(options: KafkaOptions, say: (line: string) => void): Promise<KafkaCluster> {
  if (Number(process.versions.node.split('.')[0]) < 22) throw new Error('testcontainers needs a newer Node');
  // The library would take any other engine that it finds, though this one was asked for.
  const socket = /^unix:\/\/(.+)/.exec(process.env['DOCKER_HOST'] ?? '')?.[1];
  if (socket !== undefined && !existsSync(socket)) throw new Error(`DOCKER_HOST names ${socket}, which is not there`);
  const library = await import('testcontainers');
  // Some machines carry the mark of a container (/.dockerenv) and are none; the library would look for the engine elsewhere.
  if (!/^(tcp|https?|ssh):/.test(process.env['DOCKER_HOST'] ?? ''))
    process.env['TESTCONTAINERS_HOST_OVERRIDE'] ??= '127.0.0.1';
  const client = await library.getContainerRuntimeClient();
  if (!['localhost', '127.0.0.1'].includes(client.info.containerRuntime.host))
    throw new Error(
      `The engine is on ${client.info.containerRuntime.host}; its brokers could not be told apart from here`,
    );
  const version = options.version ?? defaultKafkaVersion;
  const image = await imageFor(client, version, say);
  await sweep(client);
  const network = `kavka-${newClusterId()}`;
  const ownLabels = { [labels.owner]: ownerName, [labels.run]: process.env['KAVKA_RUN'] ?? '' };
  await client.container.dockerode.createNetwork({ Name: network, Labels: ownLabels });
  const secrets = makeSecrets();
  const plan: ClusterPlan = {
    clusterId: newClusterId(),
    brokers: await planBrokers(options, (id) => ({ host: `${network}-${id}`, port: 9094, controllerPort: 9093 })),
    bindHost: '0.0.0.0',
    dataDirectory: () => data,
    secretsDirectory: settings,
    config: options.config ?? {},
    javaOptions: options.quickStart === true ? quickStart : [],
  };
  const hosts = plan.brokers.map(
    (broker) =>
      new DockerBroker({ library, client, image, network, labels: ownLabels, files: secrets.files }, plan, broker),
  );
  const cleanUp = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host.remove()));
    await client.container.dockerode.getNetwork(network).remove();
  };
  try {
    // A container is made when it is launched first, and its id is part of the description.
    await Promise.all(hosts.map((host) => host.launch()));
    const cluster = new ManagedCluster({
      description: {
        via: 'docker',
        version,
        brokerIds: plan.brokers.map((broker) => broker.id),
        listeners: addressesOf(plan.brokers),
        tls: secrets.tls,
        users: testUsers,
        hasControl: true,
        hasTools: true,
        containers: hosts.map((host) => host.containerId),
      },
      plan,
      hosts,
      runTool: async (name, args, toolOptions) => await runTool(hosts, version, name, args, toolOptions),
      cleanUp,
    });
    await cluster.waitForAll();
    return cluster;
  } catch (error) {
    await cleanUp().catch(() => undefined);
    throw error;
  }
}

/** Containers and networks whose owner was killed. */
async function sweep(client: ContainerRuntimeClient): Promise<void> {
  const { dockerode } = client.container;
  const filters = { label: [labels.owner] };
  for (const found of await dockerode.listContainers({ all: true, filters })) {
    if (isOwnerGone(found.Labels[labels.owner] ?? ''))
      await dockerode
        .getContainer(found.Id)
        .remove({ force: true, v: true })
        .catch(() => undefined);
  }
  for (const found of await dockerode.listNetworks({ filters })) {
    if (isOwnerGone(found.Labels?.[labels.owner] ?? ''))
      await dockerode
        .getNetwork(found.Id)
        .remove()
        .catch(() => undefined);
  }
}

interface Surroundings {
  readonly library: Testcontainers;
  readonly client: ContainerRuntimeClient;
  readonly image: string;
  readonly network: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
}

function quote(argument: string): string {
  return `'${argument.replaceAll("'", "'\\''")}'`;
}

class DockerBroker implements BrokerHost {
  readonly plan: BrokerPlan;
  readonly #surroundings: Surroundings;
  readonly #cluster: ClusterPlan;
  #container: Container | undefined;
  #isPaused = false;

  constructor(surroundings: Surroundings, cluster: ClusterPlan, plan: BrokerPlan) {
    this.plan = plan;
    this.#surroundings = surroundings;
    this.#cluster = cluster;
  }

  get containerId(): string {
    return this.#container?.id ?? '';
  }

  async launch(): Promise<void> {
    this.#isPaused = false;
    if (this.#container === undefined) await this.#create();
    else await this.#container.start();
  }

  async stop(): Promise<void> {
    await this.#existing().stop({ t: 30 }).catch(ignoreNotRunning);
  }

  async kill(): Promise<void> {
    await this.#signal('SIGKILL');
    await eventually(async () => (await this.state()) === 'down', `broker ${this.plan.id} to be gone`);
  }

  async pause(): Promise<void> {
    await this.#signal('SIGSTOP');
    this.#isPaused = true;
  }

  async unpause(): Promise<void> {
    await this.#signal('SIGCONT');
    this.#isPaused = false;
  }

  async pid(): Promise<number> {
    return (await this.#existing().inspect()).State.Pid;
  }

  async state(): Promise<'running' | 'paused' | 'down'> {
    const { State: state } = await this.#existing().inspect();
    if (!state.Running) return 'down';
    return this.#isPaused ? 'paused' : 'running';
  }

  async logs(): Promise<string> {
    const framed = await this.#existing().logs({ stdout: true, stderr: true, follow: false });
    return withoutFrames(framed);
  }

  async remove(): Promise<void> {
    await this.#container?.remove({ force: true, v: true });
  }

  /** Runs a shell script inside and gives back what it printed, byte for byte. */
  async exec(script: string): Promise<ToolResult> {
    const exec = await this.#existing().exec({ Cmd: ['sh', '-c', script], AttachStdout: true, AttachStderr: true });
    const stream = await exec.start({});
    const outputs = [new PassThrough(), new PassThrough()] as const;
    const texts = outputs.map(async (output) => Buffer.concat(await output.toArray()).toString());
    this.#surroundings.client.container.dockerode.modem.demuxStream(stream, ...outputs);
    stream.once('close', () => {
      for (const output of outputs) output.end();
    });
    stream.once('end', () => {
      for (const output of outputs) output.end();
    });
    const [stdout = '', stderr = ''] = await Promise.all(texts);
    return { code: (await exec.inspect()).ExitCode ?? -1, stdout, stderr };
  }

  async writeFile(file: string, content: string): Promise<void> {
    // Below the system's limit for one argument.
    for (let rest = Buffer.from(content), isFirst = true; isFirst || rest.length > 0; isFirst = false) {
      const piece = rest.subarray(0, 60_000);
      rest = rest.subarray(piece.length);
      const { code, stderr } = await this.exec(`echo '${piece.toString('base64')}' | base64 -d >> ${file}`);
      if (code !== 0) throw new Error(`Cannot write ${file} in broker ${this.plan.id}'s container: ${stderr}`);
    }
  }

  #existing(): Container {
    if (this.#container === undefined) throw new Error(`Broker ${this.plan.id} was never started`);
    return this.#container;
  }

  async #signal(signal: string): Promise<void> {
    await this.#existing().kill({ signal }).catch(ignoreNotRunning);
  }

  async #create(): Promise<void> {
    const { library, client, image, network, files } = this.#surroundings;
    const properties = propertiesFile(brokerProperties(this.#cluster, this.plan));
    const contents = Object.entries({ ...files, 'server.properties': properties, 'run.sh': this.#script() });
    const started = await new library.GenericContainer(image)
      .withName(this.plan.internalHost)
      .withNetworkMode(network)
      .withLabels({ ...this.#surroundings.labels })
      .withExposedPorts(...Object.values(this.plan.ports).map((port) => ({ container: port, host: port })))
      .withCopyContentToContainer(
        contents.map(([name, content]) => ({ content, target: `${settings}/${name}`, mode: 0o644 })),
      )
      .withEntrypoint(['sh', `${settings}/run.sh`])
      .withAutoCleanup(false) // there may be no image of its reaper; sweep() does it
      .withWaitStrategy(library.Wait.forAll([])) // the cluster is asked itself, as a whole
      .start();
    this.#container = client.container.getById(started.getId());
  }

  #script(): string {
    const java = (options: readonly string[], ...args: readonly string[]): string =>
      ['java', ...options, ...args].map(quote).join(' ');
    const toFormat = javaArguments(jars, '128m', 'error');
    const toServe = javaArguments(jars, '512m', 'info', this.#cluster.javaOptions);
    const properties = `${settings}/server.properties`;
    return `
set -e
[ -f ${data}/meta.properties ] || ${java(toFormat, 'kafka.tools.StorageTool', ...formatArguments(this.#cluster, properties))}
exec ${java(toServe, 'kafka.Kafka', properties)}
`;
  }
}

function ignoreNotRunning(error: { statusCode?: number }): void {
  // 304: stopped already; 409: a signal to one that does not run.
  if (error.statusCode !== 304 && error.statusCode !== 409) throw error as unknown as Error;
}

/** The engine puts eight bytes, the last four of them the length, in front of every piece of output. */
function withoutFrames(framed: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= framed.length;) {
    const length = framed.readUInt32BE(at + 4);
    pieces.push(framed.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(pieces).toString();
}

async function runTool(
  hosts: readonly DockerBroker[],
  version: string,
  name: string,
  args: readonly string[],
  { input = '', timeoutMs = 120_000 }: ToolOptions,
): Promise<ToolResult> {
  const bootstrap = hosts.map((host) => `${host.plan.internalHost}:${host.plan.internalPort}`);
  const java = [
    'java',
    ...javaArguments(jars, '256m', 'error'),
    mainClass(name, version),
    ...withBootstrap(args, bootstrap),
  ];
  const command = `timeout -s KILL ${Math.ceil(timeoutMs / 1000)} ${java.map(quote).join(' ')}`;
  for (const host of hosts) {
    if ((await host.state()) !== 'running') continue;
    const file = `${data}-input-${randomUUID()}`;
    await host.writeFile(file, input);
    return await host.exec(`${command} < ${file}; code=$?; rm ${file}; exit $code`);
  }
  throw new Error(`Cannot run ${name}: no broker's container is running`);
}
