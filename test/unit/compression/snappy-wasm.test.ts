import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadSnappy } from '../../../src/compression/snappy.ts';
import { maxSnappyBlockBytes, pureSnappyBlocks, type SnappyBlocks } from '../../../src/compression/snappy-block.ts';
import { loadWasmSnappyBlocks } from '../../../src/compression/snappy-wasm.ts';
import { mutated, someContent, someNoise, text } from '../../support/block-contents.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { counting, watched, withWebAssembly, type Exports } from '../../support/web-assembly.ts';

const SEED = Number(process.env['SEED'] ?? 20_260_118);

/** How many blocks WebAssembly was given to read, how many of these it refused, and its memory. */
const seen = { given: 0, refused: 0, memoryBytes: () => 0 };
const wasm =
  withWebAssembly(watched(watchReading), loadWasmSnappyBlocks) ?? assert.fail('there is no WebAssembly here');
const random = seededRandom(SEED);
const noise = someNoise(random, 70_000);
const sizes = [0, 1, 3, 4, 5, 60, 61, 100, 256, 257, 1_023, 1_024, 1_025, 5_000, 65_535, 65_536];

describe(`snappy blocks in WebAssembly, SEED=${SEED}`, () => {
  it('loadSnappy takes them, and does without where there is no WebAssembly', () => {
    const calls = { compress: 0, decompress: 0 };
    const codec = withWebAssembly(counting(calls), loadSnappy);
    const framed = codec.compress(text, undefined) as Buffer;
    assert.ok((codec.decompress(framed, text.length) as Buffer).equals(text));
    const blocks = Math.ceil(text.length / 65_536);
    assert.deepEqual(calls, { compress: blocks, decompress: blocks });

    assert.equal(withWebAssembly(undefined, loadWasmSnappyBlocks), undefined);
    const without = withWebAssembly(undefined, loadSnappy);
    assert.ok((without.decompress(framed, text.length) as Buffer).equals(text));
    const byPure = without.compress(text, undefined) as Buffer;
    assert.ok((codec.decompress(byPure, text.length) as Buffer).equals(text));
    assert.deepEqual(calls, { compress: blocks, decompress: 2 * blocks });
  });

  for (const size of sizes) {
    it(`both implementations read what either writes of ${size} bytes`, () => {
      for (const content of [text, noise, Buffer.alloc(size, 7)]) readByBoth(content.subarray(0, size));
    });
  }

  it('both implementations read what either writes of any content', () => {
    for (let round = 0; round < 2_000; round++) {
      const size = Math.floor(random() * (round % 20 === 0 ? 65_537 : 2_000));
      readByBoth(someContent(random, size), `round ${round}`);
    }
  });

  it('compress makes copies of any length from near and far', () => {
    for (const distance of [1, 2, 3, 7, 8, 15, 16, 2_047, 2_048, 60_000]) {
      for (let length = 4; length < 300; length += distance > 10_000 ? 11 : 1) {
        const content = Buffer.concat([
          noise.subarray(0, distance),
          Buffer.alloc(length),
          noise.subarray(65_000, 65_010),
        ]);
        content.copyWithin(distance, 0, 1);
        for (let at = distance; at < distance + length; at++) content[at] = content[at - distance] ?? 0;
        readByBoth(content, `${length} bytes from ${distance} back`);
      }
    }
  });

  it('compress lets no match begin before the content', () => {
    const start = text.subarray(0, 20);
    for (let before = 0; before < 256; before++) readByBoth(Buffer.concat([start, Buffer.from([before]), start]));
  });

  it('compress makes blocks about as small as the package does', () => {
    for (const size of [500, 5_000, 65_536]) {
      const content = text.subarray(0, size);
      const [ours, theirs] = [compressed(wasm, content).length, compressed(pureSnappyBlocks, content).length];
      assert.ok(ours < theirs * 1.05 && ours < size * 0.7, `${ours} and ${theirs} of ${size} bytes`);
    }
  });

  it('compress writes no more than maxSnappyBlockBytes, and nothing behind the end of the block', () => {
    // 61 literals and the 4 bytes before them again: what makes a block grow most.
    const growing: Buffer[] = [noise.subarray(0, 4)];
    for (let at = 4; at < 60_000; at += 61) growing.push(noise.subarray(at, at + 61), noise.subarray(0, 4));
    for (const parts of [1, 2, 3, 10, 101, 501, 1_001, 1_101, 1_501, 1_901]) {
      const content = Buffer.concat(growing.slice(0, parts));
      for (const blocks of [wasm, pureSnappyBlocks]) {
        const output = Buffer.alloc(maxSnappyBlockBytes(content.length) + 100, 0xee);
        const end = blocks.compress(content, output, 3);
        assert.ok(end - 3 <= maxSnappyBlockBytes(content.length), `${content.length} bytes became ${end - 3}`);
        assert.ok(output.subarray(end).equals(Buffer.alloc(output.length - end, 0xee)));
        assert.equal(output.toString('hex', 0, 3), 'eeeeee');
        readAs(output.subarray(3, end), content);
      }
    }
  });

  const letters = Buffer.from('abcdefghijklmnopqrstuvwxyz');
  const [small, large] = [noise.subarray(0, 50), noise.subarray(0, 65_536)];
  const elements: [string, Buffer, Buffer][] = [
    ['nothing', block(0), Buffer.alloc(0)],
    ['a length with more bytes than it needs', Buffer.concat([hex('9a808000'), literal(letters)]), letters],
    ['a literal of 60 bytes', block(60, literal(noise.subarray(0, 60))), noise.subarray(0, 60)],
    ['a literal of 1 length byte', block(256, literal(noise.subarray(0, 256), 1)), noise.subarray(0, 256)],
    ['a literal of 2 length bytes', block(65_536, literal(large, 2)), large],
    ['a literal of 3 length bytes', block(70_000, literal(noise, 3)), noise],
    ['a literal of 4 length bytes', block(70_000, literal(noise, 4)), noise],
    ['literals of more length bytes than they need', block(200, ...[1, 2, 3, 4].map((more) => literal(small, more))), Buffer.alloc(200, small)], // prettier-ignore
    ['copies of two bytes', block(37, literal(letters), copy(1, 26, 11)), Buffer.alloc(37, letters)],
    ['copies of two bytes from afar', block(3_011, literal(noise.subarray(0, 3_000), 2), copy(1, 2_047, 11)), Buffer.concat([noise.subarray(0, 3_000), noise.subarray(953, 964)])], // prettier-ignore
    ['copies of three bytes', block(28, literal(letters), copy(2, 26, 1), copy(2, 26, 1)), Buffer.alloc(28, letters)],
    ['copies of three bytes from afar', block(65_600, literal(large, 2), copy(2, 65_535, 64)), Buffer.concat([large, large.subarray(1, 65)])], // prettier-ignore
    ['copies of five bytes', block(70_064, literal(noise, 3), copy(3, 70_000, 64)), Buffer.concat([noise, noise.subarray(0, 64)])], // prettier-ignore
    ['copies behind each other', block(90, literal(letters), copy(2, 26, 60), copy(1, 26, 4)), Buffer.alloc(90, letters)], // prettier-ignore
  ];
  for (const [what, bytes, content] of elements) it(`decompress reads ${what}`, () => readAs(bytes, content));

  it('decompress reads copies of any length that repeat what they write', () => {
    for (let distance = 1; distance <= 20; distance++) {
      const pattern = letters.subarray(0, distance);
      for (let length = 1; length <= 64; length++) {
        const bytes = block(distance + length + 1, literal(pattern), copy(2, distance, length), literal(hex('2e')));
        readAs(bytes, Buffer.concat([Buffer.alloc(distance + length, pattern), hex('2e')]));
        if (length < 4 || length > 11) continue;
        const short = block(distance + length + 1, literal(pattern), copy(1, distance, length), literal(hex('2e')));
        readAs(short, Buffer.concat([Buffer.alloc(distance + length, pattern), hex('2e')]));
      }
    }
  });

  it('decompress puts the content of many blocks behind each other', () => {
    const contents = Array.from({ length: 50 }, (_, at) => someContent(random, at * 20));
    const blocks = contents.map((content, at) => compressed(at % 2 === 0 ? wasm : pureSnappyBlocks, content));
    const total = Buffer.concat(contents);
    const { refused } = seen;
    assert.ok(wasm.decompress(blocks, total.length, tooMuch).equals(total));
    assert.equal(seen.refused, refused);
    assert.equal(wasm.decompress([], 0, tooMuch).length, 0);
    assert.equal(outcome(wasm, blocks, total.length - 1), 'Error: too much');
    for (const broken of [hex('05' + '0061' + '0102'), hex(''), hex('ffffffffff')]) {
      for (const maxBytes of [10, 1_000, total.length + 100]) {
        const mixed = [...blocks.slice(0, 10), broken, ...blocks];
        const [pure, found] = [outcome(pureSnappyBlocks, mixed, maxBytes), outcome(wasm, mixed, maxBytes)];
        assert.equal(typeof pure, 'string');
        assert.equal(found, pure);
      }
    }
  });

  it('decompress tells for malformed blocks exactly what the pure functions tell', () => {
    let refused = 0;
    const rounds = 20_000;
    for (let round = 0; round < rounds; round++) {
      const from = round % 1_000;
      const content = round % 2 === 0 ? text.subarray(from, from + 3_000) : someContent(random, from % 200);
      const bytes = mutated(random, compressed(round % 3 === 0 ? pureSnappyBlocks : wasm, content));
      const [pure, found] = [outcome(pureSnappyBlocks, [bytes]), outcome(wasm, [bytes])];
      const isSame = typeof pure === 'string' ? found === pure : Buffer.isBuffer(found) && found.equals(pure);
      assert.ok(isSame, `round ${round}: ${bytes.toString('hex')}`); // not deepEqual, whose message takes minutes
      if (typeof pure === 'string') refused++;
    }
    assert.ok(refused > rounds / 4 && refused < rounds * 0.9, `${refused} of ${rounds} were refused`);
  });

  const [before300, far] = [literal(noise.subarray(0, 300), 2), Buffer.alloc(7_000_000)];
  const malformed: [string, Buffer, RegExp][] = [
    ['content that is missing', block(500, literal(letters)), /declares 500 bytes and has 26/],
    ['content that is too much', block(25, literal(letters)), /declares 25 bytes and has more/],
    ['a copy that is too much', block(36, literal(letters), copy(1, 1, 11)), /declares 36 bytes and has more/],
    ['a literal that is too much by megabytes', block(25, literal(far, 4)), /declares 25 bytes and has more/],
    ['copies that are too much by megabytes', block(25, ...densest(16_000_000)), /declares 25 bytes and has more/],
    ['a literal beyond the end', block(60, literal(far.subarray(0, 60)).subarray(0, 40)), /literal of 60 bytes is cut/],
    ['a literal of 4 GiB', block(26, hex('fcffffffff'), literal(letters)), /literal of 4294967296 bytes is cut off/],
    ['a literal whose length is cut off', block(27, literal(letters), hex('f80000')), /a literal is cut off/],
    ['a last literal whose length has a byte too many', block(1, hex('f00061')), /Invalid Snappy bitstream/],
    ['a copy at distance 0', block(37, literal(letters), copy(1, 0, 11)), /reaches 0 bytes back, 26/],
    ['a copy from before the content', block(37, literal(letters), copy(1, 27, 11)), /reaches 27 bytes back, 26/],
    ['a copy from far before the content', block(90, literal(letters), copy(2, 5_000, 64)), /reaches 5000 bytes back/],
    ['a copy from 4 GiB before', block(90, literal(letters), hex('ffffffffff')), /reaches 4294967295 bytes back/],
    ['a copy of two bytes that is cut off', block(311, before300, copy(1, 256, 11).subarray(0, 1)), /copy is cut off/],
    ['a copy of three bytes that is cut off', block(90, literal(letters), hex('fe01')), /copy is cut off/],
    ['a copy of five bytes that is cut off', block(90, literal(letters), hex('ff010000')), /copy is cut off/],
  ];
  for (const [what, bytes, message] of malformed) {
    it(`decompress refuses ${what}, whatever an earlier block left in the memory`, () => {
      // Zeros wherever the block and its content will end: what is missing could be taken from there.
      readAs(block(70_000, literal(Buffer.alloc(70_000), 3)), Buffer.alloc(70_000));
      const before = { ...seen };
      assert.throws(() => wasm.decompress([bytes], 100_000, tooMuch), message);
      assert.throws(() => pureSnappyBlocks.decompress([bytes], 100_000, tooMuch), message);
      assert.deepEqual([seen.given, seen.refused], [before.given + 1, before.refused + 1]);
    });
  }

  it('decompress allocates nothing for a block that declares more than its bytes can give', (t) => {
    const allocated = t.mock.method(Buffer, 'allocUnsafeSlow');
    const before = { ...seen, bytes: seen.memoryBytes() };
    for (const declared of [1_000_000, 0x7fff_ffff, 0xffff_ffff, 22 * 1_000_000]) {
      for (const more of [literal(letters), Buffer.alloc(declared === 22_000_000 ? 1_000_000 - 4 : 100)]) {
        assert.throws(() => wasm.decompress([block(declared, more)], Infinity, tooMuch), /a block declares|is cut off/);
      }
    }
    assert.throws(() => wasm.decompress([block(40_000, ...densest(39_999))], 39_999, tooMuch), /too much/);
    assert.deepEqual([seen.given, seen.memoryBytes()], [before.given, before.bytes]);
    assert.equal(allocated.mock.callCount(), 0);
    readAs(block(6_000_001, ...densest(6_000_000)), Buffer.alloc(6_000_001, 'a'));
  });

  it('copies by vectors stay inside of the memory, however full it is', () => {
    // Two pages to begin with, half of one taken by the encoder's table: all that could fill the rest to the last byte, one way or the other.
    const room = 2 * 65_536 - 32_768;
    let tried = 0;
    for (let size = 48_000; size < 50_000; size++) {
      const content = Buffer.alloc(size, text);
      const isReadFull = isNear(size + block(size, literal(content, 3)).length, room);
      const isWrittenFull = size <= 65_536 && isNear(size + maxSnappyBlockBytes(size), room);
      if (!isReadFull && !isWrittenFull) continue;
      const anew = loadWasmSnappyBlocks() ?? assert.fail();
      const bytes = isReadFull ? block(size, literal(content, 3)) : compressed(anew, content);
      assert.ok(anew.decompress([bytes], size, tooMuch).equals(content), `${size} bytes`);
      tried++;
    }
    assert.ok(tried > 50, `${tried} sizes`);
  });

  it('the memory grows with the largest block up to 9 MB, and not with the number of them', () => {
    const anew = withWebAssembly(watched(watchReading), loadWasmSnappyBlocks) ?? assert.fail();
    const before = seen.memoryBytes();
    const large = Buffer.alloc(4_000_000, noise);
    const pieces = (bytes: Buffer): Buffer => block(bytes.length, literal(bytes, 4));
    assert.ok(anew.decompress([pieces(large)], large.length, tooMuch).equals(large));
    const after = seen.memoryBytes();
    assert.ok(after > before && after < 8_300_000, `${before} bytes, then ${after}`);
    for (let round = 0; round < 1_000; round++) {
      const content = text.subarray(round, round + 3_000);
      const bytes = compressed(anew, content);
      assert.ok(anew.decompress([bytes], 3_000, tooMuch).equals(content));
      assert.throws(() => anew.decompress([Buffer.concat([bytes, hex('ffff')])], 3_000, tooMuch));
    }
    assert.equal(seen.memoryBytes(), after);
    const { given } = seen;
    const larger = Buffer.alloc(4_200_000, noise);
    assert.ok(anew.decompress([pieces(larger)], larger.length, tooMuch).equals(larger));
    assert.deepEqual([seen.given, seen.memoryBytes()], [given, after], 'JavaScript reads what is larger still');
    assert.ok(anew.decompress([block(8_000_001, ...densest(8_000_000))], 9_000_000, tooMuch).length === 8_000_001);
    assert.ok(seen.memoryBytes() > after && seen.memoryBytes() < 9_000_000, `${seen.memoryBytes()} bytes`);
  });
});

