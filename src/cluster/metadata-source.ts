import { isKafkaError, NetworkError, ProtocolError } from '../errors/kafka-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import type { EventPublisher } from '../instrumentation/event-publisher.ts';
import type { Endpoint } from '../network/endpoint.ts';
import { chooseVersion } from '../network/version-rules.ts';
import type { Input } from '../protocol/api.ts';
import { Metadata, type MetadataRequest, type MetadataResponse } from '../protocol/generated/metadata.ts';
import type { TimerHandle } from '../util/clock.ts';
import { endpointText } from '../util/endpoint-text.ts';
import { bootstrapFailure, type ServerFailure } from './bootstrap-failure.ts';
import { BOOTSTRAP_LANE, CONTROL_LANE, type BrokerConnections } from './broker-connections.ts';
import { responseBrokers } from './metadata-response.ts';
import type { MetadataSnapshot } from './metadata-snapshot.ts';
import type { ResolvedClientOptions } from './options.ts';

interface Server {
  readonly nodeId: number | undefined;
  readonly endpoint: Endpoint;
}

/**
 * How long a server may be silent before the next one is asked as well. A broker that hangs (stopped, or cut off without a
 * reset) would otherwise hold up every client for a whole request time-out just when its leaders have moved.
 */
const HEDGE_MS = 1000;

/**
 * Gets one Metadata response from whichever server answers first: the brokers known, then the bootstrap servers (KIP-899).
 * Resolves or rejects once; it does not try again.
 */
export class MetadataSource {
  readonly #options: ResolvedClientOptions;
  readonly #events: EventPublisher;
  readonly #pool: BrokerConnections;

  constructor(options: ResolvedClientOptions, events: EventPublisher, pool: BrokerConnections) {
    this.#options = options;
    this.#events = events;
    this.#pool = pool;
  }

  /** @param rebootstrap whether the brokers known are passed over */
  async fetch(
    request: Input<MetadataRequest>,
    snapshot: MetadataSnapshot,
    rebootstrap: boolean,
    signal: AbortSignal,
  ): Promise<MetadataResponse> {
    const known = rebootstrap ? [] : this.#knownServers(snapshot);
    const servers = [...known, ...this.#options.bootstrapServers.map((endpoint) => ({ nodeId: undefined, endpoint }))];
    const hasWorked = snapshot.brokers.size > 0;
    const failures: ServerFailure[] = [];
    const onTry = (index: number): void => {
      if (hasWorked && index === known.length && failures.length === known.length)
        this.#reportRebootstrap(known.length);
    };
    const answer = await this.#firstAnswer(servers, (server) => this.#ask(server, request, signal), failures, onTry);
    // The brokers themselves are used from now on, at the addresses that they advertise.
    void this.#pool.closeLane(BOOTSTRAP_LANE);
    if (answer === undefined) throw bootstrapFailure(failures, hasWorked);
    return answer;
  }

  /** In random order, so that the clients of a large cluster do not all ask the same broker. */
  #knownServers(snapshot: MetadataSnapshot): Server[] {
    const servers = [...snapshot.brokers.values()].map(({ nodeId, host, port }) => ({
      nodeId,
      endpoint: { host, port },
    }));
    for (let last = servers.length - 1; last > 0; last--) {
      const other = Math.floor(this.#options.random() * (last + 1));
      const [a, b] = [servers[last], servers[other]];
      if (a !== undefined && b !== undefined) [servers[last], servers[other]] = [b, a];
    }
    return servers;
  }

  #reportRebootstrap(tried: number): void {
    const reason =
      tried === 0 ? 'the brokers known were given up' : `none of the ${tried} brokers known could be reached`;
    this.#events.publish('metadata.rebootstrapped', { reason });
  }

  async #ask(server: Server, request: Input<MetadataRequest>, signal: AbortSignal): Promise<MetadataResponse> {
    const lane = server.nodeId === undefined ? BOOTSTRAP_LANE : CONTROL_LANE;
    const connection = await this.#pool.connect(server, lane, { signal });
    const version = chooseVersion(Metadata, connection.versions, { min: 1 });
    const response = await connection.send(Metadata, version, request, { signal });
    if (response.errorCode !== undefined && response.errorCode !== 0) {
      throw brokerError(response.errorCode, 'Cannot read the metadata of the cluster');
    }
    if (responseBrokers(response).length === 0) {
      throw new NetworkError(
        'Cannot read the metadata of the cluster: the broker knows no broker yet; it may be starting',
        {
          code: 'CONNECTION_FAILED',
          retriable: true,
        },
      );
    }
    return response;
  }

  /** Begins with the next server when one has failed or was silent for a while; undefined if all failed. */
  #firstAnswer(
    servers: readonly Server[],
    ask: (server: Server) => Promise<MetadataResponse>,
    failures: ServerFailure[],
    onTry: (index: number) => void,
  ): Promise<MetadataResponse | undefined> {
    const { clock } = this.#options;
    return new Promise((resolve, reject) => {
      let next = 0;
      let ended = false;
      let timer: TimerHandle | undefined;
      const end = (settle: () => void): void => {
        ended = true;
        if (timer !== undefined) clock.clearTimer(timer);
        settle();
      };
      const start = (): void => {
        if (timer !== undefined) clock.clearTimer(timer);
        const server = servers[next];
        if (ended || server === undefined) return;
        onTry(next++);
        timer = clock.setTimer(start, HEDGE_MS);
        ask(server).then(
          (answer) => end(() => resolve(answer)),
          (error: unknown) => {
            failures.push({ server: serverName(server), error: asError(error) });
            if (isRebootstrapRequired(error)) end(() => reject(asError(error)));
            else if (failures.length === servers.length) end(() => resolve(undefined));
            else start();
          },
        );
      };
      start();
    });
  }
}

/** Whether a broker sent this client back to its bootstrap servers (KIP-1102). */
export function isRebootstrapRequired(error: unknown): boolean {
  return isKafkaError(error, 'REBOOTSTRAP_REQUIRED');
}

function serverName({ nodeId, endpoint }: Server): string {
  const address = endpointText(endpoint);
  return nodeId === undefined ? address : `broker ${nodeId} at ${address}`;
}

function asError(error: unknown): Error {
  return error instanceof Error
    ? error
    : new ProtocolError('Cannot read the metadata of the cluster', { cause: error });
}
