import type { CommitIdentity } from '../offset-client.ts';
import { AutoMember } from './auto-member.ts';
import { ConsumerGroupMember } from './consumer-group-member.ts';
import { GroupMember } from './group-member.ts';
import type { Membership, MembershipParts } from './membership.ts';

/** A member by the protocol that the options name. */
export function makeMembership(parts: MembershipParts): Membership {
  const { groupProtocol } = parts.options;
  if (groupProtocol === 'auto') return new AutoMember(parts);
  return groupProtocol === 'consumer' ? new ConsumerGroupMember(parts) : new GroupMember(parts);
}

/** Who asks the coordinator for offsets, in the new protocol: a classic group's coordinator does not want to know. */
export function memberOfNewProtocol(member: Membership | undefined): CommitIdentity | undefined {
  const chosen = member instanceof AutoMember ? member.chosen : member;
  return chosen instanceof ConsumerGroupMember ? chosen.identity : undefined;
}
