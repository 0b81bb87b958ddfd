const prime1 = 0x9e3779b1 | 0;
const prime2 = 0x85ebca77 | 0;
const prime3 = 0xc2b2ae3d | 0;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;

/** The checksum that the LZ4 frame format uses, with seed 0, as an unsigned number. */
export function xxhash32(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const length = end - start;
  let position = start;
  let hash = prime5;
  if (length >= 16) {
    let v1 = (prime1 + prime2) | 0;
    let v2 = prime2;
    let v3 = 0;
    let v4 = -prime1 | 0;
    for (const stripesEnd = end - 16; position <= stripesEnd; position += 16) {
      v1 = round(v1, word(bytes, position));
      v2 = round(v2, word(bytes, position + 4));
      v3 = round(v3, word(bytes, position + 8));
      v4 = round(v4, word(bytes, position + 12));
    }
    hash = (rotate(v1, 1) + rotate(v2, 7) + rotate(v3, 12) + rotate(v4, 18)) | 0;
  }
  hash = (hash + length) | 0;
  for (; position + 4 <= end; position += 4) {
    hash = Math.imul(rotate((hash + Math.imul(word(bytes, position), prime3)) | 0, 17), prime4);
  }
  for (; position < end; position++) {
    hash = Math.imul(rotate((hash + Math.imul(bytes[position] as number, prime5)) | 0, 11), prime1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function round(value: number, input: number): number {
  return Math.imul(rotate((value + Math.imul(input, prime2)) | 0, 13), prime1);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function word(bytes: Uint8Array, position: number): number {
  return (
    (bytes[position] as number) |
    ((bytes[position + 1] as number) << 8) |
    ((bytes[position + 2] as number) << 16) |
    ((bytes[position + 3] as number) << 24)
  );
}
