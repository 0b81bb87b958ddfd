import { CallGuard, pause, untilAborted } from '../cluster/call-guard.ts';
import { chooseVersion } from '../cluster/connection.ts';
import { retryBackoff } from '../cluster/options.ts';
import { isPassing } from '../cluster/retry-machine.ts';
import { ClosedError, ProtocolError, TimeoutError, type KafkaError } from '../errors/kafka-error.ts';
import type { SendError } from '../errors/send-error.ts';
import type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
import { backoffMs } from '../util/backoff.ts';
import type { TimerHandle } from '../util/clock.ts';
import { deferred, type Deferred } from '../util/deferred.ts';
import { quote } from '../util/option-rules.ts';
import type { PartitionQueue } from './partition-queue.ts';
import type { ProducerCluster } from './producer-cluster.ts';
import type { TransactionLevel, TransactionOffset, TransactionProtocol } from './transaction-coordination.ts';
import { notSent, notSentBecause, toKafkaError } from './send-errors.ts';
import { TransactionMachine, type TransactionEffect } from './transaction-machine.ts';
import { wireRequest, type Exchange } from './transaction-requests.ts';

/** What a transaction needs of those who have its records. */
export interface TransactionRecords {
  /** All leave now; resolves when they have settled, however. */
  flush(): Promise<void>;
  /** Those that are not under way fail. */
  giveUpUnsent(): void;
  /** All fail, at once. */
  giveUpAll(error: KafkaError): void;
  /** Whether none is under way. */
  isIdle(): boolean;
  /** Partitions may be written to that could not before. */
  wake(): void;
}

/** What the driver is made for. */
export interface TransactionDriverOptions {
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly maxBlockMs: number;
  readonly deliveryTimeoutMs: number;
  /** The connections to coordinators. */
  readonly laneName: string;
}

/** How a transaction ended. `error`: why not as was wanted. */
export interface TransactionEnd {
  readonly committed: boolean;
  readonly error: KafkaError | undefined;
}

/** What those who send records ask a transaction. */
export type TransactionGate = Pick<
  TransactionDriver,
  'transactionalId' | 'protocol' | 'admits' | 'handleProduced' | 'handleProduceLost' | 'handleProduceAnswered'
>;

/** Somebody who wants a transaction while another one is open. */
interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Carries out what a {@link TransactionMachine} decides: brings its requests to the coordinators, tells it of answers and of time, and
 * tells those who wait. One transaction is open at a time; who comes meanwhile waits for its turn.
 */
export class TransactionDriver {
  readonly #cluster: ProducerCluster;
  readonly #options: TransactionDriverOptions;
  readonly #records: TransactionRecords;
  readonly #machine: TransactionMachine;
  readonly #abort = new AbortController();
  readonly #turns: Waiting[] = [];
  #isTaken = false;
  #ready: Deferred<void> | undefined;
  #ended: Deferred<TransactionEnd> | undefined;
  readonly #offsets = new Map<number, Deferred<void>>();
  /** Requests whose coordinator is being looked for, which may take as long as there is none. */
  readonly #lookups = new Map<number, AbortController>();
  #beganMs = 0;
  #closing: Promise<void> | undefined;
  #isActing = false;
  #isScheduled = false;
  #timer: TimerHandle | undefined;
  #timerDueMs: number | undefined;
  #number = 0;

