import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { ClosedError, TimeoutError, type KafkaError } from '../errors/kafka-error.ts';
import { FindCoordinator, type FindCoordinatorResponse } from '../protocol/generated/find-coordinator.ts';
import { backoffMs } from '../util/backoff.ts';
import { quote } from '../util/option-rules.ts';
import { CallGuard, pause, untilAborted } from './call-guard.ts';
import type { Broker } from './metadata-snapshot.ts';
import { retryBackoff, type ResolvedClientOptions } from './options.ts';
import { DEFAULT_CALL_TIMEOUT_MS, type CallOptions, type ClusterRequest, type CoordinatorType } from './request.ts';

/** What the look-up is built on. */
export interface CoordinatorParts {
  readonly options: ResolvedClientOptions;
  request<Req, Res>(request: ClusterRequest<Req, Res>, options: CallOptions): Promise<Res>;
  learnBrokers(brokers: readonly Broker[]): void;
  /** Why the cluster cannot be reached, if so. */
  lastFailure(): KafkaError | undefined;
}

/** What is known of the coordinator of one key. */
interface Entry {
  readonly type: CoordinatorType;
  readonly key: string;
  nodeId: number | undefined;
  /** Look-ups in a row that gave no coordinator, or one that turned out not to be it. */
  failures: number;
  /** No look-up before this time. */
  notBeforeMs: number;
  foundMs: number;
  lookup: Promise<Outcome> | undefined;
  /** Callers that wait for it. */
  waiting: number;
}

type Outcome = { readonly nodeId: number } | { readonly error: KafkaError };

/** A coordinator that was right for this long does not count as a failed look-up when it moves. */
const STABLE_MS = 10_000;

const keyTypes: Readonly<Record<CoordinatorType, number>> = { group: 0, transaction: 1, share: 2 };

const names: Readonly<Record<CoordinatorType, string>> = {
  group: 'group',
  transaction: 'transactional id',
  share: 'share partition',
};

