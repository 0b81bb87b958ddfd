import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProtocolError } from '../../../../src/errors/kafka-error.ts';
import { Reader } from '../../../../src/protocol/wire/reader.ts';
import { ZERO_UUID } from '../../../../src/protocol/wire/uuid.ts';

function reader(hex: string): Reader {
  return new Reader(Buffer.from(hex.replaceAll(' ', ''), 'hex'), 'a test');
}

function refuses(read: () => unknown, reason: RegExp): void {
  assert.throws(
    read,
    (error) => error instanceof ProtocolError && error.code === 'PROTOCOL_ERROR' && reason.test(error.message),
  );
}

describe('Reader', () => {
  it('reads integers at their limits', () => {
    const bytes = reader('80 7f 8000 ffff 80000000 ffffffff 8000000000000000 7fffffffffffffff');
    assert.equal(bytes.int8(), -128);
    assert.equal(bytes.int8(), 127);
    assert.equal(bytes.int16(), -32768);
    assert.equal(bytes.uint16(), 65535);
    assert.equal(bytes.int32(), -2147483648);
    assert.equal(bytes.uint32(), 4294967295);
    assert.equal(bytes.int64(), -9223372036854775808n);
    assert.equal(bytes.int64(), 9223372036854775807n);
    bytes.finish();
  });

  it('reads any byte but zero as true, as Java does', () => {
    const bytes = reader('00 01 02');
    assert.deepEqual([bytes.bool(), bytes.bool(), bytes.bool()], [false, true, true]);
  });

  it('reads varints of one to five bytes', () => {
    assert.equal(reader('00').uvarint(), 0);
    assert.equal(reader('7f').uvarint(), 127);
    assert.equal(reader('8001').uvarint(), 128);
    assert.equal(reader('ffffffff0f').uvarint(), 0xffff_ffff);
    assert.equal(reader('ffffffff07').uvarint(), 0x7fff_ffff);
  });

  it('refuses varints of more than 32 bits', () => {
    refuses(() => reader('ffffffff10').uvarint(), /more than 32 bits/);
    refuses(() => reader('ffffffffff01').uvarint(), /more than 32 bits/);
    refuses(() => reader('808080808000').uvarint(), /more than 32 bits/);
  });

  it('refuses to read beyond the end, for every type, and says what is being read and where', () => {
    const reads: ((bytes: Reader) => unknown)[] = [
      (bytes) => bytes.int8(),
      (bytes) => bytes.int16(),
      (bytes) => bytes.int32(),
      (bytes) => bytes.int64(),
      (bytes) => bytes.float64(),
      (bytes) => bytes.uvarint(),
      (bytes) => bytes.uuid(),
      (bytes) => bytes.string(),
      (bytes) => bytes.compactString(),
      (bytes) => bytes.bytes(),
      (bytes) => bytes.compactBytes(),
      (bytes) => bytes.count(1),
      (bytes) => bytes.tagCount(),
    ];
    for (const read of reads)
      refuses(() => read(reader('')), /^Cannot decode a test: \d+ bytes are needed, at byte 0 of 0$/);
    refuses(() => reader('0003 6161').string(), /3 bytes are needed, at byte 2 of 4/);
    refuses(() => reader('7fffffff 61').bytes(), /2147483647 bytes are needed/);
    refuses(() => reader('ffffffff0f 61').compactBytes(), /4294967294 bytes are needed/);
  });

  it('refuses null where it must not be', () => {
    refuses(() => reader('ffff').string(), /a string is null/);
    refuses(() => reader('00').compactString(), /a string is null/);
    refuses(() => reader('ffffffff').bytes(), /a byte field is null/);
    refuses(() => reader('00').compactBytes(), /a byte field is null/);
    refuses(() => reader('ffffffff').count(1), /an array is null/);
    refuses(() => reader('00').compactCount(1), /an array is null/);
  });

  it('reads null where it may be', () => {
    assert.equal(reader('ffff').nullableString(), null);
    assert.equal(reader('00').compactNullableString(), null);
    assert.equal(reader('ffffffff').nullableBytes(), null);
    assert.equal(reader('00').compactNullableBytes(), null);
    assert.equal(reader('ffffffff').nullableCount(1), -1);
    assert.equal(reader('00').compactNullableCount(1), -1);
  });

  it('refuses strings longer than Java takes', () => {
    const long = Buffer.concat([Buffer.from('818002', 'hex'), Buffer.alloc(0x8000, 'a')]);
    refuses(() => new Reader(long).compactString(), /a string of 32768 bytes is longer than Kafka allows/);
  });

  it('refuses counts that the rest cannot hold, before anything is made of them', () => {
    assert.equal(reader('00000002 0000').count(1), 2);
    refuses(() => reader('00000002 00').count(1), /an array of 2 elements does not fit into 1 bytes/);
    refuses(() => reader('00000002 000000').count(2), /an array of 2 elements does not fit/);
    refuses(() => reader('7fffffff 00').count(1), /an array of 2147483647 elements/);
    refuses(() => reader('7fffffff 00').nullableCount(1), /an array of 2147483647 elements/);
    refuses(() => reader('ffffffff0f 00').compactCount(1), /an array of 4294967294 elements/);
    refuses(() => reader('ffffffff0f 00').compactNullableCount(1), /an array of 4294967294 elements/);
  });

  it('gives bytes as views of the input, and no view at all for none', () => {
    const input = Buffer.from('0000000261620000000000000000', 'hex');
    const bytes = new Reader(input);
    const view = bytes.bytes();
    input[4] = 0x7a;
    assert.equal(view.toString(), 'zb');
    assert.equal(bytes.bytes(), bytes.bytes());
  });

  it('reads from the middle of a larger buffer', () => {
    const whole = Buffer.from('ffff00000007ffff', 'hex');
    const part = new Uint8Array(whole.buffer, whole.byteOffset + 2, 4);
    assert.equal(new Reader(part).int32(), 7);
    refuses(() => new Reader(part).int64(), /8 bytes are needed/);
  });

  it('reads uuids as Kafka writes them', () => {
    assert.equal(reader('00'.repeat(16)).uuid(), ZERO_UUID);
    assert.equal(reader(`${'00'.repeat(15)}01`).uuid(), 'AAAAAAAAAAAAAAAAAAAAAQ');
    assert.equal(reader('fb'.repeat(16)).uuid(), '-_v7-_v7-_v7-_v7-_v7-w');
  });

  it('skips tagged fields and refuses those that are twice, out of order, or beyond the end', () => {
    const skipped = reader('02 00 01 aa 05 00 bb');
    skipped.skipTags();
    assert.equal(skipped.remaining, 1);
    refuses(() => {
      reader('02 01 00 01 00').skipTags();
    }, /tagged field 1 comes after tagged field 1/);
    refuses(() => {
      reader('02 03 00 01 00').skipTags();
    }, /tagged field 1 comes after tagged field 3/);
    refuses(() => {
      reader('01 00 05 00').skipTags();
    }, /a tagged field of 5 bytes does not fit into 1/);
    refuses(() => {
      reader('ffffffff0f 00').skipTags();
    }, /4294967295 tagged fields do not fit/);
  });

  it('refuses a tagged field that is not as long as it declares', () => {
    const bytes = reader('02 0000');
    const end = bytes.tagEnd();
    bytes.int8();
    refuses(() => {
      bytes.endTag(end);
    }, /not as long as it declares/);
  });

  it('refuses what is left over', () => {
    refuses(() => {
      reader('0000').finish();
    }, /2 bytes are left over/);
  });
});
