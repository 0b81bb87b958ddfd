import { ApiVersions } from '../../protocol/generated/api-versions.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import type { ServedApis } from '../server/served-apis.ts';

/**
 * ApiVersions, versions 0-4.
 *
 * Does: list the APIs that have a handler, in the versions of the release that the cluster pretends to be; remember the
 * client's name (KIP-511); tell the finalized features (KIP-584).
 * Leaves out: KIP-1242's cluster id (v5), which Kafka 4.3 answers with UNSUPPORTED_VERSION too.
 * v1 throttle time · v3 client software, features, flexible · v4 features with a lowest level 0 (KIP-1022)
 */
export function apiVersionsHandler(apis: () => ServedApis): AnyHandler {
  return defineHandler(
    ApiVersions,
    (request, { cluster, connection, version }) => {
      const { clientSoftwareName: name, clientSoftwareVersion } = request;
      if (version >= 3) connection.software = { name, version: clientSoftwareVersion };
      const apiKeys = apis()
        .all()
        .map(({ handler, min, max }) => ({
          apiKey: handler.api.key,
          minVersion: handler.listedFrom ?? min,
          maxVersion: max,
        }));
      if (version < 3) return { apiKeys };
      const features = [...cluster.features];
      return {
        apiKeys,
        supportedFeatures: features.map(([feature, level]) => ({ name: feature, minVersion: 0, maxVersion: level })),
        finalizedFeaturesEpoch: 1n,
        finalizedFeatures: features.map(([feature, level]) => ({
          name: feature,
          minVersionLevel: level,
          maxVersionLevel: level,
        })),
      };
    },
    { max: 4 },
  );
}
