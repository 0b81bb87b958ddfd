import { AlterConfigs } from '../../protocol/generated/alter-configs.ts';
import { alterResource, repeatedResources } from '../configs/alter-configs.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * AlterConfigs, versions 0-2: what is not named goes back to its default.
 *
 * Does: topics, brokers (one, or all by the empty name), groups; dry runs.
 * Leaves out: log levels, client metrics.
 * v2 flexible
 */
export const alterConfigsHandler: AnyHandler = defineHandler(AlterConfigs, (request, context) => {
  const repeated = repeatedResources(request.resources);
  return {
    responses: request.resources.map(({ resourceType, resourceName, configs }) => {
      const changes = configs.map(({ name, value }) => ({ name, operation: 0, value }));
      const refused =
        repeated({ resourceType, resourceName }) ??
        alterResource({ resourceType, resourceName, changes, replacesAll: true }, request.validateOnly, context);
      return { resourceType, resourceName, ...(refused ?? { errorCode: 0, errorMessage: null }) };
    }),
  };
});
