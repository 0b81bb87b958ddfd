import type { TopicPartition } from '../../../model/topic-partition.ts';
import { compareText } from './ordering.ts';
import { PartitionMovements } from './partition-movements.ts';
import { removeFrom, type StickyInput } from './sticky-input.ts';

/**
 * The sticky assignment where members want different topics: what is valid of the last one stays, the rest goes to whoever has least, and
 * then partitions move one at a time as long as that makes the shares more even.
 */
export function assignMixed(input: StickyInput): Map<string, TopicPartition[]> {
  return new MixedAssignment(input).run();
}

interface Formerly {
  readonly memberId: string;
  readonly generationId: number;
}

class MixedAssignment {
  readonly #input: StickyInput;
  /** Who may get a topic. */
  readonly #readers: ReadonlyMap<string, readonly string[]>;
  /** What a member may get. */
  readonly #topicsOf: ReadonlyMap<string, readonly string[]>;
  /** The topics that fewest members want first. */
  readonly #sortedTopics: readonly string[];
  #assignments: Map<string, TopicPartition[]>;
  #owners = new Map<TopicPartition, string>();
  readonly #movements = new PartitionMovements();
  /** Those whose share may change, the smallest first. */
  #bySize: string[] = [];
  #mustRevoke = false;

  constructor(input: StickyInput) {
    this.#input = input;
    const readers = new Map<string, string[]>([...input.topics.keys()].map((topic) => [topic, []]));
    const topicsOf = new Map<string, string[]>();
    for (const { memberId, topics } of input.members) {
      const wanted = topics.filter((topic) => readers.has(topic));
      topicsOf.set(memberId, wanted);
      for (const topic of wanted) readers.get(topic)?.push(memberId);
    }
    this.#readers = readers;
    this.#topicsOf = topicsOf;
    this.#assignments = input.owned;
    for (const [memberId, partitions] of input.owned) for (const each of partitions) this.#owners.set(each, memberId);
    this.#sortedTopics = [...readers.keys()].sort(
      (a, b) => (readers.get(a)?.length ?? 0) - (readers.get(b)?.length ?? 0) || compareText(a, b),
    );
  }

  run(): Map<string, TopicPartition[]> {
    const former = this.#formerOwners();
    const kept = this.#keep();
    const all = this.#sortedTopics.flatMap((topic) => this.#input.topics.get(topic) ?? []);
    const left = kept.size === 0 ? all : all.filter((partition) => !kept.has(partition));
    this.#bySize = [...this.#assignments.keys()].sort((a, b) => this.#compare(a, b));
    this.#balance(former, left, all);
    return this.#assignments;
  }

  /** Who had a partition in an earlier generation than the last. */
  #formerOwners(): Map<TopicPartition, Formerly> {
    const former = new Map<TopicPartition, Formerly>();
    const { maxGeneration, previous } = this.#input;
    for (const [memberId, { partitions, generationId = -1 }] of previous) {
      if (generationId >= maxGeneration) continue;
      for (const partition of partitions) {
        const known = former.get(partition);
        if (known === undefined || generationId > known.generationId) former.set(partition, { memberId, generationId });
      }
    }
    return former;
  }

  /** Takes from each member what it does not want any more, or is far from; answers what stays. */
  #keep(): Set<TopicPartition> {
    const kept = new Set<TopicPartition>();
    for (const [memberId, partitions] of this.#assignments) {
      const stays = (partition: TopicPartition): boolean =>
        this.#wants(memberId, partition.topic) && !this.#input.racks.isFar(memberId, partition);
      const staying = partitions.filter(stays);
      if (staying.length < partitions.length) this.#mustRevoke = true;
      this.#assignments.set(memberId, staying);
      for (const partition of staying) kept.add(partition);
    }
    return kept;
  }

  #balance(
    former: ReadonlyMap<TopicPartition, Formerly>,
    left: readonly TopicPartition[],
    all: TopicPartition[],
  ): void {
    const isFresh = this.#sizeOf(this.#bySize.at(-1) ?? '') === 0;
    const far = this.#input.racks.isUsed ? left.filter((partition) => !this.#giveToSmallest(partition, true)) : left;
    for (const partition of far) this.#giveToSmallest(partition, false);

    const isMovable = (partition: TopicPartition): boolean => (this.#readers.get(partition.topic)?.length ?? 0) >= 2;
    const fixed = this.#setAsideFixed();
    const before = new Map([...this.#assignments].map(([memberId, partitions]) => [memberId, [...partitions]]));
    const ownersBefore = new Map(this.#owners);
    // What was just given can still move without anybody losing it.
    if (!this.#mustRevoke) this.#moveWhereBetter(left.filter(isMovable), former);
    const hasMoved = this.#moveWhereBetter(all.filter(isMovable), former);
    if (!isFresh && hasMoved && unevenness(this.#assignments) >= unevenness(before)) {
      this.#assignments = before;
      this.#owners = ownersBefore;
    }
    for (const [memberId, partitions] of fixed) this.#assignments.set(memberId, partitions);
  }

  #giveToSmallest(partition: TopicPartition, onlyNear: boolean): boolean {
    const memberId = this.#bySize.find(
      (each) => this.#wants(each, partition.topic) && !(onlyNear && this.#input.racks.isFar(each, partition)),
    );
    if (memberId === undefined) return false;
    this.#resize([memberId], () => this.#assignments.get(memberId)?.push(partition));
    this.#owners.set(partition, memberId);
    return true;
  }

  /** Members that have all they may have, of topics that nobody else wants, are out of it. */
  #setAsideFixed(): Map<string, TopicPartition[]> {
    const fixed = new Map<string, TopicPartition[]>();
    for (const [memberId, topics] of this.#topicsOf) {
      const partitions = this.#assignments.get(memberId) ?? [];
      const canGive = partitions.some(({ topic }) => (this.#readers.get(topic)?.length ?? 0) >= 2);
      if (partitions.length < this.#most(topics) || canGive) continue;
      fixed.set(memberId, partitions);
      this.#assignments.delete(memberId);
      removeFrom(this.#bySize, memberId);
    }
    return fixed;
  }

  #moveWhereBetter(partitions: readonly TopicPartition[], former: ReadonlyMap<TopicPartition, Formerly>): boolean {
    let hasMoved = false;
    for (let isModified = true; isModified;) {
      isModified = false;
      for (const partition of partitions) {
        if (this.#isBalanced()) break;
        if (!this.#moveIfBetter(partition, former.get(partition)?.memberId)) continue;
        isModified = true;
        hasMoved = true;
      }
    }
    return hasMoved;
  }

  #moveIfBetter(partition: TopicPartition, formerOwner: string | undefined): boolean {
    const owner = this.#owners.get(partition);
    if (owner === undefined) return false;
    const size = this.#sizeOf(owner);
    const isSmaller = (other: string): boolean => this.#assignments.has(other) && size > this.#sizeOf(other) + 1;
    if (formerOwner !== undefined && isSmaller(formerOwner)) {
      this.#move(partition, formerOwner);
      return true;
    }
    if (!(this.#readers.get(partition.topic) ?? []).some(isSmaller)) return false;
    const smallest = this.#bySize.find((each) => this.#wants(each, partition.topic));
    if (smallest === undefined) return false;
    this.#move(partition, smallest);
    return true;
  }

  #move(wanted: TopicPartition, to: string): void {
    const partition = this.#movements.instead(wanted, this.#owners.get(wanted) ?? '', to);
    const from = this.#owners.get(partition) ?? '';
    this.#movements.move(partition, from, to);
    this.#resize([from, to], () => {
      removeFrom(this.#assignments.get(from), partition);
      this.#assignments.get(to)?.push(partition);
    });
    this.#owners.set(partition, to);
  }

  #isBalanced(): boolean {
    const smallest = this.#sizeOf(this.#bySize[0] ?? '');
    const largest = this.#sizeOf(this.#bySize.at(-1) ?? '');
    if (smallest >= largest - 1) return true;
    return this.#bySize.every((memberId) => !this.#couldGetMore(memberId));
  }

  /** Whether a partition of a member with at least two more could be this member's. */
  #couldGetMore(memberId: string): boolean {
    const size = this.#sizeOf(memberId);
    const topics = this.#topicsOf.get(memberId) ?? [];
    if (size === this.#most(topics)) return false;
    return topics.some((topic) =>
      (this.#input.topics.get(topic) ?? []).some((partition) => {
        const other = this.#owners.get(partition);
        return other !== undefined && other !== memberId && size + 1 < this.#sizeOf(other);
      }),
    );
  }

  /** Keeps the order by size while shares change. */
  #resize(memberIds: readonly string[], change: () => void): void {
    for (const memberId of memberIds) removeFrom(this.#bySize, memberId);
    change();
    for (const memberId of memberIds) {
      const at = this.#bySize.findIndex((other) => this.#compare(memberId, other) < 0);
      this.#bySize.splice(at < 0 ? this.#bySize.length : at, 0, memberId);
    }
  }

  #compare(a: string, b: string): number {
    return this.#sizeOf(a) - this.#sizeOf(b) || compareText(a, b);
  }

  #most(topics: readonly string[]): number {
    return topics.reduce((sum, topic) => sum + (this.#input.topics.get(topic)?.length ?? 0), 0);
  }

  #wants(memberId: string, topic: string): boolean {
    return this.#topicsOf.get(memberId)?.includes(topic) === true;
  }

  #sizeOf(memberId: string): number {
    return this.#assignments.get(memberId)?.length ?? 0;
  }
}

/** 0 where all shares are the same; the sum of the differences of each two. */
function unevenness(assignments: ReadonlyMap<string, readonly TopicPartition[]>): number {
  const sizes = [...assignments.values()].map((partitions) => partitions.length);
  let sum = 0;
  for (const [index, size] of sizes.entries())
    for (const other of sizes.slice(index + 1)) sum += Math.abs(size - other);
  return sum;
}
