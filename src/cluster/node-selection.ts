/** What is known of a broker that a request for any broker could go to. */
export interface Candidate {
  readonly nodeId: number;
  /** Requests under way on its open connection; undefined without one. */
  readonly inFlight: number | undefined;
  /** Whether this request has failed there already. */
  readonly failed: boolean;
}

/**
 * The broker for a request that any can answer: one where it has not failed yet, over a connection that is open, with the fewest
 * requests under way; by chance among equals.
 *
 * @param random a number in [0, 1)
 */
export function leastLoaded(candidates: readonly Candidate[], random: number): number | undefined {
  let best: Candidate[] = [];
  for (const candidate of candidates) {
    const order = best[0] === undefined ? -1 : compare(candidate, best[0]);
    if (order < 0) best = [candidate];
    else if (order === 0) best.push(candidate);
  }
  return best[Math.floor(random * best.length)]?.nodeId;
}

function compare(a: Candidate, b: Candidate): number {
  if (a.failed !== b.failed) return a.failed ? 1 : -1;
  return load(a) - load(b);
}

function load({ inFlight }: Candidate): number {
  return inFlight ?? Number.MAX_SAFE_INTEGER;
}
