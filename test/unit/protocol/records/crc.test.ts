import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import crc32cTables from 'crc-32/crc32c.js';
import fc from 'fast-check';
import { FOLD_FROM_BYTES, loadFoldingCrc32c } from '../../../../src/protocol/records/crc32c-fold.ts';
import { crc32, crc32c } from '../../../../src/protocol/records/crc.ts';

const byTables = (bytes: Uint8Array): number => crc32cTables.buf(bytes) >>> 0;

/** Bytes that look random and are the same in each run. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 0x9e3779b9;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

describe('crc32c', () => {
  it('crc32c and crc32 give the known checksums', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
    assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
    assert.equal(crc32c(Buffer.alloc(0)), 0);
    // RFC 3720, B.4, each of 32 bytes.
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
    assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  });

  it('gives for each length, from the shortest that is folded on, what tables give', () => {
    const bytes = noise(FOLD_FROM_BYTES + 200);
    for (let length = FOLD_FROM_BYTES - 40; length <= bytes.length; length++) {
      assert.equal(crc32c(bytes.subarray(0, length)), byTables(bytes.subarray(0, length)), `${length} bytes`);
    }
  });

  it('gives what tables give around the size of a chunk, and for many chunks', () => {
    const bytes = noise(1_100_000);
    for (const chunks of [1, 2, 3, 16]) {
      for (const more of [-33, -16, -1, 0, 1, 15, 16, 17, 1263, 1264, 1265, 1280, 2600]) {
        const part = bytes.subarray(7, 7 + chunks * 65_536 + more);
        assert.equal(crc32c(part), byTables(part), `${part.length} bytes`);
      }
    }
  });

  it('gives what tables give for any piece of any memory, whatever was checked before', () => {
    const bytes = noise(200_000);
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.nat(bytes.length), fc.nat(255), (one, other, filler) => {
        const part = bytes.subarray(Math.min(one, other), Math.max(one, other));
        if (part.length > 0) part[part.length >>> 1] = filler;
        assert.equal(crc32c(part), byTables(part));
      }),
      { numRuns: 500 },
    );
  });

  it('notices each changed bit of a text that is folded', () => {
    const bytes = noise(FOLD_FROM_BYTES);
    const before = crc32c(bytes);
    for (let bit = 0; bit < bytes.length * 8; bit += 7) {
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      assert.notEqual(crc32c(bytes), before, `bit ${bit}`);
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    }
    assert.equal(crc32c(bytes), before);
  });

  it('is done by tables where there is no WebAssembly', async () => {
    const bytes = noise(100_000);
    assert.equal(loadFoldingCrc32c()?.(bytes), byTables(bytes));
    const { WebAssembly } = globalThis as { WebAssembly?: unknown };
    Object.assign(globalThis, { WebAssembly: undefined });
    try {
      assert.equal(loadFoldingCrc32c(), undefined);
      // The matrix runs the tests compiled.
      const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
      const anew = (await import(`../../../../src/protocol/records/crc.${extension}?anew`)) as {
        crc32c: typeof crc32c;
      };
      assert.equal(anew.crc32c(bytes), byTables(bytes));
    } finally {
      Object.assign(globalThis, { WebAssembly });
    }
  });
});
