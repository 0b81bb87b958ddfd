import type { AppendOptions } from '../log/partition-log.ts';
import type { ProduceRules } from '../log/produced-records.ts';
import type { ClusterState } from './cluster-state.ts';
import type { TopicState } from './topic-state.ts';

/** The settings of a topic that its logs work by, read out of their texts. */
export interface TopicRules {
  readonly isCompacted: boolean;
  /** Whether old records are deleted. */
  readonly isDeleted: boolean;
  readonly minInsyncReplicas: number;
  /** -1: no limit. */
  readonly retentionMs: number;
  /** -1: no limit. */
  readonly retentionBytes: number;
  readonly deleteRetentionMs: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly minCleanableDirtyRatio: number;
  /** What is asked of records at this time. */
  produce(version: number, nowMs: number): ProduceRules;
  /** How the leader of this epoch appends at this time. */
  append(leaderEpoch: number, nowMs: number): AppendOptions;
}

/** What the settings of a topic say to its logs. */
export function topicRules(cluster: ClusterState, topic: TopicState): TopicRules {
  const text = (name: string): string => cluster.topicConfig(topic, name);
  const number = (name: string): number => Number(text(name));
  const policies = text('cleanup.policy')
    .split(',')
    .map((policy) => policy.trim());
  const isCompacted = policies.includes('compact');
  const stampsTimes = text('message.timestamp.type') === 'LogAppendTime';
  return {
    isCompacted,
    isDeleted: policies.includes('delete'),
    minInsyncReplicas: number('min.insync.replicas'),
    retentionMs: number('retention.ms'),
    retentionBytes: number('retention.bytes'),
    deleteRetentionMs: number('delete.retention.ms'),
    minCompactionLagMs: number('min.compaction.lag.ms'),
    maxCompactionLagMs: number('max.compaction.lag.ms'),
    minCleanableDirtyRatio: number('min.cleanable.dirty.ratio'),
    produce: (version, nowMs) => ({
      version,
      maxMessageBytes: number('max.message.bytes'),
      needsKeys: isCompacted,
      timestamps: stampsTimes
        ? undefined
        : {
            earliestMs: nowMs - number('message.timestamp.before.max.ms'),
            latestMs: nowMs + number('message.timestamp.after.max.ms'),
          },
    }),
    append: (leaderEpoch, nowMs) => ({
      leaderEpoch,
      nowMs,
      segmentBytes: number('segment.bytes'),
      segmentMs: number('segment.ms'),
      producerExpiryMs: Number(cluster.brokerConfig('producer.id.expiration.ms')),
      ...(stampsTimes ? { logAppendTimeMs: nowMs } : {}),
    }),
  };
}
