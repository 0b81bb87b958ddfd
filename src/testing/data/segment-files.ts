import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs';
import path from 'node:path';
import { BatchReader } from '../../protocol/records/batch-reader.ts';
import type { LogSegment } from '../log/log-segment.ts';
import type { SegmentSink } from '../log/log-storage.ts';
import type { RestoredSegment } from '../log/partition-log.ts';
import { replaceFile } from './replace-file.ts';

const startFile = 'start-offset';

/** The log of one partition in a folder: a file per segment, which only grows, and where the log begins. */
export class SegmentFiles implements SegmentSink {
  readonly #folder: string;
  /** Which segment each file holds now: a compacted one takes the file of the one before. */
  readonly #owners = new Map<bigint, LogSegment>();
  #open: { readonly segment: LogSegment; readonly file: number } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  opened(segment: LogSegment): void {
    this.#owners.set(segment.baseOffset, segment);
    if (segment.sizeBytes > 0) replaceFile(this.#pathOf(segment.baseOffset), segment.batches);
  }

  appended(segment: LogSegment, batch: Buffer): void {
    if (this.#open?.segment !== segment) {
      this.end();
      this.#open = { segment, file: openSync(this.#pathOf(segment.baseOffset), 'a') };
    }
    for (let written = 0; written < batch.length;) written += writeSync(this.#open.file, batch, written);
  }

  closed(segment: LogSegment): void {
    if (this.#open?.segment === segment) this.end();
    if (this.#owners.get(segment.baseOffset) !== segment) return;
    this.#owners.delete(segment.baseOffset);
    rmSync(this.#pathOf(segment.baseOffset), { force: true });
  }

  startMoved(startOffset: bigint): void {
    replaceFile(path.join(this.#folder, startFile), Buffer.from(String(startOffset)));
  }

  /** Closes what is open; the next append opens it again. */
  end(): void {
    if (this.#open !== undefined) closeSync(this.#open.file);
    this.#open = undefined;
  }

  /** Deletes everything, with its topic. */
  remove(): void {
    this.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /**
   * What the folder holds. A batch that was cut off while it was written, or is broken, ends the log: it and what comes
   * behind it are deleted.
   */
  load(): { readonly segments: readonly RestoredSegment[]; readonly startOffset: bigint } {
    const names = readdirSync(this.#folder);
    for (const name of names) if (name.endsWith('.tmp')) rmSync(path.join(this.#folder, name));
    const bases = names.filter((name) => /^\d{20}\.log$/.test(name)).map((name) => BigInt(name.slice(0, 20)));
    const segments: RestoredSegment[] = [];
    let isWhole = true;
    for (const baseOffset of bases.sort((a, b) => Number(a - b))) {
      const file = this.#pathOf(baseOffset);
      if (!isWhole) {
        rmSync(file);
        continue;
      }
      const bytes = readFileSync(file);
      const wholeBytes = wholeBatches(bytes);
      isWhole = wholeBytes === bytes.length;
      if (!isWhole) truncateSync(file, wholeBytes);
      segments.push({ baseOffset, batches: bytes.subarray(0, wholeBytes) });
    }
    return { segments, startOffset: names.includes(startFile) ? this.#startOffset() : 0n };
  }

  /** From now on this file belongs to this segment, which holds what is in it. */
  adopt(segment: LogSegment): void {
    this.#owners.set(segment.baseOffset, segment);
  }

  #startOffset(): bigint {
    return BigInt(readFileSync(path.join(this.#folder, startFile), 'utf8'));
  }

  #pathOf(baseOffset: bigint): string {
    return path.join(this.#folder, `${String(baseOffset).padStart(20, '0')}.log`);
  }
}

function wholeBatches(bytes: Buffer): number {
  const reader = new BatchReader(bytes);
  try {
    while (reader.next() !== undefined);
  } catch {
    // The reader stands before the broken batch.
  }
  return reader.position;
}
