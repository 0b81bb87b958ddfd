import type { ShareGroupMachine, ShareMember } from './share-group-machine.ts';

interface MemberRecord extends Omit<ShareMember, 'assigned'> {
  readonly assigned: readonly string[];
  readonly target: readonly string[];
}

/** What a coordinator writes down of a share group (KIP-932); fit for JSON. */
export interface ShareGroupRecord {
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly members: readonly MemberRecord[];
}

/** Writes down a group as it is. */
export function recordShareGroup(group: ShareGroupMachine): ShareGroupRecord {
  const { groupEpoch, assignmentEpoch } = group;
  const members = group.members.map((member) => ({
    ...member,
    assigned: [...member.assigned],
    target: [...group.target(member.memberId)],
  }));
  return { groupEpoch, assignmentEpoch, members };
}

/** Takes up what was written down. */
export function loadShareGroup(group: ShareGroupMachine, record: ShareGroupRecord, nowMs: number): void {
  const members = record.members.map(({ target: _, ...member }) => ({
    ...member,
    assigned: new Set(member.assigned),
  }));
  const targets = new Map(record.members.map(({ memberId, target }) => [memberId, new Set(target)]));
  group.load({ group: record.groupEpoch, assignment: record.assignmentEpoch }, members, targets, nowMs);
}
