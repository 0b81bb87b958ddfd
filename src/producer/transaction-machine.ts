import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes, type BrokerErrorName } from '../errors/broker-error-codes.ts';
import { KafkaError, TimeoutError } from '../errors/kafka-error.ts';
import type { SendOutcome } from '../errors/send-error.ts';
import type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
import { topicPartitionKey, type TopicPartition } from '../model/topic-partition.ts';
import { quote } from '../util/option-rules.ts';
import type { ProducerIdentity } from './partition-machine.ts';
import type {
  CoordinatorAnswer,
  CoordinatorRequest,
  TransactionLevel,
  TransactionOffset,
  TransactionProtocol,
} from './transaction-coordination.ts';
import { adviceOn, isFatalForSends, isRefusal, verdictOf, worstOf, type Refusal } from './transaction-errors.ts';

/** Where a {@link TransactionMachine} stands. */
export type TransactionState =
  | { readonly name: 'uninitialized' }
  | { readonly name: 'initializing' }
  | { readonly name: 'ready' }
  | { readonly name: 'in-transaction' }
  | { readonly name: 'abortable-error'; readonly error: KafkaError }
  /** `flushed`: all its records are acknowledged. */
  | { readonly name: 'committing'; readonly flushed: boolean }
  /** `drained`: none of its records is under way. `cause` undefined: the user wanted it. */
  | { readonly name: 'aborting'; readonly drained: boolean; readonly cause: KafkaError | undefined }
  | { readonly name: 'fatal-error'; readonly error: KafkaError };

/** What the driver has to do, in order. */
export type TransactionEffect =
  /** See {@link TransactionMachine.takeRequest}. */
  | { readonly kind: 'send'; readonly id: number }
  | { readonly kind: 'forget-coordinator'; readonly request: CoordinatorRequest }
  /** Partitions may be written to that could not before. */
  | { readonly kind: 'wake' }
  /** A transaction can begin. */
  | { readonly kind: 'ready' }
  /** Every record must leave now; {@link TransactionMachine.handleFlushed} when all have settled. */
  | { readonly kind: 'flush' }
  /** Records that are not under way fail; {@link TransactionMachine.handleProduceIdle} when none is. */
  | { readonly kind: 'give-up-unsent' }
  /** The request is not wanted any more, unless it has left for its coordinator: then its answer is waited for. */
  | { readonly kind: 'give-up'; readonly id: number }
  | { readonly kind: 'offsets-settled'; readonly id: number; readonly error: KafkaError | undefined }
  /** `error`: why it was not committed although that was wanted. */
  | { readonly kind: 'ended'; readonly committed: boolean; readonly error: KafkaError | undefined }
  /** Who waits for the end has waited long enough; it is still worked at. */
  | { readonly kind: 'late'; readonly error: KafkaError }
  /** The producer is finished. */
  | { readonly kind: 'failed'; readonly error: KafkaError };

/** What a {@link TransactionMachine} is made for. */
export interface TransactionMachineOptions {
  readonly transactionalId: string;
  /** How long the end of a transaction, and the taking in of offsets, may take, in milliseconds. */
  readonly timeoutMs: number;
  /** The pause after so many failures in a row, in milliseconds. */
  readonly backoffMs: (failures: number) => number;
}

/** One request to a coordinator, until it is answered for good. */
interface Outstanding {
  readonly id: number;
  request: CoordinatorRequest;
  deadlineMs: number;
  isInFlight: boolean;
  failures: number;
  retryAtMs: number;
  lastError: KafkaError | undefined;
}

/** How long to wait while the coordinator completes the transaction before, in milliseconds: it takes about that. */
const soonMs = 20;

/**
 * The transactions of one producer, one after the other: which request goes to which coordinator, when partitions may be written
 * to, and what an error means. It knows no socket and no clock.
 *
 * Two rules stand behind most of it:
 * - an end is asked for only when nothing of the transaction is under way any more: no record, no offsets, no partition that is
 *   being added. What arrived later would belong to the next transaction, or to none, which then never ends;
 * - after a request of which nobody knows whether it arrived, the next transaction has another epoch. A copy of it may still be on
 *   its way: in protocol 1, where the epoch stays the same, a late EndTxn would end the next transaction, and a late batch would
 *   become part of it (found by Jepsen in 2024; KIP-890 tells the same).
 */
