import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { TransactionPartitions, type TransactionPartition } from './transaction-partitions.ts';

/** Kafka's names of what a transaction may be in. */
export const transactionStates = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
] as const;

/** One of Kafka's names of what a transaction may be in. */
export type TransactionStateName = (typeof transactionStates)[number];

/** Who a producer says that it is. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** The rules of an end: 2 raises the epoch each time (the second part of KIP-890), the older do not. */
export type TransactionRules = 1 | 2;

/** What InitProducerId asks for. */
export interface InitRequest {
  readonly timeoutMs: number;
  /** Who the producer has been until now (KIP-360); undefined if it has just begun. */
  readonly expected: ProducerIdentity | undefined;
  /** The rules by which the transaction is aborted that the producer before has left open. */
  readonly fencingRules: TransactionRules;
}

/** The answer to InitProducerId and EndTxn. */
export interface IdentityAnswer extends ProducerIdentity {
  readonly errorCode: number;
}

/** What EndTxn asks for. */
export interface EndRequest extends ProducerIdentity {
  readonly committed: boolean;
  readonly rules: TransactionRules;
}

/** The markers that are still to be written; the producer is the one that the marker names. */
export interface PendingEnd extends ProducerIdentity {
  readonly committed: boolean;
  readonly partitions: readonly TransactionPartition[];
}

/** All that is known of one transactional id, as JSON: for the data folder. */
export interface TransactionSnapshot {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly previousProducerId: string;
  readonly nextProducerId: string;
  readonly producerEpoch: number;
  readonly lastProducerEpoch: number;
  readonly timeoutMs: number;
  readonly state: TransactionStateName;
  readonly partitions: readonly TransactionPartition[];
  readonly startMs: number;
  readonly updateMs: number;
}

const NONE = -1n;
const MAX_EPOCH = 0x7fff;
/** No producer gets the last epoch: it is kept for fencing it. */
const EXHAUSTED_EPOCH = MAX_EPOCH - 1;

const refused = (errorCode: number): IdentityAnswer => ({ errorCode, producerId: NONE, producerEpoch: -1 });

/**
 * One transactional id at its coordinator: who may write under it, and where its transaction stands. All decisions are here;
 * it knows no log, no timer and no socket.
 *
 * `nowMs` is the brokers' wall clock; `newId` is called when the epochs of a producer id are used up.
 */
export class TransactionMachine {
  readonly transactionalId: string;
  #producerId: bigint;
  /** Before the last change: a request that is repeated may still name it. */
  #previousProducerId = NONE;
  /** Takes over when the transaction that is ending is complete. */
  #nextProducerId = NONE;
  #producerEpoch = -1;
  #lastProducerEpoch = -1;
  #timeoutMs = 0;
  #state: TransactionStateName = 'Empty';
  #partitions = new TransactionPartitions();
  #startMs = -1;
  #updateMs: number;

  constructor(transactionalId: string, producerId: bigint, nowMs: number) {
    this.transactionalId = transactionalId;
    this.#producerId = producerId;
    this.#updateMs = nowMs;
  }

  get state(): TransactionStateName {
    return this.#state;
  }

  get producerId(): bigint {
    return this.#producerId;
  }

