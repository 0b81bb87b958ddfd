import { brokerErrorCodes, type BrokerErrorName } from '../../errors/broker-error-codes.ts';
import type { ClusterState } from './cluster-state.ts';
import { configDefaults } from './config-defaults.ts';
import { configProblem } from './config-rules.ts';

/** Why something cannot be done: Kafka's error, and words of ours. */
export interface Refusal {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

export function refusal(name: BrokerErrorName, errorMessage: string | null): Refusal {
  return { errorCode: brokerErrorCodes[name], errorMessage };
}

export function isRefusal(value: object): value is Refusal {
  return 'errorMessage' in value && 'errorCode' in value;
}

/** Refuses settings of a topic that do not exist or have a value they cannot have. */
export function checkTopicConfigs(configs: Iterable<readonly [string, string | null]>): Refusal | undefined {
  for (const [name, value] of configs) {
    const row = configDefaults.topic.get(name);
    if (row === undefined) return refusal('INVALID_CONFIG', `A topic has no setting ${name}`);
    if (value === null) return refusal('INVALID_CONFIG', `The setting ${name} has no value`);
    const problem = configProblem(row, value);
    if (problem !== undefined) return refusal('INVALID_CONFIG', problem);
  }
  return undefined;
}

/** Refuses replicas that are not different brokers of the cluster, as many for each partition. */
export function checkAssignment(
  cluster: ClusterState,
  assignment: readonly (readonly number[])[],
  replicationFactor: number = assignment[0]?.length ?? 0,
): Refusal | undefined {
  for (const replicas of assignment) {
    if (replicas.length === 0) return refusal('INVALID_REPLICA_ASSIGNMENT', 'A partition has no replicas');
    if (new Set(replicas).size < replicas.length)
      return refusal('INVALID_REPLICA_ASSIGNMENT', `A broker is named twice in ${replicas.join(', ')}`);
    const unknown = replicas.find((id) => !cluster.brokers.has(id));
    if (unknown !== undefined) return refusal('INVALID_REPLICA_ASSIGNMENT', `There is no broker ${unknown}`);
    if (replicas.length !== replicationFactor)
      return refusal('INVALID_REPLICA_ASSIGNMENT', 'The partitions have different numbers of replicas');
  }
  return undefined;
}
