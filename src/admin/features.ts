import { clientSoftware } from '../cluster/connection.ts';
import type { CallOptions } from '../cluster/request.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import { ApiVersions } from '../protocol/generated/api-versions.ts';
import { UpdateFeatures } from '../protocol/generated/update-features.ts';
import { quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import {
  fulfilled,
  inRounds,
  orRejected,
  refused,
  refuseTwice,
  rejected,
  unanswered,
  type AdminOptions,
  type ItemOutcome,
} from './items.ts';

/** Whom to ask about features. */
export interface DescribeFeaturesOptions extends CallOptions {
  /** The broker to ask: each tells what it supports itself. @defaultValue any */
  readonly brokerId?: number | undefined;
}

/** A feature of the cluster, such as `metadata.version` or `transaction.version`. */
export interface FeatureDescription {
  /** Kafka's name of it. */
  readonly feature: string;
  /** The levels that the broker could take part in; undefined if it does not know the feature. */
  readonly supported:
    | {
        /** The lowest; 0 if it could also be off. */
        readonly min: number;
        /** The highest. */
        readonly max: number;
      }
    | undefined;
  /** The level that the whole cluster has agreed on; undefined where it has not, which means the same as 0: the feature is off. */
  readonly level: number | undefined;
}

/** The features of a cluster. Java: `FeatureMetadata`. */
export interface ClusterFeatures {
  /** Rises with each change of a level; undefined from brokers that keep no levels. */
  readonly epoch: bigint | undefined;
  /** By name. */
  readonly features: readonly FeatureDescription[];
}

/** What a new level of a feature is: higher, lower without a loss, or lower although what the old level has written may be lost. */
export type FeatureUpgradeType = 'upgrade' | 'safe-downgrade' | 'unsafe-downgrade';

/** The numbers of {@link FeatureUpgradeType} on the wire. */
export const upgradeTypes: Readonly<Record<FeatureUpgradeType, number>> = {
  upgrade: 1,
  'safe-downgrade': 2,
  'unsafe-downgrade': 3,
};

/** A feature to raise or to lower. */
export interface FeatureUpdate {
  /** Kafka's name of it. */
  readonly feature: string;
  /** The level that it shall have; 0 switches it off, which is a downgrade. */
  readonly maxVersionLevel: number;
  /** A level may be lowered only if this says so. @defaultValue upgrade */
  readonly upgradeType?: FeatureUpgradeType | undefined;
}

/** How features are raised and lowered. */
export interface UpdateFeaturesOptions extends AdminOptions {
  /** Only checks whether the levels could be changed. @defaultValue false */
  readonly validateOnly?: boolean | undefined;
}

/** What a broker supports, and what the cluster has agreed on (KIP-584). */
export async function describeFeatures(call: AdminCall, options: DescribeFeaturesOptions): Promise<ClusterFeatures> {
  const { brokerId } = options;
  const answer = await call.request({
    api: ApiVersions,
    to: brokerId === undefined ? { kind: 'any' } : { kind: 'broker', nodeId: brokerId },
    message: { clientSoftwareName: clientSoftware.name, clientSoftwareVersion: clientSoftware.version },
    versions: { min: 3 },
    errorCode: ({ errorCode }) => errorCode,
  });
  const supported = new Map(answer.supportedFeatures.map((each) => [each.name, each]));
  const finalized = new Map(answer.finalizedFeatures.map((each) => [each.name, each]));
  const names = [...new Set([...supported.keys(), ...finalized.keys()])].sort();
  return {
    epoch: answer.finalizedFeaturesEpoch < 0n ? undefined : answer.finalizedFeaturesEpoch,
    features: names.map((feature) => {
      const range = supported.get(feature);
      return {
        feature,
        supported: range && { min: range.minVersion, max: range.maxVersion },
        level: finalized.get(feature)?.maxVersionLevel,
      };
    }),
  };
}

/** Raises and lowers features (KIP-584, KIP-778). */
export function updateFeatures(
  call: AdminCall,
  items: readonly FeatureUpdate[],
  options: UpdateFeaturesOptions,
): Promise<SettledItem<void>[]> {
  refuseTwice(
    call.doing,
    items,
    ({ feature }) => feature,
    ({ feature }) => `feature ${quote(feature)} given twice; give each of them once`,
  );
  const validateOnly = options.validateOnly === true;
  // Version 0 knows neither which kind of downgrade, nor a mere check.
  const min = validateOnly || items.some((item) => typeOf(item) !== 'upgrade') ? 1 : 0;
  return inRounds(call, items, (left) =>
    orRejected(left, async () => {
      let version = 0;
      const { results } = await call.request({
        api: UpdateFeatures,
        to: { kind: 'controller' },
        message: (chosen) => {
          version = chosen;
          return {
            timeoutMs: call.brokerTimeoutMs(),
            featureUpdates: left.map((item) => ({
              feature: item.feature,
              maxVersionLevel: item.maxVersionLevel,
              upgradeType: upgradeTypes[typeOf(item)],
            })),
            validateOnly,
          };
        },
        versions: { min },
        errorCode: (answer) => answer.errorCode,
        errorMessage: (answer) => answer.errorMessage,
      });
      return left.map(({ feature }): ItemOutcome<void> => {
        // From version 2 on all features are changed or none, and one code tells of all.
        if (version >= 2) return fulfilled(undefined);
        const doing = `Cannot change the level of feature ${quote(feature)}`;
        const result = results.find((each) => each.feature === feature);
        if (result === undefined) return rejected(unanswered(doing));
        return result.errorCode === 0 ? fulfilled(undefined) : refused(result.errorCode, doing, result.errorMessage);
      });
    }),
  );
}

function typeOf({ upgradeType = 'upgrade' }: FeatureUpdate): FeatureUpgradeType {
  return upgradeType;
}
