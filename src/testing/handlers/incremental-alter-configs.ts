import { IncrementalAlterConfigs } from '../../protocol/generated/incremental-alter-configs.ts';
import { alterResource, repeatedResources } from '../configs/alter-configs.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * IncrementalAlterConfigs, versions 0-1 (KIP-339): set, delete, append to and subtract from settings.
 *
 * Does: topics, brokers (one, or all by the empty name), groups; dry runs.
 * Leaves out: log levels, client metrics.
 * v1 flexible
 */
export const incrementalAlterConfigsHandler: AnyHandler = defineHandler(IncrementalAlterConfigs, (request, context) => {
  const repeated = repeatedResources(request.resources);
  return {
    responses: request.resources.map(({ resourceType, resourceName, configs }) => {
      const changes = configs.map(({ name, configOperation, value }) => ({ name, operation: configOperation, value }));
      const refused =
        repeated({ resourceType, resourceName }) ??
        alterResource({ resourceType, resourceName, changes, replacesAll: false }, request.validateOnly, context);
      return { resourceType, resourceName, ...(refused ?? { errorCode: 0, errorMessage: null }) };
    }),
  };
});
