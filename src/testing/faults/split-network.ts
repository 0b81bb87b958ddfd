import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { UsageError } from '../../errors/kafka-error.ts';
import { Produce, type ProduceRequest } from '../../protocol/generated/produce.ts';
import { delay } from '../../util/delay.ts';
import { quote } from '../../util/option-rules.ts';
import type { ArrivedRequest, Reply, RequestGate } from '../server/dispatcher.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { BrokerControl } from './broker-control.ts';
import { errorAnswer } from './error-answers.ts';

/** One side of a split network: brokers by their ids, clients by their `clientId`. */
export type NetworkSide = readonly (number | string)[];

/**
 * Who reaches whom. Brokers and clients of different sides do not: what they send is lost, and connections stay open. Whoever is
 * on no side reaches all.
 */
export class SplitNetwork implements RequestGate {
  readonly #cluster: ClusterState;
  readonly #control: BrokerControl;
  #sideOf = new Map<number | string, number>();

  constructor(cluster: ClusterState, control: BrokerControl) {
    this.#cluster = cluster;
    this.#control = control;
  }

  /** @throws UsageError for a broker that does not exist, or somebody on two sides */
  split(sides: readonly NetworkSide[]): void {
    const sideOf = new Map<number | string, number>();
    sides.forEach((side, index) => {
      for (const member of side) {
        if (typeof member === 'number') this.#control.broker(member);
        if (sideOf.has(member))
          throw new UsageError(`Cannot split the network: ${quote(member)} is on two sides`, {
            code: 'INVALID_ARGUMENT',
          });
        sideOf.set(member, index);
      }
    });
    this.#sideOf = sideOf;
    this.#control.cutOff(this.#minority());
  }

  heal(): void {
    this.split([]);
  }

  async around(request: ArrivedRequest, next: () => Promise<Reply>): Promise<Reply> {
    if (!this.#reaches(request)) return 'silence';
    const reply = this.#lacksFollowers(request) ? await timedOut(request) : await next();
    return this.#reaches(request) ? reply : 'silence';
  }

  #reaches({ context }: ArrivedRequest): boolean {
    const client = context.clientId === null ? undefined : this.#sideOf.get(context.clientId);
    const broker = this.#sideOf.get(context.broker.id);
    return client === undefined || broker === undefined || client === broker;
  }

  /** A leader that is cut off and does not know it yet waits in vain for its followers. */
  #lacksFollowers({ handler, message, context }: ArrivedRequest): boolean {
    const isCut = this.#control.isCutOff(context.broker.id) && context.broker.isRunning;
    return isCut && handler.api.key === Produce.key && (message as ProduceRequest).acks === -1;
  }

  /** The brokers that no majority is with: what controls the cluster is on the other side, or nowhere. */
  #minority(): Set<number> {
    const ids = [...this.#cluster.brokers.keys()];
    const sides = new Set(this.#sideOf.values());
    const withSide = (side: number): number[] => ids.filter((id) => (this.#sideOf.get(id) ?? side) === side);
    const majority = [...sides].find((side) => withSide(side).length * 2 > ids.length);
    if (majority === undefined) return new Set();
    const there = withSide(majority);
    return new Set(ids.filter((id) => !there.includes(id)));
  }
}

async function timedOut({ handler, message, context }: ArrivedRequest): Promise<Reply> {
  await delay(context.cluster.clock, (message as ProduceRequest).timeoutMs, context.signal, true);
  return await errorAnswer(handler.api, {
    request: message,
    version: context.version,
    errorCode: brokerErrorCodes.REQUEST_TIMED_OUT,
    handled: () => Promise.reject(new Error('Produce answers errors without being handled')),
  });
}
