import { NetworkError, TimeoutError, type KafkaError } from '../../../src/errors/kafka-error.ts';
import type { BrokerConnections } from '../../../src/cluster/broker-connections.ts';
import { Cluster } from '../../../src/cluster/cluster.ts';
import { resolveClientOptions, type ClientOptions } from '../../../src/cluster/options.ts';
import { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';
import { BrokerVersions } from '../../../src/network/broker-versions.ts';
import type { BrokerAddress, Connection, RequestOptions } from '../../../src/network/connection.ts';
import type { Api, Input } from '../../../src/protocol/api.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** One request as a fake broker saw it. */
export interface SeenRequest {
  readonly api: string;
  readonly version: number;
  readonly nodeId: number | undefined;
  readonly server: string;
  readonly lane: string;
  readonly message: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

/** The body of an answer, an error to reject with, or 'silence'. */
export type FakeAnswer = Readonly<Record<string, unknown>> | Error | 'silence';

/** Brokers without sockets: each test says how they answer, and sees what was asked, and when. */
export class FakeBrokers implements BrokerConnections {
  readonly clock: FakeClock = new FakeClock();
  readonly requests: SeenRequest[] = [];
  readonly connects: string[] = [];
  /** Servers (`host:port`) that refuse connections, with their errors. */
  readonly down: Map<string, KafkaError> = new Map();
  /** Highest versions that brokers speak, where not the newest. */
  readonly maxVersions: Map<string, number> = new Map();
  /** A promise holds the answer back, as a long poll does. */
  answer: (request: SeenRequest) => FakeAnswer | Promise<FakeAnswer> = () => ({});
  closed = false;
  readonly closedLanes: string[] = [];

  count(api: string): number {
    return this.requests.filter((request) => request.api === api).length;
  }

  async connect(target: BrokerAddress, lane: string): Promise<Connection> {
    const server = `${target.endpoint.host}:${target.endpoint.port}`;
    this.connects.push(`${target.nodeId ?? 'bootstrap'}@${server}/${lane}`);
    await Promise.resolve();
    const error = this.down.get(server);
    if (error !== undefined) throw error;
    return this.#connection(target, lane, server);
  }

  statistics(): [] {
    return [];
  }

  closeLane(lane: string): Promise<void> {
    this.closedLanes.push(lane);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  #connection(target: BrokerAddress, lane: string, server: string): Connection {
    const apiKeys = Array.from({ length: 95 }, (_, apiKey) => ({ apiKey, minVersion: 0, maxVersion: 99 }));
    const send = async <Req, Res>(
      api: Api<Req, Res>,
      version: number,
      message: Input<Req>,
      options?: RequestOptions,
    ): Promise<Res> => {
      const seen: SeenRequest = {
        api: api.name,
        version,
        nodeId: target.nodeId,
        server,
        lane,
        message: message as Record<string, unknown>,
        atMs: this.clock.nowMs(),
      };
      this.requests.push(seen);
      const given = this.answer(seen);
      const answer = given instanceof Promise ? await given : given;
      if (answer === 'silence') return this.#untilTimeout(options);
      if (answer instanceof Error) throw answer;
      // Through the codec, so that a fake cannot answer with what no broker could.
      return api.decodeResponse(api.encodeResponse(answer as Input<Res>, version), version);
    };
    return {
      ...target,
      lane,
      versions: new BrokerVersions({
        apiKeys: apiKeys.map((range) => ({ ...range, maxVersion: this.maxVersions.get(String(range.apiKey)) ?? 99 })),
      }),
      isOpen: true,
      inFlight: 0,
      bytesToWrite: 0,
      leaseOf: () => undefined,
      send,
      close: () => Promise.resolve(),
    };
  }

  #untilTimeout(options: RequestOptions | undefined): Promise<never> {
    return new Promise((_, reject) => {
      const late = new TimeoutError('it did not answer', { code: 'REQUEST_TIMED_OUT', retriable: true });
      this.clock.setTimer(() => reject(late), options?.timeoutMs ?? 30_000);
      options?.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error));
    });
  }
}

/** A cluster over fake brokers; chance always falls in the middle, so that pauses have no jitter. */
export function clusterOver(
  brokers: FakeBrokers,
  options: Partial<ClientOptions> = {},
): { cluster: Cluster; events: EventPublisher } {
  const events = new EventPublisher();
  const resolved = resolveClientOptions({
    bootstrapServers: 'boot:9092',
    clock: brokers.clock,
    random: () => 0.5,
    ...options,
  });
  return { cluster: new Cluster(resolved, events, brokers), events };
}

/** What a fake broker says about one topic. */
export interface FakeTopic {
  readonly errorCode?: number;
  readonly topicId?: string;
  /** Leader and epoch of each partition. */
  readonly leaders?: readonly (readonly [leaderId: number, leaderEpoch: number])[];
}

/** A Metadata answer: brokers 1 to `brokers`, and what the request asked for. */
export function metadataAnswer(
  request: SeenRequest,
  topics: Readonly<Record<string, FakeTopic>>,
  brokers: readonly number[] = [1, 2],
  host = 'kafka',
): Record<string, unknown> {
  const asked = request.message['topics'] as readonly { name: string }[] | null;
  const names = asked === null ? Object.keys(topics) : asked.map(({ name }) => name);
  return {
    clusterId: 'cluster-1',
    controllerId: brokers[0],
    brokers: brokers.map((nodeId) => ({ nodeId, host, port: 9000 + nodeId, rack: null })),
    topics: names.map((name) => ({
      name,
      errorCode: topics[name]?.errorCode ?? (topics[name] === undefined ? 3 : 0),
      ...(topics[name]?.topicId === undefined ? {} : { topicId: topics[name].topicId }),
      partitions: (topics[name]?.leaders ?? []).map(([leaderId, leaderEpoch], partitionIndex) => ({
        partitionIndex,
        leaderId,
        leaderEpoch,
        errorCode: leaderId < 0 ? 5 : 0,
      })),
    })),
  };
}

export function refused(server: string): NetworkError {
  return new NetworkError(`Cannot connect to ${server}: connection refused`, {
    code: 'CONNECTION_FAILED',
    retriable: true,
  });
}

/** How many requests a back-off of 100 ms that doubles up to 1 s allows in this time, one at its start included. */
export function allowedTries(ms: number): number {
  let tries = 1;
  for (let at = 100, pause = 200; at <= ms; at += pause, pause = Math.min(pause * 2, 1000)) tries++;
  return tries;
}
