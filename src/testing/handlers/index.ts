import type { AnyHandler } from '../handler.ts';
import { alterConfigsHandler } from './alter-configs.ts';
import { alterPartitionReassignmentsHandler } from './alter-partition-reassignments.ts';
import { createPartitionsHandler } from './create-partitions.ts';
import { createTopicsHandler } from './create-topics.ts';
import { deleteTopicsHandler } from './delete-topics.ts';
import { describeClusterHandler } from './describe-cluster.ts';
import { describeConfigsHandler } from './describe-configs.ts';
import { describeTopicPartitionsHandler } from './describe-topic-partitions.ts';
import { electLeadersHandler } from './elect-leaders.ts';
import { fetchHandler } from './fetch.ts';
import { findCoordinatorHandler } from './find-coordinator.ts';
import { incrementalAlterConfigsHandler } from './incremental-alter-configs.ts';
import { listConfigResourcesHandler } from './list-config-resources.ts';
import { listPartitionReassignmentsHandler } from './list-partition-reassignments.ts';
import { listOffsetsHandler } from './list-offsets.ts';
import { metadataHandler } from './metadata.ts';
import { produceHandler } from './produce.ts';

/** Every API that the brokers answer, but ApiVersions, which lists them. In alphabetical order, one file each. */
export const handlers: readonly AnyHandler[] = [
  alterConfigsHandler,
  alterPartitionReassignmentsHandler,
  createPartitionsHandler,
  createTopicsHandler,
  deleteTopicsHandler,
  describeClusterHandler,
  describeConfigsHandler,
  describeTopicPartitionsHandler,
  electLeadersHandler,
  fetchHandler,
  findCoordinatorHandler,
  incrementalAlterConfigsHandler,
  listConfigResourcesHandler,
  listPartitionReassignmentsHandler,
  listOffsetsHandler,
  metadataHandler,
  produceHandler,
];
