import { freeDelivery, isDone, SharePartitionBatch, type Delivery } from './share-partition-batch.ts';
import type { SavedBatch, SavedShareState } from './share-partition-state.ts';

/** What the settings of a group say of its deliveries. */
export interface ShareLimits {
  /** How often a record is delivered before it is given up. */
  readonly deliveryCountLimit: number;
  /** How many records may lie between the start and the end of what was delivered. */
  readonly maxRecordLocks: number;
  readonly lockDurationMs: number;
  /** Whether locks may be renewed (KIP-1222). */
  readonly mayRenew: boolean;
}

/** A batch that was read from the log, or what of it lies behind the start. */
export interface ReadBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  /** Whether it belongs to a transaction that was aborted, and the group reads committed records only. */
  readonly isAborted: boolean;
}

/** Who wants how many records. */
export interface Acquisition {
  readonly memberId: string;
  /** KIP-1206: no more than `maxRecords`, or whole batches of the log. */
  readonly mode: 'batch-optimized' | 'record-limit';
  readonly maxRecords: number;
  /** How many records a range of the answer should have. */
  readonly batchSize: number;
  /** From where the log was read. */
  readonly fetchOffset: bigint;
  readonly batches: readonly ReadBatch[];
}

/** Records that a member holds now. */
export interface AcquiredRange {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly deliveryCount: number;
}

/** What a member says of records that it holds: one type for all, or one for each. By Kafka's numbers; 0 is a gap. */
export interface Acknowledgement {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly types: readonly number[];
}

/** Why acknowledgements are refused: all of a request for this partition, or none. */
export type AcknowledgeProblem = 'INVALID_RECORD_STATE' | 'INVALID_REQUEST';

/** What is written down when deliveries ended, without the epochs, which the leader adds. */
export type WrittenDeliveries = Pick<SavedShareState, 'startOffset' | 'batches'>;

/** Kafka's AcknowledgeType. */
export const acknowledgeTypes = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const;

/**
 * One partition of a share group (KIP-932), as its leader keeps it: which records are with whom, since when, and how often
 * they were delivered. Everything about deliveries is decided here; it knows neither the log nor a clock.
 */
export class SharePartitionMachine {
  #startOffset: bigint;
  /** Behind everything that was ever acquired. */
  #nextOffset: bigint;
  /** What lies between, in order; none overlaps another. */
  #batches: SharePartitionBatch[] = [];
  #isChanged = false;

  /** @param startOffset where the group begins: what is written down, or what its settings say */
  constructor(startOffset: bigint, saved: readonly SavedBatch[] = []) {
    this.#startOffset = startOffset;
    this.#nextOffset = startOffset;
    for (const batch of saved) this.#load(batch);
    this.#advance();
  }

  /** The first offset that is not done with. */
  get startOffset(): bigint {
    return this.#startOffset;
  }

  /** Behind everything that was ever acquired. */
  get nextOffset(): bigint {
    return this.#nextOffset;
  }