export class TransactionMachine {
  readonly #options: TransactionMachineOptions;
  readonly #requests = new Map<number, Outstanding>();
  #state: TransactionState = { name: 'uninitialized' };
  #effects: TransactionEffect[] = [];
  #nextId = 1;
  #isWanted = false;
  #identity: ProducerIdentity | undefined;
  #level: TransactionLevel = { level: 0, epoch: -2n };
  /** The protocol that the identity was made under: with another one, another identity is needed. */
  #identityProtocol: TransactionProtocol = 1;
  /** Another epoch is needed before the next transaction. */
  #mustRenew = false;

  // Of the transaction that is open:
  #protocol: TransactionProtocol = 1;
  readonly #added = new Set<string>();
  readonly #toAdd = new Map<string, TopicPartition>();
  readonly #refused = new Map<string, KafkaError>();
  readonly #groups = new Set<string>();
  /** Whether the coordinator may know of the transaction; `maybe` after a request that was not answered. */
  #started: 'no' | 'maybe' | 'yes' = 'no';
  /** The coordinator has forgotten the producer: it would refuse to end anything. */
  #isForgotten = false;

  constructor(options: TransactionMachineOptions) {
    this.#options = options;
  }

  get state(): TransactionState {
    return this.#state;
  }

  /** Under what records of this transaction are written; undefined while there is none. */
  get identity(): ProducerIdentity | undefined {
    return this.#identity;
  }

  /** How the transaction that is open, or was the last, is spoken of. */
  get protocol(): TransactionProtocol {
    return this.#protocol;
  }

  /** Whether records and offsets are still taken in. */
  get isOpen(): boolean {
    return this.#state.name === 'in-transaction';
  }

