import { UsageError } from '../errors/kafka-error.ts';
import { boolean, findOptionProblem, integer, type OptionRule } from '../util/option-rules.ts';

/** What a {@link Partitioner} is told of a record. */
export interface PartitionerInput<K = unknown, V = unknown> {
  /** The topic that the record goes to. */
  readonly topic: string;
  /** As it was given to `send`. */
  readonly key: K | null;
  /** As it was given to `send`. */
  readonly value: V | null;
  /** What the serializer made of the key. */
  readonly serializedKey: string | Uint8Array | null;
  /** What the serializer made of the value. */
  readonly serializedValue: string | Uint8Array | null;
  /** How many partitions the topic has now; it may grow. */
  readonly partitionCount: number;
  /** Whether the partition has a leader now. Where it has none, the record waits for one. */
  readonly isAvailable: (partition: number) => boolean;
}

/**
 * Chooses the partition of a record: an integer from 0 to below `partitionCount`, at once. What else it answers, or what it throws,
 * rejects that one record. {@link partitionOfKey} is what the default does for keys. Java: `Partitioner` (KIP-22).
 */
export type Partitioner<K = unknown, V = unknown> = (input: PartitionerInput<K, V>) => number;

/** How {@link defaultPartitioner} chooses. */
export interface DefaultPartitionerOptions {
  /**
   * Whether partitions whose brokers are slow get fewer of the records without a key: the more bytes wait for a partition, the
   * less likely it is to be the next. Java: `partitioner.adaptive.partitioning.enable` (KIP-794).
   *
   * @defaultValue true
   */
  readonly adaptive?: boolean | undefined;
  /**
   * A broker that could not take anything for so long, in milliseconds beyond `lingerMs`, although records wait for it, gets no
   * records without a key while another one does; 0 turns this off. Java: `partitioner.availability.timeout.ms` (KIP-794).
   *
   * @defaultValue 0
   */
  readonly availabilityTimeoutMs?: number | undefined;
  /**
   * Whether records with a key are treated like those without: equal keys then come into different partitions. Java:
   * `partitioner.ignore.keys` (KIP-794).
   *
   * @defaultValue false
   */
  readonly ignoreKeys?: boolean | undefined;
  /**
   * Whether records without a key go to partitions whose leader is in the rack that the client's `clientRack` names, as long as
   * there is one. Java: `partitioner.rack.aware` (KIP-1123).
   *
   * @defaultValue false
   */
  readonly rackAware?: boolean | undefined;
}

/** A partitioner of the client's own, as {@link defaultPartitioner} and {@link roundRobinPartitioner} make it. */
export class BuiltInPartitioner {
  /** @internal */
  readonly kind: 'default' | 'round-robin';
  /** @internal */
  readonly adaptive: boolean;
  /** @internal */
  readonly availabilityTimeoutMs: number;
  /** @internal */
  readonly ignoreKeys: boolean;
  /** @internal */
  readonly rackAware: boolean;

  /** @internal */
  constructor(kind: 'default' | 'round-robin', options: DefaultPartitionerOptions = {}) {
    this.kind = kind;
    this.adaptive = options.adaptive ?? true;
    this.availabilityTimeoutMs = options.availabilityTimeoutMs ?? 0;
    this.ignoreKeys = options.ignoreKeys ?? false;
    this.rackAware = options.rackAware ?? false;
  }
}

const rules: Readonly<Record<keyof DefaultPartitionerOptions, OptionRule>> = {
  adaptive: boolean,
  availabilityTimeoutMs: integer(0, 0x7fff_ffff),
  ignoreKeys: boolean,
  rackAware: boolean,
};

const otherNames: Readonly<Record<string, string>> = {
  'partitioner.adaptive.partitioning.enable': 'use adaptive',
  'partitioner.availability.timeout.ms': 'use availabilityTimeoutMs',
  'partitioner.ignore.keys': 'use ignoreKeys',
  'partitioner.rack.aware': 'use rackAware',
};

/**
 * What a producer does unless it is told otherwise, with options: keys by Java's hash, records without one stay with a partition
 * until 64 KiB went there (KIP-480, KIP-794).
 *
 * @throws {@link UsageError} an option is unknown or has a value that cannot be used
 */
export function defaultPartitioner(options: DefaultPartitionerOptions = {}): BuiltInPartitioner {
  const problem = findOptionProblem(options, rules, 'the partitioner', otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  return new BuiltInPartitioner('default', options);
}

/** One partition after the other, whatever the key; those without a leader are left out. Java: `RoundRobinPartitioner` (KIP-369). */
export function roundRobinPartitioner(): BuiltInPartitioner {
  return new BuiltInPartitioner('round-robin');
}
