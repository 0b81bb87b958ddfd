import { ConsumerRecord, type BatchContext } from '../consumer-record.ts';
import type { LazyRecords } from '../record-list.ts';

/** The records that one answer has locked, as each of them knows them. */
export interface LockedRecords {
  readonly machine: { deliveryCountOf(index: number): number | undefined };
}

let lockedOfRecord: (record: ShareRecord<unknown, unknown>) => LockedRecords;
let indexOfRecord: (record: ShareRecord<unknown, unknown>) => number;

/**
 * A record of a share group, locked for this consumer until it is acknowledged or its lock times out.
 *
 * Beside what a {@link ConsumerRecord} has it knows how often it was delivered.
 */
export class ShareRecord<K = Buffer | null, V = Buffer | null> extends ConsumerRecord<K, V> {
  /**
   * How often the record was delivered by now, this time included: 1 the first time. At the group's `share.delivery.count.limit` (5
   * unless set) it is the last time. Java: `ConsumerRecord.deliveryCount()` (KIP-932).
   */
  readonly deliveryCount: number;
  readonly #locked: LockedRecords;
  readonly #index: number;

  static {
    lockedOfRecord = (record) => record.#locked;
    indexOfRecord = (record) => record.#index;
  }

  /** @internal */
  constructor(context: BatchContext, place: number, locked: LockedRecords, index: number, deliveryCount: number) {
    super(context, place);
    this.deliveryCount = deliveryCount;
    this.#locked = locked;
    this.#index = index;
  }

  /** The same record with bytes of its own, which keeps nothing else in memory; it can be acknowledged as well. */
  override detach(): ShareRecord<K, V> {
    return super.detach() as ShareRecord<K, V>;
  }

  /** The record as JSON can hold it: the offset as text, bytes as base64. Never throws. */
  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), deliveryCount: this.deliveryCount };
  }

  /** @internal */
  protected override placedAt(context: BatchContext, place: number): ConsumerRecord<K, V> {
    return new ShareRecord<K, V>(context, place, this.#locked, this.#index, this.deliveryCount);
  }
}

/** With which others a record was locked; undefined for what no share consumer has read. */
export function lockedWith(record: unknown): LockedRecords | undefined {
  return record instanceof ShareRecord ? lockedOfRecord(record as ShareRecord<unknown, unknown>) : undefined;
}

/** Where it stands among them, counted in offsets from the first; -1 for what no share consumer has read. */
export function acquiredIndexOf(record: unknown): number {
  return record instanceof ShareRecord ? indexOfRecord(record as ShareRecord<unknown, unknown>) : -1;
}

/** Whether the record so far behind an offset was acquired; what else came with its batch is for other members. */
export function isAcquired(
  locked: LockedRecords,
  baseOffset: bigint,
): (offset: bigint, offsetDelta: number) => boolean {
  const shiftOf = shiftFrom(baseOffset);
  return (offset, offsetDelta) => locked.machine.deliveryCountOf(shiftOf(offset) + offsetDelta) !== undefined;
}

/** Makes the records of a list, all of which were acquired, into what a share consumer hands out. */
export function shareRecords(
  list: LazyRecords,
  locked: LockedRecords,
  baseOffset: bigint,
): ShareRecord<unknown, unknown>[] {
  const shiftOf = shiftFrom(baseOffset);
  return list.map((context, place) => {
    const index = shiftOf(context.baseOffset) + context.places.offsetDelta(place);
    const deliveryCount = locked.machine.deliveryCountOf(index);
    if (deliveryCount === undefined) throw new RangeError(`Cannot hand out record ${index}: it was not acquired`);
    return new ShareRecord<unknown, unknown>(context, place, locked, index, deliveryCount);
  });
}

/** How far offsets lie behind a base; computed once for those of one batch, which come one after the other. */
function shiftFrom(baseOffset: bigint): (offset: bigint) => number {
  let last = baseOffset;
  let shift = 0;
  return (offset) => {
    if (offset !== last) {
      last = offset;
      shift = Number(offset - baseOffset);
    }
    return shift;
  };
}
