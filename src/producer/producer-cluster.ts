import type { Cluster } from '../cluster/cluster.ts';

/** What a producer needs of the cluster. */
export type ProducerCluster = Pick<
  Cluster,
  | 'options'
  | 'events'
  | 'clock'
  | 'random'
  | 'metadata'
  | 'topics'
  | 'refreshSoon'
  | 'onMetadata'
  | 'connection'
  | 'coordinator'
  | 'forgetCoordinator'
  | 'closeLane'
  | 'nextClientNumber'
  | 'learnLeaders'
  | 'request'
>;
