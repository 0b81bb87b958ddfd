import type { TopicPartition } from '../model/topic-partition.ts';

/** Which connection of a broker: each lane is a socket of its own, so that a long poll never delays a heartbeat. */
export interface ConnectionEvent {
  /** The broker's id, or undefined while only its bootstrap address is known. */
  readonly nodeId: number | undefined;
  /** The host that the connection is to. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** What the connection is for, such as `fetch-1`. */
  readonly lane: string;
}

/** A request as the events about it name it. */
export interface RequestEvent extends ConnectionEvent {
  /** Kafka's name of the API. */
  readonly api: string;
  /** The version that was agreed on. */
  readonly version: number;
  /** The number by which the answer is found; unique within its connection. */
  readonly correlationId: number;
}

/** What one answer to a fetch brought of one topic. */
export interface FetchedTopic {
  /** The topic's name. */
  readonly topic: string;
  /** How many records. */
  readonly records: number;
  /** How many bytes of records. */
  readonly bytes: number;
}

/**
 * Every event that a client publishes: its name, its payload, and when it fires. Payloads hold no secret and no record data.
 *
 * Events fire synchronously, once per attempt where a request is tried again. A listener that throws is reported as
 * `listener.failed` and disturbs nothing.
 */
export interface ClientEvents {
  /** A connection is usable: connected, TLS and SASL done, versions known. */
  'connection.opened': ConnectionEvent & {
    /** From the first try to connect until it was usable. */
    readonly durationMs: number;
  };
  /** A connection that was usable has ended; `error` is undefined if we ended it. */
  'connection.closed': ConnectionEvent & {
    /** Why it ended; undefined if we ended it. */
    readonly error: Error | undefined;
  };
  /** A connection in use authenticated again before the broker ended its session (KIP-368). */
  'connection.reauthenticated': ConnectionEvent & {
    /** How long that took; requests waited meanwhile. */
    readonly durationMs: number;
    /** How long the new session lasts, in milliseconds; undefined if it does not end. */
    readonly sessionLifetimeMs: number | undefined;
  };
  /** A connection did not become usable. */
  'connection.failed': ConnectionEvent & {
    /** Why it did not. */
    readonly error: Error;
  };
  /** No new token for OAUTHBEARER could be had; the one before serves on until it expires. */
  'sasl.token.failed': {
    /** Why there was none. */
    readonly error: Error;
    /** When the one before expires, in milliseconds since 1970. */
    readonly expiresAtMs: number;
  };
  /** A request's bytes were handed to the socket. */
  'request.sent': RequestEvent & {
    /** The size of the request, header included. */
    readonly bytes: number;
  };
  /** A request was answered. */
  'request.answered': RequestEvent & {
    /** The size of the answer. */
    readonly bytes: number;
    /** From sending to the answer. */
    readonly durationMs: number;
    /** For how long the broker asks us to be silent; 0 as a rule. */
    readonly throttleTimeMs: number;
  };
  /** A request ended without an answer. */
  'request.failed': RequestEvent & {
    /** Why there will be no answer. */
    readonly error: Error;
    /** From sending until it was given up. */
    readonly durationMs: number;
  };
  /** A broker asked us to be silent for a while (KIP-219), and we are. */
  'broker.throttled': ConnectionEvent & {
    /** For how long. */
    readonly throttleTimeMs: number;
  };
  /** A new snapshot of the cluster is in use. */
  'metadata.updated': {
    /** The id of the cluster, where its brokers tell it. */
    readonly clusterId: string | undefined;
    /** How many brokers it knows. */
    readonly brokers: number;
    /** How many topics it knows. */
    readonly topics: number;
  };
  /** A metadata refresh failed; it will be tried again. */
  'metadata.failed': {
    /** Why the last try failed. */
    readonly error: Error;
    /** How many tries in a row brought nothing. */
    readonly failures: number;
  };
  /** No known broker could be reached: the bootstrap servers are used again (KIP-899). */
  'metadata.rebootstrapped': {
    /** Why the known brokers are no use. */
    readonly reason: string;
  };
  /** A request will be tried again after a pause. */
  'request.retried': {
    /** Kafka's name of the API. */
    readonly api: string;
    /** Why it must be tried again. */
    readonly error: Error;
    /** How often it has failed by now. */
    readonly failures: number;
    /** How long the pause is. */
    readonly delayMs: number;
  };
  /** A transaction has ended. */
  'producer.transaction.ended': {
    /** Whose it was. */
    readonly transactionalId: string;
    /** Whether it was committed; otherwise nothing of it is ever seen. */
    readonly committed: boolean;
    /** Why it was not, where it should have been. */
    readonly error: Error | undefined;
    /** 2 with the transactions of KIP-890 that brokers from 4.0 have, otherwise 1. */
    readonly protocol: number;
    /** From its beginning to the answer of the coordinator. */
    readonly durationMs: number;
  };
  /** A transactional producer can do nothing more: it was fenced, or lacks a permission. */
  'producer.transaction.failed': {
    /** Whose it was. */
    readonly transactionalId: string;
    /** What ended it. */
    readonly error: Error;
  };
  /** A batch of records was acknowledged. */
  'producer.batch.delivered': TopicPartition & {
    /** How many records it holds. */
    readonly records: number;
    /** Its size on the wire. */
    readonly bytes: number;
    /** The offset of its first record. */
    readonly baseOffset: bigint;
    /** From its first record until it was acknowledged. */
    readonly durationMs: number;
  };
  /** A batch of records will be sent again. */
  'producer.batch.retried': TopicPartition & {
    /** How many records it holds. */
    readonly records: number;
    /** Why it was not acknowledged. */
    readonly error: Error;
    /** How often it has been sent by now. */
    readonly attempts: number;
  };
  /** A batch of records was given up; its sends reject with `error`. */
  'producer.batch.failed': TopicPartition & {
    /** How many records it holds. */
    readonly records: number;
    /** Why it was given up. */
    readonly error: Error;
  };
  /** An error of a record that nobody waits for (`enqueue` without a callback). */
  'producer.error': {
    /** Why the record was not delivered. */
    readonly error: Error;
  };
  /** A fetch was answered with records. */
  'consumer.fetched': {
    /** The broker that was asked. */
    readonly nodeId: number;
    /** The group; undefined without one. */
    readonly groupId: string | undefined;
    /** How many bytes of records came. */
    readonly bytes: number;
    /** How many records came, as the headers of their batches say; of a share group, how many offsets were locked. */
    readonly records: number;
    /** How many partitions they are of. */
    readonly partitions: number;
    /** Bytes and records by topic. */
    readonly topics: readonly FetchedTopic[];
    /** From sending to the answer; the broker waits for records. */
    readonly durationMs: number;
  };
  /** A fetch failed and will be tried again. */
  'consumer.fetch.failed': {
    /** The broker that was asked. */
    readonly nodeId: number;
    /** The group; undefined without one. */
    readonly groupId: string | undefined;
    /** Why it failed. */
    readonly error: Error;
  };
  /** Offsets were committed to the group. */
  'consumer.committed': {
    /** The group. */
    readonly groupId: string;
    /** How many partitions it was for. */
    readonly partitions: number;
  };
  /** A commit failed. */
  'consumer.commit.failed': {
    /** The group. */
    readonly groupId: string;
    /** Why it failed. */
    readonly error: Error;
  };
  /** A member joined a generation of its group and knows its assignment. */
  'group.joined': {
    /** The group. */
    readonly groupId: string;
    /** Who we are in it. */
    readonly memberId: string;
    /** The number of the generation. */
    readonly generationId: number;
    /** Whether this member assigned the partitions. */
    readonly leader: boolean;
    /** The partitions that it has now. */
    readonly assignment: readonly TopicPartition[];
  };
  /** A member begins to rebalance. */
  'group.rebalancing': {
    /** The group. */
    readonly groupId: string;
    /** What made it necessary. */
    readonly reason: string;
  };
  /** Partitions were assigned, and the rebalance listener has heard of it. */
  'group.assigned': {
    /** The group. */
    readonly groupId: string;
    /** The partitions that came. */
    readonly partitions: readonly TopicPartition[];
  };
  /** Partitions were given up, after the rebalance listener has heard of it. */
  'group.revoked': {
    /** The group. */
    readonly groupId: string;
    /** The partitions that went. */
    readonly partitions: readonly TopicPartition[];
  };
  /** Partitions belonged to other members already when the rebalance listener heard of it. */
  'group.lost': {
    /** The group. */
    readonly groupId: string;
    /** The partitions that were gone. */
    readonly partitions: readonly TopicPartition[];
  };
  /** A member left its group, at its close as well, or was removed. Static members that come back do not leave. */
  'group.left': {
    /** The group. */
    readonly groupId: string;
    /** Who we were in it. */
    readonly memberId: string;
    /** Why, and what was in hand then. */
    readonly reason: string;
  };
  /** A heartbeat was not answered well. */
  'group.heartbeat.failed': {
    /** The group. */
    readonly groupId: string;
    /** What was answered, or why nothing was. */
    readonly error: Error;
  };
  /** Acknowledgements of a share group were taken by the broker. */
  'share.acknowledged': TopicPartition & {
    /** The group. */
    readonly groupId: string;
    /** How many records were acknowledged, in whatever way. */
    readonly records: number;
  };
  /** Acknowledgements of a share group were refused, got no answer, or came too late; the records are delivered again. */
  'share.acknowledge.failed': TopicPartition & {
    /** The group. */
    readonly groupId: string;
    /** How many records it is about. */
    readonly records: number;
    /** Why they were not acknowledged. */
    readonly error: Error;
  };
  /** Records of a share group were in hand when their locks ended: they are delivered again. */
  'share.locks.lost': TopicPartition & {
    /** The group. */
    readonly groupId: string;
    /** How many records were in hand. */
    readonly records: number;
    /** What ended the locks. */
    readonly reason: string;
  };
  /** Records of a share group were fetched and not read in time, so that others get them. */
  'share.records.returned': TopicPartition & {
    /** The group. */
    readonly groupId: string;
    /** How many offsets, gaps between records included. */
    readonly records: number;
  };
  /** A share session has ended unasked, and with it what was held in it; a new one begins with the next fetch. */
  'share.session.ended': {
    /** The group. */
    readonly groupId: string;
    /** The broker. */
    readonly nodeId: number;
    /** Why it ended. */
    readonly error: Error;
  };
  /** A handler of a share consumer's `run` has failed. */
  'share.handler.failed': TopicPartition & {
    /** The group. */
    readonly groupId: string;
    /** The record's place in its partition. */
    readonly offset: bigint;
    /** How often the record was delivered by now. */
    readonly deliveryCount: number;
    /** What becomes of the record. */
    readonly decision: 'accept' | 'release' | 'reject' | 'stop';
    /** What the handler threw. */
    readonly error: unknown;
  };
  /** Something odd that a user may want to know; the client goes on. */
  warning: {
    /** What is odd, and what it may mean. */
    readonly message: string;
    /** The error behind it, if there is one. */
    readonly error?: Error;
  };
  /** A listener of one of these events threw. */
  'listener.failed': {
    /** The event, or the callback, that it listens to. */
    readonly event: string;
    /** What it threw. */
    readonly error: unknown;
  };
}

/** The name of an event in {@link ClientEvents}. */
export type ClientEventName = keyof ClientEvents;
