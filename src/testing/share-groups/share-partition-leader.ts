import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { TimerHandle } from '../../util/clock.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { PartitionState } from '../state/partition-state.ts';
import { Watchable } from '../watch.ts';
import type { Acknowledgement, ShareLimits, SharePartitionMachine } from './share-partition-machine.ts';
import type { SharePartitionKey, SharePartitions } from './share-partitions.ts';

/** What a leader begins with. */
export interface SharePartitionLeadership {
  readonly cluster: ClusterState;
  readonly saved: SharePartitions;
  readonly key: SharePartitionKey;
  readonly partition: PartitionState;
  readonly machine: SharePartitionMachine;
  /** What was written down when the machine was filled from it. */
  readonly stateEpoch: number;
}

/** One partition of a share group while one broker leads it: keeps the clock for its locks, and writes down what ended. */
export class SharePartitionLeader {
  readonly key: SharePartitionKey;
  readonly partition: PartitionState;
  readonly machine: SharePartitionMachine;
  /** Told when records became available, or the start moved. */
  readonly changed: Watchable = new Watchable();
  readonly #cluster: ClusterState;
  readonly #saved: SharePartitions;
  readonly #stateEpoch: number;
  readonly #leaderEpoch: number;
  readonly #leaderId: number;
  #timer: TimerHandle | undefined;

  constructor({ cluster, saved, key, partition, machine, stateEpoch }: SharePartitionLeadership) {
    this.key = key;
    this.partition = partition;
    this.machine = machine;
    this.#cluster = cluster;
    this.#saved = saved;
    this.#stateEpoch = stateEpoch;
    this.#leaderEpoch = partition.leaderEpoch;
    this.#leaderId = partition.leaderId;
  }

  /** What the settings of the group say now. */
  get limits(): ShareLimits {
    const text = (name: string): string => this.#cluster.groupConfig(this.key.groupId, name);
    const number = (name: string): number => Number(text(name));
    return {
      deliveryCountLimit: number('share.delivery.count.limit'),
      maxRecordLocks: number('share.partition.max.record.locks'),
      lockDurationMs: number('share.record.lock.duration.ms'),
      mayRenew: text('share.renew.acknowledge.enable') === 'true',
    };
  }

  /** Whether it still speaks for the partition: the same leader of the same epoch, and nobody let the group begin anew. */
  get isCurrent(): boolean {
    const { leaderEpoch, leaderId } = this.partition;
    const isLeading = leaderEpoch === this.#leaderEpoch && leaderId === this.#leaderId;
    return isLeading && this.#saved.find(this.key)?.stateEpoch === this.#stateEpoch;
  }

  /** Takes acknowledgements; the error code that they are answered with. */
  acknowledge(memberId: string, acknowledgements: readonly Acknowledgement[]): number {
    const nowMs = this.#cluster.clock.nowMs();
    const problem = this.machine.acknowledge(memberId, acknowledgements, this.limits, nowMs);
    if (problem !== undefined) return brokerErrorCodes[problem];
    this.settle();
    return 0;
  }

  /** Gives back what a member holds that is gone. */
  release(memberId: string): void {
    this.machine.release(memberId, this.limits);
    this.settle();
  }

  /** Writes down what ended, and waits for the next lock to end. */
  settle(): void {
    this.#setTimer();
    const written = this.machine.takeWrite();
    if (written === undefined) return;
    this.#saved.write(this.key, { ...written, stateEpoch: this.#stateEpoch, leaderEpoch: this.#leaderEpoch });
    this.changed.notify();
  }

  /** Somebody else leads now: what was not written down is forgotten. */
  end(): void {
    if (this.#timer !== undefined) this.#cluster.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.changed.notify();
  }

  #setTimer(): void {
    const { clock } = this.#cluster;
    if (this.#timer !== undefined) clock.clearTimer(this.#timer);
    this.#timer = undefined;
    const deadlineMs = this.machine.nextDeadlineMs();
    if (deadlineMs === undefined) return;
    const tick = (): void => {
      if (!this.isCurrent) return;
      this.machine.tick(clock.nowMs(), this.limits);
      this.settle();
    };
    this.#timer = clock.setTimer(tick, Math.max(0, deadlineMs - clock.nowMs()));
    this.#timer.unref();
  }
}
