import type { ReleaseVersions } from '../server/served-apis.ts';
import { releaseVersions } from './release-versions.ts';

/** A release of Kafka that a test cluster can pretend to be. */
export type KafkaVersion = '2.1' | '2.8' | '3.0' | '3.5' | '3.7' | '3.9' | '4.0' | '4.1' | '4.2' | '4.3';

const facts: Readonly<Record<KafkaVersion, string>> = releaseVersions;

/** All of them, oldest first. */
export const kafkaVersions: readonly KafkaVersion[] = Object.keys(facts) as KafkaVersion[];

/** What a broker says of a feature: the levels that it can work at, and the one that the cluster works at, if it is finalized. */
export interface ReleaseFeature {
  readonly min: number;
  readonly max: number;
  readonly level: number;
}

/** What distinguishes a release from the newest. */
export interface KafkaRelease {
  readonly version: KafkaVersion;
  readonly apis: ReleaseVersions;
  /** By name. None before there were any. */
  readonly features: ReadonlyMap<string, ReleaseFeature>;
  /** Broker settings whose defaults were others. */
  readonly configs: Readonly<Record<string, string>>;
}

/** The facts of a release. */
export function kafkaRelease(version: KafkaVersion): KafkaRelease {
  return { version, apis: apisOf(version), features: featuresOf(version), configs: configsOf(version) };
}

function apisOf(version: KafkaVersion): ReleaseVersions {
  const lines = facts[version].trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [key, , range = ''] = line.trim().split(' ');
      const [min, max] = range.split('-');
      return [Number(key), { min: Number(min), max: Number(max) }];
    }),
  );
}

/** The metadata version of clusters that were formatted with the release; releases before ran with ZooKeeper and had none. */
const metadataVersions: Readonly<Partial<Record<KafkaVersion, { readonly min: number; readonly level: number }>>> = {
  '3.5': { min: 1, level: 11 },
  '3.7': { min: 1, level: 19 },
  '3.9': { min: 1, level: 21 },
  '4.0': { min: 7, level: 25 },
  '4.1': { min: 7, level: 27 },
  '4.2': { min: 7, level: 29 },
  '4.3': { min: 7, level: 30 },
};

/** Those that make a difference to what the cluster does: KIP-848's groups and KIP-890's transactions came with 4.0, share groups with 4.2. */
function featuresOf(version: KafkaVersion): ReadonlyMap<string, ReleaseFeature> {
  const features = new Map<string, ReleaseFeature>();
  const metadata = metadataVersions[version];
  if (metadata === undefined) return features;
  features.set('metadata.version', { ...metadata, max: metadata.level });
  if (isBefore(version, '4.0')) return features;
  features.set('group.version', { min: 0, max: 1, level: 1 });
  features.set('transaction.version', { min: 0, max: 2, level: 2 });
  if (!isBefore(version, '4.2')) features.set('share.version', { min: 0, max: 1, level: 1 });
  return features;
}

function configsOf(version: KafkaVersion): Readonly<Record<string, string>> {
  return {
    ...(isBefore(version, '4.0') ? { 'group.coordinator.rebalance.protocols': 'classic' } : {}),
    // KIP-890's first part came with 3.6: before, leaders believed whatever was written.
    ...(isBefore(version, '3.7') ? { 'transaction.partition.verification.enable': 'false' } : {}),
  };
}

function isBefore(version: KafkaVersion, other: KafkaVersion): boolean {
  return kafkaVersions.indexOf(version) < kafkaVersions.indexOf(other);
}
