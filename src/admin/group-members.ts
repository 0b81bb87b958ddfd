import type { SettledItem } from '../errors/admin-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { LeaveGroup, type LeaveGroupRequestMemberIdentity } from '../protocol/generated/leave-group.ts';
import { expectedInstead, nonEmptyString, quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { describeGroups, type GroupMember } from './groups.ts';
import type { ItemCheck } from './item-check.ts';
import {
  fulfilled,
  inRounds,
  orRejected,
  refused,
  rejected,
  unanswered,
  type AdminOptions,
  type ItemOutcome,
} from './items.ts';

/**
 * A member of a group to remove; one that {@link Admin.describeGroups} answers with can be given as it is. Java: `MemberToRemove`, which knows
 * static members only.
 */
export interface MemberToRemove {
  /** Its id. @defaultValue none: whoever has the group instance id */
  readonly memberId?: string | undefined;
  /** Its group instance id, if it is static. @defaultValue none: the member with the member id */
  readonly groupInstanceId?: string | undefined;
}

/** How members are removed. Java: `RemoveMembersFromConsumerGroupOptions`. */
export interface RemoveMembersOptions extends AdminOptions {
  /** Why, for the coordinator's log (KIP-800, brokers from 3.2). @defaultValue that an administrator did it */
  readonly reason?: string | undefined;
}

const DEFAULT_REASON = 'removed by an administrator';

/** What is wrong with a member to remove. More fields are no mistake: what other calls answer with can be given as it is. */
export const memberToRemove: ItemCheck = (item) => {
  if (typeof item !== 'object' || item === null || Array.isArray(item))
    return `${expectedInstead('{ memberId } or { groupInstanceId }', item)}; to remove all of them, give 'all'`;
  const { memberId, groupInstanceId } = item as Readonly<Record<string, unknown>>;
  if (memberId !== undefined && !nonEmptyString.accepts(memberId))
    return `${expectedInstead('the id of a member', memberId)} for memberId`;
  if (groupInstanceId !== undefined && !nonEmptyString.accepts(groupInstanceId))
    return `${expectedInstead('the group.instance.id of a member', groupInstanceId)} for groupInstanceId`;
  if (memberId !== undefined || groupInstanceId !== undefined) return undefined;
  return "a member to remove needs a memberId or a groupInstanceId; to remove all of them, give 'all'";
};

/** Removes members from a group (KIP-345). */
export function removeMembers(
  call: AdminCall,
  groupId: string,
  items: readonly MemberToRemove[],
  options: RemoveMembersOptions,
): Promise<SettledItem<void>[]> {
  let tries = 0;
  return inRounds(call, items, (left) =>
    orRejected(left, async () => {
      const wanted = left.map((item) => identityOf(item, options));
      const { members } = await call.request({
        api: LeaveGroup,
        to: { kind: 'coordinator', type: 'group', key: groupId },
        message: (version) => {
          tries += 1;
          return { groupId, members: version >= 5 ? wanted : wanted.map((each) => ({ ...each, reason: null })) };
        },
        versions: { min: 3 },
        errorCode: ({ errorCode }) => errorCode,
      });
      return left.map((item, index): ItemOutcome<void> => {
        const doing = `Cannot remove ${memberName(item)} from group ${quote(groupId)}`;
        // In the order of the request: an answer about a static member need not repeat its id.
        const answer = members[index];
        if (answer === undefined) return rejected(unanswered(doing));
        if (answer.errorCode === 0) return fulfilled(undefined);
        // The answer to an earlier try may have been lost after the member was removed.
        if (answer.errorCode === brokerErrorCodes.UNKNOWN_MEMBER_ID && tries > 1) return fulfilled(undefined);
        return refused(answer.errorCode, doing, adviceOn(answer.errorCode));
      });
    }),
  );
}

/** Removes all who are in a group at the moment; answers who they were. */
export async function removeAllMembers(
  call: AdminCall,
  groupId: string,
  options: RemoveMembersOptions,
): Promise<SettledItem<GroupMember>[]> {
  const [description] = await describeGroups(call, [groupId]);
  if (description === undefined) throw unanswered(call.doing);
  if (description.status === 'rejected') throw description.reason;
  const { members } = description.value;
  if (members.length === 0) return [];
  // A static member by its name alone, as it may have come back under another id meanwhile.
  const items = members.map(({ memberId, groupInstanceId }) =>
    groupInstanceId === undefined ? { memberId } : { groupInstanceId },
  );
  const results = await removeMembers(call, groupId, items, options);
  return members.map((member, index) => {
    const result = results[index] ?? rejected(unanswered(call.doing));
    // Who has left by itself meanwhile is as gone as the others.
    const isGone = result.status === 'fulfilled' || result.reason.code === 'UNKNOWN_MEMBER_ID';
    return isGone ? fulfilled(member) : result;
  });
}

function identityOf(item: MemberToRemove, { reason }: RemoveMembersOptions): LeaveGroupRequestMemberIdentity {
  const { memberId = '', groupInstanceId = null } = item;
  return { memberId, groupInstanceId, reason: reason ?? DEFAULT_REASON };
}

/** Brokers answer with a bare code here. */
function adviceOn(code: number): string | undefined {
  switch (code) {
    case brokerErrorCodes.UNKNOWN_MEMBER_ID:
      return 'the group has no such member; it may have left';
    case brokerErrorCodes.FENCED_INSTANCE_ID:
      return 'another member has the group instance id by now; leave the member id out to remove whoever has it';
    default:
      return undefined;
  }
}

/** `static member "till-1"`, `member "till-1-6e4b"` */
function memberName({ memberId, groupInstanceId }: MemberToRemove): string {
  return groupInstanceId === undefined ? `member ${quote(memberId)}` : `static member ${quote(groupInstanceId)}`;
}
