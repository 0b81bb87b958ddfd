/** What becomes of a record of a share group, by Kafka's numbers: acquired is what no coordinator ever writes down. */
export type SavedDelivery = 'available' | 'acknowledged' | 'archived';

/** Neighbouring records of a share partition in the same condition. */
export interface SavedBatch {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly delivery: SavedDelivery;
  readonly deliveryCount: number;
}

/** Where a share group stands in one partition, as the share coordinator writes it down: what outlives a leader. */
export interface SavedShareState {
  /** Counts the initialisations and alterations: what was fetched before one is void after it. */
  readonly stateEpoch: number;
  /** Of the partition's leader that wrote last. */
  readonly leaderEpoch: number;
  /** The first offset that is not done with; -1 while no reader has got so far that anything was written. */
  readonly startOffset: bigint;
  /** What differs from "never delivered", in order. */
  readonly batches: readonly SavedBatch[];
}

/** How many records behind the start offset are done with: what the lag of a share group leaves out (KIP-1226). */
export function deliveryCompleteCount({ batches }: SavedShareState): number {
  let count = 0n;
  for (const { firstOffset, lastOffset, delivery } of batches)
    if (delivery !== 'available') count += lastOffset - firstOffset + 1n;
  return Number(count);
}
