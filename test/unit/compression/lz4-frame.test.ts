import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Codec } from '../../../src/compression/codec.ts';
import { lz4Codec } from '../../../src/compression/lz4.ts';
import { GrowingOutput, pureLz4Blocks } from '../../../src/compression/lz4-block.ts';
import { nativeLz4Blocks } from '../../../src/compression/lz4-native.ts';
import { loadWasmLz4Blocks } from '../../../src/compression/lz4-wasm.ts';
import { xxhash32 } from '../../../src/compression/xxhash32.ts';

const codecs: [string, Codec][] = [
  ['in JavaScript', lz4Codec(pureLz4Blocks)],
  ['in WebAssembly', lz4Codec(loadWasmLz4Blocks() ?? assert.fail('there is no WebAssembly here'))],
];
const independent = 0x60;
const linked = 0x40;
const withBlockChecksum = 0x10;
const withContentSize = 0x08;
const withContentChecksum = 0x04;
/** "abcd", then 20 bytes from 4 back, then "efghi" as literals. */
const block = Buffer.from('4f61626364040001' + '50' + '6566676869', 'hex');
const blockContent = 'abcd'.repeat(6) + 'efghi';
/** A match alone reaching into what came before: 8 bytes from 5 back, then 5 literals. */
const linkedBlock = Buffer.from('040500' + '50' + '3132333435', 'hex');

describe('xxhash32', () => {
  it('xxhash32 gives the known hashes', () => {
    assert.equal(xxhash32(Buffer.alloc(0)), 0x02cc5d05);
    assert.equal(xxhash32(Buffer.from('a')), 0x550d7456);
    assert.equal(xxhash32(Buffer.from('abc')), 0x32d153ff);
    assert.equal(xxhash32(Buffer.from('abcdefghijklmnopqrstuvwxyz0123456789')), xxhash32(Buffer.from('..abcdefghijklmnopqrstuvwxyz0123456789'), 2)); // prettier-ignore
    assert.equal(xxhash32(Buffer.from('Nobody inspects the spammish repetition')), 0xe2293b2f);
  });
});

for (const [name, lz4] of codecs) {
  describe(`lz4 frames ${name}`, () => {
    const read = (bytes: Buffer): string => (lz4.decompress(bytes, 1_000_000) as Buffer).toString();

    it('lz4 writes what brokers insist on: independent blocks of 64 KiB and the header checksum that is right', () => {
      const written = lz4.compress(Buffer.from('a'), undefined) as Buffer;
      assert.equal(written.subarray(0, 7).toString('hex'), '04224d18604082');
      assert.equal(written.subarray(7).toString('hex'), '010000806100000000');
    });

    const everything = independent | withBlockChecksum | withContentSize | withContentChecksum;
    for (const flags of [
      independent,
      independent | withBlockChecksum,
      independent | withContentSize,
      independent | withContentChecksum,
      everything,
    ]) {
      // prettier-ignore
      it(`lz4 reads a frame with flags 0x${flags.toString(16)}`, () => {
      assert.equal(read(frame(flags, [block, block])), blockContent.repeat(2));
    });
    }

    it('lz4 reads the header checksum that the first Java clients wrote', () => {
      const bytes = frame(independent, [block]);
      bytes[6] = (xxhash32(bytes, 0, 6) >>> 8) & 0xff;
      assert.equal(read(bytes), blockContent);
    });

    it('lz4 reads blocks that depend on those before, if the frame says so', () => {
      assert.equal(read(frame(linked, [block, linkedBlock])), `${blockContent}efghiefg12345`);
      assert.throws(() => read(frame(independent, [block, linkedBlock])), { code: 'CORRUPT_BATCH', message: /reaches 5 bytes back/ }); // prettier-ignore
    });

    it('lz4 reads frames one behind the other and passes skippable ones', () => {
      const skippable = Buffer.from('502a4d18' + '03000000' + 'aabbcc', 'hex');
      const bytes = Buffer.concat([frame(independent, [block]), skippable, frame(independent, [block])]);
      assert.equal(read(bytes), blockContent.repeat(2));
    });

    const faults: [string, Buffer, RegExp][] = [
      ['a wrong header checksum', changed(frame(independent, [block]), 6), /checksum of the frame header/],
      ['a wrong block checksum', changed(frame(independent | withBlockChecksum, [block]), 11 + block.length), /checksum of a block/], // prettier-ignore
      ['a wrong content checksum', changed(frame(independent | withContentChecksum, [block]), -1), /checksum of the content/], // prettier-ignore
      ['a wrong content size', frame(independent | withContentSize, [block], 5n), /declares 5 bytes and has 29/],
      ['a dictionary', frame(independent | 1, [block]), /dictionary/],
      ['another version', frame(0xa0, [block]), /version of the frame is 2/],
      ['a block larger than its frame allows', frame(independent, [Buffer.alloc(65_537)]), /65537 bytes is announced, 65536 are allowed/], // prettier-ignore
      ['another magic number', Buffer.from('05224d18604082', 'hex'), /not the magic number/],
      ['no end mark', frame(independent, [block]).subarray(0, -4), /size of a block is cut off/],
    ];
    for (const [fault, bytes, message] of faults) {
      it(`lz4 refuses a frame with ${fault}`, () => {
        assert.throws(() => read(bytes), { name: 'ProtocolError', code: 'CORRUPT_BATCH', message });
      });
    }

    const blockFaults: [string, string, RegExp][] = [
      ['a match before the start', '1461' + '0200' + '5061616161' + '61', /reaches 2 bytes back/],
      ['a match at distance 0', '1461' + '0000' + '5061616161' + '61', /reaches 0 bytes back/],
      ['literals beyond its end', '50616161', /5 literals are announced, 3 bytes follow/],
      ['a length that is cut off', 'f0ffff', /length of literals is cut off/],
      ['a match length that is cut off', '1f610100ff', /length of a match is cut off/],
      ['a distance that is cut off', '146101', /distance of a match is cut off/],
      ['a match at its end', '1f61010000', /last literals are missing/],
    ];
    for (const [fault, hex, message] of blockFaults) {
      it(`lz4 refuses a block with ${fault}`, () => {
        assert.throws(() => read(frame(independent, [Buffer.from(hex, 'hex')])), { code: 'CORRUPT_BATCH', message });
      });
    }

    it('lz4 refuses a block that grows beyond 64 KiB', () => {
      const large = Buffer.concat([Buffer.from('1f610100', 'hex'), Buffer.alloc(300, 255), Buffer.from('00' + '506161616161', 'hex')]); // prettier-ignore
      assert.throws(() => read(frame(independent, [large])), { message: /more content than its frame allows/ });
    });
  });
}

