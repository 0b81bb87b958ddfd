import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  bytes,
  float32,
  float64,
  int16,
  int32,
  int64,
  json,
  required,
  string,
  type Serde,
  type SerdeContext,
  type StandardSchema,
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
    for (const serde of [bytes, string, json(), json(positive), int16, int32, int64, float32, float64]) {
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

  it('numbers are written as the Java client writes them', () => {
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
    for (const serde of [bytes, string, json(), int16, int32, int64, float32, float64]) assert.equal(serde.lazy, true);
    for (const serde of [json(positive), required(string)]) assert.notEqual(serde.lazy, true);
  });
});
