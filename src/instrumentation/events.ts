import type { TopicPartition } from '../model/topic-partition.ts';

/** Which connection of a broker: each lane is a socket of its own, so that a long poll never delays a heartbeat. */
export interface ConnectionEvent {
  /** The broker's id, or undefined while only its bootstrap address is known. */
  readonly nodeId: number | undefined;
  readonly host: string;
  readonly port: number;
  readonly lane: string;
}

/** A request as the events about it name it. */
export interface RequestEvent extends ConnectionEvent {
  readonly api: string;
  readonly version: number;
  readonly correlationId: number;
}

/**
 * Every event that a client publishes: its name, its payload, and when it fires. Payloads hold no secret and no record data.
 *
 * Events fire synchronously, once per attempt where a request is tried again. A listener that throws is reported as
 * `listener.failed` and disturbs nothing.
 */
export interface ClientEvents {
  /** A connection is usable: connected, TLS and SASL done, versions known. */
  'connection.opened': ConnectionEvent & { readonly durationMs: number };
  /** A connection that was usable has ended; `error` is undefined if we ended it. */
  'connection.closed': ConnectionEvent & { readonly error: Error | undefined };
  /** A connection did not become usable. */
  'connection.failed': ConnectionEvent & { readonly error: Error };
  /** A request's bytes were handed to the socket. */
  'request.sent': RequestEvent & { readonly bytes: number };
  /** A request was answered. */
  'request.answered': RequestEvent & {
    readonly bytes: number;
    readonly durationMs: number;
    readonly throttleTimeMs: number;
  };
  /** A request ended without an answer. */
  'request.failed': RequestEvent & { readonly error: Error; readonly durationMs: number };
  /** A broker asked us to be silent for a while (KIP-219), and we are. */
  'broker.throttled': ConnectionEvent & { readonly throttleTimeMs: number };
  /** A new snapshot of the cluster is in use. */
  'metadata.updated': { readonly clusterId: string | undefined; readonly brokers: number; readonly topics: number };
  /** A metadata refresh failed; it will be tried again. */
  'metadata.failed': { readonly error: Error; readonly failures: number };
  /** No known broker could be reached: the bootstrap servers are used again (KIP-899). */
  'metadata.rebootstrapped': { readonly reason: string };
  /** A request will be tried again after a pause. */
  'request.retried': {
    readonly api: string;
    readonly error: Error;
    readonly failures: number;
    readonly delayMs: number;
  };
  /** A batch of records was acknowledged. */
  'producer.batch.delivered': TopicPartition & {
    readonly records: number;
    readonly bytes: number;
    readonly baseOffset: bigint;
    readonly durationMs: number;
  };
  /** A batch of records will be sent again. */
  'producer.batch.retried': TopicPartition & {
    readonly records: number;
    readonly error: Error;
    readonly attempts: number;
  };
  /** A batch of records was given up; its sends reject with `error`. */
  'producer.batch.failed': TopicPartition & { readonly records: number; readonly error: Error };
  /** An error of a record that nobody waits for (`enqueue` without a callback). */
  'producer.error': { readonly error: Error };
  /** A fetch was answered with records. */
  'consumer.fetched': {
    readonly nodeId: number;
    readonly bytes: number;
    readonly partitions: number;
    readonly durationMs: number;
  };
  /** A fetch failed and will be tried again. */
  'consumer.fetch.failed': { readonly nodeId: number; readonly error: Error };
  /** Offsets were committed to the group. */
  'consumer.committed': { readonly groupId: string; readonly partitions: number };
  /** A commit failed. */
  'consumer.commit.failed': { readonly groupId: string; readonly error: Error };
  /** A member joined a generation of its group and knows its assignment. */
  'group.joined': {
    readonly groupId: string;
    readonly memberId: string;
    readonly generationId: number;
    readonly leader: boolean;
    readonly assignment: readonly TopicPartition[];
  };
  /** A member begins to rebalance. */
  'group.rebalancing': { readonly groupId: string; readonly reason: string };
  /** A member left its group, or was removed. */
  'group.left': { readonly groupId: string; readonly memberId: string; readonly reason: string };
  /** A heartbeat was not answered well. */
  'group.heartbeat.failed': { readonly groupId: string; readonly error: Error };
  /** Something odd that a user may want to know; the client goes on. */
  warning: { readonly message: string; readonly error?: Error };
  /** A listener of one of these events threw. */
  'listener.failed': { readonly event: string; readonly error: unknown };
}

/** The name of an event in {@link ClientEvents}. */
export type ClientEventName = keyof ClientEvents;
