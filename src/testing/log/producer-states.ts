import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';

/** What a batch says of its producer. */
export interface ProducedBatch {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly isTransactional: boolean;
}

/** A batch of a producer that was appended. */
export interface RememberedBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly timestampMs: number;
}

/** What a partition knows of one producer. */
export interface ProducerState {
  readonly producerId: bigint;
  producerEpoch: number;
  /** The last five, oldest first. */
  readonly batches: RememberedBatch[];
  /** Of the transaction coordinator that wrote the last marker; -1 before the first. */
  coordinatorEpoch: number;
  /** On the brokers' wall clock: when it last wrote; it is forgotten some time later. */
  lastTimestampMs: number;
  /** Where its transaction began in this partition; undefined while none is open. */
  transactionStart: bigint | undefined;
}

/** What becomes of a batch by the rules of its producer. */
export type SequenceVerdict =
  | { readonly kind: 'append' }
  | { readonly kind: 'duplicate'; readonly of: RememberedBatch }
  | { readonly kind: 'refuse'; readonly errorCode: number; readonly message: string };

/** As many batches of a producer may be in flight, and are recognized when they come again. */
const REMEMBERED_BATCHES = 5;
const APPEND: SequenceVerdict = { kind: 'append' };

/** The producers that wrote to one partition, with the rules of idempotence: which batch may follow which. */
export class ProducerStates {
  readonly #states = new Map<bigint, ProducerState>();

  all(): readonly ProducerState[] {
    return [...this.#states.values()];
  }

  get(producerId: bigint): ProducerState | undefined {
    return this.#states.get(producerId);
  }

  /** Whether this batch is the next of its producer, one that is there already, or neither. */
  check(batch: ProducedBatch, mustBeginAtZero = false): SequenceVerdict {
    const state = this.#states.get(batch.producerId);
    // What a coordinator writes for a producer (offsets of a transaction) has no sequence; only its epoch counts.
    if (batch.baseSequence < 0 && (state === undefined || batch.producerEpoch >= state.producerEpoch)) return APPEND;
    const hasNone = state === undefined || (state.producerEpoch === batch.producerEpoch && state.batches.length === 0);
    if (hasNone && mustBeginAtZero && batch.baseSequence !== 0) return outOfOrder(batch, 'no batch of it is known');
    if (state === undefined) return APPEND;
    const duplicate = findDuplicate(state, batch);
    if (duplicate !== undefined) return { kind: 'duplicate', of: duplicate };
    if (batch.producerEpoch < state.producerEpoch)
      return refuse(
        brokerErrorCodes.INVALID_PRODUCER_EPOCH,
        `Epoch ${batch.producerEpoch} of producer ${batch.producerId} is older than ${state.producerEpoch}`,
      );
    const last = state.batches.at(-1)?.lastSequence;
    if (batch.producerEpoch > state.producerEpoch) {
      if (batch.baseSequence === 0) return APPEND;
      return outOfOrder(batch, 'a new epoch begins with sequence 0');
    }
    if (last !== undefined && batch.baseSequence !== nextSequence(last))
      return outOfOrder(batch, `the last one was ${last}`);
    // After a marker alone nothing says which sequence the epoch was at.
    if (state.transactionStart !== undefined && !batch.isTransactional)
      return refuse(
        brokerErrorCodes.INVALID_TXN_STATE,
        `Producer ${batch.producerId} has an open transaction and wrote outside of it`,
      );
    return APPEND;
  }

  /** Remembers a batch that was appended. */
  appended(batch: ProducedBatch, at: RememberedBatch, nowMs: number): void {
    const state = this.#stateOf(batch.producerId, batch.producerEpoch);
    if (state.producerEpoch !== batch.producerEpoch) {
      state.producerEpoch = batch.producerEpoch;
      state.batches.length = 0;
    }
    state.batches.push(at);
    if (state.batches.length > REMEMBERED_BATCHES) state.batches.shift();
    state.lastTimestampMs = nowMs;
    if (batch.isTransactional) state.transactionStart ??= at.baseOffset;
  }

  /** Remembers a marker that was appended; answers where the transaction began that it ended. */
  marked(producerId: bigint, producerEpoch: number, coordinatorEpoch: number, nowMs: number): bigint | undefined {
    const state = this.#stateOf(producerId, producerEpoch);
    const start = state.transactionStart;
    if (state.producerEpoch !== producerEpoch) {
      state.producerEpoch = producerEpoch;
      state.batches.length = 0;
    }
    state.coordinatorEpoch = coordinatorEpoch;
    state.lastTimestampMs = nowMs;
    state.transactionStart = undefined;
    return start;
  }

  /** Forgets a producer that has not written since, except in a transaction. */
  expire(producerId: bigint, beforeMs: number): void {
    const state = this.#states.get(producerId);
    if (state !== undefined && state.transactionStart === undefined && state.lastTimestampMs < beforeMs)
      this.#states.delete(producerId);
  }

  /** Forgets all producers that have not written since. */
  expireAll(beforeMs: number): void {
    for (const producerId of this.#states.keys()) this.expire(producerId, beforeMs);
  }

  clear(): void {
    this.#states.clear();
  }

  #stateOf(producerId: bigint, producerEpoch: number): ProducerState {
    const known = this.#states.get(producerId);
    if (known !== undefined) return known;
    const state: ProducerState = {
      producerId,
      producerEpoch,
      batches: [],
      coordinatorEpoch: -1,
      lastTimestampMs: -1,
      transactionStart: undefined,
    };
    this.#states.set(producerId, state);
    return state;
  }
}

/** Sequence numbers begin again at 0 after the largest int32. */
export function nextSequence(sequence: number, step = 1): number {
  return sequence > 0x7fff_ffff - step ? sequence - 0x7fff_ffff + step - 1 : sequence + step;
}

function findDuplicate(state: ProducerState, batch: ProducedBatch): RememberedBatch | undefined {
  if (state.producerEpoch !== batch.producerEpoch) return undefined;
  return state.batches.find(
    (known) => known.baseSequence === batch.baseSequence && known.lastSequence === batch.lastSequence,
  );
}

function outOfOrder(batch: ProducedBatch, why: string): SequenceVerdict {
  return refuse(
    brokerErrorCodes.OUT_OF_ORDER_SEQUENCE_NUMBER,
    `Sequence ${batch.baseSequence} of producer ${batch.producerId} does not follow: ${why}`,
  );
}

function refuse(errorCode: number, message: string): SequenceVerdict {
  return { kind: 'refuse', errorCode, message };
}
