import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { FindCoordinator } from '../../protocol/generated/find-coordinator.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import type { CoordinatorType } from '../state/cluster-state.ts';

/**
 * FindCoordinator, versions 0-6.
 *
 * Does: the leader of the internal topic's partition that a group or transactional id hashes to, many keys at once.
 * Leaves out: -
 * v1 key types · v3 flexible · v4 many keys (KIP-699) · v6 share groups (KIP-932)
 */
export const findCoordinatorHandler: AnyHandler = defineHandler(FindCoordinator, (request, context) => {
  const type = types[request.keyType];
  const find = (key: string): Found => {
    if (type === undefined || (type === 'share' && (context.version < 6 || !isSharePartition(key)))) return invalid;
    return locate(type, key, context);
  };
  if (context.version >= 4) {
    return { coordinators: request.coordinatorKeys.map((key) => ({ key, ...find(key) })) };
  }
  const { errorMessage, ...found } = find(request.key);
  return context.version >= 1 ? { ...found, errorMessage } : found;
});

const types: readonly (CoordinatorType | undefined)[] = ['group', 'transaction', 'share'];

/** Group, topic id and partition, with colons between; the group may have some, too. */
function isSharePartition(key: string): boolean {
  return /^.+:[A-Za-z0-9_-]{22}:\d+$/.test(key);
}

interface Found {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

const nowhere = { nodeId: -1, host: '', port: -1 };
const invalid: Found = {
  ...nowhere,
  errorCode: brokerErrorCodes.INVALID_REQUEST,
  errorMessage: 'There is no coordinator of this type, or for this key',
};

function locate(type: CoordinatorType, key: string, { cluster, connection, version }: RequestContext): Found {
  const coordinator = cluster.coordinator(type, key);
  const endpoint = coordinator?.endpoints.get(connection.listener.name);
  if (coordinator === undefined || endpoint === undefined) {
    return {
      ...nowhere,
      errorCode: brokerErrorCodes.COORDINATOR_NOT_AVAILABLE,
      errorMessage: 'The partition that would coordinate has no leader',
    };
  }
  // Kafka's text for "no error" is the name of that code, until v4.
  return { nodeId: coordinator.id, ...endpoint, errorCode: 0, errorMessage: version < 4 ? 'NONE' : '' };
}
