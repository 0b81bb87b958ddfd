import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import snappyjs from 'snappyjs';
import { snappyCodec } from '../../../src/compression/snappy.ts';
import { pureSnappyBlocks } from '../../../src/compression/snappy-block.ts';
import { loadWasmSnappyBlocks } from '../../../src/compression/snappy-wasm.ts';

const header = Buffer.from('82534e41505059000000000100000001', 'hex');
const text = Buffer.from('Kafka and Kavka '.repeat(50));
const block = Buffer.from(snappyjs.compress(text));

const implementations = {
  'in JavaScript': pureSnappyBlocks,
  'in WebAssembly': loadWasmSnappyBlocks() ?? assert.fail('there is no WebAssembly here'),
};

for (const [how, blocks] of Object.entries(implementations)) {
  describe(`snappy ${how}`, () => {
    const snappy = snappyCodec(blocks);
    const read = (bytes: Buffer): Buffer => snappy.decompress(bytes, 1_000_000) as Buffer;

    it('snappy writes the framing of snappy-java', () => {
      const long = Buffer.concat([Buffer.alloc(65_536, text), text]);
      const written = snappy.compress(long, undefined) as Buffer;
      assert.deepEqual(written.subarray(0, 16), header);
      const secondAt = 20 + written.readInt32BE(16);
      const [first, second] = [written.subarray(20, secondAt), written.subarray(secondAt + 4)];
      assert.equal(written.readInt32BE(secondAt), second.length);
      assert.ok(long.subarray(0, 65_536).equals(snappyjs.uncompress(first)));
      assert.ok(text.equals(snappyjs.uncompress(second)));
      assert.deepEqual(snappy.compress(Buffer.alloc(0), undefined), header);
    });

    it('snappy reads one bare block, blocks behind one header, and streams one behind the other', () => {
      assert.ok(read(block).equals(text));
      const framed = Buffer.concat([header, size(block.length), block, size(block.length), block]);
      assert.ok(read(framed).equals(Buffer.concat([text, text])));
      assert.ok(read(Buffer.concat([framed, framed])).equals(Buffer.concat([text, text, text, text])));
      assert.equal(read(header).length, 0);
    });

    const faults: [string, Buffer, RegExp][] = [
      ['a block of negative size', Buffer.concat([header, size(-5), block]), /a block of -5 bytes is announced/],
      ['a block beyond its end', Buffer.concat([header, size(block.length + 1), block]), /\d+ follow/],
      ['a frame within a block', framed(Buffer.concat([header, size(block.length), block])), /a block declares|is cut off|reaches/], // prettier-ignore
      ['a block that declares more than it has', Buffer.from('0a' + '00' + '61', 'hex'), /declares 10 bytes and has 1/],
      ['a block that declares less than it has', Buffer.from('01' + '0461626364', 'hex'), /declares 1 bytes and has/],
      ['4 GiB declared', Buffer.from('ffffffff0f' + '0061', 'hex'), /declares 4294967295 bytes and has 1/],
      ['a length above 32 bits', Buffer.from('ffffffff7f' + '0061', 'hex'), /declares \d+ bytes/],
      ['a length that does not end', Buffer.from('ffffffffffff01', 'hex'), /too long/],
      ['a copy before the start', Buffer.from('05' + '0061' + '0102', 'hex'), /reaches 2 bytes back, 1 are there/],
      ['a copy at distance 0', Buffer.from('05' + '0061' + '0100', 'hex'), /reaches 0 bytes back/],
      ['a copy that is cut off', Buffer.from('05' + '0061' + '0201', 'hex'), /a copy is cut off/],
      ['a literal that is cut off', Buffer.from('05' + '1061', 'hex'), /literal of 5 bytes is cut off/],
      ['a literal length that is cut off', Buffer.from('05' + 'fc01', 'hex'), /a literal is cut off/],
    ];
    for (const [fault, bytes, message] of faults) {
      it(`snappy refuses ${fault}`, () => {
        assert.throws(() => read(bytes), { name: 'ProtocolError', code: 'CORRUPT_BATCH', message });
      });
    }

    it('snappy adds up what its blocks declare before it makes any of it', () => {
      const many = Buffer.concat([
        header,
        ...Array.from({ length: 10 }, () => Buffer.concat([size(block.length), block])),
      ]);
      assert.throws(() => snappy.decompress(many, text.length * 10 - 1), { code: 'COMPRESSION_FAILED', message: /more than the 7999 bytes/ }); // prettier-ignore
      assert.equal((snappy.decompress(many, text.length * 10) as Buffer).length, text.length * 10);
    });
  });
}

function framed(content: Buffer): Buffer {
  return Buffer.concat([header, size(content.length), content]);
}

function size(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
