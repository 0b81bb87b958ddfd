import { ConsumerProtocolSubscription } from '../../protocol/generated/consumer-protocol-subscription.ts';
import { Reader } from '../../protocol/wire/reader.ts';
import type { ClassicGroupMachine } from './classic-group-machine.ts';
import type { GroupMachine } from './group-registry.ts';

const versionBytes = 2;

/**
 * Whether a group reads a topic. Of a classic one that holds as far as its coordinator can know: it looks into the metadata of consumers. What it
 * cannot read it takes for a subscription.
 */
export function isSubscribedTo(group: GroupMachine, topic: string): boolean {
  if (group.type === 'share') return false;
  if (group.type === 'consumer') return group.isSubscribedTo(topic);
  return subscribedTopics(group)?.has(topic) ?? group.protocolType === 'consumer';
}

/** The topics of all members; undefined where they are not known. */
export function subscribedTopics(group: ClassicGroupMachine): ReadonlySet<string> | undefined {
  const { protocolType, protocolName, members } = group;
  if (protocolType !== 'consumer') return undefined;
  if (members.length === 0) return new Set();
  if (protocolName === null) return undefined;
  try {
    return new Set(members.flatMap((member) => topicsOf(member.metadata(protocolName))));
  } catch {
    return undefined;
  }
}

/** Version 0 of the subscription begins every later one. */
function topicsOf(metadata: Buffer): string[] {
  return ConsumerProtocolSubscription.read(new Reader(metadata.subarray(versionBytes), 'a subscription'), 0).topics;
}
