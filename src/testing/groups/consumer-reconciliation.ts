import { inEpoch, type ConsumerMember } from './consumer-member.ts';
import { splitPartitionKey } from './topics-view.ts';

/** What a member is led to. */
export interface ReconciliationGoal {
  readonly epoch: number;
  readonly target: ReadonlySet<string>;
  /** Ids of the topics that the member wants now. */
  readonly topicIds: ReadonlySet<string>;
  /** Whether somebody (else) still holds this partition. */
  readonly isHeld: (key: string) => boolean;
  /** The partitions that the member says it has; null if it does not say. */
  readonly owned: ReadonlySet<string> | null;
  /** Whether its subscription has just changed, so that what it does not want any more goes at once. */
  readonly hasNewSubscription: boolean;
}

/**
 * The next step of a member towards its target: first it gives up what others shall have, then it gets what is free, then it
 * waits for what is not. Kafka: `CurrentAssignmentBuilder`.
 */
export function reconcile(member: ConsumerMember, goal: ReconciliationGoal): ConsumerMember {
  switch (member.state) {
    case 'stable':
      if (member.epoch !== goal.epoch) return nextStep(member, goal);
      return goal.hasNewSubscription ? dropUnwanted(member, goal) : member;
    case 'unrevoked':
      if (ownsAny(member.revoking, goal.owned)) return goal.hasNewSubscription ? dropUnwanted(member, goal) : member;
      return nextStep({ ...member, revoking: member.revoking }, goal);
    case 'unreleased':
      return nextStep(member, goal);
  }
}

function nextStep(member: ConsumerMember, goal: ReconciliationGoal): ConsumerMember {
  const target = new Set([...goal.target].filter((key) => goal.topicIds.has(splitPartitionKey(key).topicId)));
  const kept = new Map([...member.assigned].filter(([key]) => target.has(key)));
  const revoking = new Map([...member.assigned].filter(([key]) => !target.has(key)));
  if (revoking.size > 0 && ownsAny(revoking, goal.owned))
    return { ...member, state: 'unrevoked', assigned: kept, revoking };
  const missing = [...target].filter((key) => !kept.has(key));
  // What it is only now giving up itself is not held by another.
  const free = missing.filter((key) => !goal.isHeld(key) || member.revoking.has(key) || member.assigned.has(key));
  const assigned = new Map([...kept, ...free.map((key) => [key, goal.epoch] as const)]);
  const state = free.length < missing.length ? 'unreleased' : 'stable';
  return { ...inEpoch(member, goal.epoch), state, assigned, revoking: new Map() };
}

function dropUnwanted(member: ConsumerMember, goal: ReconciliationGoal): ConsumerMember {
  const isWanted = (key: string): boolean => goal.topicIds.has(splitPartitionKey(key).topicId);
  const assigned = new Map([...member.assigned].filter(([key]) => isWanted(key)));
  if (assigned.size === member.assigned.size) return member;
  const dropped = [...member.assigned].filter(([key]) => !isWanted(key));
  const revoking = new Map([...member.revoking, ...dropped]);
  return ownsAny(revoking, goal.owned)
    ? { ...member, state: 'unrevoked', assigned, revoking }
    : { ...member, assigned };
}

function ownsAny(revoking: ReadonlyMap<string, number>, owned: ReadonlySet<string> | null): boolean {
  return owned === null || [...revoking.keys()].some((key) => owned.has(key));
}
