import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { findByTimestamp } from '../log/timestamp-search.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { BrokerState } from '../state/broker-state.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { findPartition } from '../state/partition-lookup.ts';
import type { PartitionState } from '../state/partition-state.ts';
import { SharePartitionLeader } from './share-partition-leader.ts';
import { SharePartitionMachine } from './share-partition-machine.ts';
import { SharePartitions, type SharePartitionKey } from './share-partitions.ts';

/** A partition of a share group on the broker that leads it, or why it is not to be had there. */
export type LedSharePartition =
  | { readonly errorCode: 0; readonly leader: SharePartitionLeader }
  | { readonly errorCode: number; readonly partition?: PartitionState };

/** The partitions of share groups, each with whoever leads it. What a leader does not write down ends with it. */
export class SharePartitionLeaders {
  readonly #cluster: ClusterState;
  readonly #saved: SharePartitions;
  readonly #leaders = new Map<string, SharePartitionLeader>();
  readonly #opening = new Map<string, Promise<LedSharePartition>>();

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.#saved = cluster.service(SharePartitions);
    const forget = (): void => this.#forget();
    cluster.changed.watch(forget);
    this.#saved.changed.watch(forget);
  }

  /** A partition that this broker leads and has been asked for. */
  find(broker: BrokerState, key: SharePartitionKey): SharePartitionLeader | undefined {
    const leader = this.#leaders.get(textOf(key));
    return leader?.isCurrent === true && leader.partition.leaderId === broker.id ? leader : undefined;
  }

  /** Whoever leads a partition now, made of what is written down if need be. */
  async open(broker: BrokerState, key: SharePartitionKey): Promise<LedSharePartition> {
    const text = textOf(key);
    const opening = this.#opening.get(text);
    if (opening !== undefined) await opening;
    const known = this.find(broker, key);
    if (known !== undefined) return { errorCode: 0, leader: known };
    const found = this.#lookUp(broker, key);
    if (!('topic' in found)) return found;
    const made = this.#make(key, found.partition);
    this.#opening.set(text, made);
    try {
      return await made;
    } finally {
      this.#opening.delete(text);
    }
  }

  #lookUp(broker: BrokerState, { topicId, partition }: SharePartitionKey): ReturnType<typeof findPartition> {
    if (!this.#cluster.topicsById.has(topicId)) return { errorCode: brokerErrorCodes.UNKNOWN_TOPIC_ID };
    return findPartition(this.#cluster, broker, { name: '', topicId }, partition);
  }

  async #make(key: SharePartitionKey, partition: PartitionState): Promise<LedSharePartition> {
    const state = this.#saved.find(key);
    // Nobody has given the partition to the group yet: Kafka has no error of its own for that.
    if (state === undefined) return { errorCode: brokerErrorCodes.UNKNOWN_SERVER_ERROR };
    const startOffset = state.startOffset === -1n ? await this.#reset(key.groupId, partition.log) : state.startOffset;
    const machine = new SharePartitionMachine(startOffset, state.batches);
    const { stateEpoch } = state;
    const leader = new SharePartitionLeader({
      cluster: this.#cluster,
      saved: this.#saved,
      key,
      partition,
      machine,
      stateEpoch,
    });
    this.#leaders.set(textOf(key), leader);
    return { errorCode: 0, leader };
  }

  /** Where a group begins that has never been in a partition. */
  async #reset(groupId: string, log: PartitionLog): Promise<bigint> {
    const strategy = this.#cluster.groupConfig(groupId, 'share.auto.offset.reset');
    if (strategy === 'earliest') return log.startOffset;
    if (!strategy.startsWith('by_duration:')) return log.highWatermark;
    const sinceMs = this.#cluster.clock.wallMs() - durationMs(strategy.slice('by_duration:'.length));
    return (await findByTimestamp(log, sinceMs, log.highWatermark))?.offset ?? log.highWatermark;
  }

  #forget(): void {
    for (const [text, leader] of this.#leaders) {
      if (leader.isCurrent) continue;
      this.#leaders.delete(text);
      leader.end();
    }
  }
}

/** The length of an ISO 8601 duration of days and less, as Java's Duration reads it. */
function durationMs(text: string): number {
  const parts = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i.exec(text);
  const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = parts ?? [];
  return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1000;
}

function textOf({ groupId, topicId, partition }: SharePartitionKey): string {
  return `${topicId}/${partition}/${groupId}`;
}