  get producerEpoch(): number {
    return this.#producerEpoch;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** When the transaction began; -1 before the first. */
  get startMs(): number {
    return this.#startMs;
  }

  /** When anything last happened to it. */
  get updateMs(): number {
    return this.#updateMs;
  }

  get partitions(): TransactionPartitions {
    return this.#partitions;
  }

  /** When the open transaction has taken too long. */
  nextDeadlineMs(): number | undefined {
    return this.#state === 'Ongoing' ? this.#startMs + this.#timeoutMs : undefined;
  }

  /** A producer begins, or goes on after an error. An open transaction is aborted first, and the producer has to come again. */
  init(request: InitRequest, nowMs: number, newId: () => bigint): IdentityAnswer {
    const { expected, timeoutMs } = request;
    if (expected !== undefined && !this.#mayContinue(expected)) return refused(brokerErrorCodes.PRODUCER_FENCED);
    if (this.#isEnding()) return refused(brokerErrorCodes.CONCURRENT_TRANSACTIONS);
    if (this.#state === 'Ongoing') {
      this.fence(request.fencingRules, nowMs, newId);
      return refused(brokerErrorCodes.CONCURRENT_TRANSACTIONS);
    }
    const epochBefore = this.#producerEpoch;
    if (this.#isExhausted() && (expected === undefined || expected.producerEpoch === epochBefore)) {
      this.#become(newId(), 0, expected === undefined ? -1 : epochBefore);
    } else if (expected === undefined) {
      this.#become(this.#producerId, epochBefore + 1, -1);
    } else if (epochBefore === -1 || expected.producerEpoch === epochBefore) {
      this.#become(this.#producerId, epochBefore + 1, epochBefore);
    } else if (expected.producerEpoch === this.#lastProducerEpoch) {
      // The answer to a request that was served got lost: the same answer again.
      this.#become(this.#producerId, epochBefore, this.#lastProducerEpoch);
    } else {
      return refused(brokerErrorCodes.PRODUCER_FENCED);
    }
    this.#timeoutMs = timeoutMs;
    this.#partitions.clear();
    this.#startMs = -1;
    this.#move('Empty', nowMs);
    return this.#identified();
  }

  /** Partitions are about to be written to; the first begins the transaction. Answers an error code. */
  add(producer: ProducerIdentity, partitions: readonly TransactionPartition[], nowMs: number): number {
    const errorCode = this.#check(producer);
    if (errorCode !== 0) return errorCode;
    if (this.#state === 'Ongoing' && partitions.every((each) => this.#partitions.has(each))) return 0;
    if (this.#state !== 'Ongoing') this.#startMs = nowMs;
    for (const each of partitions) this.#partitions.add(each);
    this.#become(this.#producerId, this.#producerEpoch, this.#lastProducerEpoch);
    this.#move('Ongoing', nowMs);
    return 0;
  }

  /** Whether a write to this partition belongs to the open transaction (the first part of KIP-890). Answers an error code. */
  verify(producer: ProducerIdentity, partition: TransactionPartition): number {
    const errorCode = this.#check(producer);
    if (errorCode !== 0) return errorCode;
    return this.#partitions.has(partition) ? 0 : brokerErrorCodes.TRANSACTION_ABORTABLE;
  }

  /** The producer ends its transaction. With success, {@link TransactionMachine.pendingEnd} holds what is to be written. */
  end(request: EndRequest, nowMs: number, newId: () => bigint): IdentityAnswer {
    return request.rules === 2 ? this.#endRaisingEpoch(request, nowMs, newId) : this.#endKeepingEpoch(request, nowMs);
  }

  /** Shuts out the producer and aborts its open transaction: another has taken over, or it took too long. */
  fence(rules: TransactionRules, nowMs: number, newId: () => bigint): void {
    if (this.#state !== 'Ongoing') return;
    if (rules === 2) {
      this.#prepare(false, nowMs, newId);
      return;
    }
    this.#become(this.#producerId, Math.min(this.#producerEpoch + 1, MAX_EPOCH), -1);
    this.#move('PrepareAbort', nowMs);
  }

  /** What remains to be written of an end that was decided. */
  pendingEnd(): PendingEnd | undefined {
    if (!this.#isEnding()) return undefined;
    const partitions = this.#partitions.all();
    return { committed: this.#state === 'PrepareCommit', partitions, ...this.#identity() };
  }

  /** The marker of a partition was written, or the partition is gone. */
  handleMarked(partition: TransactionPartition): void {
    this.#partitions.delete(partition);
  }

  /** All markers are written. */
  handleCompleted(nowMs: number): void {
    if (!this.#isEnding() || this.#partitions.size > 0) return;
    const committed = this.#state === 'PrepareCommit';
    if (this.#nextProducerId === NONE) this.#become(this.#producerId, this.#producerEpoch, this.#lastProducerEpoch);
    else this.#become(this.#nextProducerId, 0, this.#lastProducerEpoch);
    this.#nextProducerId = NONE;
    this.#move(committed ? 'CompleteCommit' : 'CompleteAbort', nowMs);
  }

  snapshot(): TransactionSnapshot {
    return {
      transactionalId: this.transactionalId,
      producerId: String(this.#producerId),
      previousProducerId: String(this.#previousProducerId),
      nextProducerId: String(this.#nextProducerId),
      producerEpoch: this.#producerEpoch,
      lastProducerEpoch: this.#lastProducerEpoch,
      timeoutMs: this.#timeoutMs,
      state: this.#state,
      partitions: this.#partitions.all(),
      startMs: this.#startMs,
      updateMs: this.#updateMs,
    };
  }

  static restore(snapshot: TransactionSnapshot): TransactionMachine {
    const machine = new TransactionMachine(snapshot.transactionalId, BigInt(snapshot.producerId), snapshot.updateMs);
    machine.#previousProducerId = BigInt(snapshot.previousProducerId);
    machine.#nextProducerId = BigInt(snapshot.nextProducerId);
    machine.#producerEpoch = snapshot.producerEpoch;
    machine.#lastProducerEpoch = snapshot.lastProducerEpoch;
    machine.#timeoutMs = snapshot.timeoutMs;
    machine.#state = snapshot.state;
    machine.#partitions = new TransactionPartitions(snapshot.partitions);
    machine.#startMs = snapshot.startMs;
    return machine;
  }

  /** Before KIP-890's second part: the same end again is answered as the first time. */
  #endKeepingEpoch({ committed, ...producer }: EndRequest, nowMs: number): IdentityAnswer {
    if (producer.producerId !== this.#producerId) return refused(brokerErrorCodes.INVALID_PRODUCER_ID_MAPPING);
    if (producer.producerEpoch !== this.#producerEpoch) return refused(brokerErrorCodes.PRODUCER_FENCED);
    if (this.#state === 'Ongoing') {
      this.#become(this.#producerId, this.#producerEpoch, this.#lastProducerEpoch);
      this.#move(committed ? 'PrepareCommit' : 'PrepareAbort', nowMs);
      return this.#identified();
    }
    if (this.#state === 'Empty' || !this.#hasBeenDecided(committed)) return refused(brokerErrorCodes.INVALID_TXN_STATE);
    return this.#isEnding() ? refused(brokerErrorCodes.CONCURRENT_TRANSACTIONS) : this.#identified();
  }

  /** KIP-890, second part: a repeated end shows by its epoch, and there may be nothing to abort. */
  #endRaisingEpoch(request: EndRequest, nowMs: number, newId: () => bigint): IdentityAnswer {
    const { committed } = request;
    const isRetry = this.#isRetryOf(request);
    const outlivedItsId = isRetry && request.producerId !== this.#producerId;
    if (request.producerId !== this.#producerId && !outlivedItsId)
      return refused(brokerErrorCodes.INVALID_PRODUCER_ID_MAPPING);
    const isCurrent = request.producerEpoch === this.#producerEpoch;
    const isOpen = this.#state === 'Ongoing' || this.#state === 'Empty';
    const mayAsk = isOpen ? isCurrent : this.#isEnding() ? isRetry : isRetry || isCurrent;
    if (!mayAsk) return refused(brokerErrorCodes.PRODUCER_FENCED);
    if (isRetry && !isOpen) {
      if (!this.#hasBeenDecided(committed)) return refused(brokerErrorCodes.INVALID_TXN_STATE);
      return this.#isEnding() ? refused(brokerErrorCodes.CONCURRENT_TRANSACTIONS) : this.#identified();
    }
    if (this.#state !== 'Ongoing') {
      if (committed) return refused(brokerErrorCodes.INVALID_TXN_STATE);
      this.#startMs = nowMs;
    }
    this.#prepare(committed, nowMs, newId);
    return this.#nextProducerId === NONE
      ? this.#identified()
      : { errorCode: 0, producerId: this.#nextProducerId, producerEpoch: 0 };
  }

  /** Decides the end with an epoch that is one higher, under which the markers are written too. */
  #prepare(committed: boolean, nowMs: number, newId: () => bigint): void {
    if (this.#isExhausted()) this.#nextProducerId = newId();
    const raised = Math.min(this.#producerEpoch + 1, MAX_EPOCH);
    this.#become(this.#producerId, raised, this.#producerEpoch);
    this.#move(committed ? 'PrepareCommit' : 'PrepareAbort', nowMs);
  }

  #check({ producerId, producerEpoch }: ProducerIdentity): number {
    if (producerId !== this.#producerId) return brokerErrorCodes.INVALID_PRODUCER_ID_MAPPING;
    if (producerEpoch !== this.#producerEpoch) return brokerErrorCodes.PRODUCER_FENCED;
    return this.#isEnding() ? brokerErrorCodes.CONCURRENT_TRANSACTIONS : 0;
  }

  #mayContinue({ producerId, producerEpoch }: ProducerIdentity): boolean {
    if (this.#producerEpoch === -1 || producerId === this.#producerId) return true;
    return producerId === this.#previousProducerId && producerEpoch >= EXHAUSTED_EPOCH;
  }

  #isRetryOf({ producerId, producerEpoch }: ProducerIdentity): boolean {
    if (producerId === this.#producerId) return this.#producerEpoch === producerEpoch + 1;
    return producerId === this.#previousProducerId && producerEpoch === EXHAUSTED_EPOCH && this.#producerEpoch === 0;
  }

  #hasBeenDecided(committed: boolean): boolean {
    return this.#state.endsWith(committed ? 'Commit' : 'Abort');
  }

  #isEnding(): boolean {
    return this.#state === 'PrepareCommit' || this.#state === 'PrepareAbort';
  }

  #isExhausted(): boolean {
    return this.#producerEpoch >= EXHAUSTED_EPOCH;
  }

  #become(producerId: bigint, producerEpoch: number, lastProducerEpoch: number): void {
    this.#previousProducerId = this.#producerId;
    this.#producerId = producerId;
    this.#producerEpoch = producerEpoch;
    this.#lastProducerEpoch = lastProducerEpoch;
  }

  #move(state: TransactionStateName, nowMs: number): void {
    this.#state = state;
    this.#updateMs = nowMs;
  }

  #identity(): ProducerIdentity {
    return { producerId: this.#producerId, producerEpoch: this.#producerEpoch };
  }

  #identified(): IdentityAnswer {
    return { errorCode: 0, ...this.#identity() };
  }
}
