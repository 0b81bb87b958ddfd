import { contextOf } from './consumer-record.ts';
import type { FetchedRecords } from './fetch/fetched-records.ts';
import { MarkedRecords } from './marked-records.ts';
import { Place } from './place.ts';
import type { RecordList } from './record-list.ts';

/** The time for which a partition is assigned; records and batches carry it, and it tells them when it is over. */
export interface AssignmentTerm {
  ended: boolean;
}

/** How the first offset to read is found while it is not known. */
export type StartingPoint =
  | { readonly kind: 'committed' }
  /** -2 is the beginning, -1 the end, as ListOffsets has them. */
  | { readonly kind: 'timestamp'; readonly timestamp: bigint }
  /** There is none to be found: the user has to seek. */
  | { readonly kind: 'seek' };

/**
 * One assigned partition for as long as it is assigned: what is next to hand out, what is processed, what is next to fetch.
 *
 * The user's position and the fetch position are two: fetching runs ahead of handing out.
 */
export class PartitionState {
  readonly topic: string;
  readonly partition: number;
  readonly term: AssignmentTerm;
  paused = false;
  /** Whether the reader under way wants nothing more of it. */
  unwanted = false;
  /** Whether a listener is told of it, or handlers finish before one is: nothing of it is handed out meanwhile. */
  held = false;
  /** Whether the partition has left the assignment; of partitions assigned by hand, some may go and others stay. */
  dropped = false;
  /** How to find the first offset; undefined once it is known. */
  start: StartingPoint | undefined;

  /** The next offset to ask a broker for. */
  fetchOffset = -1n;
  /** The epoch of the leader that appended what lies before {@link PartitionState.fetchOffset}; -1 where nothing is known of it. */
  fetchEpoch = -1;
  /** The newest leader epoch of which it is known that its leader's log has what was read. */
  validEpoch = -1;
  /** A replica that the leader has named because it is nearer (KIP-392), and until when to fetch from it. */
  nearReplica: { readonly nodeId: number; readonly untilMs: number } | undefined;
  /** Rises when what is under way for the old position must be thrown away when it arrives. */
  fetchRound = 0;
  /** Failures since the last good answer, and until when to leave the partition alone. */
  failures = 0;
  retryAtMs = 0;
  /** How often the batch at the current position was corrupt. */
  corruptions = 0;
  /** When records came last, as a count of answers: those that waited longest are asked for first. */
  lastServed = 0;
  bufferedBytes = 0;
  readonly buffered: FetchedRecords[] = [];
  highWatermark = -1n;
  lastStableOffset = -1n;
  /** The offset that the group has, as far as this consumer knows. */
  committed: bigint | undefined;

  /** Records that are next to be handed out, from `readyIndex` on. */
  ready: RecordList = [];
  readyIndex = 0;
  /** Whether the next records are being decompressed or deserialized. */
  isPreparing = false;
  /** What the read ends with once `ready` is handed out. */
  failure: Error | undefined;

  readonly #position: Place = new Place();
  #inHand = false;
  /** The position before what is in hand was handed out. */
  readonly #settled: Place = new Place();
  /** Which records count as processed, where that is the caller's to say. */
  #marks: MarkedRecords | undefined;

  constructor(topic: string, partition: number, term: AssignmentTerm, start: StartingPoint | bigint) {
    this.topic = topic;
    this.partition = partition;
    this.term = term;
    if (typeof start === 'bigint') this.startAt(start);
    else this.start = start;
  }

  /** Counts as processed only what is marked so, from the first hand-out on. */
  trackMarks(): void {
    this.#marks ??= new MarkedRecords();
  }

  /** The next offset to hand out; undefined while it is not known. */
  get position(): bigint | undefined {
    return this.#position.offset;
  }

