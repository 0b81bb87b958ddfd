import { ConsumerProtocolAssignment } from '../../protocol/generated/consumer-protocol-assignment.ts';
import { ConsumerProtocolSubscription } from '../../protocol/generated/consumer-protocol-subscription.ts';
import { Reader } from '../../protocol/wire/reader.ts';
import { byTopicId, partitionKey, type TopicsView } from './topics-view.ts';

const versionBytes = 2;

/** What a consumer says in the metadata of its JoinGroup. */
export interface EmbeddedSubscription {
  readonly topics: readonly string[];
  readonly rackId: string | null;
  readonly owned: ReadonlySet<string>;
}

/** Reads the subscription in a consumer's metadata; undefined if it is none. */
export function readSubscription(bytes: Buffer, topics: TopicsView): EmbeddedSubscription | undefined {
  try {
    const version = Math.min(bytes.readInt16BE(0), ConsumerProtocolSubscription.maxVersion);
    const message = ConsumerProtocolSubscription.read(
      new Reader(bytes.subarray(versionBytes), 'a subscription'),
      version,
    );
    const { ownedPartitions, rackId } = message;
    return { topics: message.topics, rackId, owned: keysOf(ownedPartitions, topics) };
  } catch {
    return undefined;
  }
}

/** Reads the assignment that the leader of a classic group gave; nothing where it cannot be read. */
export function readAssignment(bytes: Buffer, topics: TopicsView): ReadonlySet<string> {
  try {
    const version = Math.min(bytes.readInt16BE(0), ConsumerProtocolAssignment.maxVersion);
    const message = ConsumerProtocolAssignment.read(new Reader(bytes.subarray(versionBytes), 'an assignment'), version);
    return keysOf(message.assignedPartitions, topics);
  } catch {
    return new Set();
  }
}

/** Writes an assignment for a member of the classic protocol, in the version of its subscription. */
export function writeAssignment(keys: Iterable<string>, topics: TopicsView, subscription: Buffer): Buffer {
  const assignedPartitions = byTopicId(keys).flatMap(({ topicId, partitions }) => {
    const topic = topics.byId(topicId)?.name;
    return topic === undefined ? [] : [{ topic, partitions }];
  });
  const asked = subscription.length < versionBytes ? 0 : subscription.readInt16BE(0);
  const version = Math.max(0, Math.min(asked, ConsumerProtocolAssignment.maxVersion));
  const head = Buffer.alloc(versionBytes);
  head.writeInt16BE(version);
  return Buffer.concat([head, ConsumerProtocolAssignment.encode({ assignedPartitions, userData: null }, version)]);
}

function keysOf(
  named: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  topics: TopicsView,
): ReadonlySet<string> {
  return new Set(
    named.flatMap(({ topic, partitions }) => {
      const known = topics.byName(topic);
      return known === undefined ? [] : partitions.map((partition) => partitionKey(known.topicId, partition));
    }),
  );
}
