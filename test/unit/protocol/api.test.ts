import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProtocolError, UsageError } from '../../../src/errors/kafka-error.ts';
import { apiByKey, apis, checkVersion, lastVersion, schemas, ZERO_UUID } from '../../../src/protocol/index.ts';
import { layOut, type Field, type Struct } from '../../../tools/protocol-generator/layout.ts';
import { camel } from '../../../tools/protocol-generator/names.ts';
import { contains } from '../../../tools/protocol-generator/version-range.ts';
import { knownMessages, readCommittedRelease } from '../../support/protocol/messages.ts';
import { defaultValue } from '../../support/protocol/vectors.ts';

const messages = knownMessages(await readCommittedRelease());
const SEED = Number(process.env['SEED'] ?? 20_260_104);

describe('Api', () => {
  it('leaves a version that is not stable out of maxVersion, and can still encode it', () => {
    assert.equal(apis.InitProducerId.maxVersion, 5);
    assert.equal(apis.InitProducerId.unstableVersion, 6);
    assert.equal(lastVersion(apis.InitProducerId), 6);
    assert.equal(
      apis.InitProducerId.decodeRequest(apis.InitProducerId.encodeRequest({ enable2Pc: true }, 6), 6).enable2Pc,
      true,
    );
  });

  it('refuses versions that do not exist', () => {
    for (const version of [-1, 3, 19, 12.5, NaN]) {
      assert.throws(() => apis.Fetch.encodeRequest({}, version), UsageError);
      assert.throws(() => apis.Fetch.decodeResponse(Buffer.alloc(100), version), UsageError);
      assert.throws(() => {
        checkVersion(apis.Fetch, version);
      }, UsageError);
    }
  });

  it('refuses bytes that are left over', () => {
    const bytes = Buffer.concat([apis.Heartbeat.encodeResponse({}, 4), Buffer.of(0)]);
    assert.throws(
      () => apis.Heartbeat.decodeResponse(bytes, 4),
      (error) =>
        error instanceof ProtocolError &&
        /^Cannot decode Heartbeat response version 4: 1 bytes are left over/.test(error.message),
    );
  });

  it('leaves the bytes of a newer peer where only the known part is asked for', async () => {
    const { Reader } = await import('../../../src/protocol/index.ts');
    const bytes = Buffer.concat([schemas.ConsumerProtocolAssignment.encode({}, 0), Buffer.of(1, 2)]);
    const reader = new Reader(bytes);
    schemas.ConsumerProtocolAssignment.read(reader, 0);
    assert.equal(reader.remaining, 2);
  });

  it('refuses a field that the version lacks, unless it has its default or Kafka calls it ignorable', () => {
    const refused = {
      code: 'INVALID_ARGUMENT',
      message:
        'Cannot encode FetchRequest.replicaId: version 15 has no such field; leave it out or use another version',
    };
    assert.throws(() => apis.Fetch.encodeRequest({ replicaId: 1 }, 15), refused);
    assert.throws(
      () => apis.Fetch.encodeRequest({ replicaState: { replicaId: 1 } }, 14),
      /FetchRequest.replicaState: version 14 has no such field/,
    );
    assert.throws(
      () => apis.Fetch.encodeRequest({ forgottenTopicsData: [{}] }, 6),
      /forgottenTopicsData: version 6 has no such field/,
    );
    const plain = apis.Fetch.encodeRequest({}, 15);
    assert.deepEqual(apis.Fetch.encodeRequest({ replicaId: -1, replicaState: { replicaEpoch: -1 } }, 15), plain);
    assert.deepEqual(
      apis.Fetch.encodeRequest({ forgottenTopicsData: [], rackId: 'r' }, 4),
      apis.Fetch.encodeRequest({}, 4),
    );
  });

  it('refuses null where the version does not take it', () => {
    assert.throws(
      () => apis.Metadata.encodeRequest({ topics: [{ name: null }] }, 9),
      /MetadataRequest.topics.name: null is not a string/,
    );
    assert.equal(
      apis.Metadata.decodeRequest(apis.Metadata.encodeRequest({ topics: [{ name: null }] }, 12), 12).topics?.[0]?.name,
      null,
    );
  });

  it('takes a tagged field of a later version for an unknown one', () => {
    // ReplicaState, tag 1, came with version 15.
    const bytes = Buffer.concat([apis.Fetch.encodeRequest({}, 14).subarray(0, -1), Buffer.from('0101020000', 'hex')]);
    assert.deepEqual(apis.Fetch.decodeRequest(bytes, 14).replicaState, { replicaId: -1, replicaEpoch: -1n });
  });

  it('is found by number', () => {
    assert.equal(apiByKey(3)?.name, 'Metadata');
    assert.equal(apiByKey(4), undefined);
  });
});

describe(`every message, SEED=${SEED}`, () => {
  for (const message of messages) {
    it(`${message.name} gives back random values in every version`, () => {
      const { versions } = message.definition;
      const [struct] = layOut(message.name, message.definition).structs;
      assert.ok(struct !== undefined);
      for (let version = versions.min; version <= versions.max; version++) {
        const property = fc.property(structArbitrary(struct, version), (value) => {
          const bytes = message.encode(value, version);
          assert.deepEqual(message.decode(bytes, version), value);
        });
        fc.assert(property, { numRuns: 5, seed: SEED });
      }
    });
  }
});

function structArbitrary(struct: Struct, version: number): fc.Arbitrary<unknown> {
  const fields = struct.fields.map((field): [string, fc.Arbitrary<unknown>] => [
    camel(field.definition.name),
    contains(field.versions, version) ? fieldArbitrary(field, version) : fc.constant(defaultValue(field)),
  ]);
  return fc.record(Object.fromEntries(fields), { noNullPrototype: true });
}

function fieldArbitrary(field: Field, version: number): fc.Arbitrary<unknown> {
  const element =
    typeof field.element === 'string' ? primitives[field.element] : structArbitrary(field.element, version);
  const value = field.array ? fc.array(element, { maxLength: 3 }) : element;
  return contains(field.nullable, version) ? fc.option(value, { freq: 3 }) : value;
}

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));

const primitives: Record<Extract<Field['element'], string>, fc.Arbitrary<unknown>> = {
  bool: fc.boolean(),
  int8: fc.integer({ min: -128, max: 127 }),
  int16: fc.integer({ min: -32768, max: 32767 }),
  uint16: fc.integer({ min: 0, max: 65535 }),
  int32: fc.integer(),
  uint32: fc.integer({ min: 0, max: 0xffff_ffff }),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float64: fc.double(),
  uuid: fc.oneof(
    fc.constant(ZERO_UUID),
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((array) => Buffer.from(array).toString('base64url')),
  ),
  string: fc.string({ unit: 'grapheme', maxLength: 40 }),
  bytes,
  records: bytes,
};
