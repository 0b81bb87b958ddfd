import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FrameReader } from '../../../src/network/frame-reader.ts';
import { frameWithSize } from '../../support/fake-server.ts';

const MAX = 100 * 1024 * 1024;

/** Feeds bytes as a socket does: as many as fit into the space, at most `count` at a time. */
function feed(reader: FrameReader, bytes: Uint8Array, count: () => number): number {
  let largest = 0;
  for (let at = 0; at < bytes.length;) {
    const space = reader.space();
    assert.ok(space.length > 0, 'a socket with no space would spin');
    largest = Math.max(largest, space.buffer.byteLength);
    const piece = bytes.subarray(at, at + Math.min(space.length, Math.max(1, count())));
    space.set(piece);
    reader.advance(piece.length);
    at += piece.length;
  }
  return largest;
}

function collect(): { frames: Buffer[]; reader: FrameReader } {
  const frames: Buffer[] = [];
  return { frames, reader: new FrameReader(MAX, (frame) => frames.push(frame)) };
}

describe('FrameReader', () => {
  it('gives the same frames however the bytes are split', () => {
    const body = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 40 }),
      fc.uint8Array({ minLength: 4, maxLength: 60_000 }),
    );
    fc.assert(
      fc.property(
        fc.array(body, { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 30_000 })),
        (bodies, sizes) => {
          const { frames, reader } = collect();
          const counts = sizes[Symbol.iterator]();
          feed(
            reader,
            Buffer.concat(bodies.map((each) => frameWithSize(each.length, each))),
            () => counts.next().value as number,
          );
          assert.deepEqual(
            frames,
            bodies.map((each) => Buffer.from(each)),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it('reads frames byte by byte', () => {
    const { frames, reader } = collect();
    feed(
      reader,
      Buffer.concat([frameWithSize(5, Buffer.from('abcde')), frameWithSize(4, Buffer.from('wxyz'))]),
      () => 1,
    );
    assert.deepEqual(frames.map(String), ['abcde', 'wxyz']);
  });

  it('hands out memory that later bytes do not touch', () => {
    const { frames, reader } = collect();
    for (const size of [4, 4096, 16_380, 100_000]) {
      feed(reader, frameWithSize(size, Buffer.alloc(size, 1)), () => 1e9);
      feed(reader, frameWithSize(size, Buffer.alloc(size, 2)), () => 1e9);
    }
    const wrong = frames.filter((frame, index) => !frame.equals(Buffer.alloc(frame.length, (index % 2) + 1)));
    assert.equal(wrong.length, 0);
  });

  it('reads a large frame into itself, without a second copy', () => {
    const { frames, reader } = collect();
    const bytes = frameWithSize(500_000, Buffer.alloc(500_000, 7));
    feed(reader, bytes.subarray(0, 1000), () => 1e9);
    const space = reader.space();
    feed(reader, bytes.subarray(1000), () => 1e9);
    assert.equal(frames[0]?.buffer, space.buffer);
  });

  it('grows with what arrives, not with what is announced', () => {
    const { frames, reader } = collect();
    const size = 90 * 1024 * 1024;
    const largest = feed(reader, frameWithSize(size, Buffer.alloc(3 * 1024 * 1024)), () => 64 * 1024);
    assert.ok(largest <= 4 * 1024 * 1024, `${largest} bytes for 3 MiB`);
    assert.equal(frames.length, 0);
  });

  it('puts a frame above 1 MiB together', () => {
    const { frames, reader } = collect();
    const body = Buffer.alloc(5_000_001);
    for (let at = 0; at < body.length; at += 97) body[at] = at & 0xff;
    feed(reader, Buffer.concat([frameWithSize(body.length, body), frameWithSize(body.length, body)]), () => 60_000);
    assert.equal(frames.length, 2);
    assert.ok(frames.every((frame) => frame.equals(body)));
  });

  for (const size of [-1, -2_147_483_648, 0, 3]) {
    it(`refuses a size of ${size}`, () => {
      const { reader } = collect();
      assert.throws(() => feed(reader, frameWithSize(size), () => 4), {
        code: 'PROTOCOL_ERROR',
        message: /its size is -?\d+ bytes$/,
      });
    });
  }

  for (const size of [MAX + 1, 0x7fff_ffff]) {
    it(`refuses a size of ${size} before allocating`, () => {
      const { reader } = collect();
      const before = process.memoryUsage().arrayBuffers;
      assert.throws(() => feed(reader, frameWithSize(size), () => 4), {
        code: 'RESPONSE_TOO_LARGE',
        message: /maxResponseBytes/,
      });
      assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
    });
  }

  for (const [name, start, hint] of [
    ['a TLS alert', Buffer.from([0x15, 3, 3, 0]), /speaks TLS and this client does not; set the option tls/],
    ['an old TLS alert', Buffer.from([0x15, 3, 1, 0]), /speaks TLS/],
    ['a TLS handshake', Buffer.from([0x16, 3, 1, 0]), /speaks TLS/],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), /answers with HTTP/],
    ['SSH', Buffer.from('SSH-2.0'), /text that begins with "SSH-"/],
  ] as const) {
    it(`recognises ${name}`, () => {
      const { reader } = collect();
      assert.throws(() => feed(reader, start, () => 100), { code: 'NOT_KAFKA', message: hint });
    });
  }

  it('hands out nothing more once stopped', () => {
    const frames: Buffer[] = [];
    const reader: FrameReader = new FrameReader(MAX, (frame) => {
      frames.push(frame);
      reader.stop();
    });
    feed(
      reader,
      Buffer.concat([frameWithSize(4, Buffer.from('aaaa')), frameWithSize(4, Buffer.from('bbbb'))]),
      () => 100,
    );
    assert.equal(frames.length, 1);
  });

  it('reads the next frame into memory that was given back, and never into what was not', () => {
    const { frames, reader } = collect();
    const send = (byte: number, bytes = 200_000): Buffer => {
      feed(reader, frameWithSize(bytes, Buffer.alloc(bytes, byte)), () => 65_536);
      return frames.at(-1) ?? Buffer.alloc(0);
    };
    const [first, second] = [send(1), send(2)];
    const giveBack = reader.leaseOf(first.buffer);
    giveBack?.();
    const third = send(3, 190_000);
    assert.equal(third.buffer, first.buffer);
    assert.deepEqual(third, Buffer.alloc(190_000, 3));
    assert.deepEqual(second, Buffer.alloc(200_000, 2));
    const fourth = send(4);
    assert.deepEqual(third, Buffer.alloc(190_000, 3), 'it was not given back');
    giveBack?.();
    const fifth = send(5);
    assert.notEqual(fifth.buffer, fourth.buffer);
    assert.deepEqual(fourth, Buffer.alloc(200_000, 4));
  });

  it('takes memory back once: two frames are never read into the same', () => {
    const { frames, reader } = collect();
    const send = (byte: number): void => {
      feed(reader, frameWithSize(100_000, Buffer.alloc(100_000, byte)), () => 65_536);
    };
    send(1);
    const memory = (frames[0] ?? Buffer.alloc(0)).buffer;
    const [giveBack, again] = [reader.leaseOf(memory), reader.leaseOf(memory)];
    giveBack?.();
    giveBack?.();
    again?.();
    send(2);
    send(3);
    assert.deepEqual(frames.slice(1), [Buffer.alloc(100_000, 2), Buffer.alloc(100_000, 3)]);
  });

  it('frees what was given back once it is stopped, and nothing else', (test) => {
    if (typeof ArrayBuffer.prototype.transfer !== 'function') return test.skip('this Node cannot free memory');
    const { frames, reader } = collect();
    for (const byte of [1, 2, 3]) {
      feed(reader, frameWithSize(100_000, Buffer.alloc(100_000, byte)), () => 65_536);
    }
    const memories = frames.map(({ buffer }) => buffer);
    const leases = memories.map((memory) => reader.leaseOf(memory));
    leases[0]?.();
    reader.stop();
    assert.deepEqual(
      memories.map(({ byteLength }) => byteLength > 0),
      [false, true, true],
    );
    leases[1]?.();
    assert.equal(memories[1]?.byteLength, 0);
    assert.deepEqual(frames[2], Buffer.alloc(100_000, 3));
  });

  it('keeps 64 MiB of what comes back, the largest, as many partitions need when all of them are read', () => {
    const { frames, reader } = collect();
    const mib = 1024 * 1024;
    for (let count = 0; count < 9; count++) {
      const bytes = (count === 0 ? 7 : 8) * mib;
      feed(reader, frameWithSize(bytes, Buffer.alloc(bytes, count)), () => 4 * mib);
    }
    const memories = frames.splice(0).map(({ buffer }) => buffer);
    for (const memory of memories) reader.leaseOf(memory)?.();
    for (let count = 0; count < 9; count++) {
      feed(reader, frameWithSize(7 * mib, Buffer.alloc(7 * mib, count)), () => 4 * mib);
    }
    const again = new Set(frames.map(({ buffer }) => buffer));
    assert.deepEqual(
      memories.map((memory) => again.has(memory)),
      [false, true, true, true, true, true, true, true, true],
    );
  });

  it('lends no small frames, whose memory may be shared, and lets go of what lies ready when only those come', () => {
    const { frames, reader } = collect();
    const send = (bytes: number): Buffer => {
      feed(reader, frameWithSize(bytes, Buffer.alloc(bytes, 7)), () => 65_536);
      return frames.at(-1) ?? Buffer.alloc(0);
    };
    assert.equal(reader.leaseOf(send(1000).buffer), undefined);
    const large = send(100_000);
    reader.leaseOf(large.buffer)?.();
    send(1000);
    assert.notEqual(send(100_000).buffer, large.buffer);
  });
});