  /** From where the log is to be read: the first record that nobody holds and that is not done with. */
  get fetchOffset(): bigint {
    for (const batch of this.#batches)
      for (const { firstOffset, delivery } of batch.parts) if (delivery.state === 'available') return firstOffset;
    return this.#nextOffset;
  }

  /** How many records lie between start and end, done with or not: what `maxRecordLocks` bounds. */
  get inFlight(): number {
    return this.#batches.length === 0 ? 0 : Number(this.#nextOffset - this.#startOffset);
  }

  /** Whether there may be anything to acquire. */
  hasRoom({ maxRecordLocks }: ShareLimits): boolean {
    return this.fetchOffset < this.#nextOffset || this.inFlight < maxRecordLocks;
  }

  /** How records of an offset stand; undefined for what was never acquired, or lies before the start. */
  deliveryAt(offset: bigint): Readonly<Delivery> | undefined {
    return this.#batches.find((batch) => batch.has(offset))?.at(offset);
  }

  /** Gives a member records of what was read. */
  acquire(asked: Acquisition, limits: ShareLimits, nowMs: number): AcquiredRange[] {
    const [first] = asked.batches;
    const last = asked.batches.at(-1);
    if (first === undefined || last === undefined || asked.maxRecords <= 0) return [];
    const within = this.#withinLocks(asked, last.lastOffset, limits);
    if (within.maxRecords <= 0) return [];
    this.#archiveStale(asked.fetchOffset, first.baseOffset);
    const acquiring = new Acquiring(asked, limits, nowMs, first.baseOffset, within);
    const known = this.#overlapping(first.baseOffset, within.lastOffset);
    const mayGoOn = known.every((batch) => acquiring.again(batch));
    const nextNew = (known.at(-1)?.lastOffset ?? first.baseOffset - 1n) + 1n;
    if (mayGoOn && acquiring.left > 0 && nextNew <= within.lastOffset)
      this.#acquireNew(acquiring, nextNew, within.lastOffset);
    return this.#withoutAborted(acquiring.acquired, asked.batches);
  }

  /** Takes what a member says of its records: all of it, or none. */
  acknowledge(
    memberId: string,
    acknowledgements: readonly Acknowledgement[],
    limits: ShareLimits,
    nowMs: number,
  ): AcknowledgeProblem | undefined {
    const before: [Delivery, Delivery][] = [];
    for (const acknowledgement of acknowledgements) {
      const problem = this.#acknowledge(memberId, acknowledgement, limits, nowMs, before);
      if (problem === undefined) continue;
      for (const [delivery, old] of before) Object.assign(delivery, old);
      return problem;
    }
    if (before.length > 0) this.#isChanged = true;
    return undefined;
  }

  /** A member is gone: gives back what it holds, of which the delivery counts. */
  release(memberId: string, limits: ShareLimits): void {
    for (const { delivery, lastOffset } of this.#heldParts((each) => each.memberId === memberId))
      this.#free(delivery, lastOffset < this.#startOffset ? 'archived' : afterRelease(delivery, limits));
  }

  /** Ends the locks whose time is over. Early or twice is harmless. */
  tick(nowMs: number, limits: ShareLimits): void {
    for (const { delivery, lastOffset } of this.#heldParts((each) => each.lockedUntilMs <= nowMs))
      this.#free(delivery, lastOffset < this.#startOffset ? 'archived' : afterRelease(delivery, limits));
  }

  /** When the next lock ends. */
  nextDeadlineMs(): number | undefined {
    let next = Infinity;
    for (const batch of this.#batches)
      for (const { delivery } of batch.parts) next = Math.min(next, delivery.lockedUntilMs);
    return next === Infinity ? undefined : next;
  }

  /** The log begins later now: what lies before is given up, but for what members hold until their locks end. */
  moveLogStart(logStartOffset: bigint): void {
    if (logStartOffset <= this.#startOffset) return;
    this.#archive(this.#startOffset, logStartOffset, 'available');
    this.#startOffset = logStartOffset;
    if (this.#nextOffset <= logStartOffset) this.#nextOffset = logStartOffset;
    this.#drop();
  }

  /**
   * What is to be written down since the last time; undefined if nothing. The start is still where it was: it moves on when
   * that is written.
   */
  takeWrite(): WrittenDeliveries | undefined {
    if (!this.#isChanged) return undefined;
    this.#isChanged = false;
    const written = { startOffset: this.#startOffset, batches: this.#savedBatches() };
    this.#advance();
    return written;
  }

  #load({ firstOffset, lastOffset, delivery: state, deliveryCount }: SavedBatch): void {
    if (lastOffset < this.#startOffset) return;
    const first = firstOffset < this.#startOffset ? this.#startOffset : firstOffset;
    // What was acquired beside what is written down is not known any more: it is as if it never was.
    if (first > this.#nextOffset)
      this.#batches.push(new SharePartitionBatch(this.#nextOffset, first - 1n, freeDelivery(0)));
    const written = { state, count: deliveryCount };
    const delivery: Delivery = { ...written, memberId: '', lockedUntilMs: Infinity, written };
    this.#batches.push(new SharePartitionBatch(first, lastOffset, delivery));
    this.#nextOffset = lastOffset + 1n;
  }

  /** How much of what was read may be acquired: beyond the most locks, only what was acquired before. */
  #withinLocks(
    { maxRecords, fetchOffset }: Acquisition,
    lastOffset: bigint,
    { maxRecordLocks }: ShareLimits,
  ): { readonly maxRecords: number; readonly lastOffset: bigint } {
    const room = Math.min(maxRecords, maxRecordLocks - this.inFlight);
    if (room > 0) return { maxRecords: room, lastOffset };
    const known = Number(this.#nextOffset - fetchOffset);
    const lastKnown = this.#nextOffset - 1n;
    return { maxRecords: Math.min(maxRecords, known), lastOffset: lastOffset < lastKnown ? lastOffset : lastKnown };
  }

  /** Between where was read and what was found there is nothing any more: it was compacted away. */
  #archiveStale(fetchOffset: bigint, baseOffset: bigint): void {
    if (fetchOffset < baseOffset) this.#archive(fetchOffset, baseOffset, 'available');
  }

  #overlapping(firstOffset: bigint, lastOffset: bigint): SharePartitionBatch[] {
    return this.#batches.filter((batch) => batch.lastOffset >= firstOffset && batch.firstOffset <= lastOffset);
  }

  #acquireNew(acquiring: Acquiring, from: bigint, lastOffset: bigint): void {
    const isFirst = this.#batches.length === 0;
    const firstOffset = from < this.#nextOffset ? this.#nextOffset : from;
    if (firstOffset > lastOffset) return; // read between what is in flight, where there was never anything
    if (isFirst) this.#startOffset = firstOffset;
    const made = acquiring.fresh(firstOffset);
    this.#batches.push(...made);
    this.#nextOffset = (made.at(-1)?.lastOffset ?? this.#nextOffset - 1n) + 1n;
  }

  #withoutAborted(acquired: readonly AcquiredRange[], read: readonly ReadBatch[]): AcquiredRange[] {
    let left = [...acquired];
    for (const { baseOffset, lastOffset, isAborted } of read) {
      if (!isAborted) continue;
      this.#archive(baseOffset, lastOffset + 1n, 'acquired');
      left = left.flatMap((range) => without(range, baseOffset, lastOffset));
    }
    return left;
  }

  #acknowledge(
    memberId: string,
    acknowledgement: Acknowledgement,
    limits: ShareLimits,
    nowMs: number,
    before: [Delivery, Delivery][],
  ): AcknowledgeProblem | undefined {
    const { firstOffset, lastOffset, types } = acknowledgement;
    if (lastOffset < this.#startOffset) return undefined;
    const known = this.#acknowledgeable(acknowledgement);
    if (typeof known === 'string') return known;
    for (const batch of known) {
      if (batch.lastOffset < this.#startOffset) continue;
      const isWhole = batch.isWithin(firstOffset, lastOffset) && types.length === 1;
      if (!batch.isSplit && batch.delivery.memberId !== memberId) return 'INVALID_RECORD_STATE';
      if (!isWhole || batch.firstOffset < this.#startOffset) batch.split();
      for (const part of batch.parts) {
        if (part.firstOffset < firstOffset || part.firstOffset < this.#startOffset) continue;
        if (part.firstOffset > lastOffset) break;
        const { delivery } = part;
        if (delivery.state !== 'acquired' || delivery.memberId !== memberId) return 'INVALID_RECORD_STATE';
        const type = types.length === 1 ? types[0] : types[Number(part.firstOffset - firstOffset)];
        if (type === acknowledgeTypes.renew) {
          if (!limits.mayRenew) return 'INVALID_RECORD_STATE';
          delivery.lockedUntilMs = nowMs + limits.lockDurationMs;
          continue;
        }
        before.push([delivery, { ...delivery }]);
        settle(delivery, stateAfter(type, delivery, limits));
      }
    }
    return undefined;
  }

  /** The batches that an acknowledgement speaks of; it must not speak of what was never acquired. */
  #acknowledgeable({ firstOffset, lastOffset }: Acknowledgement): SharePartitionBatch[] | AcknowledgeProblem {
    const floor = this.#batches.findLast((batch) => batch.firstOffset <= firstOffset);
    const isStartWithin = firstOffset < this.#startOffset && lastOffset >= this.#startOffset;
    if (floor === undefined && !isStartWithin) return 'INVALID_RECORD_STATE';
    const from = floor ?? this.#batches.findLast((batch) => batch.firstOffset <= this.#startOffset);
    const known = this.#batches.filter(
      (batch) => batch.firstOffset >= (from?.firstOffset ?? firstOffset) && batch.firstOffset <= lastOffset,
    );
    const end = known.at(-1)?.lastOffset;
    if (end === undefined || end < firstOffset || end < lastOffset) return 'INVALID_REQUEST';
    return known;
  }

  *#heldParts(isMeant: (delivery: Delivery) => boolean): Generator<{ delivery: Delivery; lastOffset: bigint }> {
    for (const batch of this.#batches) {
      const isHeld = !batch.isSplit && batch.delivery.state === 'acquired';
      if (isHeld && batch.firstOffset < this.#startOffset && batch.lastOffset >= this.#startOffset) batch.split();
      for (const part of batch.parts) if (part.delivery.state === 'acquired' && isMeant(part.delivery)) yield part;
    }
  }

  #free(delivery: Delivery, state: 'available' | 'archived'): void {
    settle(delivery, state);
    this.#isChanged = true;
  }

  /** Gives up what is in this state, from the first offset up to the second, which is not included. */
  #archive(from: bigint, to: bigint, state: 'available' | 'acquired'): void {
    for (const batch of this.#overlapping(from, to - 1n)) {
      if (!batch.isSplit && batch.delivery.state !== state) continue;
      if (!batch.isWithin(from, to - 1n)) batch.split();
      for (const { firstOffset, delivery } of batch.parts)
        if (firstOffset >= from && firstOffset < to && delivery.state === state) settle(delivery, 'archived');
    }
  }

  /** The start goes behind what is done with. */
  #advance(): void {
    for (const batch of this.#batches) {
      for (const { firstOffset, lastOffset, delivery } of batch.parts) {
        if (lastOffset < this.#startOffset) continue;
        if (!isDone(delivery)) {
          if (firstOffset > this.#startOffset) this.#startOffset = firstOffset;
          this.#drop();
          return;
        }
      }
      if (batch.lastOffset >= this.#startOffset) this.#startOffset = batch.lastOffset + 1n;
    }
    this.#drop();
  }

  /** Forgets the batches before the start, but for those that a member may still hold. */
  #drop(): void {
    this.#batches = this.#batches.filter((batch) => {
      if (batch.lastOffset >= this.#startOffset) return true;
      return batch.parts.some(({ delivery }) => delivery.state === 'acquired');
    });
  }

  #savedBatches(): SavedBatch[] {
    const saved: SavedBatch[] = [];
    for (const batch of this.#batches) {
      for (const { firstOffset, lastOffset, delivery } of batch.parts) {
        if (delivery.state !== 'acquired') delivery.written = { state: delivery.state, count: delivery.count };
        const { written } = delivery;
        if (written === undefined || lastOffset < this.#startOffset) continue;
        if (written.state === 'available' && written.count === 0) continue;
        const from = firstOffset < this.#startOffset ? this.#startOffset : firstOffset;
        append(saved, { firstOffset: from, lastOffset, delivery: written.state, deliveryCount: written.count });
      }
    }
    return saved;
  }
}

/** One acquisition under way: what it was given so far, and what it may still take. */
class Acquiring {
  readonly acquired: AcquiredRange[] = [];
  left: number;
  readonly #asked: Acquisition;
  readonly #limits: ShareLimits;
  readonly #lockedUntilMs: number;
  readonly #firstOffset: bigint;
  readonly #lastOffset: bigint;

  constructor(
    asked: Acquisition,
    limits: ShareLimits,
    nowMs: number,
    firstOffset: bigint,
    within: { readonly maxRecords: number; readonly lastOffset: bigint },
  ) {
    this.#asked = asked;
    this.#limits = limits;
    this.#lockedUntilMs = nowMs + limits.lockDurationMs;
    this.#firstOffset = firstOffset;
    this.#lastOffset = within.lastOffset;
    this.left = within.maxRecords;
  }

  /** Takes what is available of a batch that was acquired before; answers whether more may be taken. */
  again(batch: SharePartitionBatch): boolean {
    if (this.left <= 0) return false;
    const isSuspicious = this.#isSuspicious(batch);
    // Whoever failed often comes alone, so that one bad record does not use up the deliveries of its neighbours.
    if (isSuspicious && this.acquired.length > 0) return false;
    const isLimited = this.#asked.mode === 'record-limit' && batch.size > this.left;
    const isWhole = batch.isWithin(this.#firstOffset, this.#lastOffset) && !batch.isSplit;
    if (!batch.isSplit && batch.delivery.state !== 'available') return true;
    if (isWhole && !isLimited && !isSuspicious) {
      this.#take(batch.firstOffset, batch.lastOffset, batch.delivery);
      return true;
    }
    batch.split();
    const before = this.acquired.length;
    this.#takeSingly(batch);
    this.#join(before);
    return !isSuspicious || this.acquired.length === before;
  }

  /** Takes what nobody has had yet, from here on. */
  fresh(from: bigint): SharePartitionBatch[] {
    const lastOffset = this.#lastOfNew(from);
    const isLimited = this.#asked.mode === 'record-limit';
    const starts = isLimited ? [from] : this.#startsOfRanges(from, lastOffset);
    return starts.map((firstOffset, index) => {
      const batch = new SharePartitionBatch(firstOffset, (starts[index + 1] ?? lastOffset + 1n) - 1n, freeDelivery(0));
      if (isLimited && batch.size > this.left) this.#takeFirst(batch, this.left);
      else this.#take(batch.firstOffset, batch.lastOffset, batch.delivery);
      return batch;
    });
  }

  #isSuspicious(batch: SharePartitionBatch): boolean {
    const limit = throttledFrom(this.#limits);
    if (!batch.isSplit) return batch.delivery.count >= limit;
    for (const { firstOffset, delivery } of batch.parts) {
      const isMeant = firstOffset >= this.#firstOffset && firstOffset <= this.#lastOffset;
      if (isMeant && delivery.state === 'available' && delivery.count >= limit) return true;
    }
    return false;
  }

  #takeSingly(batch: SharePartitionBatch): void {
    const { deliveryCountLimit } = this.#limits;
    const isLimited = this.#asked.mode === 'record-limit';
    let most = isLimited ? this.left : Infinity;
    let taken = 0;
    for (const { firstOffset, delivery } of batch.parts) {
      if (firstOffset < this.#firstOffset || delivery.state !== 'available') continue;
      if (firstOffset > this.#lastOffset || taken >= most) return;
      const isLastTry = deliveryCountLimit > 2 && delivery.count === deliveryCountLimit - 1;
      if (isLastTry && taken > 0) return;
      const beyond = delivery.count - throttledFrom(this.#limits) + 1;
      if (beyond > 0 && most === Infinity) most = Math.max(1, batch.size >> beyond);
      this.#take(firstOffset, firstOffset, delivery);
      taken++;
      if (isLastTry) return;
    }
  }

  #takeFirst(batch: SharePartitionBatch, count: number): void {
    batch.split();
    const lastOffset = batch.firstOffset + BigInt(count) - 1n;
    for (const part of batch.parts)
      if (part.firstOffset <= lastOffset) acquire(part.delivery, this.#asked.memberId, this.#lockedUntilMs);
    this.acquired.push({ firstOffset: batch.firstOffset, lastOffset, deliveryCount: 1 });
    this.left -= count;
  }

  #take(firstOffset: bigint, lastOffset: bigint, delivery: Delivery): void {
    acquire(delivery, this.#asked.memberId, this.#lockedUntilMs);
    this.acquired.push({ firstOffset, lastOffset, deliveryCount: delivery.count });
    this.left -= Number(lastOffset - firstOffset) + 1;
  }

  /** Neighbours of one batch that were delivered equally often are one range of the answer. */
  #join(from: number): void {
    const ranges = this.acquired.splice(from);
    for (const range of ranges) {
      const last = this.acquired.length > from ? this.acquired.at(-1) : undefined;
      const isNext = last?.deliveryCount === range.deliveryCount && last.lastOffset + 1n === range.firstOffset;
      if (isNext) this.acquired[this.acquired.length - 1] = { ...last, lastOffset: range.lastOffset };
      else this.acquired.push(range);
    }
  }

  /** Whole batches of the log are taken, even if that is more than was asked for. */
  #lastOfNew(from: bigint): bigint {
    const wanted = from + BigInt(this.left) - 1n;
    if (wanted >= this.#lastOffset) return this.#lastOffset;
    const batch = this.#asked.batches.findLast(({ baseOffset }) => baseOffset <= wanted);
    return batch !== undefined && batch.lastOffset > wanted ? batch.lastOffset : wanted;
  }

  #startsOfRanges(from: bigint, lastOffset: bigint): bigint[] {
    const starts = [from];
    const { batchSize, batches } = this.#asked;
    if (lastOffset - from + 1n <= BigInt(batchSize)) return starts;
    for (const { baseOffset } of batches)
      if (baseOffset <= lastOffset && baseOffset - (starts.at(-1) ?? from) >= BigInt(batchSize))
        starts.push(baseOffset);
    return starts;
  }
}

/** From how many deliveries on records are handed out in smaller numbers. */
function throttledFrom({ deliveryCountLimit }: ShareLimits): number {
  return Math.max(2, Math.ceil(deliveryCountLimit / 2));
}

function acquire(delivery: Delivery, memberId: string, lockedUntilMs: number): void {
  delivery.state = 'acquired';
  delivery.count++;
  delivery.memberId = memberId;
  delivery.lockedUntilMs = lockedUntilMs;
}

function settle(delivery: Delivery, state: Exclude<Delivery['state'], 'acquired'>): void {
  delivery.state = state;
  delivery.memberId = '';
  delivery.lockedUntilMs = Infinity;
}

function stateAfter(
  type: number | undefined,
  delivery: Delivery,
  limits: ShareLimits,
): Exclude<Delivery['state'], 'acquired'> {
  if (type === acknowledgeTypes.accept) return 'acknowledged';
  return type === acknowledgeTypes.release ? afterRelease(delivery, limits) : 'archived';
}

function afterRelease({ count }: Delivery, { deliveryCountLimit }: ShareLimits): 'available' | 'archived' {
  return count >= deliveryCountLimit ? 'archived' : 'available';
}

function without(range: AcquiredRange, firstOffset: bigint, lastOffset: bigint): AcquiredRange[] {
  if (range.lastOffset < firstOffset || range.firstOffset > lastOffset) return [range];
  return [
    ...(range.firstOffset < firstOffset ? [{ ...range, lastOffset: firstOffset - 1n }] : []),
    ...(range.lastOffset > lastOffset ? [{ ...range, firstOffset: lastOffset + 1n }] : []),
  ];
}

/** Neighbours in the same condition are written as one. */
function append(saved: SavedBatch[], batch: SavedBatch): void {
  const last = saved.at(-1);
  const isSame = last?.delivery === batch.delivery && last.deliveryCount === batch.deliveryCount;
  if (isSame && last.lastOffset + 1n === batch.firstOffset)
    saved[saved.length - 1] = { ...last, lastOffset: batch.lastOffset };
  else saved.push(batch);
}
