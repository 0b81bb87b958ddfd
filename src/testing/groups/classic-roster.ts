import type { ClassicMember } from './classic-member.ts';

/** Who belongs to a classic group: members, static instances, those who were given an id and have not come back, and the leader. */
export class ClassicRoster {
  readonly members: Map<string, ClassicMember> = new Map();
  /** Member ids by group instance id (KIP-345). */
  readonly staticMembers: Map<string, string> = new Map();
  /** Ids that were handed out and not yet used (KIP-394). */
  readonly pending: Set<string> = new Set();
  /** Members of this generation whose SyncGroup is still to come. */
  readonly unsynced: Set<string> = new Set();
  leaderId: string | undefined;

  add(member: ClassicMember): void {
    if (member.groupInstanceId !== null) this.staticMembers.set(member.groupInstanceId, member.memberId);
    this.leaderId ??= member.memberId;
    this.members.set(member.memberId, member);
    this.pending.delete(member.memberId);
  }

  remove(memberId: string): void {
    const member = this.members.get(memberId);
    this.members.delete(memberId);
    if (member !== undefined && member.groupInstanceId !== null) this.staticMembers.delete(member.groupInstanceId);
    if (this.leaderId === memberId) this.leaderId = this.members.keys().next().value;
    this.pending.delete(memberId);
    this.unsynced.delete(memberId);
  }

  /** Puts a member in the place of the one that had its group instance id before. */
  replace(old: ClassicMember, member: ClassicMember): void {
    this.members.delete(old.memberId);
    this.unsynced.delete(old.memberId);
    this.members.set(member.memberId, member);
    if (this.leaderId === old.memberId) this.leaderId = member.memberId;
    if (member.groupInstanceId !== null) this.staticMembers.set(member.groupInstanceId, member.memberId);
  }

  /** Sees that the leader is one who has joined; false if nobody has. */
  electJoinedLeader(): boolean {
    const leader = this.leaderId === undefined ? undefined : this.members.get(this.leaderId);
    if (leader === undefined) return false;
    if (leader.joinRequest !== undefined) return true;
    const joined = [...this.members.values()].find((member) => member.joinRequest !== undefined);
    if (joined !== undefined) this.leaderId = joined.memberId;
    return joined !== undefined;
  }

  get joinedCount(): number {
    return [...this.members.values()].filter((member) => member.joinRequest !== undefined).length;
  }

  get haveAllJoined(): boolean {
    return this.joinedCount === this.members.size && this.pending.size === 0;
  }

  /** The longest of the members' rebalance timeouts. */
  get rebalanceTimeoutMs(): number {
    return Math.max(0, ...[...this.members.values()].map((member) => member.rebalanceTimeoutMs));
  }
}
