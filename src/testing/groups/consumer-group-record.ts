import type { ConsumerGroupMachine } from './consumer-group-machine.ts';
import type { ConsumerMember } from './consumer-member.ts';

interface ProtocolRecord {
  readonly name: string;
  /** In base64. */
  readonly metadata: string;
}

interface MemberRecord extends Omit<ConsumerMember, 'assigned' | 'revoking' | 'classic'> {
  readonly assigned: readonly (readonly [string, number])[];
  readonly revoking: readonly (readonly [string, number])[];
  readonly classic: { readonly sessionTimeoutMs: number; readonly protocols: readonly ProtocolRecord[] } | null;
  readonly target: readonly string[];
}

/** What a coordinator writes down of a consumer group (KIP-848); fit for JSON. */
export interface ConsumerGroupRecord {
  readonly groupEpoch: number;
  readonly members: readonly MemberRecord[];
}

/** Writes down a group as it is. */
export function recordConsumerGroup(group: ConsumerGroupMachine): ConsumerGroupRecord {
  return {
    groupEpoch: group.groupEpoch,
    members: group.members.map((member) => ({
      ...member,
      assigned: [...member.assigned],
      revoking: [...member.revoking],
      classic:
        member.classic === undefined
          ? null
          : {
              sessionTimeoutMs: member.classic.sessionTimeoutMs,
              protocols: member.classic.protocols.map(({ name, metadata }) => ({
                name,
                metadata: metadata.toString('base64'),
              })),
            },
      target: [...group.target(member.memberId)],
    })),
  };
}

/** Takes up what was written down. */
export function loadConsumerGroup(group: ConsumerGroupMachine, record: ConsumerGroupRecord, nowMs: number): void {
  const members = record.members.map(({ target: _, classic, ...member }) => ({
    ...member,
    assigned: new Map(member.assigned),
    revoking: new Map(member.revoking),
    classic:
      classic === null
        ? undefined
        : {
            sessionTimeoutMs: classic.sessionTimeoutMs,
            protocols: classic.protocols.map(({ name, metadata }) => ({
              name,
              metadata: Buffer.from(metadata, 'base64'),
            })),
          },
  }));
  const targets = new Map(record.members.map(({ memberId, target }) => [memberId, new Set(target)]));
  group.load(record.groupEpoch, members, targets, nowMs);
}
