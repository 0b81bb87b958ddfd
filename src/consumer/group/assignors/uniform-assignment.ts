import { comparePartitions, type TopicPartition } from '../../../model/topic-partition.ts';
import { compareText } from './ordering.ts';
import { removeFrom, type StickyInput } from './sticky-input.ts';

/** Assignments by member id, and the partitions in them that another member has yet to give up. */
export interface StickyResult {
  readonly assignments: Map<string, TopicPartition[]>;
  readonly moving: ReadonlySet<TopicPartition>;
}

/**
 * The sticky assignment where all members want the same topics: each keeps what it had, as far as nobody gets more than one
 * partition more than another; the rest is dealt out. With racks, what is far from its owner is dealt out as well, near first.
 */
export function assignUniformly(input: StickyInput): StickyResult {
  return new UniformAssignment(input).run();
}

class UniformAssignment {
  readonly #input: StickyInput;
  readonly #assignments: Map<string, TopicPartition[]>;
  readonly #given = new Set<TopicPartition>();
  /** Had an owner who has it no more. */
  readonly #revoked = new Set<TopicPartition>();
  readonly #moving = new Set<TopicPartition>();
  readonly #least: number;
  readonly #most: number;
  /** How many members get more than the least, where it does not divide. */
  readonly #expectedFull: number;
  #full = 0;
  #belowLeast: string[] = [];
  #atLeast: string[] = [];

  constructor(input: StickyInput) {
    this.#input = input;
    const memberCount = input.members.length;
    this.#assignments = new Map(input.members.map(({ memberId }) => [memberId, []]));
    this.#least = Math.floor(input.partitionCount / memberCount);
    this.#most = Math.ceil(input.partitionCount / memberCount);
    this.#expectedFull = input.partitionCount % memberCount;
  }

  run(): StickyResult {
    for (const { memberId } of this.#input.members) this.#keep(memberId);
    const left = this.#input.racks.hardestFirst(this.#unassigned());
    this.#belowLeast.sort(compareText);
    this.#atLeast.sort(compareText);
    this.#dealOut(this.#input.racks.isUsed ? this.#giveNear(left) : left);
    return { assignments: this.#assignments, moving: this.#moving };
  }

  /** What a member owned, as much of it as its share allows. */
  #keep(memberId: string): void {
    const { owned, racks, disputed } = this.#input;
    const mine = (owned.get(memberId) ?? [])
      .filter((partition) => !disputed.has(partition))
      .sort((a, b) => a.partition - b.partition || compareText(a.topic, b.topic));
    const near = mine.filter((partition) => !racks.isFar(memberId, partition));
    let kept = near.length;
    if (near.length < this.#least) this.#belowLeast.push(memberId);
    else if (near.length >= this.#most && this.#full < this.#expectedFull) {
      kept = this.#most;
      if (++this.#full === this.#expectedFull) this.#atLeast = [];
    } else {
      kept = this.#least;
      if (this.#full < this.#expectedFull) this.#atLeast.push(memberId);
    }
    for (const partition of near.slice(0, kept)) {
      this.#assignments.get(memberId)?.push(partition);
      this.#given.add(partition);
    }
    for (const partition of near.slice(kept)) this.#revoked.add(partition);
  }

  #unassigned(): TopicPartition[] {
    return [...this.#input.topics.values()]
      .flat()
      .filter((partition) => !this.#given.has(partition))
      .sort(comparePartitions);
  }

  /** Gives what can be given to a member in its rack; answers the rest. */
  #giveNear(partitions: readonly TopicPartition[]): TopicPartition[] {
    let next = 0;
    return partitions.filter((partition) => {
      const { racks } = this.#input;
      const index = racks.nextNear(partition, this.#belowLeast, next);
      const memberId = this.#belowLeast[index];
      if (memberId !== undefined) {
        next = this.#advance(memberId, index);
        this.#give(partition, memberId);
        return false;
      }
      const filled = this.#atLeast[racks.nextNear(partition, this.#atLeast, 0)];
      if (filled === undefined || this.#full >= this.#expectedFull) return true;
      if (this.#sizeOf(filled) + 1 === this.#most) {
        this.#full++;
        removeFrom(this.#atLeast, filled);
      }
      this.#give(partition, filled);
      return false;
    });
  }

  /** Where to look next after a member below the least share gets one more. */
  #advance(memberId: string, index: number): number {
    const size = this.#sizeOf(memberId) + 1;
    let next = index;
    if (size >= this.#least) {
      removeFrom(this.#belowLeast, memberId);
      if (size < this.#most) this.#atLeast.push(memberId);
    } else {
      next++;
    }
    return this.#belowLeast.length === 0 ? 0 : next % this.#belowLeast.length;
  }

  /** In turn to those below the least share; then one more to each of those that have just that. */
  #dealOut(partitions: readonly TopicPartition[]): void {
    let turn = 0;
    for (const partition of partitions) {
      if (turn >= this.#belowLeast.length) turn = 0;
      const memberId = this.#belowLeast[turn] ?? this.#atLeast.shift();
      // There are as many places as partitions; should a claim have been strange, the rest stays with nobody for a generation.
      if (memberId === undefined) return;
      const isBelow = this.#belowLeast[turn] === memberId;
      turn++;
      this.#give(partition, memberId);
      if (!isBelow || this.#sizeOf(memberId) !== this.#least) continue;
      this.#belowLeast.splice(--turn, 1);
      this.#atLeast.push(memberId);
    }
  }

  #give(partition: TopicPartition, memberId: string): void {
    this.#assignments.get(memberId)?.push(partition);
    if (this.#revoked.has(partition) || this.#input.disputed.has(partition)) this.#moving.add(partition);
  }

  #sizeOf(memberId: string): number {
    return this.#assignments.get(memberId)?.length ?? 0;
  }
}
