import { UsageError } from '../../errors/kafka-error.ts';
import { systemClock, type TimerHandle } from '../../util/clock.ts';
import { delay } from '../../util/delay.ts';
import type { BrokerSockets } from '../server/broker-sockets.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { admitBroker, withdrawBroker } from '../state/leadership.ts';

/** Whether the process of a broker runs, stands still, or is gone. */
export type ProcessState = 'running' | 'paused' | 'stopped';

// Another program may have been given the port meanwhile, most often for an outgoing connection that soon ends.
const portAttempts = 50;
const portRetryMs = 100;

/**
 * Stops, starts and pauses brokers, and does what the controller does about it.
 *
 * Whoever is stopped in good order hands over first. Of whoever is killed, stands still, or is cut off, the controller
 * notices only that nothing is heard: after `broker.session.timeout.ms`, on the cluster's clock, it counts the broker no more.
 */
export class BrokerControl {
  readonly #state: ClusterState;
  readonly #servers: ReadonlyMap<number, BrokerSockets>;
  readonly #processes = new Map<number, ProcessState>();
  readonly #cutOff = new Set<number>();
  readonly #sessions = new Map<number, TimerHandle>();

  constructor(state: ClusterState, servers: ReadonlyMap<number, BrokerSockets>) {
    this.#state = state;
    this.#servers = servers;
  }

  processOf(id: number): ProcessState {
    return this.#processes.get(id) ?? 'running';
  }

  /** In good order: others lead before it is gone. */
  async stop(id: number): Promise<void> {
    const broker = this.#expect('stop', id, ['running', 'paused']);
    this.#processes.set(id, 'stopped');
    this.#endSession(id);
    if (broker.isRunning) withdrawBroker(this.#state, broker);
    await this.#close(id);
  }

  /** Its connections end, and that is all that anybody is told. */
  async kill(id: number): Promise<void> {
    this.#expect('kill', id, ['running', 'paused']);
    this.#processes.set(id, 'stopped');
    this.#beginSession(id);
    await this.#close(id);
  }

  pause(id: number): void {
    this.#expect('pause', id, ['running']);
    this.#processes.set(id, 'paused');
    this.#servers.get(id)?.pause();
    this.#beginSession(id);
  }

  unpause(id: number): void {
    const broker = this.#expect('unpause', id, ['paused']);
    this.#processes.set(id, 'running');
    this.welcome(broker.id);
    this.#servers.get(id)?.resume();
  }

  /** With its ports and what it had. */
  async start(id: number): Promise<void> {
    const broker = this.#expect('start', id, ['stopped']);
    const server = this.#servers.get(id);
    if (server !== undefined) await listenAgain(server, id);
    this.#processes.set(id, 'running');
    // One that comes back before its death was noticed begins a new session all the same.
    if (broker.isRunning) withdrawBroker(this.#state, broker);
    this.welcome(broker.id);
  }

  /** The controller's patience ends now. */
  fence(id: number): void {
    const broker = this.broker(id);
    this.#endSession(id);
    if (broker.isRunning) withdrawBroker(this.#state, broker);
  }

  /** The controller hears of it again, unless it is cut off. */
  welcome(id: number): void {
    if (this.#cutOff.has(id)) return;
    this.#endSession(id);
    const broker = this.broker(id);
    if (!broker.isRunning) admitBroker(this.#state, broker);
  }

  /** The controller does not hear these brokers; it hears all others. */
  cutOff(ids: ReadonlySet<number>): void {
    for (const broker of this.#state.brokers.values()) {
      const isCut = ids.has(broker.id);
      if (isCut === this.#cutOff.has(broker.id)) continue;
      if (isCut) {
        this.#cutOff.add(broker.id);
        this.#beginSession(broker.id);
      } else {
        this.#cutOff.delete(broker.id);
        if (this.processOf(broker.id) === 'running') this.welcome(broker.id);
      }
    }
  }

  isCutOff(id: number): boolean {
    return this.#cutOff.has(id);
  }

  /** Nothing happens by itself any more. */
  end(): void {
    for (const id of [...this.#sessions.keys()]) this.#endSession(id);
  }

  /** @throws UsageError `INVALID_ARGUMENT` there is no such broker */
  broker(id: number): BrokerState {
    const broker = this.#state.brokers.get(id);
    if (broker !== undefined) return broker;
    const ids = [...this.#state.brokers.keys()].join(', ');
    throw new UsageError(`Cannot find broker ${id}: there are ${ids}`, { code: 'INVALID_ARGUMENT' });
  }

  #expect(what: string, id: number, states: readonly ProcessState[]): BrokerState {
    const broker = this.broker(id);
    const state = this.processOf(id);
    if (!states.includes(state))
      throw new UsageError(`Cannot ${what} broker ${id}: it is ${state}`, { code: 'INVALID_STATE' });
    return broker;
  }

  #beginSession(id: number): void {
    if (this.#sessions.has(id) || this.#state.brokers.get(id)?.isRunning !== true) return;
    const timeoutMs = Number(this.#state.brokerConfig('broker.session.timeout.ms'));
    this.#sessions.set(
      id,
      this.#state.clock.setTimer(() => this.fence(id), timeoutMs),
    );
  }

  #endSession(id: number): void {
    const timer = this.#sessions.get(id);
    if (timer !== undefined) this.#state.clock.clearTimer(timer);
    this.#sessions.delete(id);
  }

  async #close(id: number): Promise<void> {
    await this.#servers.get(id)?.close();
  }
}

async function listenAgain(server: BrokerSockets, id: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await server.listen();
      return;
    } catch (cause) {
      const isTaken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isTaken || attempt === portAttempts)
        throw new UsageError(`Cannot start broker ${id}: its port ${server.port} cannot be had again`, {
          code: 'INVALID_STATE',
          cause,
        });
      await delay(systemClock, portRetryMs, undefined, true);
    }
  }
}
