/** Lines that compress well. */
export const text: Buffer = Buffer.from(
  Array.from({ length: 9_000 }, (_, id) => `{"id":${id},"user":"user ${id % 97}"}\n`).join(''),
);

/** Bytes that do not compress. */
export function someNoise(random: () => number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}

/** Noise, parts of {@link text} and repetitions at all distances, in turns. */
export function someContent(random: () => number, length: number): Buffer {
  const content = Buffer.alloc(length);
  let at = 0;
  while (at < length) {
    const more = Math.min(length - at, 1 + Math.floor(random() ** 3 * 600));
    const distance = 1 + Math.floor(random() * Math.min(at, random() < 0.5 ? 20 : 70_000));
    const kind = at === 0 ? 0 : Math.floor(random() * 3);
    for (let end = at + more; at < end; at++) {
      content[at] =
        kind === 0 ? Math.floor(random() * 256) : kind === 1 ? (text[at] ?? 0) : (content[at - distance] ?? 0);
    }
  }
  return content;
}

/** A copy with a few bytes changed, cut off, or both. */
export function mutated(random: () => number, block: Buffer): Buffer {
  const changed = Buffer.from(block.subarray(0, random() < 0.2 ? Math.floor(random() * block.length) + 1 : undefined));
  for (let left = Math.floor(random() * 4); left > 0; left--) {
    changed[Math.floor(random() * changed.length)] =
      random() < 0.5 ? Math.floor(random() * 256) : random() < 0.5 ? 0 : 255;
  }
  return changed;
}
