import { pause } from '../cluster/call-guard.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { MetadataSnapshot } from '../cluster/metadata-snapshot.ts';
import { retryBackoff } from '../cluster/options.ts';
import {
  DEFAULT_CALL_TIMEOUT_MS,
  type CallOptions,
  type ClusterRequest,
  type CoordinatorType,
} from '../cluster/request.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { ClosedError } from '../errors/kafka-error.ts';
import { backoffMs } from '../util/backoff.ts';

/** One administrative call, over all its requests: they share a deadline, a signal and a connection per broker. */
export class AdminCall {
  readonly cluster: Cluster;
  /** The start of error messages: `Cannot create topics`. */
  readonly doing: string;
  readonly #lane: string;
  readonly #signal: AbortSignal | undefined;
  readonly #deadlineMs: number;
  readonly #isClosed: () => boolean;

  /** @param isClosed whether the admin client has been closed since: a call that waits would open its connections again */
  constructor(cluster: Cluster, lane: string, doing: string, options: CallOptions, isClosed: () => boolean) {
    this.cluster = cluster;
    this.doing = doing;
    this.#lane = lane;
    this.#isClosed = isClosed;
    this.#signal = options.signal;
    this.#deadlineMs = cluster.clock.nowMs() + (options.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS);
  }

  /** What is left of the call's time, for calls of the cluster. */
  options(): { signal?: AbortSignal; timeoutMs: number } {
    const timeoutMs = Math.max(1, this.#deadlineMs - this.cluster.clock.nowMs());
    return this.#signal === undefined ? { timeoutMs } : { signal: this.#signal, timeoutMs };
  }

  /** How long a broker may work at a request before it answers, in milliseconds: somewhat less than we wait for the answer. */
  brokerTimeoutMs(): number {
    const most = Math.max(1, this.cluster.options.requestTimeoutMs - 1000);
    return Math.max(1, Math.floor(Math.min(most, this.options().timeoutMs)));
  }

  async request<Req, Res>(
    request: Omit<ClusterRequest<Req, Res>, 'lane' | 'doing'> & { doing?: string },
  ): Promise<Res> {
    if (this.#isClosed()) throw new ClosedError('the admin client');
    return this.cluster.request({ doing: this.doing, ...request, lane: this.#lane }, this.options());
  }

  /** The metadata with these topics in it, without making them topics of interest. */
  topics(names: readonly string[]): Promise<MetadataSnapshot> {
    return this.cluster.topics(names, { ...this.options(), remember: false });
  }

  coordinator(type: CoordinatorType, key: string): Promise<number> {
    return this.cluster.coordinator(type, key, this.options());
  }

  /** Whether there is time for a further try, and for the pause before it, after so many that failed. */
  hasTimeFor(failures: number): boolean {
    return failures <= this.cluster.options.retries && this.hasTimeToLook(failures);
  }

  /** Whether there is time to look again at what takes its time, and for the pause before it; looks are no failures. */
  hasTimeToLook(looks: number): boolean {
    return this.options().timeoutMs > backoffMs(retryBackoff(this.cluster.options), looks, 1);
  }

  async backOff(failures: number): Promise<void> {
    const { cluster } = this;
    await pause(cluster.clock, backoffMs(retryBackoff(cluster.options), failures, cluster.random()), this.#signal);
  }

  /** Has the coordinator looked up again if this is the code of a broker that is not it. */
  noteCoordinatorError(key: string, code: number, type: CoordinatorType = 'group'): void {
    if (code === brokerErrorCodes.NOT_COORDINATOR || code === brokerErrorCodes.COORDINATOR_NOT_AVAILABLE) {
      this.cluster.forgetCoordinator(type, key);
    }
  }
}
