/** How a record of a share group is acknowledged, as the protocol has it: a gap is an offset at which there is no record. */
export const acknowledgeTypes = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const;

/** One of {@link acknowledgeTypes}. */
export type AcknowledgeTypeNumber = (typeof acknowledgeTypes)[keyof typeof acknowledgeTypes];

/** Offsets that a broker has locked for us, both ends included, counted from the first of the answer. */
export interface AcquiredRange {
  readonly first: number;
  readonly last: number;
  /** How often these records were delivered by now, this time included. */
  readonly deliveryCount: number;
}

/** Offsets with one acknowledgement for all of them. */
export interface AcknowledgedRange {
  readonly first: number;
  readonly last: number;
  readonly type: AcknowledgeTypeNumber;
}

/** What a lock that has timed out, or a session that has ended, leaves without an acknowledgement. */
export interface LostRecords {
  /** How many offsets nobody has read. */
  readonly unread: number;
  /** How many records were in the user's hands. */
  readonly held: number;
  /** Acknowledgements that come too late. */
  readonly queued: readonly AcknowledgedRange[];
}

interface HeldRange {
  first: number;
  last: number;
  untilMs: number;
  /** A renewal is to be sent, or under way. */
  renewing: boolean;
  /** It is under way: whether the lock still holds is for its answer to say, which may be there and not read yet. */
  isAsked: boolean;
}

interface QueuedRange {
  readonly first: number;
  last: number;
  readonly type: AcknowledgeTypeNumber;
  untilMs: number;
  /** As of the held range that it was. */
  isAsked: boolean;
}

/**
 * The records of one partition that one answer has locked for us, from there to their acknowledgement. Each offset is unread, then
 * held by the user, then its acknowledgement is queued, then taken to be sent; or its lock times out on the way.
 *
 * It keeps ranges, so that records which are read and acknowledged in their order cost next to nothing. Offsets are numbers, counted from
 * the first one that was acquired.
 */
export class AcquiredRecordsMachine {
  readonly #ranges: readonly AcquiredRange[];
  /** When the locks end that were not renewed. */
  readonly #untilMs: number;
  /** Until when records are handed out: later, too little of the lock would be left to work with. */
  readonly #readUntilMs: number;
  /** The range in which the next unread offset lies; behind the last one, nothing is unread. */
  #at = 0;
  #next: number;
  /** Where {@link deliveryCountOf} stands: records are made ahead of being handed out. */
  #made = 0;
  /** Ascending, as far as records are handed out in their order. */
  #held: HeldRange[] = [];
  /** A range that is not in use: a loop that goes from record to record holds one after the other. */
  #spare: HeldRange | undefined;
  #heldCount = 0;
  #queued: QueuedRange[] = [];
  #renewalCount = 0;
  #isVoid = false;

  /**
   * @param ranges ascending, at least one
   * @param lockedUntilMs when the locks end at the earliest
   * @param readUntilMs from when on unread records are rather given back
   */
  constructor(ranges: readonly AcquiredRange[], lockedUntilMs: number, readUntilMs: number) {
    this.#ranges = ranges;
    this.#untilMs = lockedUntilMs;
    this.#readUntilMs = readUntilMs;
    this.#next = ranges[0]?.first ?? 0;
  }

  /** Whether the broker has taken everything back, or given it to others: nothing can be acknowledged any more. */
  get isVoid(): boolean {
    return this.#isVoid;
  }

  get heldCount(): number {
    return this.#heldCount;
  }

  get hasQueued(): boolean {
    return this.#queued.length > 0;
  }

  get hasRenewals(): boolean {
    return this.#renewalCount > 0;
  }

  get hasUnread(): boolean {
    return this.#at < this.#ranges.length;
  }

