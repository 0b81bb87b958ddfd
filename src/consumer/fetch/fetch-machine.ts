import { backoffMs, type BackoffPolicy } from '../../util/backoff.ts';

/** What of an assigned partition the plan depends on; a partition's state is one. */
export interface Fetchable {
  readonly topic: string;
  readonly partition: number;
  /** Undefined once the first offset is known. */
  readonly start: unknown;
  readonly paused: boolean;
  /** The reader under way has come to its end of it, as if it were paused. */
  readonly unwanted?: boolean;
  readonly bufferedBytes: number;
  /** Those of them that lie behind the answer that is being read, or will be first. */
  readonly waitingBytes: number;
  readonly retryAtMs: number;
  readonly lastServed: number;
}

/** The limits that a plan keeps. */
export interface FetchLimits {
  readonly fetchMaxBytes: number;
  readonly maxPartitionFetchBytes: number;
  readonly fetchMaxWaitMs: number;
  readonly maxBufferedBytes: number;
  readonly retryBackoff: BackoffPolicy;
  readonly random: () => number;
}

/** One fetch that is to be sent now. */
export interface FetchPlan<P extends Fetchable> {
  readonly nodeId: number;
  /** Those that waited longest first: a broker serves them in this order until the answer is full. */
  readonly partitions: readonly P[];
  readonly maxBytes: number;
  readonly maxWaitMs: number;
}

interface Node {
  inFlight: boolean;
  failures: number;
  /** Before this no fetch is sent: the last one failed, or came back with nothing although nothing made it wait. */
  retryAtMs: number;
  /** Before this no fetch is sent unless a partition was drained meanwhile. */
  pollAtMs: number;
  emptyAnswers: number;
}

/** Answers without records in a row, none of which waited for any, until a broker is asked less often. */
const EMPTY_ANSWERS_ALLOWED = 3;

/**
 * So much of what may be buffered one answer brings at most: the memory of answers of a few megabytes is used again, where one of fifty, of
 * all partitions at once, was taken anew each time, as resident memory and as work for the garbage collector.
 */
const ANSWER_SHARE = 1 / 8;

/**
 * Decides which partitions to fetch from which broker and when: one fetch at a time per broker, each partition at most one
 * answer ahead of the user, all of them together within `maxBufferedBytes`.
 */
export class FetchMachine {
  readonly #limits: FetchLimits;
  readonly #nodes = new Map<number, Node>();
  /** Whether the last plan left a broker out because too much was buffered. */
  #isShort = false;

  constructor(limits: FetchLimits) {
    this.#limits = limits;
  }

