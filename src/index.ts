import { Admin } from './admin/admin.ts';
import { abortSignal, callOptionsError, checkCallOptions, duration } from './cluster/call-options.ts';
import { Cluster } from './cluster/cluster.ts';
import { resolveClientOptions, type ClientOptions } from './cluster/options.ts';
import { Consumer } from './consumer/consumer.ts';
import type { ConsumerOptions, TypedConsumerOptions } from './consumer/options.ts';
import type { TopicConsumerBatch, TopicConsumerRecord } from './consumer/typed-records.ts';
import { ShareConsumer } from './consumer/share/share-consumer.ts';
import type { ShareConsumerOptions, TypedShareConsumerOptions } from './consumer/share/share-options.ts';
import type { TopicShareRecord } from './consumer/share/share-typed-records.ts';
import { ClosedError } from './errors/kafka-error.ts';
import { EventPublisher } from './instrumentation/event-publisher.ts';
import type { ClientEventName, ClientEvents } from './instrumentation/events.ts';
import { logEvents } from './instrumentation/log-events.ts';
import type {
  ConsumerStatistics,
  KafkaStatistics,
  ProducerStatistics,
  ShareConsumerStatistics,
} from './instrumentation/statistics.ts';
import { Producer } from './producer/producer.ts';
import type { ConsumerTopics, ProducerTopics, TopicRecord } from './model/topics.ts';
import type { ProducerOptions, TypedProducerOptions } from './producer/options.ts';

interface Closable {
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

interface Measured<Statistics> extends Closable {
  statistics(): Statistics;
}

/**
 * The way into a Kafka cluster: makes producers, consumers and admin clients that share metadata and connections.
 *
 * Making one does no IO and throws only for options that cannot be used; the first call that needs the cluster connects.
 * Use {@link Kafka.connect} to find out early whether the cluster can be reached. Close it when done: it closes everything
 * it made.
 *
 * @example
 * ```ts
 * const kafka = new Kafka({ clientId: 'orders', bootstrapServers: ['localhost:9092'] });
 * const producer = kafka.producer();
 * await producer.send({ topic: 'orders', key: 'o-1', value: 'one' });
 * await kafka.close();
 * ```
 */
export class Kafka implements AsyncDisposable {
  readonly #events: EventPublisher;
  readonly #cluster: Cluster;
  readonly #consumers = new Set<Measured<ConsumerStatistics>>();
  readonly #shareConsumers = new Set<Measured<ShareConsumerStatistics>>();
  readonly #producers = new Set<Measured<ProducerStatistics>>();
  readonly #admins = new Set<Closable>();
  #closing: Promise<void> | undefined;

  /**
   * @throws {@link UsageError} an option is unknown or has a value that cannot be used
   */
  constructor(options: ClientOptions) {
    const resolved = resolveClientOptions(options);
    this.#events = new EventPublisher(resolved.clientId);
    this.#cluster = new Cluster(resolved, this.#events);
    if (resolved.logger !== undefined) logEvents(this.#events, resolved.logger);
  }

  /**
   * Connects to the cluster and reads its metadata once, so that a wrong address or password shows now.
   *
   * @throws {@link NetworkError} `BOOTSTRAP_FAILED`: none of the bootstrap servers could be used; the message lists each with its reason
   * @throws {@link AuthenticationError} a broker did not accept the credentials
   */
  async connect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#refuseWhenClosed();
    checkCallOptions(options, 'connect', { signal: abortSignal });
    await this.#cluster.refresh(options);
  }

  /** A producer for the topics that `defineTopics` has defined: its records are typed by topic, others are refused. */
  producer<const Topics extends ProducerTopics>(
    options: TypedProducerOptions<Topics>,
  ): Producer<unknown, unknown, TopicRecord<Topics>>;
  /** A producer; it has produce connections of its own. */
  producer<K = string | Uint8Array | null, V = string | Uint8Array | null>(
    options?: ProducerOptions<K, V>,
  ): Producer<K, V>;
  producer<K = string | Uint8Array | null, V = string | Uint8Array | null>(
    options: ProducerOptions<K, V> = {},
  ): Producer<K, V> {
    this.#refuseWhenClosed();
    return this.#remember(this.#producers, (onClosed) => new Producer<K, V>(this.#cluster, options, onClosed));
  }

  /** A consumer of topics that `defineTopics` has defined: its records are typed by topic, other topics are refused. */
  consumer<const Topics extends ConsumerTopics>(
    options: TypedConsumerOptions<Topics>,
  ): Consumer<unknown, unknown, TopicConsumerRecord<Topics>, TopicConsumerBatch<Topics>>;
  /** A consumer; it has fetch and group connections of its own. */
  consumer<K = Buffer | null, V = Buffer | null>(options?: ConsumerOptions<K, V>): Consumer<K, V>;
  consumer<K = Buffer | null, V = Buffer | null>(options: ConsumerOptions<K, V> = {}): Consumer<K, V> {
    this.#refuseWhenClosed();
    return this.#remember(this.#consumers, (onClosed) => new Consumer<K, V>(this.#cluster, options, onClosed));
  }