  /** How many offsets are unread, gaps included. */
  get unreadCount(): number {
    let count = 0;
    for (let at = this.#at; at < this.#ranges.length; at++) {
      const range = this.#ranges[at];
      if (range !== undefined) count += range.last - Math.max(range.first, this.#next) + 1;
    }
    return count;
  }

  /** Whether nothing is left to do here. */
  get isDone(): boolean {
    return !this.hasUnread && this.#held.length === 0 && this.#queued.length === 0;
  }

  isHeld(index: number): boolean {
    return this.#find(index) >= 0;
  }

  /** How often the record at `index` was delivered; undefined if it was not acquired. Fast for neighbours, one after the other. */
  deliveryCountOf(index: number): number | undefined {
    while (index <= (this.#ranges[this.#made - 1]?.last ?? -1)) this.#made--;
    let range = this.#ranges[this.#made];
    while (range !== undefined && range.last < index) range = this.#ranges[++this.#made];
    return range === undefined || index < range.first ? undefined : range.deliveryCount;
  }

  /** The unread record at `index` goes to the user. What lies before it and is unread holds no record. False if it is not unread. */
  handOut(index: number): boolean {
    let range = this.#ranges[this.#at];
    if (range === undefined || index < this.#next) return false;
    if (index > this.#next || index > range.last) range = this.#skipTo(index);
    if (range === undefined || index < range.first) return false;
    this.#next = index + 1;
    if (index === range.last) this.#at++;
    this.#heldCount++;
    const held = this.#held[this.#held.length - 1];
    if (held !== undefined && held.last === index - 1 && held.untilMs === this.#untilMs && !held.renewing) {
      held.last = index;
    } else this.#hold(index);
    return true;
  }

  /** All that could be read was handed out: of what is left, there is no record before `index`, and nothing is known of the rest. */
  finish(index: number): void {
    if (this.hasUnread) this.#skipTo(index);
    this.releaseUnread();
  }

  /** What is unread goes back, so that others get it. Answers how many offsets that are. */
  releaseUnread(): number {
    const count = this.unreadCount;
    for (; this.#at < this.#ranges.length; this.#at++) {
      const range = this.#ranges[this.#at];
      if (range === undefined) continue;
      this.#queue(Math.max(range.first, this.#next), range.last, acknowledgeTypes.release, this.#untilMs, false);
    }
    return count;
  }

  /** The same for one unread record, which nobody can read; the ones before it must be handed out. False if it is not unread. */
  acknowledgeUnread(index: number, type: AcknowledgeTypeNumber): boolean {
    return this.handOut(index) && this.acknowledge(index, type);
  }

  /** Queues the acknowledgement of a held record. False if it is not held (any more). */
  acknowledge(index: number, type: AcknowledgeTypeNumber): boolean {
    const at = this.#find(index);
    const held = this.#held[at];
    if (held === undefined) return false;
    if (type === acknowledgeTypes.renew) {
      this.#carve(at, index, index, { ...held, first: index, last: index, renewing: true });
      this.#countRenewals();
      return true;
    }
    this.#heldCount--;
    this.#queue(index, index, type, held.untilMs, held.isAsked);
    if (held.first === held.last) {
      if (this.#held.length === 1) this.#held.length = 0;
      else this.#held.splice(at, 1);
    } else if (held.first === index) held.first++;
    else if (held.last === index) held.last--;
    else this.#carve(at, index, index, undefined);
    if (this.#renewalCount > 0) this.#countRenewals();
    return true;
  }

  /** The same for all that is held. */
  acknowledgeHeld(type: AcknowledgeTypeNumber): void {
    for (const held of this.#held) this.#queue(held.first, held.last, type, held.untilMs, held.isAsked);
    this.#spare = this.#held[0] ?? this.#spare;
    this.#held.length = 0;
    this.#heldCount = 0;
    this.#renewalCount = 0;
  }

  /** Everything goes back: what is held, and what is unread. */
  releaseAll(): void {
    this.acknowledgeHeld(acknowledgeTypes.release);
    this.releaseUnread();
  }

  /** The acknowledgements to send now, ascending; those whose lock has timed out are not among them. */
  takeQueued(nowMs: number): AcknowledgedRange[] {
    const taken = this.#queued.filter((one) => endOf(one) > nowMs);
    this.#queued = this.#queued.filter((one) => endOf(one) <= nowMs);
    return joined(taken);
  }

  /** The renewals to send now. */
  takeRenewals(): AcknowledgedRange[] {
    const { renew } = acknowledgeTypes;
    const taken = this.#held.filter(({ renewing }) => renewing);
    for (const held of taken) held.isAsked = true;
    this.#renewalCount = 0;
    return joined(taken.map(({ first, last }) => ({ first, last, type: renew })));
  }

  /** Renewals were answered: with `untilMs`, when these locks end at the earliest now; without, nothing has changed. */
  handleRenewed(ranges: readonly AcknowledgedRange[], untilMs: number | undefined): void {
    for (const { first, last } of ranges) {
      for (let at = this.#held.length - 1; at >= 0; at--) {
        const held = this.#held[at];
        if (held === undefined || held.last < first || held.first > last) continue;
        const from = Math.max(first, held.first);
        const to = Math.min(last, held.last);
        const renewed = { first: from, last: to, untilMs: untilMs ?? held.untilMs, renewing: false, isAsked: false };
        this.#carve(at, from, to, renewed);
      }
    }
    for (const one of this.#queued) {
      if (!one.isAsked) continue;
      one.isAsked = false;
      one.untilMs = untilMs ?? one.untilMs;
    }
    this.#countRenewals();
  }

  /** Asks for renewals of all that is held whose lock ends at or before `beforeMs`. */
  renewBefore(beforeMs: number): void {
    for (const held of this.#held) if (held.untilMs <= beforeMs) held.renewing = true;
    this.#countRenewals();
  }

  /** Gives back what it is too late to hand out, and answers how many offsets that are. */
  tick(nowMs: number): number {
    return nowMs >= this.#readUntilMs && this.hasUnread ? this.releaseUnread() : 0;
  }

  /** What has timed out is nobody's here any more. */
  expire(nowMs: number): LostRecords | undefined {
    if (nowMs < this.#firstEndMs()) return undefined;
    const unread = nowMs >= this.#untilMs ? this.unreadCount : 0;
    if (unread > 0) this.#at = this.#ranges.length;
    const late = this.#held.filter((one) => endOf(one) <= nowMs);
    this.#held = this.#held.filter((one) => endOf(one) > nowMs);
    const held = late.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    this.#heldCount -= held;
    this.#countRenewals();
    const queued = joined(this.#queued.filter((one) => endOf(one) <= nowMs));
    this.#queued = this.#queued.filter((one) => endOf(one) > nowMs);
    return unread + held + queued.length > 0 ? { unread, held, queued } : undefined;
  }

  /** The broker has released everything, or leads the partition no more. */
  end(): LostRecords {
    const lost = { unread: this.unreadCount, held: this.#heldCount, queued: joined(this.#queued) };
    this.#isVoid = true;
    this.#at = this.#ranges.length;
    this.#held.length = 0;
    this.#queued = [];
    this.#heldCount = 0;
    this.#renewalCount = 0;
    return lost;
  }

  /** When to call {@link tick} or {@link expire} next. */
  nextDeadlineMs(): number {
    return Math.min(this.hasUnread ? this.#readUntilMs : Infinity, this.#firstEndMs());
  }

  /** When the first lock of a held record ends that no renewal is asked for; Infinity if there is none. */
  nextRenewalMs(): number {
    let firstMs = Infinity;
    for (const { untilMs, renewing } of this.#held) if (!renewing) firstMs = Math.min(firstMs, untilMs);
    return firstMs;
  }

  #hold(index: number): void {
    const held = this.#spare;
    if (held === undefined) {
      this.#held.push({ first: index, last: index, untilMs: this.#untilMs, renewing: false, isAsked: false });
      return;
    }
    this.#spare = undefined;
    held.first = index;
    held.last = index;
    held.untilMs = this.#untilMs;
    held.renewing = false;
    held.isAsked = false;
    this.#held.push(held);
  }

  #firstEndMs(): number {
    let firstMs = this.hasUnread ? this.#untilMs : Infinity;
    for (const one of this.#held) firstMs = Math.min(firstMs, endOf(one));
    for (const one of this.#queued) firstMs = Math.min(firstMs, endOf(one));
    return firstMs;
  }

  /** Passes over unread offsets before `index`, at which there are no records; answers the range that is unread then. */
  #skipTo(index: number): AcquiredRange | undefined {
    let range = this.#ranges[this.#at];
    while (range !== undefined && this.#next < index) {
      const first = Math.max(range.first, this.#next);
      const last = Math.min(range.last, index - 1);
      if (first <= last) this.#queue(first, last, acknowledgeTypes.gap, this.#untilMs, false);
      this.#next = Math.max(this.#next, last + 1);
      if (last < range.last) return range;
      range = this.#ranges[++this.#at];
      if (range !== undefined) this.#next = Math.max(this.#next, range.first);
    }
    return range;
  }

  #queue(first: number, last: number, type: AcknowledgeTypeNumber, untilMs: number, isAsked: boolean): void {
    const before = this.#queued[this.#queued.length - 1];
    const isNext = before !== undefined && before.last === first - 1 && before.type === type;
    if (isNext && before.untilMs === untilMs && before.isAsked === isAsked) before.last = last;
    else this.#queued.push({ first, last, type, untilMs, isAsked });
  }

  /** Takes a part out of a held range; `instead` takes its place, if there is one. */
  #carve(at: number, first: number, last: number, instead: HeldRange | undefined): void {
    const held = this.#held[at];
    if (held === undefined) return;
    const parts: HeldRange[] = [];
    if (held.first < first) parts.push({ ...held, last: first - 1 });
    if (instead !== undefined) parts.push(instead);
    if (held.last > last) parts.push({ ...held, first: last + 1 });
    this.#held.splice(at, 1, ...parts);
  }

  #countRenewals(): void {
    this.#renewalCount = this.#held.reduce((count, { renewing }) => count + (renewing ? 1 : 0), 0);
  }

  /** Which held range `index` lies in, or -1. */
  #find(index: number): number {
    let low = 0;
    let high = this.#held.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const held = this.#held[middle];
      if (held === undefined) return -1;
      if (index < held.first) high = middle - 1;
      else if (index > held.last) low = middle + 1;
      else return middle;
    }
    return -1;
  }
}

/** When the lock of a range has surely ended. */
function endOf({ untilMs, isAsked }: { readonly untilMs: number; readonly isAsked: boolean }): number {
  return isAsked ? Infinity : untilMs;
}

/** The same offsets and types in order, with as few ranges as it takes. */
function joined(ranges: readonly AcknowledgedRange[]): AcknowledgedRange[] {
  const sorted = [...ranges].sort((a, b) => a.first - b.first);
  const result: { first: number; last: number; type: AcknowledgeTypeNumber }[] = [];
  for (const { first, last, type } of sorted) {
    const before = result.at(-1);
    if (before !== undefined && before.last === first - 1 && before.type === type) before.last = last;
    else result.push({ first, last, type });
  }
  return result;
}
