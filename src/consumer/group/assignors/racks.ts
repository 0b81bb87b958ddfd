import type { AssignablePartition, MemberSubscription } from './assignor.ts';

/**
 * Whether racks say anything about these partitions (KIP-881): some member is in a rack that has some of them, and not every
 * partition is in all racks anyway.
 */
export function racksMatter(memberRacks: ReadonlySet<string>, partitions: readonly AssignablePartition[]): boolean {
  const all = new Set(partitions.flatMap(({ racks }) => racks));
  if (![...memberRacks].some((rack) => all.has(rack))) return false;
  return partitions.some(({ racks }) => new Set(racks).size !== all.size);
}

/** The member's rack; an empty one counts as none. */
export function rackOf({ rackId }: MemberSubscription): string | undefined {
  return rackId === null || rackId === '' ? undefined : rackId;
}

/** The racks that these members are in. */
export function racksOf(members: readonly MemberSubscription[]): Set<string> {
  return new Set(members.flatMap((member) => rackOf(member) ?? []));
}
