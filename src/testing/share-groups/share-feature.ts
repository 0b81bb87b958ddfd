import type { ClusterState } from '../state/cluster-state.ts';

/** Whether the cluster has share groups: its feature `share.version` is at least 1 (KIP-932). */
export function hasShareGroups(cluster: ClusterState): boolean {
  return (cluster.features.get('share.version') ?? 0) >= 1;
}
