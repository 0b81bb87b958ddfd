import type { BrokerErrorName } from '../../../src/errors/broker-error-codes.ts';

/** A batch as it travels: what the machine stamped at the time, not what it may stamp later. */
export interface TravellingBatch {
  readonly id: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

interface ProducerState {
  epoch: number;
  lastSequence: number;
  recent: { first: number; last: number }[];
}

/** What one partition of a broker does with the batches of idempotent producers. */
export class PartitionLog {
  readonly ids: number[] = [];
  readonly #producers = new Map<bigint, ProducerState>();

  append(batch: TravellingBatch): BrokerErrorName {
    if (batch.baseSequence < 0) {
      this.ids.push(batch.id);
      return 'NONE';
    }
    const state = this.#producers.get(batch.producerId);
    const first = batch.baseSequence;
    const last = sequenceAfter(first, batch.recordCount - 1);
    if (state !== undefined) {
      if (batch.producerEpoch < state.epoch) return 'INVALID_PRODUCER_EPOCH';
      if (batch.producerEpoch > state.epoch) {
        if (first !== 0) return 'OUT_OF_ORDER_SEQUENCE_NUMBER';
      } else {
        if (state.recent.some((seen) => seen.first === first && seen.last === last)) return 'NONE';
        if (first !== sequenceAfter(state.lastSequence, 1)) return 'OUT_OF_ORDER_SEQUENCE_NUMBER';
      }
    }
    const recent = state?.epoch === batch.producerEpoch ? state.recent : [];
    this.#producers.set(batch.producerId, {
      epoch: batch.producerEpoch,
      lastSequence: last,
      recent: [...recent, { first, last }].slice(-5),
    });
    this.ids.push(batch.id);
    return 'NONE';
  }

  /** As when retention or an unclean election removed what was known of the producers. */
  forgetProducers(): void {
    this.#producers.clear();
  }
}

function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31;
}
