import { contextOf } from './consumer-record.ts';
import type { RecordList } from './record-list.ts';

/**
 * A place between the records of a partition: an offset, or behind some record. Most offsets are never asked for, so they are not computed.
 *
 * From record to record only a number changes: V8 takes a note of each young object that an old one gets to know, which costs as much as
 * making the object.
 */
export class Place {
  #offset: bigint | undefined;
  #list: RecordList | undefined;
  #index = 0;

  /** The first offset behind it; undefined where it is not known. */
  get offset(): bigint | undefined {
    const record = this.#list?.at(this.#index);
    return record === undefined ? this.#offset : record.offset + 1n;
  }

  /** The epoch of the leader that appended the record before it; -1 where that is not known. */
  get epoch(): number {
    const record = this.#list?.at(this.#index);
    return record === undefined ? -1 : contextOf(record).leaderEpoch;
  }

  moveTo(offset: bigint | undefined): void {
    this.#list = undefined;
    this.#offset = offset;
  }

  /** Behind a record of the list. */
  moveBehind(list: RecordList, index: number): void {
    // Of a list that is used up, no more than its last record is to stay in memory.
    if (index === list.length - 1 && index > 0) return this.moveBehind(list.slice(index, index + 1), 0);
    if (this.#list !== list) this.#list = list;
    this.#index = index;
  }

  /** Where another one is. */
  meet(other: Place): void {
    if (this.#list !== other.#list) this.#list = other.#list;
    if (this.#list === undefined) this.#offset = other.#offset;
    this.#index = other.#index;
  }
}