  /** A share consumer of topics that `defineTopics` has defined: its records are typed by topic, other topics are refused. */
  shareConsumer<const Topics extends ConsumerTopics>(
    options: TypedShareConsumerOptions<Topics>,
  ): ShareConsumer<unknown, unknown, TopicShareRecord<Topics>>;
  /** A member of a share group, which reads topics as a queue (KIP-932, Kafka 4.2 and later); it has connections of its own. */
  shareConsumer<K = Buffer | null, V = Buffer | null>(options: ShareConsumerOptions<K, V>): ShareConsumer<K, V>;
  shareConsumer<K = Buffer | null, V = Buffer | null>(options: ShareConsumerOptions<K, V>): ShareConsumer<K, V> {
    this.#refuseWhenClosed();
    return this.#remember(
      this.#shareConsumers,
      (onClosed) => new ShareConsumer<K, V>(this.#cluster, options, onClosed),
    );
  }

  /** An admin client: topics, configurations, groups, offsets, access, users, quotas. */
  admin(): Admin {
    this.#refuseWhenClosed();
    return this.#remember(this.#admins, (onClosed) => new Admin(this.#cluster, onClosed));
  }

  /**
   * Calls `listener` at each event of this name, from every client made here, until the returned function is called.
   *
   * The names and payloads are those of {@link ClientEvents}; listeners run synchronously and should be quick.
   */
  on<Name extends ClientEventName>(name: Name, listener: (payload: ClientEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * What this client and those made here that are open hold and do at this moment: memory, requests under way, positions and lag,
   * connections. Does no IO, counts nothing along the way, and may be called as often as one likes; for rates and times over a while see
   * `kavka/metrics`.
   */
  statistics(): KafkaStatistics {
    return {
      clientId: this.#cluster.options.clientId,
      brokers: this.#cluster.connections(),
      producers: [...this.#producers].map((producer) => producer.statistics()),
      consumers: [...this.#consumers].map((consumer) => consumer.statistics()),
      shareConsumers: [...this.#shareConsumers].map((consumer) => consumer.statistics()),
    };
  }

  /**
   * Closes all that was made here, consumers first, then producers (which deliver what is outstanding), admins, and sockets.
   *
   * Afterwards no socket and no timer is left. Safe to call more than once; the calls share one ending.
   *
   * @param options.timeoutMs for each client, how long it may take to finish what it is doing (30 s by default)
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const error = callOptionsError(options, 'close', { timeoutMs: duration });
    if (error !== undefined) return Promise.reject(error);
    this.#closing ??= this.#closeAll(options);
    return this.#closing;
  }

  /** The same as {@link Kafka.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #closeAll(options: { readonly timeoutMs?: number }): Promise<void> {
    const failures: unknown[] = [];
    // Consumers first: what they deliver may still be on its way to a producer.
    for (const kinds of [[this.#consumers, this.#shareConsumers], [this.#producers], [this.#admins]]) {
      const clients = kinds.flatMap((kind): Closable[] => [...kind]);
      const results = await Promise.allSettled(clients.map((client) => client.close(options)));
      failures.push(...results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])));
      for (const kind of kinds) kind.clear();
    }
    await this.#cluster.close();
    if (failures.length > 0) throw failures[0];
  }

  /** Keeps a client to close it in the end, unless it is closed before: a service may make and close many. */
  #remember<Kept extends Closable, C extends Kept>(clients: Set<Kept>, make: (onClosed: () => void) => C): C {
    const client: C = make(() => clients.delete(client));
    clients.add(client);
    return client;
  }

  #refuseWhenClosed(): void {
    if (this.#closing !== undefined) throw new ClosedError('this Kafka client');
  }
}

export * from './admin/index.ts';
export type { Broker, PartitionMetadata } from './cluster/metadata-snapshot.ts';
export type { ClientOptions } from './cluster/options.ts';
export type { CallOptions } from './cluster/request.ts';
export type { CloseOptions } from './consumer/close-options.ts';
export type {
  Committable,
  ConsumerGroupMetadata,
  OffsetAndMetadata,
  OffsetForTime,
  PartitionEnd,
  PartitionLag,
  PartitionOffset,
  PollOptions,
  Re2Pattern,
  RebalanceListener,
  TopicSelector,
} from './consumer/consumer.ts';
export { Consumer } from './consumer/consumer.ts';
export type { Partitions } from './consumer/partition-list.ts';
export type { PartitionTime } from './consumer/positions.ts';
export type { ConsumerBatch, PollResult } from './consumer/consumer-batch.ts';
export type { ConsumerRecord, ForwardedRecord, TimestampType } from './consumer/consumer-record.ts';
export type {
  ConsumerOptions,
  DeserializationDecision,
  DeserializationErrorPolicy,
  DeserializationFailure,
  GroupProtocol,
  IsolationLevel,
  TypedConsumerOptions,
} from './consumer/options.ts';
export type {
  AssignablePartition,
  AssignmentInfo,
  MemberAssignment,
  MemberSubscription,
  PartitionAssignor,
  RebalanceProtocol,
} from './consumer/group/assignors/assignor.ts';
export type { PartitionAssignorName } from './consumer/group/assignors/resolve-assignors.ts';
export type { TopicConsumerBatch, TopicConsumerRecord } from './consumer/typed-records.ts';
export type { CommittedOffset } from './consumer/offset-client.ts';
export type { AutoOffsetReset, OffsetResetByDuration } from './consumer/auto-offset-reset.ts';
export type { RecordsOptions } from './consumer/read-loops.ts';
export type { RecordStream, StreamOptions } from './consumer/record-stream.ts';
export type { HandlerContext, HandlerErrorDecision, HandlerFailure, RunOptions } from './consumer/run-options.ts';
export { ShareConsumer, type ShareCloseOptions } from './consumer/share/share-consumer.ts';
export type {
  AcknowledgementResult,
  AcknowledgeType,
  ShareConsumerOptions,
  ShareDeserializationDecision,
  ShareDeserializationErrorPolicy,
  ShareDeserializationFailure,
  TypedShareConsumerOptions,
} from './consumer/share/share-options.ts';
export type { ShareRecord } from './consumer/share/share-record.ts';
export type {
  ShareHandlerContext,
  ShareHandlerErrorDecision,
  ShareRunOptions,
} from './consumer/share/share-run-options.ts';
export type { TopicShareRecord } from './consumer/share/share-typed-records.ts';
export { AcknowledgeError, type AcknowledgeOutcome } from './errors/acknowledge-error.ts';
export { AdminError, type SettledItem } from './errors/admin-error.ts';
export { BrokerError } from './errors/broker-error.ts';
export {
  brokerErrorByNumber,
  brokerErrorCodes,
  type BrokerErrorCode,
  type BrokerErrorName,
} from './errors/broker-error-codes.ts';
export * from './errors/error-codes.ts';
export * from './errors/kafka-error.ts';
export * from './errors/send-error.ts';
export type { ClientEventMessage } from './instrumentation/event-channels.ts';
export type {
  ClientEventName,
  ClientEvents,
  ConnectionEvent,
  FetchedTopic,
  RequestEvent,
} from './instrumentation/events.ts';
export type { Logger } from './instrumentation/log-events.ts';
export type {
  BrokerStatistics,
  ConsumerStatistics,
  KafkaStatistics,
  PartitionStatistics,
  ProducerStatistics,
  ShareConsumerStatistics,
} from './instrumentation/statistics.ts';
export { json, SchemaError, type SchemaIssue, type SchemaResult, type StandardSchema } from './model/json-serde.ts';
export type { HeadersInput, HeaderValue, ProducerRecord } from './model/producer-record.ts';
export { RecordHeaders, type RecordHeaderEntry } from './model/record-headers.ts';
export {
  boolean,
  bytes,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  required,
  string,
  uuid,
  type Deserializer,
  type Serde,
  type SerdeContext,
  type Serialized,
  type Serializer,
} from './model/serdes.ts';
export {
  defineTopics,
  type ConsumerTopics,
  type ProducerTopics,
  type ReadKey,
  type ReadValue,
  type SentKey,
  type SentValue,
  type TopicDefinition,
  type TopicRecord,
} from './model/topics.ts';
export type { TopicPartition } from './model/topic-partition.ts';
export type { ProducerInterceptor } from './producer/interceptors.ts';
export { partitionOfKey } from './producer/key-hash.ts';
export type { ProducerOptions, TypedProducerOptions } from './producer/options.ts';
export {
  defaultPartitioner,
  roundRobinPartitioner,
  type BuiltInPartitioner,
  type DefaultPartitionerOptions,
  type Partitioner,
  type PartitionerInput,
} from './producer/partitioner.ts';
export { Producer } from './producer/producer.ts';
export type { ProducerWritableOptions } from './producer/writable.ts';
export { Transaction, type TransactionScope, type TransactionWaitOptions } from './producer/transaction.ts';
export type { BatchRead, OffsetsToSend, OffsetToSend, RecordRead } from './producer/transaction-offsets.ts';
export type { OnDelivery } from './producer/send-table.ts';
export type { RecordMetadata } from './producer/record-metadata.ts';
export type { CompressionName } from './protocol/records/compression-type.ts';
export * from './security/index.ts';
export type { Clock, TimerHandle } from './util/clock.ts';
export type { Int64Input, LongLike } from './util/int64.ts';