  constructor(cluster: ProducerCluster, options: TransactionDriverOptions, records: TransactionRecords) {
    this.#cluster = cluster;
    this.#options = options;
    this.#records = records;
    const policy = retryBackoff(cluster.options);
    this.#machine = new TransactionMachine({
      transactionalId: options.transactionalId,
      timeoutMs: options.deliveryTimeoutMs,
      backoffMs: (failures) => backoffMs(policy, failures, cluster.random()),
    });
  }

  // For transactions ---------------------------------------------------------------------------------------------------------

  /** The number of the transaction that is open, or was the last. */
  get number(): number {
    return this.#number;
  }

  /** Whether records and offsets are taken in. */
  get isOpen(): boolean {
    return this.#machine.isOpen;
  }

  /** Whether the transactional id has been taken over. */
  get isInitialized(): boolean {
    return this.#machine.identity !== undefined && this.problem() === undefined;
  }

  /** Takes over the transactional id, unless that is done. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    this.#refuseWhenOver();
    if (!this.isInitialized) await this.#untilReady(signal);
  }

  /** Begins a transaction when it is its turn and the coordinator has given an identity; resolves with its number. */
  async begin(signal: AbortSignal | undefined): Promise<number> {
    signal?.throwIfAborted();
    await this.#turn(signal);
    try {
      await this.#untilReady(signal);
      this.#refuseWhenOver();
      if (!this.#machine.handleBegin()) throw new ClosedError('the producer');
    } catch (error) {
      this.#nextTurn();
      throw error;
    }
    this.#beganMs = this.#cluster.clock.nowMs();
    this.#ended = deferred();
    // Who waits for the end takes its error; whether anybody does is not ours to say.
    this.#ended.promise.catch(() => undefined);
    return ++this.#number;
  }

  sendOffsets(offsets: readonly TransactionOffset[], group: ConsumerGroupMetadata): Promise<void> {
    const settled = deferred<void>();
    // It surfaces at the commit, whether or not somebody awaits it here.
    settled.promise.catch(() => undefined);
    const id = this.#machine.handleOffsets(group, offsets, this.#nowMs());
    if (id === undefined) settled.reject(this.problem() ?? new ClosedError('the transaction'));
    else this.#offsets.set(id, settled);
    this.#act();
    return settled.promise;
  }

  /** Something that belongs to the transaction did not come to pass: it can only be aborted. */
  handleProblem(error: KafkaError): void {
    this.#machine.handleProblem(error, this.#nowMs());
    this.#act();
  }

  /** Why the transaction cannot go on; undefined while it can. */
  problem(): KafkaError | undefined {
    const state = this.#machine.state;
    return 'error' in state ? state.error : undefined;
  }

  /** Asks for the end; resolves when it has come. */
  end(committed: boolean): Promise<TransactionEnd> {
    const ended = this.#ended;
    if (ended === undefined) return Promise.reject(new ClosedError('the transaction'));
    const state = this.#machine.state;
    if (state.name === 'fatal-error') return Promise.reject(state.error);
    if (committed) this.#machine.handleCommit(this.#nowMs());
    else this.#machine.handleAbort(this.#nowMs());
    this.#act();
    return ended.promise;
  }

  /** Ends all: a transaction that is open is aborted. Resolves when that is done, or after `timeoutMs`. */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  // For the records ----------------------------------------------------------------------------------------------------------

  get transactionalId(): string {
    return this.#options.transactionalId;
  }

  get protocol(): TransactionProtocol {
    return this.#machine.protocol;
  }

  /** Whether batches of the partition may go now; gives its machine the identity that they go under. */
  admits({ topic, partition, machine }: PartitionQueue): boolean {
    const { identity } = this.#machine;
    const isAdmitted = identity !== undefined && this.#machine.admits(topic.name, partition);
    if (!isAdmitted) this.#actSoon();
    else if (machine.identity !== identity) machine.adoptIdentity(identity);
    return isAdmitted;
  }

  /** A request with records is on its way. */
  handleProduced(): void {
    this.#machine.handleProduced();
  }

  /** Nobody knows whether a request with records has arrived. */
  handleProduceLost(): void {
    this.#machine.handleProduceLost();
  }

  /** A request with records has ended. */
  handleProduceAnswered(): void {
    this.#machine.handleProduceAnswered();
    this.#act();
    this.#tellIfIdle();
  }

  /** Why a record that is sent now cannot be part of the transaction of this number, 0 standing for none. */
  refusal(topic: string, number: number): SendError | undefined {
    if (number === this.#number && this.#machine.isOpen) return undefined;
    const problem = this.problem();
    if (number === this.#number && problem !== undefined)
      return notSentBecause(topic, this.#machine.reasonFor(topic, -1));
    if (number !== 0) return notSent(topic, 'TRANSACTION_REQUIRED', 'its transaction has ended');
    const why = 'the producer is transactional; send inside of producer.transaction(), with what it passes to its body';
    const error = notSent(topic, 'TRANSACTION_REQUIRED', why);
    // Most likely it was meant to be part of what is open, which would be committed without it.
    this.handleProblem(error);
    return error;
  }

  handleSendFailed(error: SendError): void {
    this.#machine.handleSendFailed(error, error.outcome, this.#nowMs());
    this.#actSoon();
  }

  /** Why records of this partition that have not left cannot be sent any more. */
  reasonFor(topic: string, partition = -1): KafkaError {
    return this.#machine.reasonFor(topic, partition);
  }

  // Inside -------------------------------------------------------------------------------------------------------------------

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    this.#refuseWhenOver();
    if (!this.#isTaken) {
      this.#isTaken = true;
      return;
    }
    const turn = deferred<void>();
    this.#turns.push(turn);
    if (signal === undefined) return turn.promise;
    try {
      await untilAborted(turn.promise, signal);
    } catch (error) {
      const at = this.#turns.indexOf(turn);
      if (at >= 0) this.#turns.splice(at, 1);
      // It came at the same moment.
      else
        turn.promise.then(
          () => this.#nextTurn(),
          () => undefined,
        );
      throw error;
    }
  }

  #nextTurn(): void {
    const next = this.#turns.shift();
    if (next === undefined) this.#isTaken = false;
    else next.resolve();
  }

  async #untilReady(signal: AbortSignal | undefined): Promise<void> {
    this.#refuseWhenOver();
    const ready = (this.#ready ??= deferred());
    ready.promise.catch(() => undefined);
    const waiting = new AbortController();
    const guard = new CallGuard(this.#cluster.clock, signal, this.#options.maxBlockMs, (end) =>
      waiting.abort(end.kind === 'aborted' ? end.reason : this.#notReady()),
    );
    try {
      this.#machine.handleWanted();
      this.#act();
      await untilAborted(ready.promise, waiting.signal);
    } finally {
      guard.dispose();
    }
  }

  #notReady(): TimeoutError {
    const { maxBlockMs, transactionalId } = this.#options;
    const cause = this.#machine.lastError;
    const why = cause === undefined ? 'no coordinator has answered yet' : `the last error was: ${cause.message}`;
    const doing = `Cannot begin a transaction of ${quote(transactionalId)}`;
    const message = `${doing}: not ready within ${maxBlockMs} ms; ${why}`;
    return new TimeoutError(message, { code: 'OPERATION_TIMEOUT', retriable: true, cause });
  }

  /** Those who wait for the coordinator's identity: it is there, or never will be. */
  #settleReady(error?: KafkaError): void {
    const ready = this.#ready;
    this.#ready = undefined;
    if (error === undefined) ready?.resolve();
    else ready?.reject(error);
  }

  #refuseWhenOver(): void {
    if (this.#closing !== undefined) throw new ClosedError('the producer');
    const state = this.#machine.state;
    if (state.name === 'fatal-error') throw state.error;
  }

  async #close(timeoutMs: number): Promise<void> {
    const closed = new ClosedError('the producer');
    for (const turn of this.#turns.splice(0)) turn.reject(closed);
    this.#settleReady(closed);
    const { clock } = this.#cluster;
    const ended = this.#ended?.promise.then(
      () => undefined,
      () => undefined,
    );
    this.#machine.handleClose(closed, this.#nowMs());
    this.#act();
    if (ended !== undefined && this.#isTaken) {
      const over = new AbortController();
      await Promise.race([ended, pause(clock, timeoutMs, over.signal).catch(() => undefined)]);
      over.abort();
    }
    this.#abort.abort(closed);
    for (const lookup of this.#lookups.values()) lookup.abort(closed);
    this.#clearTimer();
    this.#ended?.reject(closed);
    for (const settled of this.#offsets.values()) settled.reject(closed);
    this.#offsets.clear();
    await this.#cluster.closeLane(this.#options.laneName);
  }

  #nowMs(): number {
    return this.#cluster.clock.nowMs();
  }

  /** For calls out of the middle of others' work, which must not be changed under their hands. */
  #actSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#act();
    });
  }

  #act(): void {
    if (this.#isActing) return this.#actSoon();
    this.#isActing = true;
    for (let effects = this.#machine.takeEffects(); effects.length > 0; effects = this.#machine.takeEffects()) {
      for (const effect of effects) this.#do(effect);
    }
    this.#isActing = false;
    this.#setTimer();
  }

  #do(effect: TransactionEffect): void {
    switch (effect.kind) {
      case 'send':
        return this.#send(effect.id);
      case 'forget-coordinator': {
        const { type, key } = this.#wire(effect.request).coordinator;
        return this.#cluster.forgetCoordinator(type, key);
      }
      case 'wake':
        return this.#records.wake();
      case 'ready':
        return this.#settleReady();
      case 'flush':
        void this.#records.flush().then(() => {
          this.#machine.handleFlushed(this.#nowMs());
          this.#act();
        });
        return;
      case 'give-up-unsent':
        this.#records.giveUpUnsent();
        return this.#tellIfIdle();
      case 'give-up':
        return this.#lookups.get(effect.id)?.abort();
      case 'offsets-settled':
        return this.#settleOffsets(effect.id, effect.error);
      case 'ended':
        return this.#handleEnded(effect);
      case 'late':
        return this.#ended?.reject(effect.error);
      case 'failed':
        return this.#handleFailed(effect.error);
      default:
        effect satisfies never;
    }
  }

  #tellIfIdle(): void {
    if (!this.#records.isIdle()) return;
    this.#machine.handleProduceIdle(this.#nowMs());
    this.#actSoon();
  }

  #settleOffsets(id: number, error: KafkaError | undefined): void {
    const settled = this.#offsets.get(id);
    this.#offsets.delete(id);
    if (error === undefined) settled?.resolve();
    else settled?.reject(error);
  }

  #handleEnded({ committed, error }: TransactionEnd): void {
    this.#cluster.events.publish('producer.transaction.ended', {
      transactionalId: this.#options.transactionalId,
      committed,
      error,
      protocol: this.#machine.protocol,
      durationMs: this.#nowMs() - this.#beganMs,
    });
    this.#ended?.resolve({ committed, error });
    this.#nextTurn();
  }

  #handleFailed(error: KafkaError): void {
    const { transactionalId } = this.#options;
    this.#cluster.events.publish('producer.transaction.failed', { transactionalId, error });
    this.#records.giveUpAll(error);
    this.#settleReady(error);
    this.#ended?.reject(error);
    for (const settled of this.#offsets.values()) settled.reject(error);
    this.#offsets.clear();
    for (const turn of this.#turns.splice(0)) turn.reject(error);
  }

  #wire(request: Parameters<typeof wireRequest>[0]): ReturnType<typeof wireRequest> {
    return wireRequest(request, this.#options.transactionalId, this.#options.transactionTimeoutMs);
  }

  #send(id: number): void {
    const request = this.#machine.takeRequest(id);
    if (request === undefined || this.#abort.signal.aborted) return;
    const wire = this.#wire(request);
    const { coordinator } = wire;
    let level: TransactionLevel = { level: 0, epoch: -1n };
    const lookup = new AbortController();
    this.#lookups.set(id, lookup);
    const exchange: Exchange = async (api, limits, message) => {
      const { signal } = lookup;
      const nodeId = await this.#cluster.coordinator(coordinator.type, coordinator.key, { signal });
      const connection = await this.#cluster.connection(nodeId, this.#options.laneName, { signal });
      const { versions } = connection;
      level = { level: versions.finalizedFeature('transaction.version') ?? 0, epoch: versions.finalizedFeaturesEpoch };
      const version = chooseVersion(api, versions, limits);
      this.#lookups.delete(id);
      isOnItsWay = true;
      return connection.send(api, version, message(version), { signal: this.#abort.signal });
    };
    let isOnItsWay = false;
    wire.send(exchange).then(
      (answer) => {
        this.#machine.handleAnswer(id, answer, level, this.#nowMs());
        this.#act();
      },
      (reason: unknown) => {
        this.#lookups.delete(id);
        if (this.#abort.signal.aborted) return;
        const error = toKafkaError(reason, { retriable: false });
        const isGivenUp = lookup.signal.aborted;
        const mayPass = isGivenUp || error.retriable || isPassing(error) || error instanceof ProtocolError;
        this.#machine.handleLost(id, error, isOnItsWay && error.sent !== false, mayPass, this.#nowMs());
        this.#act();
      },
    );
  }

  #setTimer(): void {
    const dueMs = this.#abort.signal.aborted ? undefined : this.#machine.nextDeadlineMs();
    if (dueMs === this.#timerDueMs) return;
    this.#clearTimer();
    if (dueMs === undefined) return;
    this.#timerDueMs = dueMs;
    this.#timer = this.#cluster.clock.setTimer(
      () => {
        this.#clearTimer();
        this.#machine.tick(this.#nowMs());
        this.#act();
      },
      Math.max(1, dueMs - this.#nowMs()),
    );
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#cluster.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#timerDueMs = undefined;
  }
}
