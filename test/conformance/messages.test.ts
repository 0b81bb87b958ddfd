import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { apiByKey, lastVersion } from '../../src/protocol/index.ts';
import { versionsMissingIn } from '../../tools/vectors/versions-page.ts';
import { knownMessages, readCommittedRelease } from '../support/protocol/messages.ts';
import { fromJson, readBrokerApis, readVectors, type MessageVector } from '../support/protocol/vectors.ts';

const MIN_VECTORS = 3;

const release = await readCommittedRelease();
const messages = knownMessages(release);
const { apis, vectors } = readVectors();
const byMessage = new Map<string, MessageVector[]>();
for (const vector of vectors) byMessage.set(vector.message, [...(byMessage.get(vector.message) ?? []), vector]);

describe('messages made by Kafka itself', () => {
  it('are there for every message, version and direction of the definitions, and for no other', () => {
    const counts = new Map<string, Set<string>>();
    for (const { message, version, kind } of vectors) {
      const key = `${message} ${version}`;
      counts.set(key, (counts.get(key) ?? new Set()).add(kind));
    }
    const expected = messages.flatMap(({ name, definition: { versions } }) =>
      Array.from({ length: versions.max - versions.min + 1 }, (_, index) => `${name} ${versions.min + index}`),
    );
    assert.deepEqual([...counts.keys()].sort(), expected.sort());
    for (const [key, kinds] of counts) {
      assert.ok(
        kinds.size >= MIN_VECTORS && kinds.has('nulls') && kinds.has('filled'),
        `${key} has ${[...kinds].join(', ')}`,
      );
    }
  });

  for (const message of messages) {
    it(`${message.name} decodes to the same values and encodes to the same bytes`, () => {
      for (const vector of byMessage.get(message.name) ?? []) {
        const expected = fromJson(message.name, message.definition, vector.values);
        const decoded = message.decode(vector.bytes, vector.version);
        assert.deepEqual(plain(decoded), expected, label(vector));
        assertSameBytes(message.encode(expected, vector.version), vector);
        assertSameBytes(message.encode(decoded, vector.version), vector);
      }
    });
  }
});

describe('what Kafka says of its APIs', () => {
  it('is what the generated APIs say: numbers, versions, header versions', () => {
    assert.equal(apis.length, release.definitions.filter(({ kind }) => kind === 'api').length);
    for (const expected of apis) {
      const api = apiByKey(expected.key);
      assert.ok(api !== undefined, expected.api);
      const versions = Array.from(
        { length: lastVersion(api) - api.minVersion + 1 },
        (_, index) => api.minVersion + index,
      );
      assert.deepEqual(
        {
          api: api.name,
          key: api.key,
          minVersion: api.minVersion,
          maxVersion: api.maxVersion,
          lastVersion: lastVersion(api),
          requestHeaderVersions: versions.map((version) => api.requestHeaderVersion(version)),
          responseHeaderVersions: versions.map((version) => api.responseHeaderVersion(version)),
        },
        expected,
      );
    }
  });

  it('lists in docs/protocol-versions.md what no released broker has', async () => {
    const page = await readFile('docs/protocol-versions.md', 'utf8');
    const missing = versionsMissingIn(readBrokerApis('4.3.1'), release);
    assert.ok(missing.length > 0);
    const section = page.slice(page.indexOf('## Only in'), page.indexOf('## Listed'));
    assert.deepEqual(section.match(/(?<=^- ).+$/gm), missing);
  });
});

function assertSameBytes(actual: Buffer, vector: MessageVector): void {
  assert.equal(actual.toString('hex'), vector.bytes.toString('hex'), label(vector));
}

function label({ message, version, kind }: MessageVector): string {
  return `${message} version ${version}, ${kind}`;
}

/** Views of the input compare as the bytes they show. */
function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
