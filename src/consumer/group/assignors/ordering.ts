import type { MemberSubscription } from './assignor.ts';

/** By UTF-16 code units, as Java's `String.compareTo`; a locale's order would differ between machines. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Static members first, by instance id, so that a restart moves nothing; then by member id. */
export function compareMembers(a: MemberSubscription, b: MemberSubscription): number {
  if (a.groupInstanceId !== null && b.groupInstanceId !== null)
    return compareText(a.groupInstanceId, b.groupInstanceId);
  if (a.groupInstanceId !== null) return -1;
  if (b.groupInstanceId !== null) return 1;
  return compareText(a.memberId, b.memberId);
}

/** Each member once, should a coordinator name one twice. */
export function distinctMembers(members: readonly MemberSubscription[]): MemberSubscription[] {
  return [...new Map(members.map((member) => [member.memberId, member])).values()];
}
