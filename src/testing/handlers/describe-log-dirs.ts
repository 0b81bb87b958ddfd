import type { Input } from '../../protocol/api.ts';
import {
  DescribeLogDirs,
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponseDescribeLogDirsTopic,
} from '../../protocol/generated/describe-log-dirs.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/**
 * DescribeLogDirs, versions 1-5.
 *
 * Does: the size of each partition that the broker holds, in one folder of as many bytes as the cluster keeps in all.
 * Leaves out: several folders, and copies under way between them; cordoned folders (v5).
 * v2 flexible · v3 error of the whole · v4 size of the volume (KIP-827) · v5 cordoned
 */
export const describeLogDirsHandler: AnyHandler = defineHandler(
  DescribeLogDirs,
  ({ topics }, { cluster, broker, version }) => {
    const { usedBytes, retentionBytes } = cluster.storage;
    const volume = {
      totalBytes: BigInt(retentionBytes),
      usableBytes: BigInt(Math.max(0, retentionBytes - usedBytes)),
    };
    const sizes = version >= 4 ? volume : {};
    const logDir = cluster.brokerConfig('log.dirs', broker) || cluster.brokerConfig('log.dir', broker);
    return { results: [{ errorCode: 0, logDir, topics: held(topics, cluster, broker.id), ...sizes }] };
  },
);

/** The wanted partitions that this broker has a replica of; null stands for all. */
function held(
  wanted: DescribeLogDirsRequest['topics'],
  cluster: ClusterState,
  brokerId: number,
): Input<DescribeLogDirsResponseDescribeLogDirsTopic>[] {
  const all = [...cluster.topics.values()].map(({ name, partitions }) => ({
    topic: name,
    partitions: partitions.map(({ partition }) => partition),
  }));
  return (wanted ?? all).flatMap(({ topic, partitions: indexes }) => {
    const known = indexes.flatMap((index) => cluster.partition(topic, index) ?? []);
    const partitions = known
      .filter(({ replicas }) => replicas.includes(brokerId))
      .map(({ partition, log }) => ({ partitionIndex: partition, partitionSize: log.sizeBytes, offsetLag: 0n }));
    return partitions.length > 0 ? [{ name: topic, partitions }] : [];
  });
}
