import { ProtocolError } from '../../errors/kafka-error.ts';
import type { TopicPartition } from '../../model/topic-partition.ts';
import type { DataSchema } from '../../protocol/api.ts';
import { ConsumerProtocolAssignment } from '../../protocol/generated/consumer-protocol-assignment.ts';
import { ConsumerProtocolSubscription } from '../../protocol/generated/consumer-protocol-subscription.ts';
import { Reader } from '../../protocol/wire/reader.ts';

/** What members of a consumer group write into the opaque bytes of JoinGroup and SyncGroup begins with its version. */
const VERSION_BYTES = 2;

/** What a member tells the leader: its topics. Java: `ConsumerProtocol.serializeSubscription`. */
export function encodeSubscription(topics: readonly string[], generationId: number, rackId: string | null): Buffer {
  const message = { topics: [...topics].sort(), userData: null, ownedPartitions: [], generationId, rackId };
  return withVersion(ConsumerProtocolSubscription, message);
}

/**
 * The topics that a member wants.
 *
 * @throws ProtocolError if the bytes are not a subscription
 */
export function decodeSubscription(bytes: Buffer): readonly string[] {
  return readVersioned(ConsumerProtocolSubscription, bytes).topics;
}

/** What the leader gives a member. Java: `ConsumerProtocol.serializeAssignment`. */
export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const numbers = byTopic.get(topic);
    if (numbers === undefined) byTopic.set(topic, [partition]);
    else numbers.push(partition);
  }
  const assignedPartitions = [...byTopic].map(([topic, numbers]) => ({ topic, partitions: numbers }));
  return withVersion(ConsumerProtocolAssignment, { assignedPartitions, userData: null });
}

/**
 * The partitions that the leader gave; none where the bytes are empty, as for a member that the leader did not know.
 *
 * @throws ProtocolError if the bytes are not an assignment
 */
export function decodeAssignment(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return [];
  return readVersioned(ConsumerProtocolAssignment, bytes).assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
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
