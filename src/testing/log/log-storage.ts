import type { LogSegment } from './log-segment.ts';

/** The log that a segment belongs to, as the storage sees it. */
export interface SegmentOwner {
  /** Whether old records of this log may go to make room, as its topic's `cleanup.policy` says. */
  mayDelete(): boolean;
  /** Deletes up to and including this segment; answers false if its records are not yet everywhere. */
  dropThrough(segment: LogSegment): boolean;
}

/** What happens to the segments of one log, for whoever keeps them elsewhere than in memory. */
export interface SegmentSink {
  opened(segment: LogSegment): void;
  /** A batch was added at the end of the segment, and is stamped. */
  appended(segment: LogSegment, batch: Buffer): void;
  closed(segment: LogSegment): void;
  startMoved(startOffset: bigint): void;
}

/** What the logs of a cluster may take together unless something else is said: 256 MiB. */
export const DEFAULT_RETENTION_BYTES: number = 256 * 1024 * 1024;

interface Entry {
  readonly segment: LogSegment;
  readonly owner: SegmentOwner;
}

/** The memory of all logs of a cluster: when it is used up, the oldest segment of all goes. */
export class LogStorage {
  readonly retentionBytes: number;
  #usedBytes = 0;
  /** From the oldest to the newest; closed ones stay until they are at the front. */
  #entries: Entry[] = [];
  readonly #open = new Set<LogSegment>();

  constructor(retentionBytes: number = DEFAULT_RETENTION_BYTES) {
    this.retentionBytes = retentionBytes;
  }

  /** What all segments take in memory. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  opened(segment: LogSegment, owner: SegmentOwner): void {
    this.#open.add(segment);
    this.#usedBytes += segment.capacityBytes;
    this.#entries.push({ segment, owner });
  }

  /** A segment of this storage takes so much more memory now, or less. */
  resized(byBytes: number): void {
    this.#usedBytes += byBytes;
  }

  closed(segment: LogSegment): void {
    if (this.#open.delete(segment)) this.#usedBytes -= segment.capacityBytes;
  }

  /** Drops the oldest segments until the rest fits; those of compacted topics only when nothing else is left. */
  makeRoom(): void {
    if (this.#usedBytes <= this.retentionBytes) return;
    this.#entries = this.#entries.filter(({ segment }) => this.#open.has(segment));
    this.#drop((owner) => owner.mayDelete());
    this.#drop((owner) => !owner.mayDelete());
  }

  #drop(isMeant: (owner: SegmentOwner) => boolean): void {
    for (const { segment, owner } of this.#entries) {
      if (this.#usedBytes <= this.retentionBytes) return;
      if (this.#open.has(segment) && segment.sizeBytes > 0 && isMeant(owner)) owner.dropThrough(segment);
    }
  }
}
