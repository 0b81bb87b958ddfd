import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { DescribeCluster } from '../../protocol/generated/describe-cluster.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';

/**
 * DescribeCluster, versions 0-2.
 *
 * Does: the brokers of the listener that was asked, fenced ones on request (KIP-1073).
 * Leaves out: controllers as endpoints of their own, which these brokers have not.
 * v1 type of endpoint (KIP-919) · v2 fenced brokers
 */
export const describeClusterHandler: AnyHandler = defineHandler(DescribeCluster, (request, context) => {
  const { cluster, connection, version } = context;
  const { clusterId, controllerId } = cluster;
  if (request.endpointType !== 1) {
    const [errorCode, errorMessage] =
      request.endpointType === 2
        ? [brokerErrorCodes.MISMATCHED_ENDPOINT_TYPE, 'A broker was asked for controllers']
        : [brokerErrorCodes.UNSUPPORTED_ENDPOINT_TYPE, 'There is no such type of endpoint'];
    return { errorCode, errorMessage, ...(version >= 1 ? { endpointType: 1 } : {}) };
  }
  const shown = [...cluster.brokers.values()].filter((broker) => broker.isRunning || request.includeFencedBrokers);
  const brokers = shown.map((broker) => {
    const { host = '', port = 0 } = broker.endpoints.get(connection.listener.name) ?? {};
    const fenced = version >= 2 ? { isFenced: !broker.isRunning } : {};
    return { brokerId: broker.id, host, port, rack: broker.rack, ...fenced };
  });
  return { clusterId, controllerId, brokers };
});
