import type { TopicPartition } from '../../../model/topic-partition.ts';

/** How partitions change hands: all are given up before the group joins again, or only those that move (KIP-429). */
export type RebalanceProtocol = 'eager' | 'cooperative';

/** What the leader of a group knows of one member. Java: `ConsumerPartitionAssignor.Subscription`. */
export interface MemberSubscription {
  /** The id that the coordinator knows the member by. */
  readonly memberId: string;
  /** The configured identity of a static member (KIP-345), or null. */
  readonly groupInstanceId: string | null;
  /** The topics that it wants. */
  readonly topics: readonly string[];
  /** What its assignor wrote for that of the leader, or null. */
  readonly userData: Buffer | null;
  /** What it holds while it joins; nothing in a group with eager rebalances (KIP-429). */
  readonly ownedPartitions: readonly TopicPartition[];
  /** The generation in which it got them, -1 if none or not told (KIP-792). */
  readonly generationId: number;
  /** Its rack, or null (KIP-881). */
  readonly rackId: string | null;
}

/** A partition that can be assigned. */
export interface AssignablePartition {
  /** Its number. */
  readonly partition: number;
  /** The racks of the brokers that hold it; none where the cluster has no racks. */
  readonly racks: readonly string[];
}

/** What a member gets: partitions, or these with bytes for its own assignor. */
export type MemberAssignment =
  | readonly TopicPartition[]
  | {
      /** What it is to read. */
      readonly partitions: readonly TopicPartition[];
      /** What its assignor gets in `onAssignment`. */
      readonly userData: Uint8Array | null;
    };

/** In which generation an assignment was made, and for whom. */
export interface AssignmentInfo {
  /** The generation of the group. */
  readonly generationId: number;
  /** The id of this member. */
  readonly memberId: string;
  /** What the leader's assignor wrote for this member's, or null. */
  readonly userData: Buffer | null;
}

/**
 * Decides in the leader of a classic group which member reads which partition; for `partitionAssignors`, beside those of Kafka's
 * that are known by name.
 *
 * All members of a group need one assignor in common. An object belongs to one consumer: it may remember what it was assigned. Java:
 * `ConsumerPartitionAssignor`.
 */
export interface PartitionAssignor {
  /** The name that members agree by, as Java's `name()`. */
  readonly name: string;
  /** What rebalances it is made for. @defaultValue only `eager` */
  readonly rebalanceProtocols?: readonly RebalanceProtocol[] | undefined;
  /** Bytes for the assignor of the leader, asked for at each join. Java: `subscriptionUserData`. */
  subscriptionUserData?(topics: readonly string[]): Uint8Array | null;
  /**
   * Says what each member gets, by member id. With cooperative rebalances a partition that another member owns must be left out: it is
   * free in the next generation.
   */
  assign(
    topics: ReadonlyMap<string, readonly AssignablePartition[]>,
    members: readonly MemberSubscription[],
  ): ReadonlyMap<string, MemberAssignment>;
  /** Called with what this member got, in each generation. Java: `onAssignment`. */
  onAssignment?(partitions: readonly TopicPartition[], info: AssignmentInfo): void;
}
