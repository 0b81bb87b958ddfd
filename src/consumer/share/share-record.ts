import type { MakeRecord } from '../fetch/fetched-records.ts';
import { ConsumerRecord, type BatchContext, type RecordPlace } from '../consumer-record.ts';

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
  constructor(context: BatchContext, place: RecordPlace, locked: LockedRecords, index: number, deliveryCount: number) {
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
  protected override withBytes(context: BatchContext, place: RecordPlace): ConsumerRecord<K, V> {
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

/** Makes records of those offsets that were acquired; what else came with their batches is for other members. */
export function makeShareRecords(locked: LockedRecords, baseOffset: bigint): MakeRecord {
  let batch: BatchContext | undefined;
  let shift = 0;
  return (context, cursor) => {
    if (context !== batch) {
      batch = context;
      shift = Number(context.baseOffset - baseOffset);
    }
    const index = shift + cursor.offsetDelta;
    const deliveryCount = locked.machine.deliveryCountOf(index);
    if (deliveryCount === undefined) return undefined;
    return new ShareRecord<unknown, unknown>(context, cursor, locked, index, deliveryCount);
  };
}
