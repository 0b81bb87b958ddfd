import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { splitPartitionKey, partitionKey, type TopicsView } from '../groups/topics-view.ts';
import { shareHeartbeatRefusal, type ShareHeartbeat, type ShareHeartbeatAnswer } from './share-group-messages.ts';
import { assignSimply } from './simple-assignor.ts';

/** The states of a share group, by Kafka's names. */
export type ShareGroupState = 'Empty' | 'Stable';

/** Settings that a share group goes by; read anew at each decision, as they can be changed. */
export interface ShareGroupSettings {
  /** `share.heartbeat.interval.ms` */
  readonly heartbeatIntervalMs: number;
  /** `share.session.timeout.ms` */
  readonly sessionTimeoutMs: number;
  /** `share.assignment.interval.ms`: a new assignment waits at least this long after the one before. */
  readonly assignmentIntervalMs: number;
  /** `group.share.max.size` */
  readonly maxSize: number;
}

/** What a share group knows of the cluster. */
export interface ShareGroupWorld extends TopicsView {
  /** Whether the group's state in a partition, by `partitionKey`, has been made ready: before, nobody gets it. */
  isInitialized(key: string): boolean;
}

/** A member of a share group, as its coordinator keeps it. Never changed: a change makes another. */
export interface ShareMember {
  readonly memberId: string;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly topicNames: readonly string[];
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly assigned: ReadonlySet<string>;
}

const errors = brokerErrorCodes;
const none: ReadonlySet<string> = new Set();
// Of a group that has never had a member.
const FIRST_EPOCH = 1;
const LEAVE_EPOCH = -1;

/** One share group (KIP-932), as its coordinator sees it: it assigns, and members take at once what they are given. */
export class ShareGroupMachine {
  readonly type = 'share';
  readonly groupId: string;
  groupEpoch: number = FIRST_EPOCH;
  assignmentEpoch: number = FIRST_EPOCH;
  readonly assignorName = 'simple';
  readonly #settings: () => ShareGroupSettings;
  readonly #world: ShareGroupWorld;
  readonly #members = new Map<string, ShareMember>();
  readonly #targets = new Map<string, ReadonlySet<string>>();
  readonly #sessions = new Map<string, number>();
  #assignedMs: number | undefined;
  #topicsSeen = '';

  constructor(groupId: string, world: ShareGroupWorld, settings: () => ShareGroupSettings) {
    this.groupId = groupId;
    this.#world = world;
    this.#settings = settings;
  }

  get state(): ShareGroupState {
    return this.#members.size === 0 ? 'Empty' : 'Stable';
  }

