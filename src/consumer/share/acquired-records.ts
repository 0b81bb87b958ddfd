import type { ConsumerRecord } from '../consumer-record.ts';
import type { FetchedRecords } from '../fetch/fetched-records.ts';
import type { ReadState } from '../reading.ts';
import type { RecordList } from '../record-list.ts';
import {
  acknowledgeTypes,
  type AcknowledgeTypeNumber,
  type AcquiredRecordsMachine,
} from './acquired-records-machine.ts';
import { acquiredIndexOf, lockedWith } from './share-record.ts';

/** What records that were acquired together are made from. */
export interface AcquiredRecordsParts {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  /** The broker that has locked them. */
  readonly nodeId: number;
  /** The offset that the machine counts from. */
  readonly baseOffset: bigint;
  readonly machine: AcquiredRecordsMachine;
  /** Whether to ask for more is to accept what is in hand. */
  readonly isImplicit: boolean;
  /** Tells apart the records of one consumer from those of another. */
  readonly owner: object;
  /** There is something to send, and was not before. */
  readonly onQueued: (acquired: AcquiredRecords) => void;
}

/** A record that is not handed out, and what becomes of it. */
interface Refused {
  readonly index: number;
  readonly type: AcknowledgeTypeNumber;
}

/**
 * What one answer has locked of one partition: the bytes, the records made of them so far, and what becomes of each.
 *
 * The reader takes it for one partition: it hands out from it, settles it and goes on.
 */
export class AcquiredRecords implements ReadState {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly nodeId: number;
  readonly baseOffset: bigint;
  readonly machine: AcquiredRecordsMachine;
  readonly owner: object;
  readonly #isImplicit: boolean;
  readonly #onQueued: (acquired: AcquiredRecords) => void;
  /** Set right after it was made; its records know where they belong. */
  fetched: FetchedRecords | undefined;
  bytes = 0;
  ready: RecordList = [];
  readyIndex = 0;
  /** Records that come after those that are ready, and whose deserializers have yet to run. */
  rest: ConsumerRecord<unknown, unknown>[] = [];
  isPreparing = false;
  /** What the read ends with once `ready` is handed out, and at which record. */
  failure: { readonly error: Error; readonly index: number | undefined } | undefined;
  /** Whether the broker that has locked them knows nothing of it any more, and why. */
  endedBy: Error | undefined;
  /** How many records were handed out. */
  handed = 0;
  #refused: Refused[] = [];
  #hasTold = false;

  constructor(parts: AcquiredRecordsParts) {
    this.topic = parts.topic;
    this.topicId = parts.topicId;
    this.partition = parts.partition;
    this.nodeId = parts.nodeId;
    this.baseOffset = parts.baseOffset;
    this.machine = parts.machine;
    this.owner = parts.owner;
    this.#isImplicit = parts.isImplicit;
    this.#onQueued = parts.onQueued;
  }

  get dropped(): boolean {
    return this.machine.isVoid;
  }

  get hasInHand(): boolean {
    return this.machine.heldCount > 0;
  }

  get hasReady(): boolean {
    return this.readyIndex < this.ready.length;
  }

  handOut(list: RecordList, at: number): void {
    const index = acquiredIndexOf(list.at(at));
    this.handed++;
    if (this.#refused.length > 0) this.#refuseBefore(index);
    this.machine.handOut(index);
    // Offsets without records were passed over: they are to be acknowledged as well.
    if (this.machine.hasQueued) this.tell();
  }

  handOutAll(records: RecordList): void {
    for (let at = 0; at < records.length; at++) this.handOut(records, at);
  }

  /** The reader asks for more: what it has in hand is processed. */
  settle(): void {
    if (this.#isImplicit) this.acknowledgeHeld(acknowledgeTypes.accept);
  }

  /** A loop has ended with a record in hand, and nobody can tell whether it is processed. */
  rewind(): void {
    if (this.#isImplicit) this.acknowledgeHeld(acknowledgeTypes.release);
  }

  /** False if the record is not held any more. */
  acknowledge(index: number, type: AcknowledgeTypeNumber): boolean {
    const isDone = this.machine.acknowledge(index, type);
    if (isDone) this.tell();
    return isDone;
  }

  acknowledgeHeld(type: AcknowledgeTypeNumber): void {
    if (this.machine.heldCount === 0) return;
    this.machine.acknowledgeHeld(type);
    this.tell();
  }

  /** A record that cannot be read is acknowledged when it is passed over. */
  refuse(index: number, type: AcknowledgeTypeNumber): void {
    this.#refused.push({ index, type });
  }

  /** What lies before `index` was handed out, or refused. */
  passOver(index: number): void {
    this.#refuseBefore(index);
    this.tell();
  }

  /** All that was fetched is handed out; behind `nextOffset` nothing could be read. */
  finish(nextOffset: bigint): void {
    const index = Number(nextOffset - this.baseOffset);
    this.#refuseBefore(index);
    this.machine.finish(index);
    this.tell();
    this.#forgetFetched();
  }

  /** Gives back what is unread. */
  releaseUnread(): void {
    this.machine.releaseUnread();
    this.tell();
    this.#forgetFetched();
  }

  /** Gives back everything. */
  releaseAll(): void {
    this.machine.releaseAll();
    this.tell();
    this.#forgetFetched();
  }

  /** Nothing of it may be handed out any more: it was given back, or the locks have ended. */
  drop(): void {
    this.#forgetFetched();
  }

  /** What is queued was taken to be sent. */
  told(): void {
    this.#hasTold = false;
  }

  /** There may be something to send. */
  tell(): void {
    if (this.#hasTold || !(this.machine.hasQueued || this.machine.hasRenewals)) return;
    this.#hasTold = true;
    this.#onQueued(this);
  }

  #refuseBefore(index: number): void {
    let count = 0;
    for (const refused of this.#refused) {
      if (refused.index >= index) break;
      this.machine.acknowledgeUnread(refused.index, refused.type);
      count++;
    }
    this.#refused.splice(0, count);
  }

  #forgetFetched(): void {
    this.fetched = undefined;
    this.ready = [];
    this.readyIndex = 0;
    this.rest = [];
    this.failure = undefined;
    this.#refused = [];
  }
}

/** With which others a record was acquired; undefined for what no share consumer has read. */
export function acquiredOf(record: unknown): AcquiredRecords | undefined {
  const locked = lockedWith(record);
  return locked instanceof AcquiredRecords ? locked : undefined;
}
