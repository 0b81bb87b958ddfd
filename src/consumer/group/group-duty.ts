import type { Cluster } from '../../cluster/cluster.ts';
import { isKafkaError, KafkaError, UsageError } from '../../errors/kafka-error.ts';
import { asError } from '../../errors/thrown.ts';
import { keyOf, type TopicPartition } from '../../model/topic-partition.ts';
import { quote } from '../../util/option-rules.ts';
import type {
  AssignablePartition,
  MemberAssignment,
  MemberSubscription,
  PartitionAssignor,
  RebalanceProtocol,
} from './assignors/assignor.ts';
import { decodeSubscription, encodeAssignment } from './consumer-protocol.ts';
import type { EncodedAssignment, JoinedMember } from './group-messages.ts';

/** What the duty needs of its member. */
export interface GroupDutyParts {
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly assignors: readonly PartitionAssignor[];
  readonly rebalanceProtocol: RebalanceProtocol;
}

/** What the leader of a group does for the others: it assigns, and watches over what it has assigned. */
export class GroupDuty {
  readonly #parts: GroupDutyParts;
  /** The partitions of each topic, with their racks, when this member, as leader, assigned them. */
  #seen: ReadonlyMap<string, string> | undefined;
  readonly #unknownTopics = new Set<string>();

  constructor(parts: GroupDutyParts) {
    this.#parts = parts;
  }

  /** The assignor that all members agree on. @throws KafkaError INCONSISTENT_GROUP_PROTOCOL */
  assignor(name: string): PartitionAssignor {
    const found = this.#parts.assignors.find((assignor) => assignor.name === name);
    if (found !== undefined) return found;
    throw new KafkaError(
      `Cannot join group ${quote(this.#parts.groupId)}: it assigns by ${quote(name)}, which is not among partitionAssignors`,
      { code: 'INCONSISTENT_GROUP_PROTOCOL' },
    );
  }

  async assign(protocolName: string, joined: readonly JoinedMember[]): Promise<EncodedAssignment[]> {
    const assignor = this.assignor(protocolName);
    const members = joined.map((member) => this.#subscriptionOf(member));
    const topics = await this.#look(members);
    const assigned = assignor.assign(topics, members);
    const shares = new Map(members.map(({ memberId }) => [memberId, shareOf(assigned.get(memberId))]));
    this.#refuseTaken(assignor, members, shares);
    return [...shares].map(([memberId, { partitions, userData }]) => ({
      memberId,
      assignment: encodeAssignment(partitions, userData),
    }));
  }

  /** Watches the topics of these members, although the last leader's assignment stays (KIP-814). */
  async watch(joined: readonly JoinedMember[]): Promise<void> {
    if (joined.length > 0) await this.#look(joined.map((member) => this.#subscriptionOf(member)));
  }

  /** Why what was assigned is out of date, if it is. */
  change(): string | undefined {
    const { metadata } = this.#parts.cluster;
    for (const [topic, before] of this.#seen ?? []) {
      const now = metadata.topic(topic);
      // A topic that has an error just now may have fewer partitions in the metadata than in truth.
      if (now !== undefined && now.errorCode !== 0) continue;
      if (this.#describe(topic) !== before) return `topic ${quote(topic)} has other partitions than before`;
    }
    return undefined;
  }

  async #look(members: readonly MemberSubscription[]): Promise<Map<string, AssignablePartition[]>> {
    const names = [...new Set(members.flatMap((member) => member.topics))];
    await this.#learn(names);
    this.#seen = new Map(names.map((name) => [name, this.#describe(name)]));
    return new Map(
      names.flatMap((name) => {
        const partitions = this.#partitionsOf(name);
        return partitions.length === 0 ? [] : [[name, partitions]];
      }),
    );
  }

  #partitionsOf(topic: string): AssignablePartition[] {
    const { metadata } = this.#parts.cluster;
    return (metadata.topic(topic)?.partitions ?? []).map(({ partition, replicas }) => ({
      partition,
      racks: [...new Set(replicas.flatMap((nodeId) => metadata.brokers.get(nodeId)?.rack ?? []))],
    }));
  }

  /** Racks count only where this client has one: else a broker that is gone for a while would look like another assignment. */
  #describe(topic: string): string {
    const partitions = this.#partitionsOf(topic);
    if (this.#parts.cluster.options.clientRack === undefined) return String(partitions.length);
    return JSON.stringify(partitions.map(({ racks }) => [...racks].sort()));
  }

  /** A member whose subscription cannot be read gets nothing; the group must not stand still for it. */
  #subscriptionOf({ memberId, groupInstanceId, metadata }: JoinedMember): MemberSubscription {
    try {
      return { memberId, groupInstanceId, ...decodeSubscription(metadata) };
    } catch (cause) {
      const error = asError(cause);
      this.#parts.cluster.events.publish('warning', {
        message: `Member ${quote(memberId)} of group ${quote(this.#parts.groupId)} gets no partitions: its subscription cannot be read`,
        error,
      });
      const nothing = { topics: [], userData: null, ownedPartitions: [], generationId: -1, rackId: null };
      return { memberId, groupInstanceId, ...nothing };
    }
  }

  async #learn(topics: readonly string[]): Promise<void> {
    const { cluster } = this.#parts;
    // The group waits meanwhile: a topic that was not there last time is not waited for again.
    const wanted = topics.filter((topic) => !this.#unknownTopics.has(topic));
    try {
      await cluster.topics(wanted);
    } catch (error) {
      if (!isKafkaError(error, 'UNKNOWN_TOPIC_OR_PARTITION') && !isKafkaError(error, 'TOPIC_AUTHORIZATION_FAILED'))
        throw error;
    }
    this.#unknownTopics.clear();
    for (const topic of topics) if (cluster.metadata.topic(topic) === undefined) this.#unknownTopics.add(topic);
  }

  /** Two members would read a partition at once if an assignor gave it to the one before the other has given it up. */
  #refuseTaken(
    { name }: PartitionAssignor,
    members: readonly MemberSubscription[],
    shares: ReadonlyMap<string, { readonly partitions: readonly TopicPartition[] }>,
  ): void {
    if (this.#parts.rebalanceProtocol !== 'cooperative') return;
    const owners = new Map<string, string>();
    for (const { memberId, ownedPartitions } of members) {
      const kept = new Set(shares.get(memberId)?.partitions.map(keyOf));
      for (const partition of ownedPartitions) if (!kept.has(keyOf(partition))) owners.set(keyOf(partition), memberId);
    }
    for (const { memberId, ownedPartitions } of members) {
      const own = new Set(ownedPartitions.map(keyOf));
      for (const partition of shares.get(memberId)?.partitions ?? []) {
        if (own.has(keyOf(partition)) || !owners.has(keyOf(partition))) continue;
        throw new UsageError(
          `Cannot assign the partitions of group ${quote(this.#parts.groupId)}: assignor ${quote(name)} gives ${partition.topic}-${partition.partition} to one member while another owns it; leave it out until that one has given it up`,
          { code: 'INVALID_ARGUMENT' },
        );
      }
    }
  }
}

function shareOf(given: MemberAssignment | undefined): {
  readonly partitions: readonly TopicPartition[];
  readonly userData: Uint8Array | null;
} {
  if (given === undefined) return { partitions: [], userData: null };
  return 'partitions' in given ? given : { partitions: given, userData: null };
}
