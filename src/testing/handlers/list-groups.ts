import { ListGroups } from '../../protocol/generated/list-groups.ts';
import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * ListGroups, versions 0-5.
 *
 * Does: the groups that this broker coordinates, by state and type, in any spelling of the letters.
 * Leaves out: streams groups.
 * v3 flexible · v4 states (KIP-518) · v5 types (KIP-848), share groups among them (KIP-932)
 */
export const listGroupsHandler: AnyHandler = defineHandler(ListGroups, (request, { cluster, broker }) => {
  const isWanted = (filter: readonly string[], value: string): boolean =>
    filter.length === 0 || filter.some((each) => each.toLowerCase() === value.toLowerCase());
  const groups = cluster
    .service(GroupCoordinator)
    .list(broker)
    .filter(
      ({ groupState, groupType }) =>
        isWanted(request.statesFilter, groupState) && isWanted(request.typesFilter, groupType),
    );
  return { errorCode: 0, groups };
});
