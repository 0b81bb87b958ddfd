import { comparePartitions, type TopicPartition } from '../../../model/topic-partition.ts';
import type { AssignablePartition, MemberSubscription, PartitionAssignor } from './assignor.ts';
import { compareMembers, distinctMembers } from './ordering.ts';
import { rackOf, racksMatter, racksOf } from './racks.ts';

type Assignments = Map<string, TopicPartition[]>;

/** One topic while it is being assigned: what is left of it, and how much each member may still get. */
class TopicShare {
  readonly topic: string;
  readonly members: readonly MemberSubscription[];
  readonly partitionCount: number;
  readonly usesRacks: boolean;
  readonly #racks: ReadonlyMap<number, ReadonlySet<string>>;
  readonly #left: Set<number>;
  readonly #given = new Map<string, number>();
  readonly #each: number;
  /** How many members may get one more than the others. */
  #withOneMore: number;

  constructor(topic: string, partitions: readonly AssignablePartition[], members: readonly MemberSubscription[]) {
    this.topic = topic;
    this.members = members;
    this.partitionCount = partitions.length;
    this.#left = new Set(partitions.map(({ partition }) => partition));
    this.#racks = new Map(partitions.map(({ partition, racks }) => [partition, new Set(racks)]));
    this.#each = members.length === 0 ? 0 : Math.floor(partitions.length / members.length);
    this.#withOneMore = members.length === 0 ? 0 : partitions.length % members.length;
    this.usesRacks = racksMatter(racksOf(members), partitions);
  }

  room(member: MemberSubscription): number {
    const most = this.#each + (this.#withOneMore > 0 ? 1 : 0);
    return Math.max(0, most - (this.#given.get(member.memberId) ?? 0));
  }

  isNear(member: MemberSubscription, partition: number): boolean {
    const rack = rackOf(member);
    return rack === undefined || this.#racks.get(partition)?.has(rack) === true;
  }

  give(member: MemberSubscription, partitions: readonly number[], assignments: Assignments): void {
    const given = (this.#given.get(member.memberId) ?? 0) + partitions.length;
    this.#given.set(member.memberId, given);
    if (given > this.#each) this.#withOneMore--;
    for (const partition of partitions) {
      this.#left.delete(partition);
      assignments.get(member.memberId)?.push({ topic: this.topic, partition });
    }
  }

  /** Gives each member in turn as much as it may get, of those partitions that it may have. */
  giveRanges(assignments: Assignments, onlyNear: boolean): void {
    for (const member of this.members) {
      if (this.#left.size === 0) return;
      const fitting = [...this.#left].filter((partition) => !onlyNear || this.isNear(member, partition));
      const taken = fitting.slice(0, this.room(member));
      if (taken.length > 0) this.give(member, taken, assignments);
    }
  }
}

/**
 * Gives each member a consecutive range of each topic's partitions; the first members get one more where it does not divide. Where
 * racks matter, partitions of the member's rack come first, and topics with as many partitions and the same members stay in step.
 *
 * Members are ordered as Java orders them, so that it does not matter whether a Java member or this client is the leader. Java:
 * `RangeAssignor` (KIP-881).
 */
export function assignRange(
  topics: ReadonlyMap<string, readonly AssignablePartition[]>,
  given: readonly MemberSubscription[],
): Assignments {
  const members = distinctMembers(given).sort(compareMembers);
  const assignments: Assignments = new Map(given.map(({ memberId }) => [memberId, []]));
  const shares = [...topics]
    .filter(([, partitions]) => partitions.length > 0)
    .map(([topic, partitions]) => {
      const readers = members.filter((member) => member.topics.includes(topic));
      return new TopicShare(topic, partitions, readers);
    });
  if (shares.some((share) => share.usesRacks)) giveWithinRacks(shares, assignments);
  for (const share of shares) share.giveRanges(assignments, false);
  for (const partitions of assignments.values()) partitions.sort(comparePartitions);
  return assignments;
}

/** Java: `range`. */
export const rangeAssignor: PartitionAssignor = { name: 'range', assign: assignRange };

function giveWithinRacks(shares: readonly TopicShare[], assignments: Assignments): void {
  const groups = new Map<string, TopicShare[]>();
  for (const share of shares) {
    const key = JSON.stringify([share.partitionCount, share.members.map(({ memberId }) => memberId)]);
    const alike = groups.get(key);
    if (alike === undefined) groups.set(key, [share]);
    else alike.push(share);
  }
  for (const alike of groups.values()) {
    const [only] = alike;
    if (alike.length > 1) giveInStep(alike, assignments);
    else if (only?.usesRacks === true) only.giveRanges(assignments, true);
  }
}

/** Partition n of all these topics goes to one member, whose rack has all of them: joins of such topics rely on it. */
function giveInStep(shares: readonly TopicShare[], assignments: Assignments): void {
  const [first] = shares;
  if (first === undefined) return;
  const left = new Set(first.members);
  for (let partition = 0; partition < first.partitionCount && left.size > 0; partition++) {
    const member = [...left].find((one) =>
      shares.every((share) => share.isNear(one, partition) && share.room(one) > 0),
    );
    if (member === undefined) continue;
    for (const share of shares) share.give(member, [partition], assignments);
    if (shares.every((share) => share.room(member) === 0)) left.delete(member);
  }
}
