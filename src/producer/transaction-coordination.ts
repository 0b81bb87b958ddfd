import type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
import type { TopicPartition } from '../model/topic-partition.ts';
import type { ProducerIdentity } from './partition-machine.ts';

/**
 * How a transaction is spoken of: 1 adds each partition by a request of its own and keeps the epoch, 2 adds them with the first
 * records and has another epoch after each transaction (KIP-890).
 */
export type TransactionProtocol = 1 | 2;

/** An offset that becomes the group's if the transaction commits. */
export interface TransactionOffset extends TopicPartition {
  readonly offset: bigint;
  /** -1 if it is not known. */
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** What to ask a coordinator: the one of the group for `commit-offsets`, otherwise the one of the transactional id. */
export type CoordinatorRequest =
  | { readonly kind: 'initialize'; readonly identity: ProducerIdentity | undefined }
  | {
      readonly kind: 'add-partitions';
      readonly identity: ProducerIdentity;
      readonly partitions: readonly TopicPartition[];
    }
  | { readonly kind: 'add-offsets'; readonly identity: ProducerIdentity; readonly groupId: string }
  | {
      readonly kind: 'commit-offsets';
      readonly identity: ProducerIdentity;
      readonly protocol: TransactionProtocol;
      readonly group: ConsumerGroupMetadata;
      readonly offsets: readonly TransactionOffset[];
    }
  | {
      readonly kind: 'end';
      readonly identity: ProducerIdentity;
      readonly protocol: TransactionProtocol;
      readonly committed: boolean;
    };

/** What a coordinator answered. */
export interface CoordinatorAnswer {
  /** The code for the whole request. */
  readonly errorCode: number;
  /** The codes of single partitions, where there are any. */
  readonly partitions?: readonly (TopicPartition & { readonly errorCode: number })[];
  /** The identity to use from now on, where the answer has one. */
  readonly identity?: ProducerIdentity | undefined;
}

/** The level of `transaction.version` that a broker knows, and how new that is (KIP-584). */
export interface TransactionLevel {
  readonly level: number;
  /** Rises with each change; -1 where the broker does not say. */
  readonly epoch: bigint;
}
