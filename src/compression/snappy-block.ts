/**
 * Walks the elements of a bare snappy block without producing anything, and answers the length that it declares.
 *
 * The decoder trusts the declared length, fills what is missing with zeros, and drops what is too much; so all of it is
 * checked before: the elements fit the input, each copy lies within what is there, and together they give what is declared.
 *
 * @param tooMuch makes the error for a declared length above `maxBytes`
 */
export function checkSnappyBlock(block: Uint8Array, maxBytes: number, tooMuch: () => Error): number {
  let position = 0;
  let declared = 0;
  for (let factor = 1; ; factor *= 0x80) {
    const byte = block[position++];
    if (byte === undefined || position > 5) throw new Error('the length of a block is cut off or too long');
    declared += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  if (declared > 0xffff_ffff) throw new Error(`a block declares ${declared} bytes`);
  const produced = producedBytes(block, position, declared);
  if (produced !== declared) throw new Error(`a block declares ${declared} bytes and has ${produced}`);
  if (declared > maxBytes) throw tooMuch();
  return declared;
}

function producedBytes(block: Uint8Array, start: number, declared: number): number {
  const end = block.length;
  let position = start;
  let produced = 0;
  while (position < end) {
    const tag = block[position++] as number;
    const kind = tag & 3;
    if (kind === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const lengthBytes = length - 60;
        if (end - position < lengthBytes) throw new Error('a literal is cut off');
        length = littleEndian(block, position, lengthBytes) + 1;
        position += lengthBytes;
      }
      if (length > end - position) throw new Error(`a literal of ${length} bytes is cut off`);
      position += length;
      produced += length;
    } else {
      const offsetBytes = kind === 3 ? 4 : kind;
      if (end - position < offsetBytes) throw new Error('a copy is cut off');
      const low = littleEndian(block, position, offsetBytes);
      const offset = kind === 1 ? low + ((tag >>> 5) << 8) : low;
      if (offset === 0 || offset > produced)
        throw new Error(`a copy reaches ${offset} bytes back, ${produced} are there`);
      position += offsetBytes;
      produced += kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    }
    if (produced > declared) throw new Error(`a block declares ${declared} bytes and has more`);
  }
  return produced;
}

function littleEndian(bytes: Uint8Array, position: number, count: number): number {
  let value = 0;
  for (let index = count - 1; index >= 0; index--) value = value * 0x100 + (bytes[position + index] ?? 0);
  return value;
}