/** Which broker coordinates which group or transactional id: looked up together, remembered, forgotten when it was wrong. */
export class Coordinators {
  readonly #parts: CoordinatorParts;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  /** Requests under way, each with the entries that it asks for. */
  readonly #requests = new Map<AbortController, readonly Entry[]>();
  /** Keys to ask for together, by type. */
  readonly #queues = new Map<CoordinatorType, { entry: Entry; resolve: (outcome: Outcome) => void }[]>();

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
  }

  async find(type: CoordinatorType, key: string, options: CallOptions): Promise<number> {
    const entry = this.#entry(type, key);
    if (entry.nodeId !== undefined) return entry.nodeId;
    if (options.signal?.aborted === true) throw options.signal.reason;
    const { clock } = this.#parts.options;
    const timeoutMs = options.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    let last: KafkaError | undefined;
    const ending = new AbortController();
    const onClose = (): void => ending.abort(this.#closing.signal.reason);
    const guard = new CallGuard(clock, options.signal, timeoutMs, (end) =>
      ending.abort(end.kind === 'aborted' ? end.reason : this.#late(entry, timeoutMs, last)),
    );
    this.#closing.signal.addEventListener('abort', onClose, { once: true });
    entry.waiting += 1;
    try {
      return await untilAborted(
        this.#untilFound(entry, ending.signal, (error) => (last = error)),
        ending.signal,
      );
    } finally {
      entry.waiting -= 1;
      guard.dispose();
      this.#closing.signal.removeEventListener('abort', onClose);
      this.#dropUnwanted();
    }
  }

  forget(type: CoordinatorType, key: string): void {
    const entry = this.#entries.get(entryKey(type, key));
    if (entry?.nodeId === undefined) return;
    const nowMs = this.#parts.options.clock.nowMs();
    entry.nodeId = undefined;
    if (nowMs - entry.foundMs > STABLE_MS) entry.failures = 0;
    this.#backOff(entry, entry.foundMs);
  }

  close(): void {
    this.#closing.abort(new ClosedError('the client'));
    for (const ending of this.#requests.keys()) ending.abort(this.#closing.signal.reason);
    this.#entries.clear();
  }

  #late(entry: Entry, timeoutMs: number, last: KafkaError | undefined): KafkaError {
    const unreachable = this.#parts.lastFailure();
    if (unreachable?.code === 'BOOTSTRAP_FAILED') return unreachable;
    const why = last === undefined ? 'no broker has answered yet' : last.message;
    return new TimeoutError(`${doing(entry)}: not found within ${Math.round(timeoutMs)} ms; ${why}`, {
      code: 'OPERATION_TIMEOUT',
      retriable: true,
      cause: last,
    });
  }

  async #untilFound(entry: Entry, signal: AbortSignal, onFailure: (error: KafkaError) => void): Promise<number> {
    const { clock } = this.#parts.options;
    for (;;) {
      signal.throwIfAborted();
      if (entry.nodeId !== undefined) return entry.nodeId;
      const waitMs = entry.notBeforeMs - clock.nowMs();
      if (waitMs > 0) {
        await pause(clock, waitMs, signal);
        continue;
      }
      entry.lookup ??= this.#lookUp(entry);
      const outcome = await entry.lookup;
      if ('nodeId' in outcome) return outcome.nodeId;
      onFailure(outcome.error);
      if (!outcome.error.retriable) throw outcome.error;
    }
  }

  async #lookUp(entry: Entry): Promise<Outcome> {
    const outcome = await new Promise<Outcome>((resolve) => this.#enqueue(entry, resolve));
    const nowMs = this.#parts.options.clock.nowMs();
    entry.lookup = undefined;
    if ('nodeId' in outcome) {
      entry.nodeId = outcome.nodeId;
      entry.foundMs = nowMs;
    } else this.#backOff(entry, nowMs);
    return outcome;
  }

  #backOff(entry: Entry, fromMs: number): void {
    const { options } = this.#parts;
    entry.failures += 1;
    entry.notBeforeMs = fromMs + backoffMs(retryBackoff(options), entry.failures, options.random());
  }

  /** Look-ups of the same moment travel in one request. */
  #enqueue(entry: Entry, resolve: (outcome: Outcome) => void): void {
    const queue = this.#queues.get(entry.type);
    if (queue !== undefined) {
      queue.push({ entry, resolve });
      return;
    }
    this.#queues.set(entry.type, [{ entry, resolve }]);
    void Promise.resolve().then(() => {
      const taken = this.#queues.get(entry.type) ?? [];
      this.#queues.delete(entry.type);
      return this.#ask(entry.type, taken);
    });
  }

  async #ask(
    type: CoordinatorType,
    wanted: readonly { entry: Entry; resolve: (outcome: Outcome) => void }[],
  ): Promise<void> {
    const [first, ...others] = wanted;
    if (first === undefined) return;
    const keys = wanted.map(({ entry }) => entry.key);
    const keyType = keyTypes[type];
    let batched = true;
    const ending = new AbortController();
    this.#requests.set(
      ending,
      wanted.map(({ entry }) => entry),
    );
    try {
      const response = await this.#parts.request(
        {
          api: FindCoordinator,
          to: { kind: 'any' },
          message: (version) => {
            batched = version >= 4;
            if (batched) return { keyType, coordinatorKeys: keys };
            return version === 0 ? { key: first.entry.key } : { keyType, key: first.entry.key };
          },
          doing: doing(first.entry),
          // Version 0 knows groups only.
          ...(type === 'group' ? {} : { versions: { min: 1 } }),
        },
        { signal: ending.signal },
      );
      const answered = batched ? wanted : [first];
      for (const { entry, resolve } of answered) resolve(this.#outcome(entry, answerFor(response, entry.key, batched)));
      if (!batched) for (const other of others) await this.#ask(type, [other]);
    } catch (error) {
      for (const { resolve } of wanted) resolve({ error: error as KafkaError });
    } finally {
      this.#requests.delete(ending);
    }
  }

  /** A look-up whose callers have all given up is not carried on behind their backs. */
  #dropUnwanted(): void {
    for (const [ending, entries] of this.#requests) {
      if (entries.every(({ waiting }) => waiting === 0))
        ending.abort(new ClosedError('a look-up that nobody waits for'));
    }
  }

  #outcome(entry: Entry, answer: Answer | undefined): Outcome {
    if (answer === undefined) {
      return {
        error: brokerError(brokerErrorCodes.COORDINATOR_NOT_AVAILABLE, doing(entry), 'the answer does not name it'),
      };
    }
    const { errorCode, errorMessage, nodeId, host, port } = answer;
    if (errorCode !== 0) return { error: brokerError(errorCode, doing(entry), errorMessage) };
    if (nodeId < 0) return { error: brokerError(brokerErrorCodes.COORDINATOR_NOT_AVAILABLE, doing(entry)) };
    this.#parts.learnBrokers([{ nodeId, host, port }]);
    return { nodeId };
  }

  #entry(type: CoordinatorType, key: string): Entry {
    const id = entryKey(type, key);
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = { type, key, nodeId: undefined, failures: 0, notBeforeMs: 0, foundMs: 0, lookup: undefined, waiting: 0 };
      this.#entries.set(id, entry);
    }
    return entry;
  }
}

type Answer = Pick<FindCoordinatorResponse, 'errorCode' | 'errorMessage' | 'nodeId' | 'host' | 'port'>;

function answerFor(response: FindCoordinatorResponse, key: string, batched: boolean): Answer | undefined {
  return batched ? response.coordinators.find((coordinator) => coordinator.key === key) : response;
}

function entryKey(type: CoordinatorType, key: string): string {
  return `${type} ${key}`;
}

function doing(entry: Entry): string {
  return `Cannot find the coordinator of ${names[entry.type]} ${quote(entry.key)}`;
}
