import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../../../src/errors/kafka-error.ts';
import { Reader } from '../../../../src/protocol/wire/reader.ts';
import { Writer } from '../../../../src/protocol/wire/writer.ts';

function written(write: (writer: Writer) => void): string {
  const writer = new Writer();
  write(writer);
  return writer.toBuffer().toString('hex');
}

function refuses(write: (writer: Writer) => void, reason: RegExp): void {
  const isExpected = (error: unknown): boolean =>
    error instanceof UsageError && error.code === 'INVALID_ARGUMENT' && reason.test(error.message);
  assert.throws(() => {
    write(new Writer());
  }, isExpected);
}

describe('Writer', () => {
  it('grows wherever the buffer happens to end', () => {
    for (let initialBytes = 1; initialBytes < 64; initialBytes++) {
      const writer = new Writer(initialBytes);
      writer.int8(1, 'f');
      writer.int16(-2, 'f');
      writer.uint16(3, 'f');
      writer.int32(-4, 'f');
      writer.uint32(5, 'f');
      writer.int64(-6n, 'f');
      writer.float64(0.5, 'f');
      writer.bool(true, 'f');
      writer.uvarint(300);
      writer.uuid('AAAAAAAAAAAAAAAAAAAAAQ', 'f');
      writer.string('é', false, 'f');
      writer.compactString('abc', false, 'f');
      writer.bytes(Buffer.from('xyz'), false, 'f');
      const hex = '01fffe0003fffffffc00000005fffffffffffffffa3fe000000000000001ac02';
      const rest = '000000000000000000000000000000010002c3a90461626300000003' + '78797a';
      assert.equal(writer.toBuffer().toString('hex'), hex + rest, `${initialBytes}`);
    }
  });

  it('refuses values outside of their type and names the field', () => {
    refuses((writer) => writer.int8(128, 'Foo.bar'), /^Cannot encode Foo\.bar: 128 is not an int8$/);
    refuses((writer) => writer.int16(-32769, 'f'), /-32769 is not an int16/);
    refuses((writer) => writer.uint16(65536, 'f'), /65536 is not a uint16/);
    refuses((writer) => writer.int32(2147483648, 'f'), /2147483648 is not an int32/);
    refuses((writer) => writer.int32(1.5, 'f'), /1.5 is not an int32/);
    refuses((writer) => writer.int32(NaN, 'f'), /NaN is not an int32/);
    refuses((writer) => writer.uint32(-1, 'f'), /-1 is not a uint32/);
    refuses((writer) => writer.int64(2n ** 63n, 'f'), /9223372036854775808 is not an int64/);
    refuses((writer) => writer.int64(2 ** 53, 'f'), /9007199254740992 is not an int64/);
    refuses((writer) => writer.uuid('AAAA', 'f'), /not a uuid/);
    refuses((writer) => writer.uuid('A*AAAAAAAAAAAAAAAAAAAA', 'f'), /not a uuid/);
    refuses((writer) => writer.string(null, false, 'f'), /null is not a string/);
    refuses((writer) => writer.compactString(null, false, 'f'), /null is not a string/);
    refuses((writer) => writer.bytes(null, false, 'f'), /null is not bytes/);
    refuses((writer) => writer.compactBytes(null, false, 'f'), /null is not bytes/);
    refuses((writer) => writer.array(null, false, 'f'), /null is not an array/);
    refuses((writer) => writer.compactArray(null, false, 'f'), /null is not an array/);
    refuses((writer) => writer.string('a'.repeat(32768), false, 'f'), /32768 is not the length of a string/);
    refuses((writer) => writer.compactString('é'.repeat(16384), false, 'f'), /32768 is not the length of a string/);
  });

  it('refuses values of another JavaScript type without telling them', () => {
    const wrong = 'secret' as unknown;
    refuses((writer) => writer.int32(wrong as number, 'f'), /f: a value of type string is not an int32/);
    refuses((writer) => writer.bool(1 as unknown as boolean, 'f'), /1 is not a boolean/);
    refuses((writer) => writer.float64(wrong as number, 'f'), /type string is not a number/);
    refuses((writer) => writer.bytes(wrong as Buffer, false, 'f'), /type string is not bytes/);
    refuses((writer) => writer.compactBytes([1] as unknown as Buffer, false, 'f'), /type array is not bytes/);
    refuses((writer) => writer.array(wrong as [], false, 'f'), /type string is not an array/);
    refuses((writer) => writer.compactString(7 as unknown as string, false, 'f'), /7 is not a string/);
    refuses((writer) => writer.uuid(7 as unknown as string, 'f'), /7 is not a uuid/);
  });

  it('writes int64 from a number as from a bigint', () => {
    const numbers = fc.maxSafeInteger();
    fc.assert(
      fc.property(numbers, (value) => {
        assert.equal(
          written((writer) => writer.int64(value, 'f')),
          written((writer) => writer.int64(BigInt(value), 'f')),
        );
      }),
    );
  });

  it('writes texts so that they are read again, ASCII or not, short or long', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.boolean(), (text, compact) => {
        const writer = new Writer(1);
        if (compact) writer.compactString(text, false, 'f');
        else writer.string(text, false, 'f');
        const reader = new Reader(writer.toBuffer());
        // A lone surrogate has no UTF-8.
        assert.equal(compact ? reader.compactString() : reader.string(), text.toWellFormed());
        reader.finish();
      }),
    );
  });

  it('hands out large bytes as they are, between the written parts', () => {
    const large = Buffer.alloc(5000, 1);
    const writer = new Writer();
    writer.int8(1, 'f');
    writer.bytes(large, false, 'f');
    writer.int8(2, 'f');
    writer.bytes(large.subarray(0, 10), false, 'f');
    assert.equal(writer.length, 1 + 4 + 5000 + 1 + 4 + 10);
    const pieces = writer.takePieces();
    assert.equal(pieces.length, 3);
    assert.equal(pieces[1], large);
    assert.equal(Buffer.concat(pieces).toString('hex'), `0100001388${'01'.repeat(5000)}020000000a${'01'.repeat(10)}`);
    assert.equal(writer.length, 0);
    assert.deepEqual(writer.takePieces(), []);
  });

  it('keeps pieces that were handed out unchanged when it is used again', () => {
    const writer = new Writer();
    writer.int32(1, 'f');
    const [first] = writer.takePieces();
    writer.int32(2, 'f');
    assert.equal(first?.toString('hex'), '00000001');
    assert.equal(writer.toBuffer().toString('hex'), '00000002');
  });

  it('puts the size of a tagged field in front of it, whatever its length', () => {
    for (const size of [0, 1, 127, 128, 129, 16383, 16384, 20000]) {
      const writer = new Writer(8);
      writer.int8(9, 'f');
      const outer = writer.openTag(1);
      const inner = writer.openTag(2);
      writer.raw(Buffer.alloc(size, 7));
      writer.closeTag(inner);
      writer.closeTag(outer);
      writer.int8(9, 'f');
      const reader = new Reader(writer.toBuffer());
      assert.equal(reader.int8(), 9);
      assert.equal(reader.uvarint(), 1);
      const outerEnd = reader.tagEnd();
      assert.equal(reader.uvarint(), 2);
      const innerEnd = reader.tagEnd();
      assert.equal(innerEnd - reader.offset, size);
      assert.equal(innerEnd, outerEnd);
      assert.ok(reader.buffer.subarray(reader.offset, innerEnd).every((byte) => byte === 7));
      reader.skipTo(outerEnd);
      assert.equal(reader.int8(), 9);
      reader.finish();
    }
  });
});
