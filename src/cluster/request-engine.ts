import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { ClosedError, KafkaError, NetworkError, TimeoutError } from '../errors/kafka-error.ts';
import type { EventPublisher } from '../instrumentation/event-publisher.ts';
import type { Connection } from '../network/connection.ts';
import { chooseVersion } from '../network/version-rules.ts';
import type { Input } from '../protocol/api.ts';
import { quote } from '../util/option-rules.ts';
import { CONTROL_LANE } from './broker-connections.ts';
import { CallGuard, pause, untilAborted } from './call-guard.ts';
import type { MetadataRefresh } from './metadata-refresh.ts';
import { leastLoaded } from './node-selection.ts';
import { retryBackoff, type ResolvedClientOptions } from './options.ts';
import {
  DEFAULT_CALL_TIMEOUT_MS,
  type CallOptions,
  type ClusterRequest,
  type CoordinatorType,
  type Destination,
} from './request.ts';
import { RetryMachine, type AttemptFailure, type Renewal } from './retry-machine.ts';

/** What the engine is built on. */
export interface EngineParts {
  readonly options: ResolvedClientOptions;
  readonly events: EventPublisher;
  readonly metadata: Pick<MetadataRefresh, 'snapshot' | 'lastFailure' | 'topics' | 'refresh'>;
  connect(nodeId: number, lane: string, options: { signal: AbortSignal; timeoutMs?: number }): Promise<Connection>;
  coordinator(type: CoordinatorType, key: string, options: CallOptions): Promise<number>;
  forgetCoordinator(type: CoordinatorType, key: string): void;
}

/** One call, over all its attempts. */
interface Call {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  readonly machine: RetryMachine;
  /** Brokers where it has failed. */
  readonly failedAt: Set<number>;
  lastError: KafkaError | undefined;
}

/** Brings each request to the broker that it is for, and acts on what {@link RetryMachine} decides. */
export class RequestEngine {
  readonly #parts: EngineParts;
  readonly #closing = new AbortController();
  readonly #connections = new Map<string, Connection>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  async request<Req, Res>(request: ClusterRequest<Req, Res>, options: CallOptions = {}): Promise<Res> {
    const { clock } = this.#parts.options;
    const timeoutMs = options.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    const ending = new AbortController();
    if (options.signal?.aborted === true) throw options.signal.reason;
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
    const call = this.#begin(request, ending.signal, clock.nowMs() + timeoutMs);
    const guard = new CallGuard(clock, options.signal, timeoutMs, (end) =>
      ending.abort(end.kind === 'aborted' ? end.reason : this.#late(request, call, timeoutMs)),
    );
    const onClose = (): void => ending.abort(this.#closing.signal.reason);
    this.#closing.signal.addEventListener('abort', onClose, { once: true });
    try {
      return await this.#attempts(request, call, timeoutMs);
    } finally {
      guard.dispose();
      this.#closing.signal.removeEventListener('abort', onClose);
    }
  }

  close(): void {
    this.#closing.abort(new ClosedError('the client'));
    this.#connections.clear();
  }

  #begin<Req, Res>(request: ClusterRequest<Req, Res>, signal: AbortSignal, deadlineMs: number): Call {
    const { options } = this.#parts;
    const machine = new RetryMachine({
      to: request.to,
      retry: request.retry ?? 'safe',
      retries: options.retries,
      backoff: retryBackoff(options),
      deadlineMs,
    });
    return { signal, deadlineMs, machine, failedAt: new Set(), lastError: undefined };
  }

