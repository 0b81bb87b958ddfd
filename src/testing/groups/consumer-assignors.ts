import { partitionKey, type TopicsView, type ViewedTopic } from './topics-view.ts';

/** A member, as an assignor sees it. */
export interface AssignableMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  /** Names of topics that exist. */
  readonly topics: readonly string[];
  /** What it had by the last assignment. */
  readonly target: ReadonlySet<string>;
}

/** Gives each partition of the subscribed topics to one member; by member id. */
export type ServerAssignor = (members: readonly AssignableMember[], topics: TopicsView) => Map<string, Set<string>>;

/** The assignors of the brokers, by Kafka's names (`group.consumer.assignors`). */
export const serverAssignors: Readonly<Record<string, ServerAssignor>> = {
  uniform: assignUniformly,
  range: assignRanges,
};

/** Balance first, then as few moves as possible. */
function assignUniformly(members: readonly AssignableMember[], topics: TopicsView): Map<string, Set<string>> {
  const readers = readersByPartition(members, topics);
  const targets = new Map(members.map(({ memberId }) => [memberId, new Set<string>()]));
  const load = (memberId: string): number => targets.get(memberId)?.size ?? 0;
  const open: string[] = [];
  const isHomogeneous = new Set(members.map((member) => [...member.topics].sort().join())).size <= 1;
  const floor = Math.floor(readers.size / Math.max(members.length, 1));
  let extras = readers.size - floor * members.length;
  const quotas = new Map(members.map(({ memberId }) => [memberId, floor]));
  for (const member of members) {
    if (extras > 0 && member.target.size > floor && isHomogeneous) {
      quotas.set(member.memberId, floor + 1);
      extras--;
    }
  }
  const previous = new Map(
    members.flatMap(({ memberId, target }) => [...target].map((key) => [key, memberId] as const)),
  );
  for (const [key, able] of readers) {
    const owner = previous.get(key);
    const keeps = owner !== undefined && able.includes(owner);
    if (keeps && (!isHomogeneous || load(owner) < (quotas.get(owner) ?? 0))) targets.get(owner)?.add(key);
    else open.push(key);
  }
  for (const key of open) targets.get(leastLoaded(readers.get(key) ?? [], load) ?? '')?.add(key);
  if (!isHomogeneous) level(targets, readers);
  return targets;
}

/** Moves partitions from those who have more to those who may have them and have at least two fewer. */
function level(targets: Map<string, Set<string>>, readers: ReadonlyMap<string, readonly string[]>): void {
  const load = (memberId: string): number => targets.get(memberId)?.size ?? 0;
  for (let moved = true; moved;) {
    moved = false;
    for (const [memberId, target] of targets) {
      for (const key of [...target]) {
        const better = leastLoaded(readers.get(key) ?? [], load);
        if (better === undefined || load(better) + 1 >= load(memberId)) continue;
        target.delete(key);
        targets.get(better)?.add(key);
        moved = true;
      }
    }
  }
}

function leastLoaded(memberIds: readonly string[], load: (memberId: string) => number): string | undefined {
  let best: string | undefined;
  for (const memberId of memberIds) if (best === undefined || load(memberId) < load(best)) best = memberId;
  return best;
}

/** Neighbouring partitions together, the same numbers of each topic for the same member; who had some keeps what it can. */
function assignRanges(members: readonly AssignableMember[], topics: TopicsView): Map<string, Set<string>> {
  const targets = new Map(members.map(({ memberId }) => [memberId, new Set<string>()]));
  const sorted = members.toSorted((a, b) => compareMembers(a, b));
  const names = new Set(members.flatMap((member) => member.topics));
  for (const name of [...names].sort()) {
    const topic = topics.byName(name);
    const readers = sorted.filter((member) => member.topics.includes(name));
    if (topic !== undefined) spreadRange(topic, readers, targets);
  }
  return targets;
}

function spreadRange(
  { topicId, partitionCount }: ViewedTopic,
  readers: readonly AssignableMember[],
  targets: ReadonlyMap<string, Set<string>>,
): void {
  const floor = Math.floor(partitionCount / readers.length);
  const extras = partitionCount % readers.length;
  let next = 0;
  readers.forEach(({ memberId }, at) => {
    const end = next + floor + (at < extras ? 1 : 0);
    for (; next < end; next++) targets.get(memberId)?.add(partitionKey(topicId, next));
  });
}

/** Static members first, by their instance ids, so that they keep their place when they come back under another member id. */
function compareMembers(a: AssignableMember, b: AssignableMember): number {
  if (a.instanceId !== null && b.instanceId !== null) return a.instanceId < b.instanceId ? -1 : 1;
  if (a.instanceId !== null) return -1;
  if (b.instanceId !== null) return 1;
  return a.memberId < b.memberId ? -1 : 1;
}

function readersByPartition(members: readonly AssignableMember[], topics: TopicsView): Map<string, string[]> {
  const readers = new Map<string, string[]>();
  for (const { memberId, topics: names } of members) {
    for (const name of names) {
      const topic = topics.byName(name);
      for (let partition = 0; partition < (topic?.partitionCount ?? 0); partition++) {
        const key = partitionKey(topic?.topicId ?? '', partition);
        const known = readers.get(key);
        if (known === undefined) readers.set(key, [memberId]);
        else known.push(memberId);
      }
    }
  }
  return readers;
}