function watchReading(exports: Exports): Exports {
  seen.memoryBytes = () => exports.memory.buffer.byteLength;
  const read = exports['decompress'] as (...args: number[]) => number;
  return {
    ...exports,
    decompress: (...args: number[]) => {
      const found = read(...args);
      seen.given++;
      if (found === 0) seen.refused++;
      return found;
    },
  };
}

function tooMuch(): Error {
  return new Error('too much');
}

/** What either writes of the content is read by both. */
function readByBoth(content: Buffer, what = `${content.length} bytes`): void {
  for (const blocks of [wasm, pureSnappyBlocks]) readAs(compressed(blocks, content), content, what);
}

/** The block is read by both, and not refused by WebAssembly. */
function readAs(bytes: Buffer, content: Buffer, what = bytes.toString('hex', 0, 100)): void {
  const { given, refused } = seen;
  for (const blocks of [wasm, pureSnappyBlocks]) {
    assert.ok(blocks.decompress([bytes], content.length, tooMuch).equals(content), what);
  }
  assert.deepEqual([seen.given, seen.refused], [given + 1, refused], what);
}

function compressed(blocks: SnappyBlocks, content: Buffer): Buffer {
  const output = Buffer.alloc(maxSnappyBlockBytes(content.length));
  return output.subarray(0, blocks.compress(content, output, 0));
}

