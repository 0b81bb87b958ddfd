import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  WriteTxnMarkers,
  type WriteTxnMarkersRequestWritableTxnMarker,
} from '../../protocol/generated/write-txn-markers.ts';
import { defineHandler, type AnyHandler, type RequestContext } from '../handler.ts';
import { writeMarker } from '../transactions/marker-writer.ts';

/**
 * WriteTxnMarkers, versions 1-2.
 *
 * Does: write markers at the leader, as Kafka does for anyone without an authorizer (an admin aborts hanging transactions so); fence
 * older producers and coordinators.
 * Leaves out: -
 * v1 flexible · v2 the transaction version (KIP-1228)
 */
export const writeTxnMarkersHandler: AnyHandler = defineHandler(WriteTxnMarkers, (request, context) => ({
  markers: request.markers.map((marker) => ({
    producerId: marker.producerId,
    topics: marker.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({
        partitionIndex,
        errorCode: write(marker, name, partitionIndex, context),
      })),
    })),
  })),
}));

function write(
  marker: WriteTxnMarkersRequestWritableTxnMarker,
  topic: string,
  partition: number,
  { cluster, broker }: RequestContext,
): number {
  // Kafka stumbles over it before it looks at the partitions.
  if (marker.producerEpoch < 0) return brokerErrorCodes.UNKNOWN_SERVER_ERROR;
  const { transactionResult: committed, ...rest } = marker;
  return writeMarker(cluster, { topic, partition }, { ...rest, committed }, broker.id);
}
