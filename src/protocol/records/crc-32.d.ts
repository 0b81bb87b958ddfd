// crc-32 types its main entry only; the Castagnoli variant beside it has the same shape.
declare module 'crc-32/crc32c.js' {
  const crc32c: { buf(data: Uint8Array, seed?: number): number };
  export = crc32c;
}
