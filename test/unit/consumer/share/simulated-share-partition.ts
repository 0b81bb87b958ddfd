import assert from 'node:assert/strict';
import {
  acknowledgeTypes,
  type AcknowledgedRange,
  type AcquiredRange,
} from '../../../../src/consumer/share/acquired-records-machine.ts';

/** What the leader of a share partition knows of one offset. */
interface Offset {
  readonly hasRecord: boolean;
  state: 'available' | 'acquired' | 'acknowledged' | 'archived';
  /** By which acquisition it is locked, and until when. */
  lockedBy: number;
  untilMs: number;
  deliveryCount: number;
}

/** A lock of the leader's: what one answer acquired, counted from its first offset. */
export interface SimulatedAcquisition {
  readonly id: number;
  readonly baseOffset: number;
  readonly ranges: readonly AcquiredRange[];
}

/** One partition of a share group as its leader keeps it, with a clock that the test moves. */
export class SimulatedSharePartition {
  readonly offsets: Offset[];
  readonly #lockMs: number;
  #acquisitions = 0;

  constructor(hasRecord: readonly boolean[], lockMs: number) {
    this.#lockMs = lockMs;
    this.offsets = hasRecord.map((has) => ({
      hasRecord: has,
      state: 'available',
      lockedBy: -1,
      untilMs: -1,
      deliveryCount: 0,
    }));
  }

  /** Locks up to `limit` offsets that are available from `from` on; undefined if there are none. */
  acquire(from: number, limit: number, nowMs: number): SimulatedAcquisition | undefined {
    this.#expire(nowMs);
    const id = ++this.#acquisitions;
    const taken: { offset: number; deliveryCount: number }[] = [];
    for (let offset = from; offset < this.offsets.length && taken.length < limit; offset++) {
      const one = this.offsets[offset];
      if (one?.state !== 'available') continue;
      one.state = 'acquired';
      one.lockedBy = id;
      one.untilMs = nowMs + this.#lockMs;
      one.deliveryCount++;
      taken.push({ offset, deliveryCount: one.deliveryCount });
    }
    const baseOffset = taken[0]?.offset;
    if (baseOffset === undefined) return undefined;
    const ranges: { first: number; last: number; deliveryCount: number }[] = [];
    for (const { offset, deliveryCount } of taken) {
      const before = ranges.at(-1);
      const index = offset - baseOffset;
      if (before !== undefined && before.last === index - 1 && before.deliveryCount === deliveryCount)
        before.last = index;
      else ranges.push({ first: index, last: index, deliveryCount });
    }
    return { id, baseOffset, ranges };
  }

  /** Takes acknowledgements of an acquisition; each of them must be of an offset that it still has locked. */
  acknowledge({ id, baseOffset }: SimulatedAcquisition, ranges: readonly AcknowledgedRange[], nowMs: number): void {
    this.#expire(nowMs);
    let end = -1;
    for (const { first, last, type } of ranges) {
      assert.ok(first > end && last >= first, `ranges are in order: ${JSON.stringify(ranges)}`);
      end = last;
      for (let index = first; index <= last; index++) this.#acknowledgeOne(id, baseOffset + index, type, nowMs);
    }
  }

  /** Everything that an acquisition has locked is available again. */
  release({ id }: SimulatedAcquisition): void {
    for (const one of this.offsets) if (one.state === 'acquired' && one.lockedBy === id) one.state = 'available';
  }

  isLocked({ id, baseOffset }: SimulatedAcquisition, index: number, nowMs: number): boolean {
    this.#expire(nowMs);
    const one = this.offsets[baseOffset + index];
    return one?.state === 'acquired' && one.lockedBy === id;
  }

  /** The offsets that an acquisition has locked, counted from its first. */
  lockedOf(acquisition: SimulatedAcquisition, nowMs: number): number[] {
    this.#expire(nowMs);
    const { baseOffset } = acquisition;
    return this.offsets.flatMap((_, offset) =>
      this.isLocked(acquisition, offset - baseOffset, nowMs) ? [offset - baseOffset] : [],
    );
  }

  #acknowledgeOne(id: number, offset: number, type: AcknowledgedRange['type'], nowMs: number): void {
    const one = this.offsets[offset];
    assert.ok(one?.state === 'acquired' && one.lockedBy === id, `offset ${offset} is locked by acquisition ${id}`);
    assert.ok(type !== acknowledgeTypes.gap || !one.hasRecord, `offset ${offset} has a record, which a gap would lose`);
    if (type === acknowledgeTypes.renew) one.untilMs = nowMs + this.#lockMs;
    else if (type === acknowledgeTypes.release) one.state = 'available';
    else one.state = type === acknowledgeTypes.accept ? 'acknowledged' : 'archived';
  }

  #expire(nowMs: number): void {
    for (const one of this.offsets) if (one.state === 'acquired' && one.untilMs <= nowMs) one.state = 'available';
  }
}
