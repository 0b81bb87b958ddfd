/** How much live memory a value keeps; only in a process with `--expose-gc`. */
export function liveBytesOf(make: () => unknown): { readonly bytes: number; readonly value: unknown } {
  const before = liveBytes();
  const value = make();
  return { bytes: liveBytes() - before, value };
}

function liveBytes(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('Cannot measure live memory: run with --expose-gc');
  // Buffers die in a second round: the first one only queues their backing stores.
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