describe('native lz4 blocks', () => {
  it('nativeLz4Blocks uses the native functions where they can be, and the pure ones elsewhere', () => {
    const calls: string[] = [];
    const decode = (input: Buffer, output: Buffer): number => {
      calls.push('decode');
      const pure = new GrowingOutput(10, output.length, () => new Error('too large'));
      pureLz4Blocks.decompress(input, 0, input.length, pure, output.length);
      return pure.toBuffer().copy(output);
    };
    const encode = (input: Buffer, output: Buffer): number => {
      calls.push('encode');
      return pureLz4Blocks.compress(input, 0, input.length, output);
    };
    const native = lz4Codec(nativeLz4Blocks({ encode, decode }));
    const body = Buffer.from(blockContent.repeat(100));
    const compressed = native.compress(body, undefined) as Buffer;
    assert.ok((native.decompress(compressed, 10_000_000) as Buffer).equals(body));
    assert.deepEqual(calls, ['encode', 'decode']);
    assert.ok((native.decompress(compressed, body.length) as Buffer).equals(body), 'without room to spare');
    assert.equal((native.decompress(frame(linked, [block, linkedBlock]), 1_000_000) as Buffer).toString(), `${blockContent}efghiefg12345`); // prettier-ignore
  });

  it('nativeLz4Blocks does not believe a native decoder that answers nonsense', () => {
    for (const answer of [-1, NaN, 1_000_000_000]) {
      const native = lz4Codec(nativeLz4Blocks({ encode: () => 0, decode: () => answer }));
      assert.throws(() => native.decompress(frame(independent, [block]), 1_000_000), { code: 'CORRUPT_BATCH' });
    }
  });
});

function changed(bytes: Buffer, at: number): Buffer {
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  return bytes;
}

function frame(flags: number, blocks: Buffer[], contentSize?: bigint): Buffer {
  const content = blockContent.repeat(blocks.length);
  const size = Buffer.alloc((flags & withContentSize) === 0 ? 0 : 8);
  if (size.length > 0) size.writeBigUInt64LE(contentSize ?? BigInt(content.length));
  const descriptor = Buffer.concat([Buffer.from([flags, 0x40]), size]);
  const pieces: Buffer[] = [
    Buffer.from('04224d18', 'hex'),
    descriptor,
    Buffer.from([(xxhash32(descriptor) >>> 8) & 0xff]),
  ];
  for (const one of blocks) {
    pieces.push(uint32(one.length), one);
    if ((flags & withBlockChecksum) !== 0) pieces.push(uint32(xxhash32(one)));
  }
  pieces.push(uint32(0));
  if ((flags & withContentChecksum) !== 0) pieces.push(uint32(xxhash32(Buffer.from(content))));
  return Buffer.concat(pieces);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
