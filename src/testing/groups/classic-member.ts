import type { GroupProtocol } from './group-protocols.ts';

/** What a member of a classic group is made of when it joins. */
export interface ClassicMemberPlan {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly protocolType: string;
  readonly protocols: readonly GroupProtocol[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
}

/** A member of a classic group, as its coordinator keeps it. */
export class ClassicMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  protocols: readonly GroupProtocol[];
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  assignment: Buffer = Buffer.alloc(0);
  /** The JoinGroup that waits for the others; undefined while there is none. */
  joinRequest: number | undefined;
  /** The SyncGroup that waits for the leader's; undefined while there is none. */
  syncRequest: number | undefined;
  /** It has not yet seen a generation, so it does not know its id and cannot send heartbeats. */
  isNew = true;

  constructor(plan: ClassicMemberPlan) {
    this.memberId = plan.memberId;
    this.groupInstanceId = plan.groupInstanceId;
    this.clientId = plan.clientId;
    this.clientHost = plan.clientHost;
    this.protocols = plan.protocols;
    this.sessionTimeoutMs = plan.sessionTimeoutMs;
    this.rebalanceTimeoutMs = plan.rebalanceTimeoutMs;
  }

  /** What it said about itself under a protocol. */
  metadata(protocol: string | null): Buffer {
    return this.protocols.find(({ name }) => name === protocol)?.metadata ?? Buffer.alloc(0);
  }

  /** It waits for an answer, so its silence is the group's doing. */
  get isExcused(): boolean {
    return !this.isNew && (this.joinRequest !== undefined || this.syncRequest !== undefined);
  }
}
