/** Bytes by which the heap grew. */
export interface HeapGrowth {
  readonly median: number;
  readonly most: number;
}

/** By how much `action` makes the heap grow, in the middle and at most: a collection may come in between. */
export function heapGrowthOf(action: () => unknown): HeapGrowth {
  action();
  const growths = Array.from({ length: 9 }, () => {
    const before = process.memoryUsage().heapUsed;
    action();
    return process.memoryUsage().heapUsed - before;
  }).sort((a, b) => a - b);
  return { median: growths[4] ?? 0, most: growths[8] ?? 0 };
}
