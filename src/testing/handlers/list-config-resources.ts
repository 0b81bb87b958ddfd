import { ListConfigResources } from '../../protocol/generated/list-config-resources.ts';
import { resourceTypes } from '../configs/config-resource.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';

/**
 * ListConfigResources, versions 0-1 (KIP-1142): what has settings.
 *
 * Does: topics, brokers, groups that have settings of their own.
 * Leaves out: client metrics, which is all that v0 lists.
 * v1 types
 */
export const listConfigResourcesHandler: AnyHandler = defineHandler(ListConfigResources, (request, context) => {
  if (context.version === 0) return { configResources: [] };
  const types: readonly number[] = request.resourceTypes.length === 0 ? listed : request.resourceTypes;
  return {
    configResources: types.flatMap((resourceType) =>
      namesOf(resourceType, context).map((resourceName) => ({ resourceName, resourceType })),
    ),
  };
});

const listed = [resourceTypes.group, resourceTypes.brokerLogger, resourceTypes.broker, resourceTypes.topic];

function namesOf(type: number, { cluster }: RequestContext): string[] {
  switch (type) {
    case resourceTypes.topic:
      return [...cluster.topics.keys()];
    case resourceTypes.broker:
    case resourceTypes.brokerLogger:
      return [...cluster.brokers.keys()].map(String);
    case resourceTypes.group:
      return [...cluster.groupConfigs.keys()];
    default:
      return [];
  }
}