  get members(): readonly ShareMember[] {
    return [...this.#members.values()];
  }

  member(memberId: string): ShareMember | undefined {
    return this.#members.get(memberId);
  }

  target(memberId: string): ReadonlySet<string> {
    return this.#targets.get(memberId) ?? none;
  }

  /** ShareGroupHeartbeat: a member joins, follows, changes its subscription, or leaves. */
  heartbeat(beat: ShareHeartbeat, nowMs: number): ShareHeartbeatAnswer {
    const { memberId, memberEpoch } = beat;
    const before = this.#members.get(memberId);
    if (memberEpoch === LEAVE_EPOCH) return this.#leave(memberId);
    if (before === undefined && this.#members.size >= this.#settings().maxSize)
      return shareHeartbeatRefusal(errors.GROUP_MAX_SIZE_REACHED);
    if (before === undefined && memberEpoch !== 0) return shareHeartbeatRefusal(errors.UNKNOWN_MEMBER_ID);
    if (before !== undefined && !isCurrent(before, memberEpoch))
      return shareHeartbeatRefusal(errors.FENCED_MEMBER_EPOCH);
    const after = this.#advance(before ?? newMember(memberId), beat, nowMs);
    const tells = memberEpoch === 0 || beat.topicNames !== null || !sameKeys(before?.assigned ?? none, after.assigned);
    return {
      errorCode: 0,
      memberId,
      memberEpoch: after.epoch,
      heartbeatIntervalMs: this.#settings().heartbeatIntervalMs,
      assignment: tells ? [...after.assigned] : null,
    };
  }

  /** The partitions of subscribed topics that are still to be made ready. */
  uninitialized(): string[] {
    return this.#subscribedKeys().filter((key) => !this.#world.isInitialized(key));
  }

  /** Time has passed: sessions may be over. What is to be assigned anew waits for a heartbeat. */
  tick(nowMs: number): void {
    for (const [memberId, atMs] of [...this.#sessions]) if (atMs <= nowMs) this.#remove(memberId);
  }

  /** When {@link tick} has something to do. */
  nextDeadlineMs(): number | undefined {
    return this.#sessions.size === 0 ? undefined : Math.min(...this.#sessions.values());
  }

  /** Takes up what another coordinator knew, or the one before a restart: members get a whole session to come. */
  load(
    epochs: { readonly group: number; readonly assignment: number },
    members: readonly ShareMember[],
    targets: ReadonlyMap<string, ReadonlySet<string>>,
    nowMs: number,
  ): void {
    this.groupEpoch = epochs.group;
    this.assignmentEpoch = epochs.assignment;
    for (const member of members) {
      this.#members.set(member.memberId, member);
      this.#targets.set(member.memberId, targets.get(member.memberId) ?? none);
      this.#keepAlive(member.memberId, nowMs);
    }
    this.#topicsSeen = this.#fingerprint();
  }

  #advance(before: ShareMember, beat: ShareHeartbeat, nowMs: number): ShareMember {
    const updated: ShareMember = {
      ...before,
      rackId: beat.rackId ?? before.rackId,
      topicNames: beat.topicNames ?? before.topicNames,
      clientId: beat.clientId,
      clientHost: beat.clientHost,
    };
    const hasNewSubscription = !sameNames(before.topicNames, updated.topicNames);
    this.#members.set(updated.memberId, updated);
    this.#raiseEpochIfNeeded(hasNewSubscription);
    this.#assignIfDue(nowMs);
    const after = this.#reconcile(updated, hasNewSubscription);
    this.#members.set(after.memberId, after);
    this.#keepAlive(after.memberId, nowMs);
    return after;
  }

  #raiseEpochIfNeeded(hasNewSubscription: boolean): void {
    const fingerprint = this.#fingerprint();
    const hasNewTopics = fingerprint !== this.#topicsSeen;
    this.#topicsSeen = fingerprint;
    if (hasNewSubscription || hasNewTopics || this.#hasUnassigned()) this.groupEpoch++;
  }

  /** Whether partitions have become ready since the last assignment. While another is due anyway, they wait for that. */
  #hasUnassigned(): boolean {
    if (this.groupEpoch > this.assignmentEpoch) return false;
    const assigned = new Set([...this.#targets.values()].flatMap((target) => [...target]));
    return this.#subscribedKeys().some((key) => this.#world.isInitialized(key) && !assigned.has(key));
  }

  #assignIfDue(nowMs: number): void {
    if (this.groupEpoch <= this.assignmentEpoch) return;
    const { assignmentIntervalMs } = this.#settings();
    if (this.#assignedMs !== undefined && nowMs < this.#assignedMs + assignmentIntervalMs) return;
    const members = this.members.map((member) => ({
      memberId: member.memberId,
      topics: this.#topicsOf(member),
      target: this.target(member.memberId),
    }));
    const targets = assignSimply(members, this.#world, (key) => this.#world.isInitialized(key));
    this.#targets.clear();
    for (const [memberId, target] of targets) this.#targets.set(memberId, target);
    this.assignmentEpoch = this.groupEpoch;
    this.#assignedMs = nowMs;
  }

  /** Nobody has to give anything up first: partitions may be read by many. */
  #reconcile(member: ShareMember, hasNewSubscription: boolean): ShareMember {
    if (member.epoch === this.assignmentEpoch && !hasNewSubscription) return member;
    const topicIds = new Set(this.#topicsOf(member).map((name) => this.#world.byName(name)?.topicId));
    const target = [...this.target(member.memberId)];
    const assigned = new Set(target.filter((key) => topicIds.has(splitPartitionKey(key).topicId)));
    if (member.epoch === this.assignmentEpoch) return { ...member, assigned };
    return { ...member, assigned, epoch: this.assignmentEpoch, previousEpoch: member.epoch };
  }

  #leave(memberId: string): ShareHeartbeatAnswer {
    if (!this.#members.has(memberId)) return shareHeartbeatRefusal(errors.UNKNOWN_MEMBER_ID);
    this.#remove(memberId);
    return { errorCode: 0, memberId, memberEpoch: LEAVE_EPOCH, heartbeatIntervalMs: 0, assignment: null };
  }

  #remove(memberId: string): void {
    this.#members.delete(memberId);
    this.#targets.delete(memberId);
    this.#sessions.delete(memberId);
    this.#topicsSeen = this.#fingerprint();
    this.groupEpoch++;
  }

  #keepAlive(memberId: string, nowMs: number): void {
    this.#sessions.set(memberId, nowMs + this.#settings().sessionTimeoutMs);
  }

  /** The topics that the members want, as far as they exist: a change of any must be assigned anew. */
  #fingerprint(): string {
    return this.#subscribedNames()
      .sort()
      .map((name) => `${name} ${this.#world.byName(name)?.topicId} ${this.#world.byName(name)?.partitionCount}`)
      .join();
  }

  #subscribedKeys(): string[] {
    return this.#subscribedNames().flatMap((name) => {
      const topic = this.#world.byName(name);
      return Array.from({ length: topic?.partitionCount ?? 0 }, (_, at) => partitionKey(topic?.topicId ?? '', at));
    });
  }

  #subscribedNames(): string[] {
    return [...new Set(this.members.flatMap((member) => this.#topicsOf(member)))];
  }

  #topicsOf({ topicNames }: ShareMember): string[] {
    return [...new Set(topicNames)].filter((name) => this.#world.byName(name) !== undefined);
  }
}

function newMember(memberId: string): ShareMember {
  return {
    memberId,
    rackId: null,
    clientId: '',
    clientHost: '',
    topicNames: [],
    epoch: 0,
    previousEpoch: -1,
    assigned: none,
  };
}

/** The answer with the new epoch may have been lost. */
function isCurrent({ epoch, previousEpoch }: ShareMember, given: number): boolean {
  return given === 0 || given === epoch || (given === previousEpoch && given < epoch);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return sameKeys(new Set(a), new Set(b));
}

function sameKeys(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((key) => b.has(key));
}
