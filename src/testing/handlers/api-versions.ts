import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { ApiVersions } from '../../protocol/generated/api-versions.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import type { ReleaseFeature } from '../releases/kafka-release.ts';
import type { ServedApis } from '../server/served-apis.ts';

/**
 * ApiVersions, versions 0-4.
 *
 * Does: list the APIs that have a handler, in the versions of the release that the cluster pretends to be; check and remember the
 * client's name (KIP-511); tell the features (KIP-584).
 * Leaves out: KIP-1242's cluster id (v5), which Kafka 4.3 answers with UNSUPPORTED_VERSION too; features of what the cluster does
 * not do (streams groups, eligible leader replicas, KRaft's own).
 * v1 throttle time · v3 client software, features, flexible · v4 features with a lowest level 0 (KIP-1022)
 */
export function apiVersionsHandler(
  apis: () => ServedApis,
  features: ReadonlyMap<string, ReleaseFeature> = new Map(),
): AnyHandler {
  return defineHandler(
    ApiVersions,
    (request, { cluster, connection, version }) => {
      const { clientSoftwareName: name, clientSoftwareVersion } = request;
      if (version >= 3) {
        if (!isWord(name) || !isWord(clientSoftwareVersion)) return { errorCode: brokerErrorCodes.INVALID_REQUEST };
        connection.software = { name, version: clientSoftwareVersion };
      }
      const apiKeys = apis()
        .all()
        .map(({ handler, min, max }) => ({
          apiKey: handler.api.key,
          minVersion: handler.listedFrom ?? min,
          maxVersion: max,
        }));
      if (version < 3 || features.size === 0) return { apiKeys };
      // Clients before v4 take a lowest level of 0 for a broken answer.
      const supported = [...features].filter(([, { min }]) => version >= 4 || min > 0);
      return {
        apiKeys,
        supportedFeatures: supported.map(([feature, { min, max }]) => ({
          name: feature,
          minVersion: min,
          maxVersion: max,
        })),
        finalizedFeaturesEpoch: 1n,
        finalizedFeatures: [...cluster.features].map(([feature, level]) => ({
          name: feature,
          minVersionLevel: level,
          maxVersionLevel: level,
        })),
      };
    },
    { max: 4 },
  );
}

/** What Kafka takes as the name or version of a client. */
function isWord(text: string): boolean {
  return /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(text);
}
