import type { TimerHandle } from '../../util/clock.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { PartitionState } from '../state/partition-state.ts';
import { topicRules, type TopicRules } from '../state/topic-rules.ts';
import { compact, type DeleteHorizons } from './log-compaction.ts';
import { applyRetention, nextExpiryMs } from './log-retention.ts';

interface Planned {
  readonly timer: TimerHandle;
  /** On the wall clock. */
  readonly dueMs: number;
}

/**
 * Deletes and compacts what the settings of the topics say, on the brokers' clock: retention at the checks of
 * `log.retention.check.interval.ms`, compaction every `log.cleaner.backoff.ms`.
 *
 * A timer is set only while there is something that it could find, so that a virtual clock that is moved by days does not
 * stop at every check.
 */
export class LogCleaner {
  readonly #cluster: ClusterState;
  readonly #startMs: number;
  readonly #horizons = new WeakMap<PartitionState, DeleteHorizons>();
  #retention: Planned | undefined;
  #compaction: Planned | undefined;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.#startMs = cluster.clock.wallMs();
    // A setting that is changed may make old what was not.
    cluster.changed.watch(() => this.#plan());
  }

  /** A topic with these settings was written to. */
  appended(rules: TopicRules): void {
    const nowMs = this.#cluster.clock.wallMs();
    if (rules.isDeleted && rules.retentionBytes >= 0) this.#checkAt(nowMs);
    else if (rules.isDeleted && rules.retentionMs >= 0) this.#checkAt(nowMs + rules.retentionMs + 1);
    if (rules.isCompacted) this.#compactLater();
  }

  /** Deletes what is too old or too much, in all topics. */
  check(): void {
    const nowMs = this.#cluster.clock.wallMs();
    for (const { rules, partition } of this.#partitions())
      if (rules.isDeleted && applyRetention(partition.log, rules, nowMs)) partition.changed.notify();
    this.#plan();
  }

  /** Compacts the topics that ask for it, as far as it is worth it now. */
  async compact(): Promise<void> {
    for (const { rules, partition } of this.#partitions()) {
      if (!rules.isCompacted) continue;
      const nowMs = this.#cluster.clock.wallMs();
      try {
        if (await compact(partition.log, rules, this.#horizonsOf(partition), nowMs)) partition.changed.notify();
      } catch {
        // What cannot be decompressed was written before the topic was compacted; such a log stays as it is, as in Kafka.
      }
    }
  }

  #plan(): void {
    let dueMs = Infinity;
    let hasCompacted = false;
    for (const { rules, partition } of this.#partitions()) {
      if (rules.isCompacted && partition.log.sizeBytes > 0) hasCompacted = true;
      if (!rules.isDeleted) continue;
      dueMs = Math.min(dueMs, nextExpiryMs(partition.log, rules));
      const isTooMuch = rules.retentionBytes >= 0 && partition.log.sizeBytes > rules.retentionBytes;
      if (isTooMuch && partition.log.segments.length > 1) dueMs = Math.min(dueMs, this.#cluster.clock.wallMs());
    }
    if (dueMs < Infinity) this.#checkAt(dueMs);
    if (hasCompacted) this.#compactLater();
  }

  /** Sets the timer for the first check that is not before this time. */
  #checkAt(dueMs: number): void {
    const { clock } = this.#cluster;
    const intervalMs = Number(this.#cluster.brokerConfig('log.retention.check.interval.ms'));
    const checks = Math.max(1, Math.ceil((Math.max(dueMs, clock.wallMs() + 1) - this.#startMs) / intervalMs));
    const atMs = this.#startMs + checks * intervalMs;
    if (this.#retention !== undefined && this.#retention.dueMs <= atMs) return;
    this.#retention = this.#replan(this.#retention, atMs, () => {
      this.#retention = undefined;
      this.check();
    });
  }

  #compactLater(notBeforeMs = 0): void {
    const { clock } = this.#cluster;
    const soonMs = clock.wallMs() + Number(this.#cluster.brokerConfig('log.cleaner.backoff.ms'));
    const dueMs = Math.max(soonMs, notBeforeMs);
    if (this.#compaction !== undefined && this.#compaction.dueMs <= dueMs) return;
    this.#compaction = this.#replan(this.#compaction, dueMs, () => {
      void this.compact().then(() => {
        this.#compaction = undefined;
        const nextMs = this.#nextCompactionMs();
        if (nextMs < Infinity) this.#compactLater(nextMs);
      });
    });
  }

  #replan(planned: Planned | undefined, dueMs: number, run: () => void): Planned {
    const { clock } = this.#cluster;
    if (planned !== undefined) clock.clearTimer(planned.timer);
    const timer = clock.setTimer(run, dueMs - clock.wallMs());
    timer.unref();
    return { timer, dueMs };
  }

  /** When a compaction could find something that this one left, without anything being written: on the wall clock. */
  #nextCompactionMs(): number {
    let nextMs = Infinity;
    for (const { rules, partition } of this.#partitions()) {
      if (!rules.isCompacted) continue;
      for (const horizonMs of this.#horizonsOf(partition).values()) nextMs = Math.min(nextMs, horizonMs);
      for (const { nextOffset, maxTimestamp, createdMs } of partition.log.segments.slice(0, -1)) {
        if (nextOffset <= partition.log.compactedTo) continue;
        const oldEnoughMs = maxTimestamp + rules.minCompactionLagMs;
        const overdueMs = createdMs + rules.maxCompactionLagMs;
        const nowMs = this.#cluster.clock.wallMs();
        for (const dueMs of [oldEnoughMs, overdueMs]) if (dueMs > nowMs) nextMs = Math.min(nextMs, dueMs + 1);
      }
    }
    return nextMs > Number.MAX_SAFE_INTEGER ? Infinity : nextMs;
  }

  #horizonsOf(partition: PartitionState): DeleteHorizons {
    const known = this.#horizons.get(partition);
    if (known !== undefined) return known;
    const made: DeleteHorizons = new Map();
    this.#horizons.set(partition, made);
    return made;
  }

  #partitions(): { readonly rules: TopicRules; readonly partition: PartitionState }[] {
    return [...this.#cluster.topics.values()].flatMap((topic) => {
      const rules = topicRules(this.#cluster, topic);
      return topic.partitions.map((partition) => ({ rules, partition }));
    });
  }
}