  /** Why a coordinator must be asked again; undefined while none must. */
  get lastError(): KafkaError | undefined {
    for (const { lastError } of this.#requests.values()) if (lastError !== undefined) return lastError;
    return undefined;
  }

  takeEffects(): TransactionEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The request that is to be sent; partitions that came while it waited go with it. Undefined if it is not needed any more. */
  takeRequest(id: number): CoordinatorRequest | undefined {
    const entry = this.#requests.get(id);
    if (entry?.request.kind === 'add-partitions') {
      entry.request = { ...entry.request, partitions: [...this.#toAdd.values()] };
    }
    return entry?.request;
  }

  /** When {@link tick} has something to do; undefined while it has not. */
  nextDeadlineMs(): number | undefined {
    let dueMs = Infinity;
    for (const { isInFlight, retryAtMs, deadlineMs } of this.#requests.values()) {
      dueMs = Math.min(dueMs, deadlineMs, isInFlight ? Infinity : retryAtMs);
    }
    return dueMs === Infinity ? undefined : dueMs;
  }

  /** Time has passed. */
  tick(nowMs: number): void {
    for (const entry of [...this.#requests.values()]) {
      if (entry.deadlineMs <= nowMs) this.#handleLate(entry, nowMs);
    }
    for (const entry of this.#requests.values()) {
      if (!entry.isInFlight && entry.retryAtMs <= nowMs) this.#send(entry);
    }
  }

  // Of the user --------------------------------------------------------------------------------------------------------------

  /** A transaction is wanted: the effect `ready` says when it may begin. */
  handleWanted(): void {
    this.#isWanted = true;
    const { name } = this.#state;
    if (name === 'uninitialized') this.#initialize();
    else if (name === 'ready') this.#becomeReady();
  }

  /** The transaction that was `ready` begins; answers false if it may not. */
  handleBegin(): boolean {
    if (this.#state.name !== 'ready') return false;
    this.#isWanted = false;
    this.#protocol = this.#identityProtocol;
    for (const part of [this.#added, this.#toAdd, this.#refused, this.#groups]) part.clear();
    this.#started = 'no';
    this.#isForgotten = false;
    this.#state = { name: 'in-transaction' };
    return true;
  }

  /**
   * Offsets are to become the group's with the transaction; the effect `offsets-settled` tells how that went. Answers the id of it,
   * or undefined if no transaction is open.
   */
  handleOffsets(
    group: ConsumerGroupMetadata,
    offsets: readonly TransactionOffset[],
    nowMs: number,
  ): number | undefined {
    const identity = this.#identity;
    if (!this.isOpen || identity === undefined) return undefined;
    const entry = this.#enqueue(
      { kind: 'commit-offsets', identity, protocol: this.#protocol, group, offsets },
      nowMs + this.#options.timeoutMs,
    );
    if (this.#protocol === 2 || this.#groups.has(group.groupId)) this.#send(entry);
    else {
      // Waits for the answer; see #handleGroupAdded.
      entry.retryAtMs = Infinity;
      this.#addGroup(group.groupId, identity);
    }
    return entry.id;
  }

  handleCommit(nowMs: number): void {
    const state = this.#state;
    if (state.name === 'abortable-error') return this.#startAbort(state.error, nowMs);
    if (state.name !== 'in-transaction') return;
    this.#state = { name: 'committing', flushed: false };
    this.#effects.push({ kind: 'flush' });
  }

  /** All records of the transaction have settled. */
  handleFlushed(nowMs: number): void {
    if (this.#state.name !== 'committing' || this.#state.flushed) return;
    this.#state = { name: 'committing', flushed: true };
    this.#end(nowMs);
  }

  handleAbort(nowMs: number): void {
    const { name } = this.#state;
    if (name === 'in-transaction' || name === 'abortable-error') this.#startAbort(undefined, nowMs);
  }

  /** The producer is closed: a transaction that is open is aborted, one that is about to end ends as it was to. */
  handleClose(error: KafkaError, nowMs: number): void {
    const state = this.#state;
    if (state.name === 'in-transaction') this.#startAbort(error, nowMs);
    else if (state.name === 'abortable-error') this.#startAbort(state.error, nowMs);
  }

  /** Something of the transaction did not come to pass, and not for a broker's reason: it must not be committed. */
  handleProblem(error: KafkaError, nowMs: number): void {
    this.#abortable(error, nowMs);
  }

  // Of the records -----------------------------------------------------------------------------------------------------------

  /** Whether the partition may be written to; if it is only not yet part of the transaction, the effect `wake` says when. */
  admits(topic: string, partition: number): boolean {
    const { name } = this.#state;
    if (name !== 'in-transaction' && !(name === 'committing' && !this.#state.flushed)) return false;
    if (this.#protocol === 2) return true;
    const key = topicPartitionKey(topic, partition);
    if (this.#added.has(key)) return true;
    if (this.#toAdd.has(key)) return false;
    this.#toAdd.set(key, { topic, partition });
    this.#addPartitions();
    return false;
  }

  /** Records of the transaction are on their way to a partition. */
  handleProduced(): void {
    if (this.#protocol === 2) this.#started = 'yes';
  }

  /** Nobody knows whether records that were on their way have arrived; they will be sent again. */
  handleProduceLost(): void {
    if (this.#protocol === 1) this.#mustRenew = true;
  }

  /** A record failed, for good. */
  handleSendFailed(error: KafkaError, outcome: SendOutcome, nowMs: number): void {
    // Its sequence numbers are used, or not; only another epoch, where they begin anew, makes that not matter.
    if (outcome !== 'not-sent' && this.#protocol === 1) this.#mustRenew = true;
    // It came after the end, and says nothing about the transaction that may be open by now.
    if (error.code === 'TRANSACTION_REQUIRED') return;
    if (isFatalForSends(error.code)) this.#fail(error);
    else this.#abortable(error, nowMs);
  }

  /** An answer about records has come; some may want to be sent again. */
  handleProduceAnswered(): void {
    const { name } = this.#state;
    if (name === 'aborting' || name === 'abortable-error') this.#effects.push({ kind: 'give-up-unsent' });
  }

  /** No record is under way. */
  handleProduceIdle(nowMs: number): void {
    if (this.#state.name !== 'aborting' || this.#state.drained) return;
    this.#state = { ...this.#state, drained: true };
    this.#end(nowMs);
  }

  /** Why records of this partition that have not left cannot be sent any more. */
  reasonFor(topic: string, partition: number): KafkaError {
    const state = this.#state;
    if (state.name === 'fatal-error') return state.error;
    const refused = this.#refused.get(topicPartitionKey(topic, partition));
    if (refused !== undefined) return refused;
    const cause = state.name === 'abortable-error' ? state.error : state.name === 'aborting' ? state.cause : undefined;
    return this.#aborted('its transaction was aborted before it was sent', cause);
  }

  // Of the coordinators ------------------------------------------------------------------------------------------------------

  /** A coordinator has answered. */
  handleAnswer(id: number, answer: CoordinatorAnswer, level: TransactionLevel, nowMs: number): void {
    if (level.epoch >= this.#level.epoch) this.#level = level;
    const entry = this.#requests.get(id);
    if (entry?.isInFlight !== true) return;
    entry.isInFlight = false;
    const worst = worstOf(entry.request, answer);
    const verdict = verdictOf(entry.request.kind, worst);
    switch (verdict) {
      case 'done':
        this.#requests.delete(id);
        this.#handleDone(entry, answer, nowMs);
        return;
      case 'retry':
      case 'soon':
      case 'elsewhere':
        this.#again(entry, brokerError(worst, this.#doing(entry.request)), verdict, nowMs);
        return;
      case 'abortable':
      case 'renew':
      case 'fenced':
      case 'fatal': {
        const doing = this.#doing(entry.request);
        if (entry.request.kind === 'add-partitions') this.#handlePartitionsRefused(answer, doing);
        const error =
          verdict === 'fenced' ? fenced(doing) : brokerError(worst, doing, adviceOn(entry.request.kind, worst));
        this.#handleRefusal(entry, error, verdict, nowMs);
        return;
      }
      default:
        verdict satisfies never;
    }
  }

  /**
   * A request was not answered.
   *
   * @param sent whether it may have arrived
   * @param mayPass whether another try makes sense
   */
  handleLost(id: number, error: KafkaError, sent: boolean, mayPass: boolean, nowMs: number): void {
    const entry = this.#requests.get(id);
    if (entry?.isInFlight !== true) return;
    entry.isInFlight = false;
    const { kind } = entry.request;
    if (sent && kind !== 'initialize') {
      if (this.#protocol === 1 || kind === 'end') this.#mustRenew = true;
      if (this.#started === 'no') this.#started = 'maybe';
    }
    if (mayPass) return this.#again(entry, error, 'elsewhere', nowMs);
    // What the look-up of a coordinator is answered with counts as its own answer would.
    const brokerCode: number | undefined = brokerErrorCodes[error.code as BrokerErrorName];
    const verdict = brokerCode === undefined ? 'fatal' : verdictOf(kind, brokerCode);
    this.#handleRefusal(entry, error, isRefusal(verdict) ? verdict : 'fatal', nowMs);
  }

  // What follows ---------------------------------------------------------------------------------------------------------------

  get #wantedProtocol(): TransactionProtocol {
    return this.#level.level >= 2 ? 2 : 1;
  }

  #handleDone({ id, request }: Outstanding, answer: CoordinatorAnswer, nowMs: number): void {
    switch (request.kind) {
      case 'initialize':
        this.#identity = answer.identity;
        this.#identityProtocol = this.#wantedProtocol;
        this.#mustRenew = false;
        this.#becomeReady();
        return;
      case 'add-partitions':
        this.#started = 'yes';
        for (const { topic, partition } of request.partitions) {
          const key = topicPartitionKey(topic, partition);
          this.#toAdd.delete(key);
          this.#added.add(key);
        }
        this.#effects.push({ kind: 'wake' });
        this.#addPartitions();
        break;
      case 'add-offsets':
        this.#started = 'yes';
        this.#groups.add(request.groupId);
        for (const entry of this.#requests.values()) {
          if (isOffsetsOf(entry.request, request.groupId) && !entry.isInFlight) this.#send(entry);
        }
        break;
      case 'commit-offsets':
        this.#started = 'yes';
        this.#effects.push({ kind: 'offsets-settled', id, error: undefined });
        break;
      case 'end':
        if (answer.identity !== undefined) this.#identity = answer.identity;
        return this.#handleEnded(request.committed);
      default:
        request satisfies never;
    }
    this.#end(nowMs);
  }

  /** The pause before the next try; while the transaction is aborted, nothing but its end is tried again. */
  #again(entry: Outstanding, error: KafkaError, verdict: 'retry' | 'soon' | 'elsewhere', nowMs: number): void {
    entry.lastError = error;
    if (verdict === 'elsewhere') this.#effects.push({ kind: 'forget-coordinator', request: entry.request });
    if (this.#isGivenUp(entry.request)) {
      this.#drop(entry);
      return this.#end(nowMs);
    }
    const pauseMs = this.#options.backoffMs(++entry.failures);
    entry.retryAtMs = nowMs + (verdict === 'soon' ? Math.min(pauseMs, soonMs * entry.failures) : pauseMs);
  }

  #handleRefusal(entry: Outstanding, error: KafkaError, verdict: Refusal, nowMs: number): void {
    const { id, request } = entry;
    this.#requests.delete(id);
    if (request.kind === 'commit-offsets') this.#effects.push({ kind: 'offsets-settled', id, error });
    const isAbort = request.kind === 'end' && !request.committed;
    // Nothing was open after all: it was only not certain.
    if (isAbort && error.code === 'INVALID_TXN_STATE' && this.#started === 'maybe') {
      this.#mustRenew = true;
      return this.#handleEnded(false);
    }
    if (verdict === 'renew') {
      this.#isForgotten = true;
      this.#mustRenew = true;
      if (isAbort) return this.#handleEnded(false);
    }
    if (verdict === 'fatal' || verdict === 'fenced' || isAbort) return this.#fail(error);
    if (request.kind === 'end') return this.#startAbort(error, nowMs);
    this.#abortable(error, nowMs);
    this.#end(nowMs);
  }

  #handlePartitionsRefused(answer: CoordinatorAnswer, doing: string): void {
    for (const { topic, partition, errorCode } of answer.partitions ?? []) {
      const isAtFault = errorCode !== 0 && errorCode !== brokerErrorCodes.OPERATION_NOT_ATTEMPTED;
      if (isAtFault) this.#refused.set(topicPartitionKey(topic, partition), brokerError(errorCode, doing));
    }
  }

  /** The time of a request is over. */
  #handleLate(entry: Outstanding, nowMs: number): void {
    const { request, lastError } = entry;
    const why =
      lastError === undefined ? 'the coordinator has not answered' : `the last error was: ${lastError.message}`;
    const state = `not done within ${this.#options.timeoutMs} ms; ${why}`;
    const details = { code: 'OPERATION_TIMEOUT', retriable: true, cause: lastError } as const;
    entry.deadlineMs = Infinity;
    if (request.kind === 'end') {
      const advice = request.committed ? '; it may be committed all the same, and is still worked at' : '';
      const message = `${this.#doing(request)}: ${state}${advice}`;
      this.#effects.push({ kind: 'late', error: new TimeoutError(message, details) });
      return;
    }
    const error = new TimeoutError(`${this.#doing(request)}: ${state}`, details);
    this.#effects.push({ kind: 'offsets-settled', id: entry.id, error });
    if (!entry.isInFlight) this.#requests.delete(entry.id);
    this.#abortable(error, nowMs);
  }

  #abortable(error: KafkaError, nowMs: number): void {
    const { name } = this.#state;
    if (name === 'committing') this.#startAbort(error, nowMs);
    else if (name === 'in-transaction') {
      this.#state = { name: 'abortable-error', error };
      this.#effects.push({ kind: 'give-up-unsent' });
    }
  }

  #startAbort(cause: KafkaError | undefined, nowMs: number): void {
    this.#state = { name: 'aborting', drained: false, cause };
    for (const entry of [...this.#requests.values()]) {
      if (!entry.isInFlight) this.#drop(entry);
      else if (this.#isGivenUp(entry.request)) this.#effects.push({ kind: 'give-up', id: entry.id });
    }
    this.#effects.push({ kind: 'give-up-unsent' });
    this.#end(nowMs);
  }

  /** Asks for the end, once nothing of the transaction is under way. */
  #end(nowMs: number): void {
    const state = this.#state;
    const committed = state.name === 'committing' && state.flushed;
    const aborted = state.name === 'aborting' && state.drained;
    if ((!committed && !aborted) || this.#requests.size > 0) return;
    const identity = this.#identity;
    if (this.#started === 'no' || this.#isForgotten || identity === undefined) return this.#handleEnded(committed);
    const request = { kind: 'end', identity, protocol: this.#protocol, committed } as const;
    this.#send(this.#enqueue(request, nowMs + this.#options.timeoutMs));
  }

  #handleEnded(committed: boolean): void {
    const state = this.#state;
    const cause = state.name === 'aborting' ? state.cause : undefined;
    const why = cause?.message ?? '';
    const error = cause === undefined ? undefined : this.#aborted(`${why}; it was aborted`, cause);
    this.#effects.push({ kind: 'ended', committed, error });
    if (this.#mustRenew) this.#initialize();
    else this.#becomeReady();
  }

  #becomeReady(): void {
    this.#state = { name: 'ready' };
    if (!this.#isWanted) return;
    // The cluster has changed its mind meanwhile.
    if (this.#identityProtocol !== this.#wantedProtocol) this.#initialize();
    else this.#effects.push({ kind: 'ready' });
  }

  #initialize(): void {
    this.#state = { name: 'initializing' };
    this.#send(this.#enqueue({ kind: 'initialize', identity: this.#identity }, Infinity));
  }

  /** One request at a time; what comes meanwhile goes with the next one. */
  #addPartitions(): void {
    const identity = this.#identity;
    if (this.#toAdd.size === 0 || identity === undefined) return;
    for (const { request } of this.#requests.values()) if (request.kind === 'add-partitions') return;
    const entry = this.#enqueue({ kind: 'add-partitions', identity, partitions: [] }, Infinity);
    this.#send(entry);
  }

  #addGroup(groupId: string, identity: ProducerIdentity): void {
    for (const { request } of this.#requests.values()) {
      if (request.kind === 'add-offsets' && request.groupId === groupId) return;
    }
    this.#send(this.#enqueue({ kind: 'add-offsets', identity, groupId }, Infinity));
  }

  #enqueue(request: CoordinatorRequest, deadlineMs: number): Outstanding {
    const id = this.#nextId++;
    const entry = { id, request, deadlineMs, isInFlight: false, failures: 0, retryAtMs: 0, lastError: undefined };
    this.#requests.set(id, entry);
    return entry;
  }

  #send(entry: Outstanding): void {
    entry.isInFlight = true;
    this.#effects.push({ kind: 'send', id: entry.id });
  }

  #isGivenUp({ kind }: CoordinatorRequest): boolean {
    return this.#state.name === 'aborting' && kind !== 'end' && kind !== 'initialize';
  }

  #drop({ id, request }: Outstanding): void {
    this.#requests.delete(id);
    if (request.kind !== 'commit-offsets') return;
    const error = this.#aborted('the transaction was aborted before they were taken in', undefined);
    this.#effects.push({ kind: 'offsets-settled', id, error });
  }

  #fail(error: KafkaError): void {
    if (this.#state.name === 'fatal-error') return;
    this.#state = { name: 'fatal-error', error };
    for (const { id, request } of this.#requests.values()) {
      if (request.kind === 'commit-offsets') this.#effects.push({ kind: 'offsets-settled', id, error });
    }
    this.#requests.clear();
    this.#effects.push({ kind: 'failed', error });
  }

  #aborted(why: string, cause: KafkaError | undefined): KafkaError {
    const doing = `Cannot commit the transaction of ${quote(this.#options.transactionalId)}`;
    const details = { code: 'TRANSACTION_ABORTED', retriable: cause?.retriable ?? false, cause } as const;
    return new KafkaError(`${doing}: ${why}`, details);
  }

  #doing(request: CoordinatorRequest): string {
    const whose = `of ${quote(this.#options.transactionalId)}`;
    switch (request.kind) {
      case 'initialize':
        return `Cannot get a producer id for transactional id ${quote(this.#options.transactionalId)}`;
      case 'add-partitions':
        return `Cannot add partitions to the transaction ${whose}`;
      case 'add-offsets':
        return `Cannot add group ${quote(request.groupId)} to the transaction ${whose}`;
      case 'commit-offsets':
        return `Cannot take offsets of group ${quote(request.group.groupId)} into the transaction ${whose}`;
      case 'end':
        return `Cannot ${request.committed ? 'commit' : 'abort'} the transaction ${whose}`;
      default:
        return request satisfies never;
    }
  }
}

function isOffsetsOf(request: CoordinatorRequest, groupId: string): boolean {
  return request.kind === 'commit-offsets' && request.group.groupId === groupId;
}

function fenced(doing: string): KafkaError {
  const why =
    'another producer has taken over the transactional id, or the transaction took longer than transactionTimeoutMs';
  return brokerError(brokerErrorCodes.PRODUCER_FENCED, doing, why);
}
