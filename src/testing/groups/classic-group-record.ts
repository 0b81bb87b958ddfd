import { ClassicMember } from './classic-member.ts';
import type { ClassicGroupMachine } from './classic-group-machine.ts';

/** What a coordinator writes down of a classic group when a generation is agreed on; fit for JSON. */
export interface ClassicGroupRecord {
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string | null;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly clientId: string;
    readonly clientHost: string;
    readonly sessionTimeoutMs: number;
    readonly rebalanceTimeoutMs: number;
    /** In base64, as the assignment. */
    readonly metadata: string;
    readonly assignment: string;
  }[];
}

/** Writes down a group that is stable or empty. */
export function recordClassicGroup(group: ClassicGroupMachine): ClassicGroupRecord {
  return {
    generationId: group.generationId,
    protocolType: group.protocolType ?? null,
    protocolName: group.protocolName,
    leader: group.roster.leaderId ?? null,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      sessionTimeoutMs: member.sessionTimeoutMs,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      metadata: member.metadata(group.protocolName).toString('base64'),
      assignment: member.assignment.toString('base64'),
    })),
  };
}

/** Takes up what was written down; of each member's protocols only the chosen one is known then, as in Kafka. */
export function loadClassicGroup(group: ClassicGroupMachine, record: ClassicGroupRecord, nowMs: number): void {
  const members = record.members.map((written) => {
    const member = new ClassicMember({
      ...written,
      protocolType: record.protocolType ?? '',
      protocols: [{ name: record.protocolName ?? '', metadata: Buffer.from(written.metadata, 'base64') }],
    });
    member.assignment = Buffer.from(written.assignment, 'base64');
    return member;
  });
  group.load(record.generationId, record.protocolType ?? undefined, members, nowMs);
  if (record.leader !== null) group.roster.leaderId = record.leader;
}
