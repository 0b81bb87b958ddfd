import { Cluster } from '../../../src/cluster/cluster.ts';
import { resolveClientOptions } from '../../../src/cluster/options.ts';
import { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';
import { apis } from '../../../src/protocol/index.ts';

/** How far a share group is in one partition, as its coordinator says. */
export interface ShareProgress {
  readonly partition: number;
  /** The first offset that is not done for good; -1 before anything was read. */
  readonly startOffset: bigint;
  /** How many records are not; -1 where nobody knows. */
  readonly lag: bigint;
}

/** Asks the coordinator of a share group what is left, apart from any client under test. */
export class ShareObserver implements AsyncDisposable {
  readonly #cluster: Cluster;

  constructor(bootstrapServers: readonly string[]) {
    this.#cluster = new Cluster(resolveClientOptions({ bootstrapServers }), new EventPublisher());
  }

  async progress(groupId: string, topic: string): Promise<ShareProgress[]> {
    const answer = await this.#cluster.request({
      api: apis.DescribeShareGroupOffsets,
      to: { kind: 'coordinator', type: 'group', key: groupId },
      doing: `Cannot see how far share group "${groupId}" is`,
      message: { groups: [{ groupId, topics: null }] },
      errorCode: ({ groups }) => groups[0]?.errorCode ?? 0,
    });
    const partitions = answer.groups[0]?.topics.find(({ topicName }) => topicName === topic)?.partitions ?? [];
    return partitions.map(({ partitionIndex: partition, startOffset, lag }) => ({ partition, startOffset, lag }));
  }

  /** Whether all of these partitions have been read, up to the very end. */
  async isDone(groupId: string, topic: string, partitions: number): Promise<boolean> {
    const all = await this.progress(groupId, topic);
    return all.length === partitions && all.every(({ lag }) => lag === 0n);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.close();
  }
}
