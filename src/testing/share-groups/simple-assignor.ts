import { partitionKey, type TopicsView } from '../groups/topics-view.ts';

/** A member of a share group, as its assignor sees it. */
export interface SharingMember {
  readonly memberId: string;
  /** Names of topics that exist. */
  readonly topics: readonly string[];
  /** What it had by the last assignment. */
  readonly target: ReadonlySet<string>;
}

/**
 * The assignor of share groups, `simple` (KIP-932): every partition has equally many members, at least one, and the members have
 * as equally many partitions as that allows; what they have they keep as far as it can be. With different subscriptions this holds
 * for each topic by itself.
 */
export function assignSimply(
  members: readonly SharingMember[],
  topics: TopicsView,
  isAssignable: (key: string) => boolean,
): Map<string, Set<string>> {
  const targets = new Map(members.map(({ memberId }) => [memberId, new Set<string>()]));
  const names = new Set(members.flatMap((member) => member.topics));
  const isAlike = members.every((member) => new Set(member.topics).size === names.size);
  const together = isAlike ? [[...names]] : [...names].map((name) => [name]);
  for (const group of together) {
    const readers = members.filter((member) => group.some((name) => member.topics.includes(name)));
    const keys = group.flatMap((name) => keysOf(name, topics)).filter(isAssignable);
    for (const [memberId, shared] of new Sharing(readers, keys).solve()) {
      for (const key of shared) targets.get(memberId)?.add(key);
    }
  }
  return targets;
}

function keysOf(name: string, topics: TopicsView): string[] {
  const topic = topics.byName(name);
  return Array.from({ length: topic?.partitionCount ?? 0 }, (_, at) => partitionKey(topic?.topicId ?? '', at));
}

/** Partitions that all of these members read. */
class Sharing {
  readonly #keys: readonly string[];
  /** How many members each partition shall have. */
  readonly #width: number;
  readonly #has = new Map<string, Set<string>>();
  readonly #quotas = new Map<string, number>();
  readonly #holders = new Map<string, number>();

  constructor(readers: readonly SharingMember[], keys: readonly string[]) {
    this.#keys = keys;
    this.#width = keys.length === 0 ? 0 : Math.ceil(readers.length / keys.length);
    const total = this.#width * keys.length;
    const floor = readers.length === 0 ? 0 : Math.floor(total / readers.length);
    const extras = total - floor * readers.length;
    const wanted = new Set(keys);
    const before = readers.map(({ memberId, target }) => ({
      memberId,
      kept: [...target].filter((key) => wanted.has(key)),
    }));
    // Who has most keeps most.
    before.sort((a, b) => b.kept.length - a.kept.length);
    before.forEach(({ memberId, kept }, at) => {
      this.#quotas.set(memberId, floor + (at < extras ? 1 : 0));
      this.#has.set(memberId, new Set());
      for (const key of kept) if (this.#room(memberId) > 0 && this.#isOpen(key)) this.#give(memberId, key);
    });
  }

  solve(): ReadonlyMap<string, ReadonlySet<string>> {
    for (const key of this.#keys) {
      while (this.#isOpen(key)) {
        const next = this.#roomiest((memberId) => !this.#holds(memberId, key));
        if (next === undefined) this.#swapIn(key);
        else this.#give(next, key);
      }
    }
    return this.#has;
  }

  /** Everyone who has room has this partition already: one of them takes another's partition, and that one takes this. */
  #swapIn(key: string): void {
    const roomy = this.#roomiest(() => true);
    for (const [memberId, keys] of this.#has) {
      if (keys.has(key)) continue;
      // A full member has more than a roomy one, so it has one that the other lacks.
      const movable = [...keys].find((each) => roomy !== undefined && !this.#holds(roomy, each));
      if (roomy === undefined || movable === undefined) continue;
      keys.delete(movable);
      this.#holders.set(movable, (this.#holders.get(movable) ?? 0) - 1);
      this.#give(roomy, movable);
      this.#give(memberId, key);
      return;
    }
    throw new Error('partitions do not add up to what members shall have');
  }

  #roomiest(isFit: (memberId: string) => boolean): string | undefined {
    let best: string | undefined;
    for (const memberId of this.#has.keys()) {
      const hasMore = best === undefined || this.#room(memberId) > this.#room(best);
      if (this.#room(memberId) > 0 && hasMore && isFit(memberId)) best = memberId;
    }
    return best;
  }

  #give(memberId: string, key: string): void {
    this.#has.get(memberId)?.add(key);
    this.#holders.set(key, (this.#holders.get(key) ?? 0) + 1);
  }

  #holds(memberId: string, key: string): boolean {
    return this.#has.get(memberId)?.has(key) === true;
  }

  #isOpen(key: string): boolean {
    return (this.#holders.get(key) ?? 0) < this.#width;
  }

  #room(memberId: string): number {
    return (this.#quotas.get(memberId) ?? 0) - (this.#has.get(memberId)?.size ?? 0);
  }
}
