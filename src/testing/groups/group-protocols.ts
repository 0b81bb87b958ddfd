import { javaHash } from '../../util/java-hash.ts';

/** One of the protocols (for consumers: assignors) that a member of a classic group can follow, best first. */
export interface GroupProtocol {
  readonly name: string;
  readonly metadata: Buffer;
}

/** Whether two lists say the same, in the same order. */
export function sameProtocols(a: readonly GroupProtocol[], b: readonly GroupProtocol[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, metadata }, at) => name === b[at]?.name && metadata.equals(b[at]?.metadata ?? Buffer.alloc(0)))
  );
}

/**
 * The protocol of the next generation: each member votes for the first of its protocols that all members know, and the one
 * with the most votes wins.
 */
export function selectProtocol(members: readonly (readonly GroupProtocol[])[]): string | undefined {
  const votes = new Map<string, number>();
  for (const protocols of members) {
    const vote = protocols.find(({ name }) => members.every((others) => others.some((other) => other.name === name)));
    if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
  }
  const most = Math.max(...votes.values());
  // Kafka keeps the votes in a HashMap, whose order decides between equals.
  return [...votes]
    .filter(([, count]) => count === most)
    .map(([name]) => name)
    .sort((a, b) => bucket(a) - bucket(b))[0];
}

function bucket(name: string): number {
  const hash = javaHash(name);
  return (hash ^ (hash >>> 16)) & 15;
}
