import { responseBrokers } from '../cluster/metadata-response.ts';
import { isKafkaError } from '../errors/kafka-error.ts';
import type { Broker } from '../cluster/metadata-snapshot.ts';
import { DescribeCluster } from '../protocol/generated/describe-cluster.ts';
import type { AdminCall } from './admin-call.ts';
import { describe } from './topics.ts';

/** A cluster and its brokers. */
export interface ClusterDescription {
  /** Undefined from brokers before 0.10.1. */
  readonly clusterId: string | undefined;
  /** The broker that takes controller requests; undefined while there is none. */
  readonly controllerId: number | undefined;
  /** In the order of their ids. */
  readonly brokers: readonly Broker[];
}

/** The cluster's id, controller and brokers. */
export async function describeCluster(call: AdminCall): Promise<ClusterDescription> {
  try {
    const response = await call.request({
      api: DescribeCluster,
      to: { kind: 'any' },
      message: {},
      errorCode: (answer) => answer.errorCode,
      errorMessage: (answer) => answer.errorMessage,
    });
    const brokers = response.brokers.map(({ brokerId, host, port, rack }) => ({ nodeId: brokerId, host, port, rack }));
    return description(response.clusterId, response.controllerId, brokers);
  } catch (error) {
    if (!isKafkaError(error, 'UNSUPPORTED_VERSION')) throw error;
    // Brokers before 2.8 tell the same in their metadata.
    const response = await describe(call, []);
    return description(response.clusterId ?? undefined, response.controllerId, responseBrokers(response));
  }
}

function description(
  clusterId: string | undefined,
  controllerId: number,
  brokers: readonly Broker[],
): ClusterDescription {
  return {
    clusterId,
    controllerId: controllerId < 0 ? undefined : controllerId,
    brokers: [...brokers].sort((a, b) => a.nodeId - b.nodeId),
  };
}
