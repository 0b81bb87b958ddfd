import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BrokerVersions } from '../../../src/network/broker-versions.ts';
import { chooseVersion, versionRules, type VersionLimits } from '../../../src/network/version-rules.ts';
import * as protocol from '../../../src/protocol/index.ts';

const { apis } = protocol;
type ApiName = keyof typeof apis;

/** A broker that speaks every version there is, the unstable ones too, and 0 to 2 of Produce, as 4.x says it does. */
function newestBroker(transactionVersion?: number): BrokerVersions {
  const apiKeys = Object.values(apis).map((api) => ({
    apiKey: api.key,
    minVersion: 0,
    maxVersion: api.unstableVersion ?? api.maxVersion,
  }));
  const level = { name: 'transaction.version', maxVersionLevel: transactionVersion ?? 0 };
  return new BrokerVersions({ apiKeys, finalizedFeatures: transactionVersion === undefined ? [] : [level] });
}

function brokerOf(name: ApiName, minVersion: number, maxVersion: number): BrokerVersions {
  return new BrokerVersions({ apiKeys: [{ apiKey: apis[name].key, minVersion, maxVersion }] });
}

interface Row {
  readonly api: ApiName;
  readonly limits?: VersionLimits;
  readonly transactionVersion?: number;
  readonly expected: number;
  readonly rule: string;
}

const ids = { topicIdsKnown: true };
const rows: readonly Row[] = [
  { api: 'AddPartitionsToTxn', expected: 3, transactionVersion: 2, rule: 'version 4 is for brokers only' },
  { api: 'Produce', expected: 11, limits: { ...ids, transactional: true }, rule: 'transactions before version 2' },
  {
    api: 'Produce',
    expected: 11,
    limits: { ...ids, transactional: true },
    transactionVersion: 1,
    rule: 'transactions of version 1',
  },
  {
    api: 'Produce',
    expected: 13,
    limits: { ...ids, transactional: true },
    transactionVersion: 2,
    rule: 'transactions of version 2',
  },
  {
    api: 'Produce',
    expected: 12,
    limits: { transactional: true },
    transactionVersion: 2,
    rule: 'version 2 without ids',
  },
  { api: 'Produce', expected: 13, limits: ids, rule: 'no transaction, ids known' },
  { api: 'Produce', expected: 12, rule: 'no transaction, no ids' },
  { api: 'TxnOffsetCommit', expected: 4, limits: ids, rule: 'transactions before version 2' },
  { api: 'TxnOffsetCommit', expected: 5, transactionVersion: 2, rule: 'version 2 without ids' },
  { api: 'TxnOffsetCommit', expected: 6, limits: ids, transactionVersion: 2, rule: 'version 2 with ids' },
  { api: 'EndTxn', expected: 4, transactionVersion: 1, rule: 'transactions before version 2' },
  { api: 'EndTxn', expected: 5, transactionVersion: 2, rule: 'version 2' },
  { api: 'Fetch', expected: 12, rule: 'no ids' },
  { api: 'Fetch', expected: apis.Fetch.maxVersion, limits: ids, rule: 'ids known' },
  { api: 'OffsetCommit', expected: 9, rule: 'no ids' },
  { api: 'OffsetCommit', expected: 10, limits: ids, rule: 'ids known' },
  { api: 'OffsetFetch', expected: 9, rule: 'no ids' },
  { api: 'OffsetFetch', expected: 10, limits: ids, rule: 'ids known' },
  { api: 'Metadata', expected: 13, rule: 'no rule: the newest' },
  { api: 'Metadata', expected: 4, limits: { max: 4 }, rule: "the caller's own maximum" },
];

describe('chooseVersion', () => {
  for (const { api, limits, transactionVersion, expected, rule } of rows) {
    it(`takes ${api} ${expected}: ${rule}`, () => {
      assert.equal(chooseVersion(apis[api], newestBroker(transactionVersion), limits), expected);
    });
  }

  it('never takes an unstable version unasked', () => {
    const unstable = Object.values(apis).filter(({ unstableVersion }) => unstableVersion !== undefined);
    assert.ok(unstable.length > 0, 'this release has an API with an unstable version');
    for (const api of unstable) {
      assert.equal(chooseVersion(api, newestBroker(2), ids), api.maxVersion);
      assert.equal(chooseVersion(api, newestBroker(2), { ...ids, unstable: true }), api.unstableVersion);
    }
  });

  it('takes the newest of an older broker', () => {
    assert.equal(chooseVersion(apis.Fetch, brokerOf('Fetch', 0, 11), ids), 11);
  });

  for (const [compression, api, broker, works] of [
    ['zstd', 'Produce', 6, false],
    ['zstd', 'Produce', 7, true],
    ['gzip', 'Produce', 6, true],
    ['zstd', 'Fetch', 9, false],
    ['zstd', 'Fetch', 10, true],
  ] as const) {
    it(`${works ? 'allows' : 'refuses'} ${compression} with ${api} ${broker}`, () => {
      const choose = (): number => chooseVersion(apis[api], brokerOf(api, 0, broker), { compression });
      if (works) assert.equal(choose(), broker);
      else
        assert.throws(choose, { code: 'UNSUPPORTED_VERSION', message: /older versions do not know zstd \(KIP-110\)$/ });
    });
  }

  it('refuses Produce 2, which 4.x advertises', () => {
    assert.throws(() => chooseVersion({ ...apis.Produce, minVersion: 0 }, brokerOf('Produce', 0, 2)), /KIP-896/);
  });

  it('names the API and both ranges where they do not meet', () => {
    assert.throws(() => chooseVersion(apis.Metadata, brokerOf('Metadata', 90, 91)), {
      code: 'UNSUPPORTED_VERSION',
      message: 'Cannot use Metadata: the broker speaks versions 90 to 91, this client 0 to 13',
    });
    assert.throws(
      () => chooseVersion(apis.Metadata, newestBroker(), { min: 14 }),
      /this call needs at least version 14$/,
    );
    assert.throws(() => chooseVersion(apis.Metadata, brokerOf('Fetch', 0, 1)), /the broker does not know this API$/);
  });

  it('takes a range that is no range as an API that is not there', () => {
    assert.equal(brokerOf('Metadata', 5, 4).range(apis.Metadata.key), undefined);
  });

  it('has only rules about APIs that exist, each with its KIP', () => {
    for (const rule of versionRules) {
      assert.ok(rule.api in apis, rule.api);
      assert.match(rule.kip, /^KIP-\d+$/);
    }
  });
});
