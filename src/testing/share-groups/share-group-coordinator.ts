import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { GroupRegistry } from '../groups/group-registry.ts';
import { splitPartitionKey } from '../groups/topics-view.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { ShareGroupMachine, ShareMember } from './share-group-machine.ts';
import { shareHeartbeatRefusal, type ShareHeartbeat, type ShareHeartbeatAnswer } from './share-group-messages.ts';
import { SharePartitions } from './share-partitions.ts';

const errors = brokerErrorCodes;

/** What the coordinators of the cluster's share groups do with the requests of members (KIP-932). */
export class ShareGroupCoordinator {
  readonly #registry: GroupRegistry;
  readonly #partitions: SharePartitions;

  constructor(cluster: ClusterState) {
    this.#registry = cluster.service(GroupRegistry);
    this.#partitions = cluster.service(SharePartitions);
  }

  /** Why this broker cannot do this for this group: it has no name, or is coordinated elsewhere. */
  refusal(groupId: string, broker: BrokerState): number | undefined {
    return groupId === '' ? errors.INVALID_GROUP_ID : this.#registry.refusal(groupId, broker);
  }

  /** ShareGroupHeartbeat. The partitions that a member is the first to want are made ready, for a later heartbeat. */
  heartbeat(groupId: string, beat: ShareHeartbeat, broker: BrokerState): ShareHeartbeatAnswer {
    const refusal = this.#registry.refusal(groupId, broker);
    if (refusal !== undefined) return shareHeartbeatRefusal(refusal);
    const known = this.#registry.find(groupId);
    if (known === undefined && beat.memberEpoch !== 0) return shareHeartbeatRefusal(errors.GROUP_ID_NOT_FOUND);
    const entry = this.#registry.findOrCreate(groupId, () => this.#registry.newShareGroup(groupId));
    const { machine } = entry;
    if (machine.type !== 'share') return shareHeartbeatRefusal(errors.GROUP_ID_NOT_FOUND);
    const answer = this.#registry.run(entry, (nowMs) => machine.heartbeat(beat, nowMs));
    // What was refused made no group.
    if (known === undefined && machine.members.length === 0) this.#registry.remove(groupId);
    for (const key of machine.uninitialized()) this.#partitions.initialize({ groupId, ...splitPartitionKey(key) });
    return answer;
  }

  /** The share group of that name; undefined if there is none, or the group is of another type. */
  group(groupId: string): ShareGroupMachine | undefined {
    const machine = this.#registry.find(groupId)?.machine;
    return machine?.type === 'share' ? machine : undefined;
  }

  member(groupId: string, memberId: string): ShareMember | undefined {
    return this.group(groupId)?.member(memberId);
  }

  /** Why the offsets of a group cannot be changed; undefined if they can: only those of a share group without members. */
  alterProblem(groupId: string, mayBeMissing: boolean): number | undefined {
    const machine = this.#registry.find(groupId)?.machine;
    if (machine === undefined && mayBeMissing) return undefined;
    if (machine?.type !== 'share') return errors.GROUP_ID_NOT_FOUND;
    return machine.state === 'Empty' ? undefined : errors.NON_EMPTY_GROUP;
  }

  /** Makes a group without members, unless it is there: its offsets can be set before anybody reads. */
  create(groupId: string): void {
    this.#registry.findOrCreate(groupId, () => this.#registry.newShareGroup(groupId));
    this.#registry.changed.notify();
  }
}
