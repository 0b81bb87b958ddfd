import { GroupCoordinator } from '../groups/group-coordinator.ts';
import { Acls } from '../security/acls.ts';
import { ClientQuotas } from '../security/client-quotas.ts';
import { Credentials } from '../security/credentials.ts';
import { SharePartitions } from '../share-groups/share-partitions.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';

/** A service of the cluster whose state survives a restart where the cluster has a data folder. */
export interface Persistent {
  /** Its state as plain JSON: bigints and bytes as text. */
  snapshot(): unknown;
  /** Goes on from what `snapshot` gave; called once, before any client is served. The topics are there already. */
  restore(state: never): void;
}

/** The class of such a service, as `ClusterState.service` takes it. */
export type PersistentService = new (cluster: ClusterState) => Persistent;

/** The services that are kept, by the names of their files, which must not change; in the order in which they are restored. */
export const persistentServices: ReadonlyMap<string, PersistentService> = new Map<string, PersistentService>([
  ['groups', GroupCoordinator],
  ['share-partitions', SharePartitions],
  ['transactions', TransactionCoordinator],
  ['acls', Acls],
  ['scram-credentials', Credentials],
  ['quotas', ClientQuotas],
]);
