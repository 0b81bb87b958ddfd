import { byTopic, topicPartitionKey, type TopicPartition } from '../../../model/topic-partition.ts';
import { Reader } from '../../../protocol/wire/reader.ts';
import { Writer } from '../../../protocol/wire/writer.ts';
import type {
  AssignmentInfo,
  AssignablePartition,
  MemberSubscription,
  PartitionAssignor,
  RebalanceProtocol,
} from './assignor.ts';
import { inHashOrder } from './java-order.ts';
import { assignMixed } from './mixed-assignment.ts';
import { distinctMembers } from './ordering.ts';
import { stickyInput, type PreviousAssignment } from './sticky-input.ts';
import { assignUniformly } from './uniform-assignment.ts';

type Topics = ReadonlyMap<string, readonly AssignablePartition[]>;

/**
 * Even shares, and as little movement as possible; each member tells in its user data what it had. Java: `StickyAssignor` (KIP-54,
 * racks KIP-881).
 */
export class StickyAssignor implements PartitionAssignor {
  readonly name = 'sticky';
  #last: PreviousAssignment | undefined;

  subscriptionUserData(): Buffer | null {
    return this.#last === undefined ? null : encodePrevious(this.#last);
  }

  assign(topics: Topics, members: readonly MemberSubscription[]): Map<string, TopicPartition[]> {
    return assignSticky(topics, members, previousByUserData).assignments;
  }

  onAssignment(partitions: readonly TopicPartition[], { generationId }: AssignmentInfo): void {
    this.#last = { partitions, generationId };
  }
}

/**
 * As {@link StickyAssignor}, for rebalances in which only what moves is given up (KIP-429): a partition that has another owner is left
 * out until that one has given it up. Java: `CooperativeStickyAssignor`.
 */
export class CooperativeStickyAssignor implements PartitionAssignor {
  readonly name = 'cooperative-sticky';
  readonly rebalanceProtocols: readonly RebalanceProtocol[] = ['cooperative', 'eager'];
  #generationId = -1;

  subscriptionUserData(): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(this.#generationId);
    return bytes;
  }

  assign(topics: Topics, members: readonly MemberSubscription[]): Map<string, TopicPartition[]> {
    const { assignments, moving } = assignSticky(topics, members, previousByOwned);
    withholdOwned(assignments, members, moving);
    return assignments;
  }

  onAssignment(_partitions: readonly TopicPartition[], { generationId }: AssignmentInfo): void {
    this.#generationId = generationId;
  }
}

function assignSticky(
  topics: Topics,
  given: readonly MemberSubscription[],
  previousOf: (member: MemberSubscription) => PreviousAssignment,
): { readonly assignments: Map<string, TopicPartition[]>; readonly moving: ReadonlySet<TopicPartition> } {
  const members = inHashOrder(distinctMembers(given), ({ memberId }) => memberId);
  if (members.length === 0) return { assignments: new Map(), moving: new Set() };
  const wanted = new Set(members.flatMap((member) => member.topics));
  const input = stickyInput(new Map([...topics].filter(([topic]) => wanted.has(topic))), members, previousOf);
  if (input.allSubscribedAlike) return assignUniformly(input);
  return { assignments: assignMixed(input), moving: new Set() };
}

/** What changes its owner is left out of this assignment: its owner gives it up first, and joins again. */
function withholdOwned(
  assignments: Map<string, TopicPartition[]>,
  members: readonly MemberSubscription[],
  moving: ReadonlySet<TopicPartition>,
): void {
  const owners = new Map<string, Set<string>>();
  for (const { memberId, ownedPartitions } of members) {
    for (const { topic, partition } of ownedPartitions) {
      const key = topicPartitionKey(topic, partition);
      owners.set(key, (owners.get(key) ?? new Set()).add(memberId));
    }
  }
  for (const [memberId, partitions] of assignments) {
    const free = partitions.filter((each) => {
      const owned = owners.get(topicPartitionKey(each.topic, each.partition));
      return !moving.has(each) && (owned === undefined || owned.has(memberId));
    });
    assignments.set(memberId, free);
  }
}

/** An eager member has given up all before it joins: what it had stands in its user data. */
function previousByUserData({ userData }: MemberSubscription): PreviousAssignment {
  if (userData === null || userData.length === 0) return { partitions: [], generationId: undefined };
  return decodePrevious(userData) ?? { partitions: [], generationId: -1 };
}

function previousByOwned({ generationId, ownedPartitions, userData }: MemberSubscription): PreviousAssignment {
  if (generationId >= 0) return { partitions: ownedPartitions, generationId };
  if (userData === null) return { partitions: ownedPartitions, generationId: undefined };
  return { partitions: ownedPartitions, generationId: userData.length >= 4 ? userData.readInt32BE(0) : -1 };
}

/** Topics with their partitions, and behind them the generation. */
function encodePrevious({ partitions, generationId = -1 }: PreviousAssignment): Buffer {
  const topics = byTopic(partitions);
  const writer = new Writer();
  writer.int32(topics.length, 'topics');
  for (const [topic, items] of topics) {
    writer.string(topic, false, 'topic');
    writer.int32(items.length, 'partitions');
    for (const { partition } of items) writer.int32(partition, 'partition');
  }
  writer.int32(generationId, 'generation');
  return writer.toBuffer();
}

/** Undefined where it cannot be read; the first version had no generation. */
function decodePrevious(bytes: Buffer): PreviousAssignment | undefined {
  try {
    const reader = new Reader(bytes, 'the user data of a sticky assignment');
    const partitions: TopicPartition[] = [];
    for (let topics = reader.count(6); topics > 0; topics--) {
      const topic = reader.string();
      for (let left = reader.count(4); left > 0; left--) partitions.push({ topic, partition: reader.int32() });
    }
    return { partitions, generationId: reader.remaining >= 4 ? reader.int32() : undefined };
  } catch {
    return undefined;
  }
}
