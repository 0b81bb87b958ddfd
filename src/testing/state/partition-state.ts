import type { PartitionLog } from '../log/partition-log.ts';
import { Watchable } from '../watch.ts';

/**
 * One partition: who leads it, who follows, and its log.
 *
 * The replicas share one log: replication is modelled by the in-sync set, which decides what may be acknowledged and who may lead.
 */
export class PartitionState {
  readonly topic: string;
  readonly partition: number;
  /** In order of preference. */
  replicas: number[];
  /** Being added and removed by a reassignment. */
  addingReplicas: number[] = [];
  removingReplicas: number[] = [];
  isr: number[];
  /** How far the replicas that left the in-sync set had copied the log, by broker. */
  readonly copiedUpTo: Map<number, bigint> = new Map();
  /** -1 while nobody can lead. */
  leaderId: number;
  leaderEpoch = 0;
  /** Counts changes of leader and in-sync set. */
  partitionEpoch = 0;
  log: PartitionLog;
  /** Told when something was appended, or leader, in-sync set, high watermark or log start changed. */
  readonly changed: Watchable = new Watchable();

  constructor(topic: string, partition: number, replicas: readonly number[], log: PartitionLog) {
    this.topic = topic;
    this.partition = partition;
    this.replicas = [...replicas];
    this.isr = [...replicas];
    this.leaderId = replicas[0] ?? -1;
    this.log = log;
  }
}
