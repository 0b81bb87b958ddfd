import {
  DescribeQuorum,
  type DescribeQuorumResponse,
  type DescribeQuorumResponsePartitionData,
  type DescribeQuorumResponseReplicaState,
} from '../protocol/generated/describe-quorum.ts';
import type { AdminCall } from './admin-call.ts';
import { unanswered } from './items.ts';
import { knownId } from './topics.ts';

/** A voter or an observer of the metadata quorum. Java: `QuorumInfo.ReplicaState`. */
export interface QuorumReplica {
  /** The id of the controller or broker. */
  readonly replicaId: number;
  /** The id of the directory where it keeps the metadata log (KIP-853); undefined from brokers before 3.9, or if it is not known. */
  readonly directoryId: string | undefined;
  /** The offset behind the last record that it has of the metadata log; undefined if the leader does not know. */
  readonly logEndOffset: bigint | undefined;
  /** When it fetched last, in milliseconds since 1970 (KIP-836); undefined from brokers before 3.3, or if the leader does not know. */
  readonly lastFetchTimestampMs: number | undefined;
  /** When it last had all that the leader had, in milliseconds since 1970 (KIP-836); undefined as {@link lastFetchTimestampMs} is. */
  readonly lastCaughtUpTimestampMs: number | undefined;
}

/** A controller and where it listens. */
export interface QuorumNode {
  /** The id of the controller. */
  readonly nodeId: number;
  /** Its listeners for other controllers and for brokers. */
  readonly endpoints: readonly {
    /** The name of the listener: `CONTROLLER`. */
    readonly listener: string;
    /** The host it advertises. */
    readonly host: string;
    /** The port it advertises. */
    readonly port: number;
  }[];
}

/** The quorum that keeps the metadata of the cluster. Java: `QuorumInfo`. */
export interface MetadataQuorum {
  /** The active controller. */
  readonly leaderId: number;
  /** Rises with each new leader. */
  readonly leaderEpoch: number;
  /** The offset before which all of the metadata log is certain. */
  readonly highWatermark: bigint;
  /** The controllers that elect the leader, and whose copies make records certain; by id. */
  readonly voters: readonly QuorumReplica[];
  /** Those that only follow: brokers, and controllers that are no voters; by id. */
  readonly observers: readonly QuorumReplica[];
  /** Where the voters listen (KIP-853); empty from brokers before 3.9. */
  readonly nodes: readonly QuorumNode[];
}

const metadataLog = { topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] };

/** The quorum of controllers, as its leader sees it (KIP-595, KIP-836). */
export async function describeMetadataQuorum(call: AdminCall): Promise<MetadataQuorum> {
  const answer = await call.request({
    api: DescribeQuorum,
    to: { kind: 'any' },
    message: { topics: [metadataLog] },
    errorCode: ({ errorCode, topics }) => errorCode || (topics[0]?.partitions[0]?.errorCode ?? 0),
    errorMessage: ({ errorMessage, topics }) => errorMessage ?? topics[0]?.partitions[0]?.errorMessage,
  });
  const found = partitionOf(answer);
  if (found === undefined) throw unanswered(call.doing);
  return {
    leaderId: found.leaderId,
    leaderEpoch: found.leaderEpoch,
    highWatermark: found.highWatermark,
    voters: replicasOf(found.currentVoters),
    observers: replicasOf(found.observers),
    nodes: answer.nodes.map(({ nodeId, listeners }) => ({
      nodeId,
      endpoints: listeners.map(({ name, host, port }) => ({ listener: name, host, port })),
    })),
  };
}

function partitionOf({ topics }: DescribeQuorumResponse): DescribeQuorumResponsePartitionData | undefined {
  return topics.find(({ topicName }) => topicName === metadataLog.topicName)?.partitions[0];
}

function replicasOf(states: readonly DescribeQuorumResponseReplicaState[]): QuorumReplica[] {
  return states
    .map((state) => ({
      replicaId: state.replicaId,
      directoryId: knownId(state.replicaDirectoryId),
      logEndOffset: state.logEndOffset < 0n ? undefined : state.logEndOffset,
      lastFetchTimestampMs: knownTime(state.lastFetchTimestamp),
      lastCaughtUpTimestampMs: knownTime(state.lastCaughtUpTimestamp),
    }))
    .sort((a, b) => a.replicaId - b.replicaId);
}

function knownTime(timestamp: bigint): number | undefined {
  return timestamp < 0n ? undefined : Number(timestamp);
}
