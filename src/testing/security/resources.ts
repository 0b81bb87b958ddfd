/** What access can be granted to, as Kafka numbers it. */
export const resourceType = {
  any: 1,
  topic: 2,
  group: 3,
  cluster: 4,
  transactionalId: 5,
  delegationToken: 6,
  user: 7,
} as const;

/** What can be done with a resource, as Kafka numbers it. */
export const operation = {
  any: 1,
  all: 2,
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
  createTokens: 13,
  describeTokens: 14,
  twoPhaseCommit: 15,
} as const;

/** How the name of a resource is meant: 1 and 2 stand in filters only. */
export const patternType = { any: 1, match: 2, literal: 3, prefixed: 4 } as const;

/** Denials win over permissions. */
export const permission = { any: 1, deny: 2, allow: 3 } as const;

/** The name of the one resource of its type. */
export const clusterName = 'kafka-cluster';

/** The operations that make sense for a resource: what `authorizedOperations` can hold. */
export const supportedOperations: ReadonlyMap<number, readonly number[]> = new Map([
  [
    resourceType.topic,
    [
      operation.read,
      operation.write,
      operation.create,
      operation.describe,
      operation.delete,
      operation.alter,
      operation.describeConfigs,
      operation.alterConfigs,
    ],
  ],
  [
    resourceType.group,
    [operation.read, operation.describe, operation.delete, operation.describeConfigs, operation.alterConfigs],
  ],
  [
    resourceType.cluster,
    [
      operation.create,
      operation.clusterAction,
      operation.describeConfigs,
      operation.alterConfigs,
      operation.idempotentWrite,
      operation.alter,
      operation.describe,
    ],
  ],
]);
