import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';

/** A partition as share sessions name it. */
export interface SessionPartition {
  readonly topicId: string;
  readonly partition: number;
}

/** What to write into the next fetch. */
export interface ShareSessionRequest {
  /** 0 begins a new session, in place of one that there may be. */
  readonly epoch: number;
  /** All of them with epoch 0, those that are new otherwise. */
  readonly added: readonly SessionPartition[];
  readonly forgotten: readonly SessionPartition[];
}

/** Ends the session: the broker releases what is held in it. */
export const FINAL_EPOCH = -1;
const INT32_MAX = 0x7fff_ffff;

/**
 * The share session with one broker (KIP-932): what the member holds there, it holds as long as this session lasts.
 *
 * The broker counts the requests of a session, acknowledgements included, and refuses the answer of a fetch that another request has
 * overtaken: so one is under way at a time.
 */
export class ShareSessionMachine {
  #epoch = 0;
  #remembered: ReadonlyMap<string, SessionPartition> = new Map();
  #mayLinger = false;

  /** Whether there is a session, and with it a meaning to acknowledgements. */
  get isOpen(): boolean {
    return this.#epoch > 0;
  }

  /** Whether the broker may still have a session of ours, with records that others wait for, although it is over for us. */
  get mayLinger(): boolean {
    return this.#mayLinger;
  }

  /** The partitions that the broker fetches from in this session. */
  get partitions(): ReadonlyMap<string, SessionPartition> {
    return this.#remembered;
  }

  /** The next fetch of these partitions. */
  takeFetch(wanted: ReadonlyMap<string, SessionPartition>): ShareSessionRequest {
    const before = this.#remembered;
    this.#remembered = wanted;
    const added: SessionPartition[] = [];
    for (const [key, partition] of wanted) if (!before.has(key)) added.push(partition);
    const forgotten: SessionPartition[] = [];
    for (const [key, partition] of before) if (!wanted.has(key)) forgotten.push(partition);
    return { epoch: this.#epoch, added, forgotten };
  }

  /** The epoch for acknowledgements that go by themselves; only while {@link isOpen}. */
  takeAcknowledge(): number {
    return this.#epoch;
  }

  /** The session is ended for good, answered or not. */
  handleFinal(): void {
    this.#reset(false);
  }

  /** A request was answered without an error that concerns all of it. */
  handleAnswer(): void {
    this.#epoch = this.#epoch === INT32_MAX ? 1 : this.#epoch + 1;
  }

  /** A request was refused as a whole: the session is over. */
  handleRefusal(errorCode: number): void {
    // Of a session that the broker does not know, nothing can be left; with epoch 0 none has begun.
    this.#reset(this.isOpen && errorCode !== brokerErrorCodes.SHARE_SESSION_NOT_FOUND);
  }

  /** A request got no answer: what the broker knows is not known. */
  handleFailure(): void {
    this.#reset(true);
  }

  #reset(mayLinger: boolean): void {
    this.#epoch = 0;
    this.#remembered = new Map();
    this.#mayLinger = mayLinger;
  }
}
