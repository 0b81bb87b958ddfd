/** What Java's `String.hashCode` answers: brokers find coordinators by it, and its hash tables are ordered by it. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(31, hash) + text.charCodeAt(at)) | 0;
  return hash;
}
