import { BrokerError } from '../errors/broker-error.ts';
import type { Api } from '../protocol/api.ts';
import type { BrokerVersions, VersionRange } from './broker-versions.ts';

/** What a caller knows that bears on the version of its request. */
export interface VersionLimits {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Whether the id of every topic in the request is known. @defaultValue false */
  readonly topicIdsKnown?: boolean | undefined;
  /** Whether the request belongs to a transaction. @defaultValue false */
  readonly transactional?: boolean | undefined;
  /**
   * How the transaction is spoken of that the request belongs to: one protocol from its beginning to its end, whatever the cluster
   * decides meanwhile. @defaultValue what the broker says of the feature `transaction.version`
   */
  readonly transactionVersion?: number | undefined;
  /** How the records in the request are compressed, or in the answer may be. */
  readonly compression?: string | undefined;
  /** Allows a version that Kafka does not yet promise to keep. @defaultValue false */
  readonly unstable?: boolean | undefined;
}

/** One line of the table: for `api`, where `when` holds, versions from `min` to `max` only. */
export interface VersionRule {
  readonly api: string;
  readonly min?: number;
  readonly max?: number;
  /** @defaultValue always */
  readonly when?: (limits: VersionLimits, versions: BrokerVersions) => boolean;
  readonly why: string;
  readonly kip: string;
}

const transactionsBelow2 = (limits: VersionLimits, versions: BrokerVersions): boolean =>
  (limits.transactionVersion ?? versions.finalizedFeature('transaction.version') ?? 0) < 2;
const transactionsFrom2 = (limits: VersionLimits): boolean => (limits.transactionVersion ?? 0) >= 2;
const inTransactionsFrom2 = (limits: VersionLimits): boolean =>
  limits.transactional === true && transactionsFrom2(limits);
const inTransactionsBelow2 = (limits: VersionLimits, versions: BrokerVersions): boolean =>
  limits.transactional === true && transactionsBelow2(limits, versions);
const withoutTopicIds = (limits: VersionLimits): boolean => limits.topicIdsKnown !== true;
const zstd = (limits: VersionLimits): boolean => limits.compression === 'zstd';

/** Where "the newest version that both sides speak" is wrong. */
export const versionRules: readonly VersionRule[] = [
  {
    api: 'AddPartitionsToTxn',
    max: 3,
    why: 'version 4 is for brokers only, although advertised to clients',
    kip: 'KIP-890',
  },
  {
    api: 'Produce',
    max: 11,
    when: inTransactionsBelow2,
    why: 'version 12 adds the partition to the transaction by itself',
    kip: 'KIP-890',
  },
  {
    api: 'TxnOffsetCommit',
    max: 4,
    when: transactionsBelow2,
    why: 'version 5 adds the group to the transaction by itself',
    kip: 'KIP-890',
  },
  { api: 'EndTxn', max: 4, when: transactionsBelow2, why: 'version 5 raises the producer epoch', kip: 'KIP-890' },
  {
    api: 'Produce',
    min: 12,
    when: inTransactionsFrom2,
    why: 'below version 12 the partition must have been added to the transaction',
    kip: 'KIP-890',
  },
  {
    api: 'TxnOffsetCommit',
    min: 5,
    when: transactionsFrom2,
    why: 'below version 5 the group must have been added to the transaction',
    kip: 'KIP-890',
  },
  {
    api: 'EndTxn',
    min: 5,
    when: transactionsFrom2,
    why: 'version 4 leaves the producer epoch as it is',
    kip: 'KIP-890',
  },
  { api: 'Produce', max: 12, when: withoutTopicIds, why: 'version 13 names topics by id only', kip: 'KIP-516' },
  { api: 'Fetch', max: 12, when: withoutTopicIds, why: 'version 13 names topics by id only', kip: 'KIP-516' },
  { api: 'OffsetCommit', max: 9, when: withoutTopicIds, why: 'version 10 names topics by id only', kip: 'KIP-848' },
  { api: 'OffsetFetch', max: 9, when: withoutTopicIds, why: 'version 10 names topics by id only', kip: 'KIP-848' },
  { api: 'TxnOffsetCommit', max: 5, when: withoutTopicIds, why: 'version 6 names topics by id only', kip: 'KIP-848' },
  { api: 'Produce', min: 3, why: 'versions 0 to 2 are advertised by 4.x and refused', kip: 'KIP-896' },
  { api: 'Produce', min: 7, when: zstd, why: 'older versions do not know zstd', kip: 'KIP-110' },
  { api: 'Fetch', min: 10, when: zstd, why: 'older versions do not know zstd', kip: 'KIP-110' },
];

/**
 * The version that a request takes: the newest that both sides speak and the table of rules allows.
 *
 * @throws BrokerError UNSUPPORTED_VERSION naming the API, the broker's versions, ours, and the rule that left none
 */
export function chooseVersion(
  api: Pick<Api<never, never>, 'key' | 'name' | 'minVersion' | 'maxVersion' | 'unstableVersion'>,
  versions: BrokerVersions,
  limits: VersionLimits = {},
): number {
  const broker = versions.range(api.key);
  const oursMax = limits.unstable === true ? (api.unstableVersion ?? api.maxVersion) : api.maxVersion;
  const ours: VersionRange = { min: api.minVersion, max: oursMax };
  if (broker === undefined) throw unsupported(api.name, 'the broker does not know this API');
  let min = Math.max(broker.min, ours.min);
  let max = Math.min(broker.max, ours.max);
  if (min > max) throw unsupported(api.name, ranges(broker, ours));
  let last: VersionRule | undefined;
  for (const rule of versionRules) {
    if (rule.api !== api.name || rule.when?.(limits, versions) === false) continue;
    if ((rule.min ?? min) > min || (rule.max ?? max) < max) last = rule;
    min = Math.max(min, rule.min ?? min);
    max = Math.min(max, rule.max ?? max);
  }
  if (min > max) throw unsupported(api.name, `${ranges(broker, ours)}, and ${last?.why ?? ''} (${last?.kip ?? ''})`);
  min = Math.max(min, limits.min ?? min);
  max = Math.min(max, limits.max ?? max);
  if (min <= max) return max;
  throw unsupported(api.name, `${ranges(broker, ours)}; this call needs ${need(limits)}`);
}

function ranges(broker: VersionRange, ours: VersionRange): string {
  return `the broker speaks versions ${broker.min} to ${broker.max}, this client ${ours.min} to ${ours.max}`;
}

function need({ min, max }: VersionLimits): string {
  if (min === undefined) return `at most version ${max}`;
  return max === undefined ? `at least version ${min}` : `versions ${min} to ${max}`;
}

function unsupported(name: string, why: string): BrokerError {
  return new BrokerError(`Cannot use ${name}: ${why}`, { code: 'UNSUPPORTED_VERSION' });
}
