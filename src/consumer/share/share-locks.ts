import type { EventPublisher } from '../../instrumentation/event-publisher.ts';
import type { LostRecords } from './acquired-records-machine.ts';
import type { AcquiredRecords } from './acquired-records.ts';
import { lockEnded, type AcknowledgementResults } from './share-acknowledgements.ts';
import type { ShareBroker } from './share-broker.ts';

/** What watching locks needs of its fetcher. */
export interface ShareLocksParts {
  readonly groupId: string;
  readonly events: EventPublisher;
  readonly results: AcknowledgementResults;
  /** What was to be handed out, or is in hand, may not be ours any more. */
  readonly onLost: () => void;
}

/** Sees to it that nothing is used whose lock has ended, and tells of it. */
export class ShareLocks {
  readonly #parts: ShareLocksParts;

  constructor(parts: ShareLocksParts) {
    this.#parts = parts;
  }

  /** Gives back what it is too late to hand out, and lets go of what has timed out. */
  look(acquired: AcquiredRecords, nowMs: number): void {
    const returned = acquired.machine.tick(nowMs);
    if (returned > 0) this.#reportReturned(acquired, returned);
    const lost = acquired.machine.expire(nowMs);
    if (lost !== undefined) this.#reportLost(acquired, lost, 'their locks timed out');
    if (returned > 0 || (lost?.unread ?? 0) > 0) acquired.drop();
    acquired.tell();
  }

  /** The same for all of a broker; what is done is forgotten. */
  lookAtAll(broker: ShareBroker, nowMs: number): void {
    for (const acquired of broker.acquired) {
      this.look(acquired, nowMs);
      if (acquired.machine.isDone && acquired.fetched === undefined) broker.acquired.delete(acquired);
    }
  }

  /** The broker has taken these back, or leads their partition no more. */
  end(broker: ShareBroker, acquired: AcquiredRecords, why: string, cause?: unknown): void {
    this.#reportLost(acquired, acquired.machine.end(), why, cause);
    acquired.drop();
    broker.acquired.delete(acquired);
  }

  endAll(broker: ShareBroker, why: string, cause?: unknown): void {
    for (const acquired of broker.acquired) this.end(broker, acquired, why, cause);
  }

  #reportLost(acquired: AcquiredRecords, lost: LostRecords, reason: string, cause?: unknown): void {
    const { topic, partition } = acquired;
    const { groupId, events, results, onLost } = this.#parts;
    results.add(acquired, lost.queued, lockEnded(topic, partition, reason, cause));
    if (lost.unread > 0) this.#reportReturned(acquired, lost.unread);
    const { held: records } = lost;
    if (records > 0) events.publish('share.locks.lost', { groupId, topic, partition, records, reason });
    onLost();
  }

  #reportReturned({ topic, partition }: AcquiredRecords, records: number): void {
    const { groupId, events, onLost } = this.#parts;
    events.publish('share.records.returned', { groupId, topic, partition, records });
    onLost();
  }
}
