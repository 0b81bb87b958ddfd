/** Whether {@link freeMemory} can do what it says: Node 20 cannot. */
export const canFreeMemory: boolean = typeof ArrayBuffer.prototype.transfer === 'function';

/**
 * Gives memory back that nothing reads any more, now instead of with a full collection of V8's, which comes late for what it does not see on
 * its heap: and who takes as much again right after it gets the same, still in the processor's cache.
 */
export function freeMemory(memory: ArrayBufferLike): void {
  if (canFreeMemory && memory instanceof ArrayBuffer) memory.transfer(0);
}