function outcome(blocks: SnappyBlocks, bytes: readonly Buffer[], maxBytes = 65_536): Buffer | string {
  try {
    return blocks.decompress(bytes, maxBytes, tooMuch);
  } catch (error) {
    return String(error);
  }
}

function isNear(bytes: number, room: number): boolean {
  return bytes > room - 100 && bytes <= room;
}

function hex(digits: string): Buffer {
  return Buffer.from(digits, 'hex');
}

function block(declared: number, ...parts: readonly Buffer[]): Buffer {
  const length: number[] = [];
  let left = declared;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) length.push((left % 0x80) + 0x80);
  return Buffer.concat([Buffer.from([...length, left]), ...parts]);
}

function literal(bytes: Buffer, lengthBytes = 0): Buffer {
  if (lengthBytes === 0) return Buffer.concat([Buffer.from([(bytes.length - 1) << 2]), bytes]);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntLE(bytes.length - 1, 0, lengthBytes);
  return Buffer.concat([Buffer.from([(59 + lengthBytes) << 2]), length, bytes]);
}

/** A copy of the kind that has 1, 2 or, as the third, 4 bytes of distance. */
function copy(kind: 1 | 2 | 3, distance: number, length: number): Buffer {
  if (kind === 1) return Buffer.from([1 | ((length - 4) << 2) | ((distance >> 8) << 5), distance & 0xff]);
  const bytes = Buffer.alloc(kind === 2 ? 3 : 5);
  bytes[0] = kind | ((length - 1) << 2);
  bytes.writeUIntLE(distance, 1, bytes.length - 1);
  return bytes;
}

/** A letter and copies of it, in as few bytes as can be. */
function densest(copied: number): Buffer[] {
  const copies = Math.floor(copied / 64);
  return [
    literal(Buffer.from('a')),
    Buffer.alloc(copies * 3, copy(2, 1, 64)),
    ...(copied % 64 === 0 ? [] : [copy(2, 1, copied % 64)]),
  ];
}
