/** Lowest and highest version of an API. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** What a broker's ApiVersions answer says, as far as it is used. */
export interface BrokerVersionsSource {
  readonly apiKeys: readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[];
  readonly supportedFeatures?: readonly {
    readonly name: string;
    readonly minVersion: number;
    readonly maxVersion: number;
  }[];
  readonly finalizedFeatures?: readonly { readonly name: string; readonly maxVersionLevel: number }[];
  readonly finalizedFeaturesEpoch?: bigint;
}

/** What one broker speaks: its API versions (KIP-35) and features (KIP-584). */
export class BrokerVersions {
  readonly #ranges = new Map<number, VersionRange>();
  readonly #supported = new Map<string, VersionRange>();
  readonly #finalized = new Map<string, number>();
  /** Grows whenever the cluster changes a feature; −1 where the broker does not say. */
  readonly finalizedFeaturesEpoch: bigint;

  constructor(source: BrokerVersionsSource) {
    for (const { apiKey, minVersion, maxVersion } of source.apiKeys) {
      // A range that is no range stands for an API that is not there.
      if (minVersion >= 0 && minVersion <= maxVersion) this.#ranges.set(apiKey, { min: minVersion, max: maxVersion });
    }
    for (const { name, minVersion, maxVersion } of source.supportedFeatures ?? []) {
      this.#supported.set(name, { min: minVersion, max: maxVersion });
    }
    for (const { name, maxVersionLevel } of source.finalizedFeatures ?? []) this.#finalized.set(name, maxVersionLevel);
    this.finalizedFeaturesEpoch = source.finalizedFeaturesEpoch ?? -1n;
  }

  /** The versions of an API that the broker speaks; undefined if it does not know the API. */
  range(apiKey: number): VersionRange | undefined {
    return this.#ranges.get(apiKey);
  }

  /** The level of a feature that the whole cluster has agreed on, such as `transaction.version`. */
  finalizedFeature(name: string): number | undefined {
    return this.#finalized.get(name);
  }

  /** The levels of a feature that this broker could take part in. */
  supportedFeature(name: string): VersionRange | undefined {
    return this.#supported.get(name);
  }
}
