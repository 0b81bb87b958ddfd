import type { ClusterState } from '../state/cluster-state.ts';
import type { TopicState } from '../state/topic-state.ts';
import type { TopicsView, ViewedTopic } from './topics-view.ts';

/** The topics of a cluster, as the decisions of its groups see them. */
export class ClusterTopics implements TopicsView {
  readonly #cluster: ClusterState;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  byName(name: string): ViewedTopic | undefined {
    return viewOf(this.#cluster.topics.get(name));
  }

  byId(topicId: string): ViewedTopic | undefined {
    return viewOf(this.#cluster.topicsById.get(topicId));
  }

  names(): readonly string[] {
    return [...this.#cluster.topics.keys()];
  }
}

function viewOf(topic: TopicState | undefined): ViewedTopic | undefined {
  if (topic === undefined) return undefined;
  return { name: topic.name, topicId: topic.topicId, partitionCount: topic.partitions.length };
}
