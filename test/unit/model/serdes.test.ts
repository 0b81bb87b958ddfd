import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { json, SchemaError, type StandardSchema } from '../../../src/model/json-serde.ts';
import {
  boolean,
  bytes,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  required,
  string,
  uuid,
  type Serde,
  type SerdeContext,
} from '../../../src/model/serdes.ts';

const context: SerdeContext = { topic: 'orders', field: 'value' };

function wire(value: unknown): Buffer | null {
  assert.ok(typeof value === 'string' || value instanceof Uint8Array || value === null);
  return value === null ? null : Buffer.from(value as string);
}

function roundTrip<In, Out>(serde: Serde<In, Out>, value: In): unknown {
  return serde.deserialize(wire(serde.serialize(value, context)), context);
}

const positive: StandardSchema<number> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof value === 'number' && value > 0 ? { value: value * 10 } : { issues: [{ message: 'must be positive' }] },
  },
};

describe('serdes', () => {
  it('every built-in serde keeps null, a tombstone, and takes undefined for it', () => {
    for (const serde of [
      bytes,
      string,
      uuid,
      boolean,
      json(),
      json(positive),
      int8,
      int16,
      int32,
      int64,
      float32,
      float64,
    ]) {
      assert.equal(roundTrip(serde, null), null);
      assert.equal(serde.serialize(undefined, context), null);
    }
  });

  it('bytes hands text and bytes through and gives the bytes that were read', () => {
    const data = Buffer.from([1, 2]);
    assert.equal(bytes.serialize(data, context), data);
    assert.equal(bytes.serialize('text', context), 'text');
    assert.equal(bytes.deserialize(data, context), data);
    assert.throws(() => bytes.serialize({} as never, context), /\[object Object\] given/);
  });

  it('string round-trips any text and refuses what is not text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.equal(roundTrip(string, text), text);
      }),
    );
    assert.throws(() => string.serialize(5 as never, context), /number given where a string or null was expected/);
  });

  it('json round-trips and refuses what JSON cannot express', () => {
    assert.deepEqual(roundTrip(json<{ a: number[] }>(), { a: [1, 2] }), { a: [1, 2] });
    assert.throws(() => json().serialize(() => 1, context), TypeError);
    assert.throws(() => json().deserialize(Buffer.from('{'), context), SyntaxError);
  });

  it('json(schema) checks both directions and gives what the schema made of the value', async () => {
    const serde = json(positive);
    assert.equal(serde.serialize(3, context), '3');
    assert.throws(() => serde.serialize(-3, context), /does not match its schema: must be positive/);
    assert.equal(serde.deserialize(Buffer.from('3'), context), 30);
    assert.throws(() => serde.deserialize(Buffer.from('"x"'), context), /must be positive/);
    assert.equal(serde.lazy, false);
    const slow: StandardSchema<number> = {
      '~standard': { ...positive['~standard'], validate: async (value) => positive['~standard'].validate(value) },
    };
    assert.equal(await json(slow).deserialize(Buffer.from('4'), context), 40);
    await assert.rejects(async () => json(slow).serialize(-1, context), /must be positive/);
  });

  it('json(schema) says where each issue is, and gives all of them', () => {
    const issues = [{ message: 'expected a number', path: ['items', 0, { key: 'price' }] }, { message: 'is too old' }];
    const strict: StandardSchema<string> = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) },
    };
    assert.throws(
      () => json(strict).serialize('x', context),
      (error: unknown) => {
        assert.ok(error instanceof SchemaError);
        assert.equal(error.name, 'SchemaError');
        assert.equal(error.message, 'does not match its schema: items.0.price: expected a number; is too old');
        assert.equal(error.issues, issues);
        return true;
      },
    );
  });

  it('boolean is one byte, as in Java', () => {
    assert.deepEqual(
      [true, false].map((value) => boolean.serialize(value, context)),
      [Buffer.from([1]), Buffer.from([0])],
    );
    assert.deepEqual(
      [true, false].map((value) => roundTrip(boolean, value)),
      [true, false],
    );
    assert.throws(() => boolean.serialize(1 as never, context), /number given/);
    for (const wrong of ['02', '0001', '']) {
      assert.throws(() => boolean.deserialize(Buffer.from(wrong, 'hex'), context), /is no boolean/);
    }
  });

  it('uuid is the text that Java writes', () => {
    const text = '123e4567-e89b-12d3-a456-426614174000';
    assert.equal(uuid.serialize(text, context), text);
    assert.equal(roundTrip(uuid, text), text);
    assert.throws(() => uuid.serialize('123', context), /string given where the text of a UUID/);
    assert.throws(() => uuid.deserialize(Buffer.alloc(16), context), TypeError);
  });

  it('numbers are written as the Java client writes them', () => {
    assert.deepEqual(int8.serialize(-2, context), Buffer.from('fe', 'hex'));
    assert.equal(roundTrip(int8, -128), -128);
    assert.deepEqual(int16.serialize(-2, context), Buffer.from('fffe', 'hex'));
    assert.deepEqual(int32.serialize(258, context), Buffer.from('00000102', 'hex'));
    assert.deepEqual(int64.serialize(-1n, context), Buffer.from('ffffffffffffffff', 'hex'));
    assert.deepEqual(int64.serialize(5, context), Buffer.from('0000000000000005', 'hex'));
    assert.deepEqual(float32.serialize(1.5, context), Buffer.from('3fc00000', 'hex'));
    assert.deepEqual(float64.serialize(-0.5, context), Buffer.from('bfe0000000000000', 'hex'));
    assert.equal(roundTrip(int64, 2n ** 63n - 1n), 2n ** 63n - 1n);
  });

  it('numbers refuse what does not fit, and bytes of another length', () => {
    for (const value of [2 ** 15, -(2 ** 15) - 1, 1.5]) assert.throws(() => int16.serialize(value, context), TypeError);
    for (const value of [128, -129]) assert.throws(() => int8.serialize(value, context), TypeError);
    assert.throws(() => int32.serialize(2 ** 31, context), TypeError);
    assert.throws(() => int64.serialize(2n ** 63n, context), TypeError);
    assert.throws(() => int64.serialize(2 ** 53, context), TypeError);
    assert.throws(() => float64.serialize('1' as never, context), TypeError);
    assert.throws(() => int32.deserialize(Buffer.alloc(3), context), /3 bytes where 4 were expected/);
  });

  it('required refuses null in both directions, and what a serde makes into null', async () => {
    const serde = required(string);
    assert.equal(roundTrip(serde, 'x'), 'x');
    assert.throws(() => serde.serialize(null as never, context), TypeError);
    assert.throws(() => serde.deserialize(null, context), /value is null/);
    assert.throws(() => required(json()).deserialize(Buffer.from('null'), context), TypeError);
    const later: Serde<string | null> = { serialize: (value) => value, deserialize: async () => null };
    await assert.rejects(async () => required(later).deserialize(Buffer.from('x'), context), TypeError);
  });

  it('only serdes that cannot refuse well-formed data are lazy', () => {
    for (const serde of [bytes, string, uuid, boolean, json(), int8, int16, int32, int64, float32, float64])
      assert.equal(serde.lazy, true);
    for (const serde of [json(positive), required(string)]) assert.notEqual(serde.lazy, true);
  });
});
