import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from '../eventually.ts';
import type { BrokerPlan, ClusterPlan } from './broker-settings.ts';
import type { KafkaCluster, KafkaDescription, ToolOptions, ToolResult } from './options.ts';
import { aliveBrokers, waitForBrokers } from './probe.ts';

/** One broker as something that runs: a process or a container. */
export interface BrokerHost {
  readonly plan: BrokerPlan;
  /** Launches it; does not wait until it listens. */
  launch(): Promise<void>;
  /** In good order; resolves when it is gone. */
  stop(): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  unpause(): Promise<void>;
  pid(): Promise<number>;
  state(): Promise<'running' | 'paused' | 'down'>;
  logs(): Promise<string>;
}

export interface ManagedParts {
  readonly description: KafkaDescription;
  readonly plan: ClusterPlan;
  readonly hosts: readonly BrokerHost[];
  runTool(name: string, args: readonly string[], options: ToolOptions): Promise<ToolResult>;
  /** Removes everything, whatever state it is in. */
  cleanUp(): Promise<void>;
}

// Far above what a start takes (4 s for one broker, 18 s for three on two cores).
const startTimeoutMs = 120_000;

/** Control over brokers that are ours, the same whether they are processes or containers. */
export class ManagedCluster implements KafkaCluster {
  readonly description: KafkaDescription;
  readonly #parts: ManagedParts;

  constructor(parts: ManagedParts) {
    this.#parts = parts;
    this.description = parts.description;
  }

  /** Launches all brokers and waits until each counts all of them. */
  async startAll(): Promise<void> {
    await Promise.all(this.#parts.hosts.map((host) => host.launch()));
    await this.waitForAll();
  }

  async waitForAll(): Promise<void> {
    await this.#waitFor(this.#parts.hosts, this.#parts.hosts);
  }

  async stop(brokerId: number): Promise<void> {
    const host = this.#host(brokerId);
    if ((await host.state()) === 'paused') await host.unpause();
    await host.stop();
  }

  async kill(brokerId: number): Promise<void> {
    await this.#host(brokerId).kill();
  }

  async pause(brokerId: number): Promise<void> {
    const host = this.#host(brokerId);
    await host.pause();
    // A signal is only sent by then: on a busy machine the broker may answer for a while yet.
    const pid = await host.pid();
    await eventually(() => isStopped(pid) ?? isSilent(host), `broker ${brokerId} to stand still`);
  }

  async unpause(brokerId: number): Promise<void> {
    await this.#host(brokerId).unpause();
  }

  async start(brokerId: number): Promise<void> {
    const host = this.#host(brokerId);
    if ((await host.state()) !== 'down') throw new Error(`Cannot start broker ${brokerId}: it runs already`);
    await host.launch();
    const running = await this.#running();
    // Without a majority of the controllers no broker can say more than that it waits for them.
    if (running.length * 2 > this.#parts.hosts.length) await this.#waitFor(running, [host]);
  }

  async restore(): Promise<readonly number[]> {
    const touched: number[] = [];
    for (const host of this.#parts.hosts) {
      const state = await host.state();
      if (state === 'running') continue;
      touched.push(host.plan.id);
      await (state === 'paused' ? host.unpause() : host.launch());
    }
    await this.#waitFor(this.#parts.hosts, this.#parts.hosts);
    return touched;
  }

  async logs(brokerId: number): Promise<string> {
    return await this.#host(brokerId).logs();
  }

  async tool(name: string, args: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
    return await this.#parts.runTool(name, args, options);
  }

  async close(): Promise<void> {
    await this.#parts.cleanUp();
  }

  #host(brokerId: number): BrokerHost {
    const host = this.#parts.hosts.find((candidate) => candidate.plan.id === brokerId);
    if (host === undefined)
      throw new Error(`There is no broker ${brokerId}; there are ${this.description.brokerIds.join(', ')}`);
    return host;
  }

  async #running(): Promise<BrokerHost[]> {
    const states = await Promise.all(this.#parts.hosts.map((host) => host.state()));
    return this.#parts.hosts.filter((_, index) => states[index] === 'running');
  }

  async #waitFor(asked: readonly BrokerHost[], awaited: readonly BrokerHost[]): Promise<void> {
    await waitForBrokers(
      asked.map((host) => ({ host: '127.0.0.1', port: host.plan.ports.plaintext ?? 0 })),
      awaited.map((host) => host.plan.id),
      { timeoutMs: startTimeoutMs, giveUp: () => this.#whatDied(awaited) },
    );
  }

  async #whatDied(hosts: readonly BrokerHost[]): Promise<string | undefined> {
    for (const host of hosts) {
      if ((await host.state()) === 'down')
        return `broker ${host.plan.id} ended; the end of its log:\n${(await host.logs()).slice(-3000)}`;
    }
    return undefined;
  }
}

/** Whether every thread of a process is stopped, where the system tells. */
function isStopped(pid: number): boolean | undefined {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.every((task) => /^State:\tT/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')));
  } catch {
    return undefined;
  }
}

async function isSilent(host: BrokerHost): Promise<boolean> {
  return await aliveBrokers('127.0.0.1', host.plan.ports.plaintext ?? 0, 1000).then(
    () => false,
    () => true,
  );
}
