import type { ConsumerRecord, RecordDeserializers } from './consumer-record.ts';
import type { ResolvedConsumerOptions } from './options.ts';
import type { PartitionState } from './partition-state.ts';
import { isEager, prepareRecords, type PreparedRecords } from './record-values.ts';

/** What the source of records needs of its consumer. */
export interface RecordSourceParts {
  readonly options: ResolvedConsumerOptions;
  readonly deserializers: RecordDeserializers;
  readonly partitions: () => readonly PartitionState[];
  /** What a partition had fetched is used up. */
  readonly onDrained: (state: PartitionState) => void;
  /** The next batch of the partition cannot be read; it should be fetched again. */
  readonly onCorrupt: (state: PartitionState, error: Error) => void;
}

/** So often a batch is fetched again because it is corrupt before the read is told. */
const CORRUPTIONS_TOLERATED = 2;

/** Makes records of the fetched bytes, a limited number at a time, from one partition after the other. */
export class RecordSource {
  readonly #parts: RecordSourceParts;
  readonly #isEager: boolean;
  /** Where the round of partitions goes on. */
  #next = 0;

  constructor(parts: RecordSourceParts) {
    this.#parts = parts;
    this.#isEager = isEager(parts.options);
  }

  /**
   * A partition with records ready to be handed out: the one after that of the last call, so that each gets its turn. Undefined
   * if there is none; a promise if it takes a moment, after which to ask again.
   *
   * @throws what a partition's read ends with
   */
  next(wants: (state: PartitionState) => boolean): PartitionState | undefined | Promise<void> {
    const partitions = this.#parts.partitions();
    for (let tried = 0; tried < partitions.length; tried++) {
      const index = (this.#next + tried) % partitions.length;
      const state = partitions[index];
      if (state === undefined || state.paused || !this.#isWanted(state, wants)) continue;
      const isReady = this.#makeReady(state);
      if (isReady === false) continue;
      if (isReady !== true) return isReady;
      this.#next = index + 1;
      return state;
    }
    return undefined;
  }

  /** What the reader has done with does not count as readable: else its bytes would stop the fetches of the others for good. */
  #isWanted(state: PartitionState, wants: (state: PartitionState) => boolean): boolean {
    const isWanted = wants(state);
    if (state.unwanted === isWanted) {
      state.unwanted = !isWanted;
      this.#parts.onDrained(state);
    }
    return isWanted;
  }

  #makeReady(state: PartitionState): boolean | Promise<void> {
    if (state.hasReady) return true;
    this.#throwFailure(state);
    while (state.buffered.length > 0) {
      const fetched = state.buffered[0];
      if (fetched === undefined) break;
      const records: ConsumerRecord<unknown, unknown>[] = [];
      let outcome: 'more' | 'end' | Promise<void>;
      try {
        outcome = fetched.read(records, this.#parts.options.maxPollRecords);
      } catch (error) {
        if (records.length === 0) {
          this.#handleCorruption(state, fetched.nextOffset, error as Error);
          return false;
        }
        outcome = 'more';
      }
      if (records.length > 0) {
        state.corruptions = 0;
        return this.#setReady(state, records);
      }
      if (outcome === 'end') {
        state.skipTo(fetched.nextOffset);
        state.buffered.shift();
        state.bufferedBytes -= fetched.bytes;
        this.#parts.onDrained(state);
      } else if (outcome !== 'more') {
        return outcome;
      }
    }
    return false;
  }

  #setReady(state: PartitionState, records: ConsumerRecord<unknown, unknown>[]): boolean | Promise<void> {
    if (!this.#isEager) {
      state.ready = records;
      state.readyIndex = 0;
      return true;
    }
    const round = state.fetchRound;
    const prepared = prepareRecords(records, this.#parts.options.onDeserializationError);
    if (!(prepared instanceof Promise)) return this.#takePrepared(state, prepared);
    return prepared.then(async (done) => {
      // The user may have moved the position while the deserializers were at work.
      if (state.fetchRound === round && !state.term.ended) await this.#takePrepared(state, done);
    });
  }

  #takePrepared(state: PartitionState, { records, failure }: PreparedRecords): boolean | Promise<void> {
    state.ready = records;
    state.readyIndex = 0;
    state.failure = failure;
    return records.length > 0 || failure !== undefined || state.buffered.length > 0 ? this.#makeReady(state) : false;
  }

  #throwFailure(state: PartitionState): void {
    const { failure } = state;
    if (failure === undefined) return;
    // The next read tries again from here, unless the user seeks past it; where only a seek helps, it fails again.
    if (state.start?.kind !== 'seek') state.refetch();
    throw failure;
  }

  #handleCorruption(state: PartitionState, offset: bigint, error: Error): void {
    state.skipTo(offset);
    state.corruptions++;
    const isTold = state.corruptions > CORRUPTIONS_TOLERATED;
    this.#parts.onCorrupt(state, error);
    if (!isTold) return;
    state.corruptions = 0;
    state.failure = error;
  }
}
