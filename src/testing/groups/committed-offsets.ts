import { ZERO_UUID } from '../../protocol/wire/uuid.ts';

/** An offset that a group has committed for a partition. */
export interface CommittedOffset {
  /** The next offset to read. */
  readonly offset: bigint;
  /** -1 where the client did not say. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** The id that the topic had: a topic of the same name that is made later has other records. */
  readonly topicId: string;
  /** On the brokers' clock, in milliseconds since 1970. */
  readonly commitMs: number;
  /** When it is dropped, where the commit said so (versions 2-4); otherwise the broker's retention decides. */
  readonly expireMs: number | undefined;
  /** Counts commits: of a plain and a transactional one the later wins, whenever the transaction ends. */
  readonly sequence: number;
}

type Partitions = Map<number, CommittedOffset>;

/** Offsets of one group, by topic and partition. */
class GroupOffsets {
  readonly #topics = new Map<string, Partitions>();

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  set(topic: string, partition: number, offset: CommittedOffset): void {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) this.#topics.set(topic, new Map([[partition, offset]]));
    else partitions.set(partition, offset);
  }

  delete(topic: string, partition: number): void {
    const partitions = this.#topics.get(topic);
    partitions?.delete(partition);
    if (partitions?.size === 0) this.#topics.delete(topic);
  }

  get isEmpty(): boolean {
    return this.#topics.size === 0;
  }

  topics(): string[] {
    return [...this.#topics.keys()];
  }

  partitions(topic: string): number[] {
    return [...(this.#topics.get(topic)?.keys() ?? [])];
  }

  all(): { readonly topic: string; readonly partition: number; readonly committed: CommittedOffset }[] {
    return [...this.#topics].flatMap(([topic, partitions]) =>
      [...partitions].map(([partition, committed]) => ({ topic, partition, committed })),
    );
  }
}

/** One committed offset, written down; fit for JSON. */
export interface OffsetRecord extends Omit<CommittedOffset, 'offset' | 'expireMs'> {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly expireMs: number | null;
  /** Whose transaction it waits for. */
  readonly producerId: string | null;
}

/** Whether an offset belongs to another topic than the one that is asked for under the same name. */
export function isOfOtherTopic(committed: CommittedOffset, topicId: string): boolean {
  return committed.topicId !== ZERO_UUID && topicId !== ZERO_UUID && committed.topicId !== topicId;
}

/** The committed offsets of all groups, and those that wait for the end of a transaction. */
export class CommittedOffsets {
  readonly #groups = new Map<string, GroupOffsets>();
  readonly #pending = new Map<bigint, Map<string, GroupOffsets>>();
  #sequence = 0;

  nextSequence(): number {
    return ++this.#sequence;
  }

  of(groupId: string): GroupOffsets | undefined {
    return this.#groups.get(groupId);
  }

  commit(groupId: string, topic: string, partition: number, offset: CommittedOffset): void {
    ensure(this.#groups, groupId).set(topic, partition, offset);
  }

  /** Keeps an offset until the producer's transaction ends. */
  commitPending(producerId: bigint, groupId: string, topic: string, partition: number, offset: CommittedOffset): void {
    const groups = this.#pending.get(producerId) ?? new Map<string, GroupOffsets>();
    this.#pending.set(producerId, groups);
    ensure(groups, groupId).set(topic, partition, offset);
  }

  /** Whether a transaction that is under way has an offset for this partition. */
  isPending(groupId: string, topic: string, partition: number): boolean {
    return [...this.#pending.values()].some((groups) => groups.get(groupId)?.get(topic, partition) !== undefined);
  }

  hasPending(groupId: string): boolean {
    return [...this.#pending.values()].some((groups) => groups.get(groupId)?.isEmpty === false);
  }

  /** Takes in, or forgets, what a transaction has committed for these groups. */
  complete(producerId: bigint, committed: boolean, isConcerned: (groupId: string) => boolean): void {
    const groups = this.#pending.get(producerId);
    for (const [groupId, offsets] of [...(groups ?? [])]) {
      if (!isConcerned(groupId)) continue;
      groups?.delete(groupId);
      if (committed) this.#takeIn(groupId, offsets);
    }
    if (groups?.size === 0) this.#pending.delete(producerId);
  }

  delete(groupId: string, topic: string, partition: number): void {
    const offsets = this.#groups.get(groupId);
    offsets?.delete(topic, partition);
    if (offsets?.isEmpty === true) this.#groups.delete(groupId);
    for (const groups of this.#pending.values()) groups.get(groupId)?.delete(topic, partition);
  }

  deleteGroup(groupId: string): void {
    this.#groups.delete(groupId);
    for (const groups of this.#pending.values()) groups.delete(groupId);
  }

  /** A topic is gone, and with it what was committed for it. */
  deleteTopic(topic: string, topicId: string): void {
    const drop = (offsets: GroupOffsets): void => {
      for (const partition of offsets.partitions(topic)) {
        const known = offsets.get(topic, partition);
        if (known !== undefined && !isOfOtherTopic(known, topicId)) offsets.delete(topic, partition);
      }
    };
    for (const [groupId, offsets] of [...this.#groups]) {
      drop(offsets);
      if (offsets.isEmpty) this.#groups.delete(groupId);
    }
    for (const groups of this.#pending.values()) for (const offsets of groups.values()) drop(offsets);
  }

  snapshot(): OffsetRecord[] {
    const plain = [...this.#groups].flatMap(([groupId, offsets]) => recordsOf(groupId, offsets, null));
    const pending = [...this.#pending].flatMap(([producerId, groups]) =>
      [...groups].flatMap(([groupId, offsets]) => recordsOf(groupId, offsets, producerId)),
    );
    return [...plain, ...pending];
  }

  restore(records: readonly OffsetRecord[]): void {
    this.#groups.clear();
    this.#pending.clear();
    for (const { groupId, topic, partition, producerId, ...written } of records) {
      const offset = { ...written, offset: BigInt(written.offset), expireMs: written.expireMs ?? undefined };
      if (producerId === null) this.commit(groupId, topic, partition, offset);
      else this.commitPending(BigInt(producerId), groupId, topic, partition, offset);
      this.#sequence = Math.max(this.#sequence, written.sequence);
    }
  }

  #takeIn(groupId: string, offsets: GroupOffsets): void {
    for (const { topic, partition, committed } of offsets.all()) {
      const known = this.of(groupId)?.get(topic, partition);
      if (known === undefined || known.sequence < committed.sequence) this.commit(groupId, topic, partition, committed);
    }
  }
}

function recordsOf(groupId: string, offsets: GroupOffsets, producerId: bigint | null): OffsetRecord[] {
  return offsets.all().map(({ topic, partition, committed }) => ({
    ...committed,
    groupId,
    topic,
    partition,
    offset: String(committed.offset),
    expireMs: committed.expireMs ?? null,
    producerId: producerId === null ? null : String(producerId),
  }));
}

function ensure(groups: Map<string, GroupOffsets>, groupId: string): GroupOffsets {
  const known = groups.get(groupId);
  if (known !== undefined) return known;
  const made = new GroupOffsets();
  groups.set(groupId, made);
  return made;
}