  async #attempts<Req, Res>(request: ClusterRequest<Req, Res>, call: Call, timeoutMs: number): Promise<Res> {
    const { clock, random } = this.#parts.options;
    for (;;) {
      const attempt = await untilAborted(this.#attempt(request, call), call.signal);
      if ('response' in attempt) return attempt.response;
      call.lastError = attempt.failure.error;
      const step = call.machine.handleFailure(attempt.failure, clock.nowMs(), random());
      if (step.kind === 'fail') throw step.error;
      if (step.kind === 'late') throw this.#late(request, call, timeoutMs);
      this.#parts.events.publish('request.retried', {
        api: request.api.name,
        error: attempt.failure.error,
        failures: call.machine.failures,
        delayMs: step.delayMs,
      });
      await this.#prepare(request.to, step.delayMs, step.renew, call.signal);
    }
  }

  /** The response, or how the attempt failed. Throws only what no further attempt could mend. */
  async #attempt<Req, Res>(
    request: ClusterRequest<Req, Res>,
    call: Call,
  ): Promise<{ readonly response: Res } | { readonly failure: AttemptFailure }> {
    let nodeId: number | undefined;
    let sent = false;
    try {
      nodeId = await this.#route(request.to, request.lane ?? CONTROL_LANE, call);
      const connection = await this.#connect(nodeId, request.lane ?? CONTROL_LANE, call.signal);
      const version = chooseVersion(request.api, connection.versions, request.versions);
      const message = messageFor(request.message, version);
      sent = true;
      const timeoutMs = request.timeoutMs ?? this.#parts.options.requestTimeoutMs;
      const response = await connection.send(request.api, version, message, { timeoutMs, signal: call.signal });
      const brokerCode = request.errorCode?.(response) ?? 0;
      if (brokerCode === 0) return { response };
      const error = brokerError(brokerCode, request.doing, request.errorMessage?.(response));
      return { failure: { error, brokerCode, sent: true } };
    } catch (error) {
      if (nodeId !== undefined) call.failedAt.add(nodeId);
      if (error instanceof RoutingFailure) return { failure: error.failure };
      if (!(error instanceof KafkaError)) throw error;
      // Waiting for metadata had all the time there was: what it ended with is the end of the call.
      if (nodeId === undefined && error.code !== 'BROKER_UNKNOWN') throw error;
      return { failure: { error, sent: sent && wasSent(error) } };
    }
  }

  async #prepare(to: Destination, delayMs: number, renew: Renewal, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts.options;
    if (renew === 'coordinator' && to.kind === 'coordinator') this.#parts.forgetCoordinator(to.type, to.key);
    const paused = pause(clock, delayMs, signal);
    // A refresh that fails is no reason to give up; the next attempt meets the same trouble and has the time that is left.
    const including = to.kind === 'leader' ? [to.topic] : [];
    const refresh = (): Promise<unknown> => this.#parts.metadata.refresh({ signal, including }).catch(() => undefined);
    const renewed = renew === 'metadata' ? refresh() : undefined;
    await Promise.all([paused, renewed]);
  }

  async #route(to: Destination, lane: string, call: Call): Promise<number> {
    const { metadata } = this.#parts;
    const options = {
      signal: call.signal,
      timeoutMs: Math.max(1, call.deadlineMs - this.#parts.options.clock.nowMs()),
    };
    if (to.kind === 'coordinator') return this.#parts.coordinator(to.type, to.key, options);
    if (to.kind === 'leader') return this.#leader(to, options);
    const { brokers, controllerId } = await metadata.topics([], options);
    if (to.kind === 'broker') return to.nodeId;
    if (to.kind === 'controller') {
      if (brokers.has(controllerId)) return controllerId;
      throw new RoutingFailure(brokerErrorCodes.NOT_CONTROLLER, 'Cannot find the controller', 'the cluster names none');
    }
    const candidates = [...brokers.keys()].map((nodeId) => ({
      nodeId,
      inFlight: this.#inFlight(nodeId, lane),
      failed: call.failedAt.has(nodeId),
    }));
    const chosen = leastLoaded(candidates, this.#parts.options.random());
    if (chosen !== undefined) return chosen;
    throw new NetworkError('Cannot choose a broker: none is known', { code: 'BROKER_UNKNOWN', retriable: true });
  }

  async #leader(to: Destination & { kind: 'leader' }, options: CallOptions): Promise<number> {
    const snapshot = await this.#parts.metadata.topics([to.topic], { ...options, remember: false });
    const doing = `Cannot find the leader of partition ${to.partition} of topic ${quote(to.topic)}`;
    const partition = snapshot.partition(to.topic, to.partition);
    if (partition === undefined) {
      const count = snapshot.topic(to.topic)?.partitions.length ?? 0;
      throw brokerError(
        brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION,
        doing,
        `the topic has ${count} partitions, numbered from 0`,
      );
    }
    if (partition.leaderId >= 0) return partition.leaderId;
    throw new RoutingFailure(brokerErrorCodes.LEADER_NOT_AVAILABLE, doing, 'it has none at the moment');
  }

  #inFlight(nodeId: number, lane: string): number | undefined {
    const connection = this.#connections.get(`${lane} ${nodeId}`);
    return connection?.isOpen === true ? connection.inFlight : undefined;
  }

  async #connect(nodeId: number, lane: string, signal: AbortSignal): Promise<Connection> {
    const connection = await this.#parts.connect(nodeId, lane, { signal });
    this.#connections.set(`${lane} ${nodeId}`, connection);
    return connection;
  }

  #late<Req, Res>(request: ClusterRequest<Req, Res>, call: Call, timeoutMs: number): KafkaError {
    const { lastFailure } = this.#parts.metadata;
    // That no server can be reached is the whole reason, and its own error lists them.
    if (lastFailure?.code === 'BOOTSTRAP_FAILED') return lastFailure;
    const cause = call.lastError ?? lastFailure;
    const why =
      cause === undefined
        ? 'no broker has answered yet; check bootstrapServers, and that the ports are Kafka listeners'
        : `the last of ${call.machine.failures} tries: ${cause.message}`;
    return new TimeoutError(`${request.doing}: not done within ${Math.round(timeoutMs)} ms; ${why}`, {
      code: 'OPERATION_TIMEOUT',
      retriable: true,
      cause,
    });
  }
}

/** The metadata do not tell where to go, and may soon: treated as if a broker had answered with this code. */
class RoutingFailure extends Error {
  readonly failure: AttemptFailure;

  constructor(brokerCode: number, doing: string, why: string) {
    super(why);
    this.failure = { error: brokerError(brokerCode, doing, why), brokerCode, sent: false };
  }
}

function messageFor<Req, Res>(message: ClusterRequest<Req, Res>['message'], version: number): Input<Req> {
  return typeof message === 'function' ? (message as (version: number) => Input<Req>)(version) : message;
}

/** A connection marks errors of requests whose bytes cannot have left. */
function wasSent(error: KafkaError): boolean {
  return (error as { readonly sent?: unknown }).sent !== false;
}