  /**
   * The fetches to send now; each counts as under way until {@link FetchMachine.handleAnswer} or
   * {@link FetchMachine.handleFailure} says otherwise.
   *
   * @param leaderOf the broker that leads a partition; undefined while there is none
   */
  plan<P extends Fetchable>(
    partitions: Iterable<P>,
    leaderOf: (partition: P) => number | undefined,
    nowMs: number,
  ): FetchPlan<P>[] {
    const byNode = new Map<number, { readonly ready: P[]; full: number }>();
    let bufferedBytes = 0;
    let isReadable = false;
    for (const partition of partitions) {
      bufferedBytes += partition.bufferedBytes;
      if (partition.paused || partition.unwanted === true) continue;
      if (partition.bufferedBytes > 0) isReadable = true;
      if (partition.start !== undefined || partition.retryAtMs > nowMs) continue;
      const nodeId = leaderOf(partition);
      if (nodeId === undefined) continue;
      let wanted = byNode.get(nodeId);
      if (wanted === undefined) byNode.set(nodeId, (wanted = { ready: [], full: 0 }));
      // One answer may wait while the user works on another, so that the next fetch is under way meanwhile. Not the bytes of both: a
      // broker fills an answer to the last byte, with a part of a batch.
      if (partition.waitingBytes >= this.#limits.maxPartitionFetchBytes) wanted.full++;
      else wanted.ready.push(partition);
    }
    const plans: FetchPlan<P>[] = [];
    this.#isShort = false;
    for (const [nodeId, { ready, full }] of byNode) {
      const node = this.#node(nodeId);
      if (ready.length === 0 || node.inFlight || node.retryAtMs > nowMs || (full > 0 && node.pollAtMs > nowMs))
        continue;
      const room = this.#limits.maxBufferedBytes - bufferedBytes;
      // What only paused partitions hold must not stop the others for good.
      if (room <= 0 && (isReadable || this.#isAnyInFlight())) {
        this.#isShort = true;
        continue;
      }
      node.inFlight = true;
      plans.push({
        nodeId,
        partitions: ready.sort((a, b) => a.lastServed - b.lastServed),
        maxBytes: this.#maxBytes(room),
        // A partition that is left out because it is full may be drained at any moment: a broker that waits for records of the
        // others would keep it waiting too, since one connection answers in order.
        maxWaitMs: full > 0 ? 0 : this.#limits.fetchMaxWaitMs,
      });
    }
    return plans;
  }

  /**
   * A fetch was answered.
   *
   * @param tookMs how long the broker took, to tell an empty answer after a wait from one without
   */
  handleAnswer(plan: FetchPlan<Fetchable>, hadRecords: boolean, tookMs: number, nowMs: number): void {
    const node = this.#node(plan.nodeId);
    node.inFlight = false;
    node.failures = 0;
    node.pollAtMs = 0;
    if (hadRecords) {
      node.emptyAnswers = 0;
      return;
    }
    if (plan.maxWaitMs === 0) node.pollAtMs = nowMs + this.#limits.fetchMaxWaitMs;
    else if (tookMs >= plan.maxWaitMs / 2) node.emptyAnswers = 0;
    else if (++node.emptyAnswers > EMPTY_ANSWERS_ALLOWED)
      node.retryAtMs = nowMs + this.#pauseMs(node.emptyAnswers - EMPTY_ANSWERS_ALLOWED);
  }

  /** A fetch was not answered, or with an error that concerns all of it. */
  handleFailure(plan: FetchPlan<Fetchable>, nowMs: number): void {
    const node = this.#node(plan.nodeId);
    node.inFlight = false;
    node.failures++;
    node.retryAtMs = nowMs + this.#pauseMs(node.failures);
  }

  /**
   * The user has taken a partition's records: its broker may be asked again without a pause. Answers whether a new plan may have
   * something: while the broker works on a fetch it has not, and to look through thousands of partitions for each of them takes long.
   */
  handleDrained(nodeId: number): boolean {
    const node = this.#node(nodeId);
    node.pollAtMs = 0;
    return this.#isShort || !node.inFlight;
  }

  /** Until when to leave a partition alone that has failed so many times in a row. */
  partitionRetryAtMs(failures: number, nowMs: number): number {
    return nowMs + this.#pauseMs(failures);
  }

  /** When {@link FetchMachine.plan} may have something new, if nothing else happens. */
  nextDeadlineMs(partitions: Iterable<Fetchable>, nowMs: number): number | undefined {
    let next = Infinity;
    for (const { retryAtMs } of partitions) if (retryAtMs > nowMs) next = Math.min(next, retryAtMs);
    for (const node of this.#nodes.values()) {
      if (node.inFlight) continue;
      for (const atMs of [node.retryAtMs, node.pollAtMs]) if (atMs > nowMs) next = Math.min(next, atMs);
    }
    return next === Infinity ? undefined : next;
  }

  #maxBytes(room: number): number {
    const { fetchMaxBytes, maxBufferedBytes, maxPartitionFetchBytes } = this.#limits;
    const share = Math.min(room, Math.floor(maxBufferedBytes * ANSWER_SHARE));
    return Math.min(fetchMaxBytes, Math.max(share, maxPartitionFetchBytes));
  }

  #pauseMs(failures: number): number {
    return backoffMs(this.#limits.retryBackoff, failures, this.#limits.random());
  }

  #isAnyInFlight(): boolean {
    for (const node of this.#nodes.values()) if (node.inFlight) return true;
    return false;
  }

  #node(nodeId: number): Node {
    let node = this.#nodes.get(nodeId);
    if (node === undefined) {
      node = { inFlight: false, failures: 0, retryAtMs: 0, pollAtMs: 0, emptyAnswers: 0 };
      this.#nodes.set(nodeId, node);
    }
    return node;
  }
}
