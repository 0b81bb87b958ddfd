/** A source of numbers from 0 up to 1. */
export type Random = () => number;

/** Values that stand where lengths and counts are: limits, signs, what is just too much. */
const interesting = [
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fffe,
];

/** Bytes that are almost `sample`, or not at all. Never larger than the two together and a few bytes. */
export function mutate(sample: Buffer, other: Buffer, random: Random): Buffer {
  if (random() < 0.05) return randomBytes(Math.floor(random() * 200), random);
  let bytes: Buffer = Buffer.from(sample);
  const changes = 1 + Math.floor(random() * 4);
  for (let i = 0; i < changes; i++) bytes = change(bytes, other, random);
  return bytes;
}

function change(bytes: Buffer, other: Buffer, random: Random): Buffer {
  const at = Math.floor(random() * (bytes.length + 1));
  const size = 1 + Math.floor(random() * 8);
  switch (Math.floor(random() * 9)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), randomBytes(size, random), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(Math.floor(random() * (other.length + 1)))]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - size * 4))]);
    case 5:
      return written(bytes, at, 4, random);
    case 6:
      return written(bytes, at, 2, random);
    case 7:
      // The longest varints, and beyond.
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(size, 0xff), bytes.subarray(at + size)]);
    default:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      return bytes;
  }
}

function written(bytes: Buffer, at: number, size: 2 | 4, random: Random): Buffer {
  if (at + size > bytes.length) return bytes;
  const value = interesting[Math.floor(random() * interesting.length)] ?? 0;
  if (size === 4) bytes.writeUInt32BE(value, at);
  else bytes.writeUInt16BE(value & 0xffff, at);
  return bytes;
}

function randomBytes(size: number, random: Random): Buffer {
  return Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256)));
}
