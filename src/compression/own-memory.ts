import { canFreeMemory, freeMemory } from '../util/free-memory.ts';

/** Less is not worth it. */
const leastBytes = 64 * 1024;

/** Memory in which nothing lies but what was decompressed. */
const own = new WeakSet<ArrayBufferLike>();

/**
 * Notes that nothing else lies in the memory of `content`, where that is so: if the memory is neither all taken by it nor of the size that was
 * asked for, it is a part of Buffer's pool, in which others lie.
 *
 * @param memoryBytes the size that was asked for; left out by who has taken memory for `content` alone
 */
export function ownMemory(content: Buffer, memoryBytes: number = content.buffer.byteLength): Buffer {
  const { byteLength } = content.buffer;
  const isAlone = byteLength === memoryBytes || byteLength === content.length;
  if (canFreeMemory && isAlone && byteLength >= leastBytes) own.add(content.buffer);
  return content;
}

/** Whether {@link freeContent} frees the memory of what a codec has decompressed; then who reads it should copy what it needs. */
export function isFreeable(content: Buffer): boolean {
  return own.has(content.buffer);
}

/** From now on the memory belongs to who has views of it. */
export function keepContent(content: Buffer): void {
  own.delete(content.buffer);
}

/** Frees the memory of what a codec has decompressed, where nothing else lies in it and it is worth it. Nothing may read it any more. */
export function freeContent(content: Buffer): void {
  if (own.delete(content.buffer)) freeMemory(content.buffer);
}
