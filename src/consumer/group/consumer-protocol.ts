import { ProtocolError } from '../../errors/kafka-error.ts';
import { byTopic, type TopicPartition } from '../../model/topic-partition.ts';
import type { DataSchema } from '../../protocol/api.ts';
import { ConsumerProtocolAssignment } from '../../protocol/generated/consumer-protocol-assignment.ts';
import { ConsumerProtocolSubscription } from '../../protocol/generated/consumer-protocol-subscription.ts';
import { Reader } from '../../protocol/wire/reader.ts';
import type { MemberSubscription } from './assignors/assignor.ts';

/** What members of a consumer group write into the opaque bytes of JoinGroup and SyncGroup begins with its version. */
const VERSION_BYTES = 2;

/** What a subscription says; who says it stands beside it in JoinGroup. */
export type Subscription = Omit<MemberSubscription, 'memberId' | 'groupInstanceId'>;

/** What a member tells the leader. Java: `ConsumerProtocol.serializeSubscription`. */
export function encodeSubscription(subscription: Subscription): Buffer {
  const { topics, userData, ownedPartitions, generationId, rackId } = subscription;
  return withVersion(ConsumerProtocolSubscription, {
    topics: [...topics].sort(),
    userData,
    ownedPartitions: numbersByTopic(ownedPartitions),
    generationId,
    rackId,
  });
}

/**
 * What a member told.
 *
 * @throws ProtocolError if the bytes are not a subscription
 */
export function decodeSubscription(bytes: Buffer): Subscription {
  const { topics, userData, ownedPartitions, generationId, rackId } = readVersioned(
    ConsumerProtocolSubscription,
    bytes,
  );
  return { topics, userData, ownedPartitions: flat(ownedPartitions), generationId, rackId };
}

/** What the leader gives a member. Java: `ConsumerProtocol.serializeAssignment`. */
export function encodeAssignment(partitions: readonly TopicPartition[], userData: Uint8Array | null = null): Buffer {
  const bytes = userData === null ? null : Buffer.from(userData.buffer, userData.byteOffset, userData.byteLength);
  return withVersion(ConsumerProtocolAssignment, { assignedPartitions: numbersByTopic(partitions), userData: bytes });
}

/** What a member got. */
export interface DecodedAssignment {
  readonly partitions: TopicPartition[];
  readonly userData: Buffer | null;
}

/**
 * What the leader gave; no partitions where the bytes are empty, as for a member that the leader did not know.
 *
 * @throws ProtocolError if the bytes are not an assignment
 */
export function decodeAssignment(bytes: Buffer): DecodedAssignment {
  if (bytes.length === 0) return { partitions: [], userData: null };
  const { assignedPartitions, userData } = readVersioned(ConsumerProtocolAssignment, bytes);
  return { partitions: flat(assignedPartitions), userData };
}

function numbersByTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  return byTopic(partitions).map(([topic, items]) => ({ topic, partitions: items.map(({ partition }) => partition) }));
}

function flat(topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[]): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
}

function withVersion<T>(schema: DataSchema<T>, message: Parameters<DataSchema<T>['encode']>[0]): Buffer {
  const version = Buffer.alloc(VERSION_BYTES);
  version.writeInt16BE(schema.maxVersion);
  return Buffer.concat([version, schema.encode(message, schema.maxVersion)]);
}

/** A newer member's bytes are read as the newest version known here: versions only add fields at the end. */
function readVersioned<T>(schema: DataSchema<T>, bytes: Buffer): T {
  if (bytes.length < VERSION_BYTES) throw new ProtocolError(`Cannot read ${schema.name}: it has ${bytes.length} bytes`);
  const version = bytes.readInt16BE(0);
  if (version < 0) throw new ProtocolError(`Cannot read ${schema.name}: its version is ${version}`);
  return schema.read(new Reader(bytes.subarray(VERSION_BYTES)), Math.min(version, schema.maxVersion));
}
