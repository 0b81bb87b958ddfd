import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { ClassicGroupMachine } from './classic-group-machine.ts';
import { ClassicMember } from './classic-member.ts';
import type { ConsumerGroupMachine } from './consumer-group-machine.ts';
import { newConsumerMember, type ConsumerMember } from './consumer-member.ts';
import { readAssignment, readSubscription, writeAssignment } from './embedded-protocol.ts';
import type { TopicsView } from './topics-view.ts';

/**
 * A classic group of consumers becomes one of the new protocol, because the first such member has come (KIP-848): its members
 * keep what they have, and go on speaking the classic protocol.
 *
 * @returns false if what the members said cannot be read, and then nothing has changed
 */
export function upgradeGroup(
  classic: ClassicGroupMachine,
  consumer: ConsumerGroupMachine,
  topics: TopicsView,
  nowMs: number,
): boolean {
  const members: ConsumerMember[] = [];
  const targets = new Map<string, ReadonlySet<string>>();
  for (const member of classic.members) {
    const subscription = readSubscription(member.protocols[0]?.metadata ?? Buffer.alloc(0), topics);
    if (subscription === undefined) return false;
    const keys = readAssignment(member.assignment, topics);
    targets.set(member.memberId, keys);
    members.push({
      ...newConsumerMember(member.memberId),
      instanceId: member.groupInstanceId,
      rackId: subscription.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      topicNames: subscription.topics,
      epoch: classic.generationId,
      previousEpoch: classic.generationId,
      assigned: new Map([...keys].map((key) => [key, classic.generationId])),
      classic: { sessionTimeoutMs: member.sessionTimeoutMs, protocols: member.protocols },
    });
  }
  // Whoever waits is sent back, into the rebalance of the new protocol.
  classic.end(brokerErrorCodes.REBALANCE_IN_PROGRESS);
  consumer.load(classic.generationId, members, targets, nowMs);
  return true;
}

/**
 * The last member of the new protocol has gone: the others go on as a classic group, and are called together.
 *
 * @param generationId the group's epoch before that member went
 */
export function downgradeGroup(
  consumer: ConsumerGroupMachine,
  generationId: number,
  classic: ClassicGroupMachine,
  topics: TopicsView,
  nowMs: number,
): void {
  const members = consumer.members.map((member) => {
    const { protocols = [], sessionTimeoutMs = 0 } = member.classic ?? {};
    const made = new ClassicMember({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      protocolType: 'consumer',
      protocols,
      sessionTimeoutMs,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    });
    const subscription = protocols[0]?.metadata ?? Buffer.alloc(0);
    made.assignment = writeAssignment(consumer.target(member.memberId), topics, subscription);
    return made;
  });
  classic.load(generationId, 'consumer', members, nowMs);
  classic.rebalance(nowMs);
}
