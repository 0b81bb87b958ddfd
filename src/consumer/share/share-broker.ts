import { topicPartitionKey } from '../../model/topic-partition.ts';
import type { BackoffPolicy } from '../../util/backoff.ts';
import type { AcknowledgedRange } from './acquired-records-machine.ts';
import type { AcquiredRecords } from './acquired-records.ts';
import type { SentAcknowledgements } from './share-acknowledgements.ts';
import { ShareBrokerMachine } from './share-broker-machine.ts';
import type { SessionPartition } from './share-session-machine.ts';

/** One broker, what is locked there for us, and who waits for its answers. */
export class ShareBroker {
  readonly nodeId: number;
  readonly machine: ShareBrokerMachine;
  readonly acquired: Set<AcquiredRecords> = new Set();
  /** How many requests with acknowledgements were sent, and how many of them are answered. */
  #sent = 0;
  #answered = 0;
  #waiting: { readonly requests: number; readonly resolve: () => void }[] = [];

  constructor(nodeId: number, backoff: BackoffPolicy, random: () => number) {
    this.nodeId = nodeId;
    this.machine = new ShareBrokerMachine(backoff, random);
  }

  get hasQueued(): boolean {
    return this.#some(({ machine }) => machine.hasQueued);
  }

  get hasRenewals(): boolean {
    return this.#some(({ machine }) => machine.hasRenewals);
  }

  get hasUnread(): boolean {
    return this.#some(({ machine }) => machine.hasUnread);
  }

  get hasHeld(): boolean {
    return this.#some(({ machine }) => machine.heldCount > 0);
  }

  /** What the records take in memory that are unread or not acknowledged. */
  get bytes(): number {
    let bytes = 0;
    for (const acquired of this.acquired) bytes += acquired.bytes;
    return bytes;
  }

  /** Whether acknowledgements are queued of other partitions than these. */
  hasQueuedBeside(partitions: ReadonlyMap<string, SessionPartition>): boolean {
    return this.#some((acquired) => acquired.machine.hasQueued && !partitions.has(keyOf(acquired)));
  }

  /** The acknowledgements to send now; they count as a request that somebody may wait for. */
  takeQueued(nowMs: number): SentAcknowledgements[] {
    this.#sent++;
    return this.#take((acquired) => acquired.machine.takeQueued(nowMs));
  }

  /** The renewals to send now; they count as well. */
  takeRenewals(): SentAcknowledgements[] {
    this.#sent++;
    return this.#take((acquired) => acquired.machine.takeRenewals());
  }

  /** Resolves once what is queued or under way now is answered; undefined if there is nothing. */
  settled(): Promise<void> | undefined {
    const { hasQueued } = this;
    // A renewal travels in a request of its own.
    const requests = this.#sent + (hasQueued ? 1 : 0) + (this.hasRenewals ? 1 : 0);
    if (requests <= this.#answered) return undefined;
    if (hasQueued) this.machine.flush();
    return new Promise<void>((resolve) => this.#waiting.push({ requests, resolve }));
  }

  /** No request is under way: who waits for the last one goes on, and where nothing is queued any more, everybody. */
  handleSettled(): void {
    this.#answered = this.#sent;
    const isIdle = !this.hasQueued && !this.hasRenewals;
    const isDone = ({ requests }: { readonly requests: number }): boolean => isIdle || requests <= this.#answered;
    const done = this.#waiting.filter(isDone);
    this.#waiting = this.#waiting.filter((one) => !isDone(one));
    for (const { resolve } of done) resolve();
  }

  #some(isTrue: (acquired: AcquiredRecords) => boolean): boolean {
    for (const acquired of this.acquired) if (isTrue(acquired)) return true;
    return false;
  }

  #take(take: (acquired: AcquiredRecords) => AcknowledgedRange[]): SentAcknowledgements[] {
    const sent: SentAcknowledgements[] = [];
    for (const acquired of this.acquired) {
      const ranges = take(acquired);
      acquired.told();
      if (ranges.length > 0) sent.push({ acquired, ranges });
    }
    return sent;
  }
}

/** A key that is the same for equal partitions. */
export function keyOf({ topicId, partition }: SessionPartition): string {
  return topicPartitionKey(topicId, partition);
}
