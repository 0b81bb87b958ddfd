import type { PartitionState } from './partition-state.ts';

/** One topic of the cluster. */
export class TopicState {
  readonly name: string;
  /** Kafka's text form; a topic that is created again gets a new one. */
  readonly topicId: string;
  readonly isInternal: boolean;
  /** By partition number. */
  readonly partitions: PartitionState[] = [];
  /** What was set for this topic; see `ClusterState.topicConfig`. */
  readonly configs: Map<string, string> = new Map();

  constructor(name: string, topicId: string, isInternal: boolean) {
    this.name = name;
    this.topicId = topicId;
    this.isInternal = isInternal;
  }
}
