import type { Api, Input } from '../../../src/protocol/api.ts';
import type { AnyHandler, ConnectionState } from '../../../src/testing/handler.ts';
import { DEFAULT_RETENTION_BYTES } from '../../../src/testing/log/log-storage.ts';
import { handlers } from '../../../src/testing/handlers/index.ts';
import { BrokerState } from '../../../src/testing/state/broker-state.ts';
import { ClusterState } from '../../../src/testing/state/cluster-state.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const connection: ConnectionState = {
  id: 1,
  listener: { name: 'PLAINTEXT', tls: false, sasl: false },
  clientHost: '127.0.0.1',
  principal: 'User:ANONYMOUS',
  isEnding: false,
  software: undefined,
  attachments: new Map(),
};

/** The state of a cluster whose handlers are called without any socket: time is the fake clock's. */
export class AskedCluster {
  readonly clock: FakeClock = new FakeClock();
  readonly state: ClusterState;

  constructor({
    brokers = 1,
    seed = 1,
    configs = {},
    transactionVersion = 2,
    retentionBytes = DEFAULT_RETENTION_BYTES,
  }: {
    readonly brokers?: number;
    readonly seed?: number;
    readonly configs?: Readonly<Record<string, string>>;
    readonly transactionVersion?: number;
    readonly retentionBytes?: number;
  } = {}) {
    this.state = new ClusterState({
      clusterId: 'asked',
      clock: this.clock,
      random: seededRandom(seed),
      brokers: Array.from({ length: brokers }, (_, index) => new BrokerState(index + 1, null)),
      features: new Map([['transaction.version', transactionVersion]]),
      configs: new Map(Object.entries(configs)),
      retentionBytes,
    });
  }

  topic(name: string, partitions = 1, replicationFactor = 1): void {
    this.state.createTopic({ name, partitions, replicationFactor });
  }

  /** Encodes the request, asks the broker, and gives its answer as a client would read it. */
  async ask<Req, Res>(api: Api<Req, Res>, version: number, message: Input<Req>, brokerId = 1): Promise<Res> {
    const handler: AnyHandler | undefined = handlers.find((each) => each.api.key === api.key);
    const broker = this.state.brokers.get(brokerId);
    if (handler === undefined || broker === undefined) throw new Error(`nobody handles ${api.name}`);
    const request = api.decodeRequest(api.encodeRequest(message, version), version);
    const { signal } = new AbortController();
    const context = { cluster: this.state, broker, connection, version, clientId: null, signal };
    const answer = await handler.handle(request as never, context);
    return api.decodeResponse(api.encodeResponse(answer as Input<Res>, version), version);
  }

  /** The broker that coordinates a transactional id; -1 if none can. */
  coordinatorOf(transactionalId: string): number {
    return this.state.coordinator('transaction', transactionalId)?.id ?? -1;
  }
}
