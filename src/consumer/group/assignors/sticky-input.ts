import { topicPartitionKey, type TopicPartition } from '../../../model/topic-partition.ts';
import type { AssignablePartition, MemberSubscription } from './assignor.ts';
import { rackOf, racksMatter, racksOf } from './racks.ts';

/** What a member says that it had, as its assignor reads it. */
export interface PreviousAssignment {
  readonly partitions: readonly TopicPartition[];
  /** Undefined where it does not say in which generation. */
  readonly generationId: number | undefined;
}

/** What both sticky algorithms work on. A partition is one object throughout, so that it can be a key. */
export interface StickyInput {
  /** In the order in which Java's tables give them. */
  readonly members: readonly MemberSubscription[];
  readonly topics: ReadonlyMap<string, readonly TopicPartition[]>;
  readonly partitionCount: number;
  readonly racks: RackInfo;
  /** What each member owned and may own still: of topics that exist, and claimed by no other with as good a right. */
  readonly owned: Map<string, TopicPartition[]>;
  /** Partitions that several members of one generation claim: nobody has a right to them. */
  readonly disputed: ReadonlySet<TopicPartition>;
  /** All that members said of what they had. */
  readonly previous: ReadonlyMap<string, PreviousAssignment>;
  readonly maxGeneration: number;
  readonly allSubscribedAlike: boolean;
}

const NO_GENERATION = -1;

/** @param members in the order of Java's tables */
export function stickyInput(
  topics: ReadonlyMap<string, readonly AssignablePartition[]>,
  members: readonly MemberSubscription[],
  previousOf: (member: MemberSubscription) => PreviousAssignment,
): StickyInput {
  const known = new Map<string, TopicPartition>();
  const one = ({ topic, partition }: TopicPartition): TopicPartition => {
    const key = topicPartitionKey(topic, partition);
    const same = known.get(key) ?? { topic, partition };
    known.set(key, same);
    return same;
  };
  const byTopic = new Map(
    [...topics].map(([topic, partitions]) => [topic, partitions.map(({ partition }) => one({ topic, partition }))]),
  );
  const previous = new Map(
    members.map((member) => {
      const { partitions, generationId } = previousOf(member);
      return [member.memberId, { partitions: partitions.map(one), generationId }];
    }),
  );
  const claims = settleClaims(members, previous, topics);
  return {
    members,
    topics: byTopic,
    partitionCount: [...byTopic.values()].reduce((sum, partitions) => sum + partitions.length, 0),
    racks: new RackInfo(topics, byTopic, members),
    ...claims,
    previous,
    maxGeneration: Math.max(
      NO_GENERATION,
      ...[...previous.values()].map(({ generationId = NO_GENERATION }) => generationId),
    ),
    allSubscribedAlike: areAlike(members),
  };
}

function areAlike(members: readonly MemberSubscription[]): boolean {
  const first = members.find(({ topics }) => topics.length > 0);
  const topics = new Set(first?.topics);
  return members.every(
    (member) => member.topics.length === topics.size && member.topics.every((topic) => topics.has(topic)),
  );
}

/** A partition that two members claim goes to the one of the later generation, and to neither if they are of the same. */
function settleClaims(
  members: readonly MemberSubscription[],
  previous: ReadonlyMap<string, PreviousAssignment>,
  topics: ReadonlyMap<string, unknown>,
): Pick<StickyInput, 'owned' | 'disputed'> {
  const owned = new Map<string, TopicPartition[]>();
  const disputed = new Set<TopicPartition>();
  const owners = new Map<TopicPartition, MemberSubscription>();
  for (const member of members) {
    const mine: TopicPartition[] = [];
    owned.set(member.memberId, mine);
    const { partitions = [], generationId = NO_GENERATION } = previous.get(member.memberId) ?? {};
    for (const partition of partitions) {
      if (!topics.has(partition.topic)) continue;
      const other = owners.get(partition);
      if (other === undefined) {
        mine.push(partition);
        owners.set(partition, member);
        continue;
      }
      // As Java does: of the other one, what the subscription says, not what its user data say.
      if (generationId < other.generationId) continue;
      if (generationId === other.generationId) disputed.add(partition);
      else mine.push(partition);
      removeFrom(owned.get(other.memberId), partition);
      owners.set(partition, member);
    }
  }
  return { owned, disputed };
}

export function removeFrom<T>(list: T[] | undefined, item: T): void {
  const index = list?.indexOf(item) ?? -1;
  if (index >= 0) list?.splice(index, 1);
}

/** Who is near to what (KIP-881). */
class RackInfo {
  /** Whether racks count at all. */
  readonly isUsed: boolean;
  readonly #memberRacks = new Map<string, string>();
  readonly #partitionRacks = new Map<TopicPartition, ReadonlySet<string>>();
  readonly #membersNear = new Map<TopicPartition, number>();

  constructor(
    topics: ReadonlyMap<string, readonly AssignablePartition[]>,
    byTopic: ReadonlyMap<string, readonly TopicPartition[]>,
    members: readonly MemberSubscription[],
  ) {
    const memberRacks = racksOf(members);
    this.isUsed = racksMatter(memberRacks, [...topics.values()].flat());
    if (memberRacks.size === 0) return;
    for (const member of members) {
      const rack = rackOf(member);
      if (rack !== undefined) this.#memberRacks.set(member.memberId, rack);
    }
    const sizes = new Map<string, number>();
    for (const rack of this.#memberRacks.values()) sizes.set(rack, (sizes.get(rack) ?? 0) + 1);
    for (const [topic, partitions] of topics) {
      partitions.forEach(({ racks }, index) => {
        const partition = byTopic.get(topic)?.[index];
        if (partition === undefined) return;
        this.#partitionRacks.set(partition, new Set(racks));
        this.#membersNear.set(
          partition,
          [...new Set(racks)].reduce((sum, rack) => sum + (sizes.get(rack) ?? 0), 0),
        );
      });
    }
  }

  rackOf(memberId: string): string | undefined {
    return this.isUsed ? this.#memberRacks.get(memberId) : undefined;
  }

  racksOf(partition: TopicPartition): ReadonlySet<string> {
    return this.#partitionRacks.get(partition) ?? new Set();
  }

  isFar(memberId: string, partition: TopicPartition): boolean {
    const rack = this.rackOf(memberId);
    return rack !== undefined && !this.racksOf(partition).has(rack);
  }

  /** The partitions that few members are near to first; they are the hardest to place. */
  hardestFirst(partitions: TopicPartition[]): TopicPartition[] {
    if (this.#membersNear.size === 0) return partitions;
    const near = (partition: TopicPartition): number => this.#membersNear.get(partition) ?? 0;
    return [...partitions].sort((a, b) => near(a) - near(b));
  }

  /** The index of the next member in a rack of the partition, from `from` on and round; -1 if there is none. */
  nextNear(partition: TopicPartition, memberIds: readonly string[], from: number): number {
    const racks = this.racksOf(partition);
    for (let step = 0; step < memberIds.length; step++) {
      const index = (from + step) % memberIds.length;
      const rack = this.rackOf(memberIds[index] ?? '');
      if (rack !== undefined && racks.has(rack)) return index;
    }
    return -1;
  }
}
