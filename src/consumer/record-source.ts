import { asError } from '../errors/thrown.ts';
import type { RecordDeserializers } from './consumer-record.ts';
import type { ResolvedConsumerOptions } from './options.ts';
import type { PartitionState } from './partition-state.ts';
import { LazyRecords } from './record-list.ts';
import { isEager, prepareRecords, type PreparedRecords } from './record-values.ts';

/** What the source of records needs of its consumer. */
export interface RecordSourceParts {
  readonly options: ResolvedConsumerOptions;
  readonly deserializers: RecordDeserializers;
  readonly partitions: () => readonly PartitionState[];
  /** What a partition had fetched is used up. */
  readonly onDrained: (state: PartitionState) => void;
  /** A partition for which it took a moment has something now. */
  readonly onReady: () => void;
  /** The next batch of the partition cannot be read; it should be fetched again. */
  readonly onCorrupt: (state: PartitionState, error: Error) => void;
}

/** So often a batch is fetched again because it is corrupt before the read is told. */
const CORRUPTIONS_TOLERATED = 2;

/** So many partitions share what may be in the hands of slow deserializers, so that one of them does not stop the others. */
const PREPARING_AT_ONCE = 8;

/** So many batches are decompressed before they are due where one partition alone has records: as many as Node's thread pool has threads. */
const DECOMPRESSED_AHEAD = 4;

/** Makes records of the fetched bytes, a limited number at a time, from one partition after the other. */
export class RecordSource {
  readonly #parts: RecordSourceParts;
  readonly #isEager: boolean;
  /** Whether deserializers, or a policy, have answered with promises. */
  #isSlow = false;
  /** How many records are in their hands. */
  #preparing = 0;
  /** Where the round of partitions goes on. */
  #next = 0;
  /** The partition that was read last. */
  #last: PartitionState | undefined;

  constructor(parts: RecordSourceParts) {
    this.#parts = parts;
    this.#isEager = isEager(parts.options);
  }

  /**
   * A partition with records ready to be handed out: the one after that of the last call, so that each gets its turn. Undefined
   * if there is none; then `onReady` says when to ask again, if some partition just takes a moment.
   *
   * @param isTaken partitions to pass over this time; they are fetched all the same
   * @throws what a partition's read ends with
   */
  next(
    wants: (state: PartitionState) => boolean,
    isTaken?: (state: PartitionState) => boolean,
  ): PartitionState | undefined {
    const partitions = this.#parts.partitions();
    for (let tried = 0; tried < partitions.length; tried++) {
      const index = (this.#next + tried) % partitions.length;
      const state = partitions[index];
      if (state === undefined || state.paused || isTaken?.(state) === true || !this.#isWanted(state, wants)) continue;
      if (!this.#makeReady(state)) continue;
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

  #makeReady(state: PartitionState): boolean {
    if (state.hasReady) return true;
    this.#throwFailure(state);
    while (state.buffered.length > 0 && !state.isPreparing) {
      const fetched = state.buffered[0];
      if (fetched === undefined) break;
      const limit = this.#roomToPrepare();
      if (limit === 0) break;
      const records = new LazyRecords();
      let outcome: 'more' | 'end' | Promise<void>;
      try {
        outcome = fetched.read(records, limit, !this.#isEager);
      } catch (error) {
        if (records.length === 0) {
          this.#handleCorruption(state, fetched.nextOffset, error as Error);
          return false;
        }
        outcome = 'more';
      }
      if (records.length > 0) {
        state.corruptions = 0;
        this.#decompressAhead(state);
        if (this.#parts.options.autoCommit === 'marked') state.trackMarks();
        if (this.#setReady(state, records)) return true;
      } else if (outcome === 'end') {
        state.skipTo(fetched.nextOffset);
        state.buffered.shift();
        state.bufferedBytes -= fetched.bytes;
        this.#parts.onDrained(state);
      } else if (outcome !== 'more') {
        this.#prepare(state, 0, outcome);
      }
    }
    return false;
  }

  /**
   * The thread pool works on what comes next while the user works on this. Where partitions take turns it does anyway: one is decompressed
   * while another is read.
   */
  #decompressAhead(state: PartitionState): void {
    const isAlone = state === this.#last;
    this.#last = state;
    let room = isAlone ? DECOMPRESSED_AHEAD : 0;
    for (const fetched of state.buffered) {
      if (room <= 0) return;
      room -= fetched.decompressAhead(room);
    }
  }

  /** How many records may be made now: all those whose deserializers are at work together are at most `maxPollRecords`. */
  #roomToPrepare(): number {
    const { maxPollRecords } = this.#parts.options;
    if (!this.#isSlow) return maxPollRecords;
    const share = Math.ceil(maxPollRecords / Math.min(PREPARING_AT_ONCE, this.#parts.partitions().length));
    return Math.min(share, maxPollRecords - this.#preparing);
  }

  /** False if there is nothing to hand out yet. */
  #setReady(state: PartitionState, records: LazyRecords): boolean {
    if (!this.#isEager) {
      state.ready = records;
      state.readyIndex = 0;
      return true;
    }
    const prepared = prepareRecords(records.toArray(), this.#parts.options.onDeserializationError);
    if (!(prepared instanceof Promise)) {
      takePrepared(state, prepared);
      // All may have been skipped.
      if (!state.hasReady) this.#throwFailure(state);
      return state.hasReady;
    }
    this.#isSlow = true;
    this.#prepare(state, records.length, prepared);
    return false;
  }

  /** The partition has to wait for this; the others do not. */
  #prepare(state: PartitionState, count: number, work: Promise<PreparedRecords | void>): void {
    const round = state.fetchRound;
    state.isPreparing = true;
    this.#preparing += count;
    const finish = (settle: () => unknown): void => {
      this.#preparing -= count;
      // The user may have moved the position meanwhile, or the group taken the partition away.
      if (state.fetchRound === round && !state.term.ended) {
        state.isPreparing = false;
        settle();
      }
      this.#parts.onReady();
    };
    work.then(
      (prepared) => finish(() => prepared === undefined || takePrepared(state, prepared)),
      (error: unknown) => finish(() => (state.failure = asError(error))),
    );
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

function takePrepared(state: PartitionState, { records, failure }: PreparedRecords): void {
  state.ready = records;
  state.readyIndex = 0;
  state.failure = failure;
}