  /** Behind the unbroken run of processed offsets: what may be committed. */
  get processed(): bigint | undefined {
    if (this.#marks !== undefined) return this.#marks.firstOpen ?? this.position;
    return (this.#inHand ? this.#settled : this.#position).offset;
  }

  /** The leader epoch of the last record before {@link PartitionState.position}, or -1. */
  get positionEpoch(): number {
    return this.#position.epoch;
  }

  /** The leader epoch of the last record before {@link PartitionState.processed}, or -1. */
  get processedEpoch(): number {
    if (this.#marks?.firstOpen !== undefined) return this.#marks.lastEpoch;
    return (this.#inHand ? this.#settled : this.#position).epoch;
  }

  /** Whether the user has records that are not known to be processed. */
  get hasInHand(): boolean {
    return this.#inHand;
  }

  get hasReady(): boolean {
    return this.readyIndex < this.ready.length;
  }

  /** The bytes of the answers behind the one that is being read. */
  get waitingBytes(): number {
    return this.bufferedBytes - (this.buffered[0]?.bytes ?? 0);
  }

  /** Moves the position behind the record of a list that is given to the user now. */
  handOut(list: RecordList, index: number): void {
    if (!this.#inHand) {
      this.#settled.meet(this.#position);
      this.#inHand = true;
    }
    this.#position.moveBehind(list, index);
    if (this.#marks === undefined) return;
    const record = list.at(index);
    if (record !== undefined) this.#marks.add(record.offset, contextOf(record).leaderEpoch);
  }

  /** The same for consecutive records. */
  handOutAll(records: RecordList): void {
    const first = this.#marks === undefined ? records.length - 1 : 0;
    for (let index = Math.max(0, first); index < records.length; index++) this.handOut(records, index);
  }

  /** One record that was handed out is processed, whatever becomes of those before it. */
  mark(offset: bigint): void {
    this.#marks?.mark(offset);
  }

  /** What was handed out before `offset` is processed; the rest stays in hand. */
  settleBefore(offset: bigint): void {
    const { position, processed } = this;
    if (this.#marks !== undefined) return this.#marks.markBefore(offset);
    if (!this.#inHand || position === undefined || offset > position || offset <= (processed ?? -1n)) return;
    if (offset === position) this.#inHand = false;
    else this.#settled.moveTo(offset);
  }

  /** Moves the position over offsets that have nothing to hand out: gaps, control records, aborted and skipped ones. */
  skipTo(offset: bigint): void {
    if (offset > (this.position ?? -1n)) this.#position.moveTo(offset);
  }

  /** What is in hand is processed. */
  settle(): void {
    this.#inHand = false;
  }

  /** What is in hand was not processed and is to be handed out again. */
  rewind(): void {
    if (!this.#inHand) return;
    const settled = this.#settled.offset;
    if (this.#marks !== undefined) return this.rewindToMarks(settled);
    if (settled !== undefined) this.startAt(settled);
  }

  /** What was handed out from `offset` on and is not marked is to be handed out again, and with it what was handed out after it. */
  rewindToMarks(offset = 0n): void {
    this.#inHand = false;
    const first = this.#marks?.firstOpenFrom(offset);
    if (first === undefined) return;
    this.#marks?.forgetFrom(first);
    this.#moveTo(first);
  }

  /** What was handed out from `offset` on has reached nobody: it is handed out again, and all after it. */
  handBack(offset: bigint): void {
    this.#inHand = false;
    this.#marks?.forgetFrom(offset);
    this.#moveTo(offset);
  }

  /** Reads on from `offset`, wherever it was before. */
  startAt(offset: bigint, epoch = -1): void {
    this.#marks?.forgetFrom(0n);
    this.#moveTo(offset);
    this.fetchEpoch = epoch;
  }

  #moveTo(offset: bigint): void {
    this.fetchEpoch = -1;
    // A leader compares again what is fetched from another place.
    this.validEpoch = -1;
    this.#dropFetched();
    this.start = undefined;
    this.#position.moveTo(offset);
    this.#inHand = false;
    this.fetchOffset = offset;
  }

  /** Reads on from a place that has to be looked up first. */
  startFrom(start: StartingPoint): void {
    this.#marks?.forgetFrom(0n);
    this.#dropFetched();
    this.start = start;
    this.#position.moveTo(undefined);
    this.#inHand = false;
  }

  /** What was fetched from here on is of no use: it is fetched again. */
  refetch(): void {
    const offset = this.position;
    this.#dropFetched();
    if (offset === undefined) return;
    this.fetchOffset = offset;
    this.fetchEpoch = this.positionEpoch;
  }

  /** The partition is not read any more. */
  drop(): void {
    this.dropped = true;
    this.#dropFetched();
  }

  #dropFetched(): void {
    this.fetchRound++;
    this.isPreparing = false;
    this.failure = undefined;
    this.ready = [];
    this.readyIndex = 0;
    this.buffered.length = 0;
    this.bufferedBytes = 0;
  }
}
