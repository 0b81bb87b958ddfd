import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { eventually } from '../eventually.ts';
import { brokerProperties, formatArguments, propertiesFile } from './broker-settings.ts';
import type { BrokerPlan, ClusterPlan } from './broker-settings.ts';
import { cacheDirectory, javaArguments, kafkaJars, quickStart, requireCommand } from './jars.ts';
import { ManagedCluster } from './managed-cluster.ts';
import type { BrokerHost } from './managed-cluster.ts';
import { defaultKafkaVersion, testUsers } from './options.ts';
import type { KafkaCluster, KafkaOptions, ToolOptions, ToolResult } from './options.ts';
import { addressesOf, makeSecrets, newClusterId, planBrokers } from './plan-cluster.ts';
import { isOwnerGone, ownerName } from './process-owner.ts';
import { mainClass, withBootstrap } from './tools.ts';

const runsDirectory = path.join(cacheDirectory, 'kafka', 'runs');

/** Brokers as processes on this machine; throws an error that says what is missing where there is no Java or no jars. */
export async function startJvmCluster(options: KafkaOptions, say: (line: string) => void): Promise<KafkaCluster> {
  if (process.platform === 'win32')
    throw new Error('Cannot run brokers in a JVM on Windows: use Docker or a WSL shell');
  requireCommand('java', ['-version'], 'Java 17 or later');
  const version = options.version ?? defaultKafkaVersion;
  const jars = kafkaJars(version, say);
  sweepRuns();
  const directory = path.join(runsDirectory, newClusterId());
  const secrets = makeSecrets();
  writeFiles(path.join(directory, 'secrets'), secrets.files);
  writeFiles(directory, { owner: ownerName });
  const plan: ClusterPlan = {
    clusterId: newClusterId(),
    brokers: await planBrokers(options, () => undefined),
    bindHost: '127.0.0.1',
    dataDirectory: (id) => path.join(directory, String(id), 'data'),
    secretsDirectory: path.join(directory, 'secrets'),
    config: options.config ?? {},
    javaOptions: options.quickStart === true ? quickStart : [],
  };
  const hosts = plan.brokers.map(
    (broker) => new JvmBroker(jars, plan, broker, path.join(directory, String(broker.id))),
  );
  const listeners = addressesOf(plan.brokers);
  const cluster = new ManagedCluster({
    description: {
      via: 'jvm',
      version,
      brokerIds: plan.brokers.map((broker) => broker.id),
      listeners,
      tls: secrets.tls,
      users: testUsers,
      hasControl: true,
      hasTools: true,
      containers: [],
    },
    plan,
    hosts,
    runTool: (name, args, toolOptions) =>
      runJvmTool(jars, version, name, withBootstrap(args, listeners.plaintext ?? []), toolOptions),
    cleanUp: async () => {
      await Promise.all(hosts.map((host) => host.kill()));
      rmSync(directory, { recursive: true, force: true });
    },
  });
  try {
    await cluster.startAll();
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

/** Runs one of Kafka's programs with the jars of this machine. */
export function runJvmTool(
  jars: string,
  version: string,
  name: string,
  args: readonly string[],
  { input, timeoutMs = 120_000 }: ToolOptions,
): Promise<ToolResult> {
  const child = spawn('java', [...javaArguments(jars, '256m', 'error'), mainClass(name, version), ...args], {
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => undefined); // the program may end without having read everything
  child.stdin.end(input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code: code ?? -1, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    });
  });
}

// The broker ends when standard input of this shell does, so that it never outlives its owner, even one that was killed.
const wrapper = `
exec 3<&0
pidfile=$1; shift
java "$@" </dev/null 3<&- &
broker=$!
echo $broker >"$pidfile"
( cat <&3 >/dev/null; kill -9 $broker ) 2>/dev/null &
exec 3<&-
wait $broker
`;

class JvmBroker implements BrokerHost {
  readonly plan: BrokerPlan;
  readonly #jars: string;
  readonly #cluster: ClusterPlan;
  readonly #directory: string;
  #process: ChildProcess | undefined;
  #pid = 0;
  #isPaused = false;

  constructor(jars: string, cluster: ClusterPlan, plan: BrokerPlan, directory: string) {
    this.plan = plan;
    this.#jars = jars;
    this.#cluster = cluster;
    this.#directory = directory;
  }

  async launch(): Promise<void> {
    if (this.#process === undefined) this.#format();
    const pidFile = path.join(this.#directory, 'pid');
    rmSync(pidFile, { force: true });
    const { javaOptions } = this.#cluster;
    const options = javaArguments(this.#jars, '512m', 'info', javaOptions);
    const java = [...options, 'kafka.Kafka', this.#path('server.properties')];
    const log = openSync(this.#path('log.txt'), 'a');
    // In a process group of its own: Ctrl+C is for the owner, who then ends the brokers.
    const child = spawn('sh', ['-c', wrapper, 'kafka-broker', pidFile, ...java], {
      stdio: ['pipe', log, log],
      detached: true,
    });
    closeSync(log);
    child.once('exit', () => child.stdin?.destroy());
    child.unref();
    this.#process = child;
    this.#isPaused = false;
    this.#pid = await eventually(() => readPid(pidFile), 'the broker process to begin');
  }

  async stop(): Promise<void> {
    this.#signal('SIGTERM');
    const deadline = performance.now() + 30_000;
    // A broker alone may wait long for a controller that is itself; it had its chance to write everything down.
    await eventually(() => {
      if (performance.now() > deadline) this.#signal('SIGKILL');
      return this.#hasExited();
    }, `broker ${this.plan.id} to end`);
  }

  async kill(): Promise<void> {
    if (this.#process === undefined) return;
    this.#signal('SIGKILL');
    await eventually(() => this.#hasExited(), `broker ${this.plan.id} to be gone`);
  }

  async pause(): Promise<void> {
    this.#signal('SIGSTOP');
    this.#isPaused = true;
  }

  async unpause(): Promise<void> {
    this.#signal('SIGCONT');
    this.#isPaused = false;
  }

  async pid(): Promise<number> {
    return this.#pid;
  }

  async state(): Promise<'running' | 'paused' | 'down'> {
    if (this.#hasExited()) return 'down';
    return this.#isPaused ? 'paused' : 'running';
  }

  async logs(): Promise<string> {
    return readFileSync(this.#path('log.txt'), 'utf8');
  }

  #path(name: string): string {
    return path.join(this.#directory, name);
  }

  #format(): void {
    writeFiles(this.#directory, {
      'server.properties': propertiesFile(brokerProperties(this.#cluster, this.plan)),
      'log.txt': '',
    });
    const format = formatArguments(this.#cluster, this.#path('server.properties'));
    const java = [...javaArguments(this.#jars, '128m', 'error'), 'kafka.tools.StorageTool', ...format];
    const result = spawnSync('java', java, { encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`Cannot format the broker's storage:\n${result.stdout}${result.stderr}`);
  }

  #hasExited(): boolean {
    return this.#process === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#hasExited()) return;
    try {
      process.kill(this.#pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function writeFiles(directory: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(directory, name), content);
}

/** Data of runs whose owner was killed. */
function sweepRuns(): void {
  mkdirSync(runsDirectory, { recursive: true });
  for (const name of readdirSync(runsDirectory)) {
    const directory = path.join(runsDirectory, name);
    let owner = '';
    try {
      owner = readFileSync(path.join(directory, 'owner'), 'utf8');
    } catch {
      continue; // just being made by another process
    }
    if (isOwnerGone(owner)) rmSync(directory, { recursive: true, force: true });
  }
}
