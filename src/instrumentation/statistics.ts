import type { TopicPartition } from '../model/topic-partition.ts';

/** What a `Kafka` and its open clients hold and do at one moment: {@link Kafka.statistics}. `JSON.stringify` takes it, with offsets as texts. */
export interface KafkaStatistics {
  /** The `clientId` of the `Kafka`. */
  readonly clientId: string;
  /** The brokers to which connections are open. */
  readonly brokers: readonly BrokerStatistics[];
  /** Its producers that are not closed, in the order in which they were made. */
  readonly producers: readonly ProducerStatistics[];
  /** Its consumers that are not closed, in the order in which they were made. */
  readonly consumers: readonly ConsumerStatistics[];
  /** Its share consumers that are not closed, in the order in which they were made. */
  readonly shareConsumers: readonly ShareConsumerStatistics[];
}

/** The connections to one broker. */
export interface BrokerStatistics {
  /** The broker's id; undefined for a bootstrap address, of which no more is known. */
  readonly nodeId: number | undefined;
  /** The host that the connections are to. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** How many connections are open, of all clients. */
  readonly connections: number;
  /** Requests on them that were sent and are not answered. */
  readonly requestsInFlight: number;
}

/** What a producer holds. */
export interface ProducerStatistics {
  /** Its connections, as the events about them name them: `produce-1`. */
  readonly lane: string;
  /** Undefined without transactions. */
  readonly transactionalId: string | undefined;
  /** What records take in memory that are not acknowledged, in bytes. */
  readonly bufferedBytes: number;
  /** The option: what they may take. */
  readonly bufferMemoryBytes: number;
  /** Records that are neither acknowledged nor given up. */
  readonly unsettledRecords: number;
  /** Calls of `send` and `enqueue` that wait for memory; an array counts as one. */
  readonly waitingSends: number;
  /** The option: how many may wait. */
  readonly maxWaitingSends: number;
  /** Requests with records that were sent and are not answered. */
  readonly requestsInFlight: number;
}

/** Where a consumer is, and what it holds. */
export interface ConsumerStatistics {
  /** Its connections for fetching, as the events about them name them: `fetch-1`. */
  readonly lane: string;
  /** Undefined without a group. */
  readonly groupId: string | undefined;
  /** Who it is in its group; undefined while it is in none. */
  readonly memberId: string | undefined;
  /** The partitions that it has now, in the order in which they were assigned. */
  readonly partitions: readonly PartitionStatistics[];
  /** What was fetched and is not read to its end, in bytes. */
  readonly bufferedBytes: number;
  /** The option: how much that may be. */
  readonly maxBufferedBytes: number;
}

/** How far a partition is read, as far as that is known without asking. */
export interface PartitionStatistics extends TopicPartition {
  /** The next offset to be handed out; undefined while it is not known. */
  readonly position: bigint | undefined;
  /**
   * Where the partition ended when it was last fetched: its high watermark, with `read_committed` its last stable offset. Undefined before the
   * first answer.
   */
  readonly endOffset: bigint | undefined;
  /** How far the position is behind that end; undefined while one of them is. */
  readonly lag: bigint | undefined;
  /** Whether nothing of it is handed out until `resume`. It is not fetched either, so its end is that of the last fetch. */
  readonly paused: boolean;
  /** What was fetched of it and is not read to its end, in bytes. */
  readonly bufferedBytes: number;
}

/** What a share consumer holds. */
export interface ShareConsumerStatistics {
  /** Its connections for fetching, as the events about them name them: `share-1`. */
  readonly lane: string;
  /** Its group. */
  readonly groupId: string;
  /** Who it is in its group. */
  readonly memberId: string;
  /** The partitions that the group lets it read from; others may have the same ones. */
  readonly partitions: readonly TopicPartition[];
  /** Records that were handed out and are not acknowledged. */
  readonly recordsInHand: number;
  /** Offsets that are locked for it and not handed out, gaps between records included. */
  readonly recordsUnread: number;
  /** What those take in memory, and those whose acknowledgement is under way, in bytes. */
  readonly bufferedBytes: number;
  /** The option: how much that may be. */
  readonly maxBufferedBytes: number;
}
