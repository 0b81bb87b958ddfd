import { GroupMember } from './group-member.ts';
import type { Membership, MembershipParts } from './membership.ts';

/** A member by the protocol that the options name. */
export function makeMembership(parts: MembershipParts): Membership {
  return new GroupMember(parts);
}
