import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';

/** What a fetch says of one partition; the broker of a session remembers it. */
export interface SessionPartition {
  /** The topic's name, or its id where the version has ids. */
  readonly topic: string;
  readonly partition: number;
  readonly fetchOffset: bigint;
  readonly currentLeaderEpoch: number;
  /** Of the record before the offset; -1 where it is not known, or the broker must not compare it. */
  readonly lastFetchedEpoch: number;
  readonly partitionMaxBytes: number;
}

/** What to write into the next fetch. */
export interface SessionRequest {
  readonly sessionId: number;
  /** 0 asks for a new session, and ends the one of this id; -1 only ends it; everything above goes on with it. */
  readonly sessionEpoch: number;
  /** All of them with epoch 0, those that are new or have changed otherwise. */
  readonly partitions: readonly SessionPartition[];
  readonly forgotten: readonly Pick<SessionPartition, 'topic' | 'partition'>[];
}

const INT32_MAX = 0x7fff_ffff;
const FINAL_EPOCH = -1;

/**
 * The fetch session with one broker (KIP-227): after a first fetch that names all partitions, the next ones name only what has
 * changed, and the broker answers only with what is new.
 */
export class FetchSessionMachine {
  #id = 0;
  #epoch = 0;
  /** What the broker remembers, if the request under way reaches it. */
  #remembered: ReadonlyMap<string, SessionPartition> = new Map();
  #byIds = false;
  #refusals = 0;

  /** Whether the request under way names all partitions, so that the answer has to, too. */
  get isFull(): boolean {
    return this.#epoch === 0;
  }

  /**
   * The next request for these partitions.
   *
   * @param byIds whether topics are named by id: a session speaks of them in one way
   */
  take(wanted: ReadonlyMap<string, SessionPartition>, byIds: boolean): SessionRequest {
    if (byIds !== this.#byIds) this.#epoch = 0;
    this.#byIds = byIds;
    const before = this.isFull ? new Map<string, SessionPartition>() : this.#remembered;
    this.#remembered = wanted;
    const partitions: SessionPartition[] = [];
    for (const [key, partition] of wanted) if (!isSame(before.get(key), partition)) partitions.push(partition);
    const forgotten: SessionPartition[] = [];
    for (const [key, partition] of before) if (!wanted.has(key)) forgotten.push(partition);
    return { sessionId: this.#id, sessionEpoch: this.#epoch, partitions, forgotten };
  }

  /** The request that ends the session, where there is one that is known to be good. */
  takeFinal(): SessionRequest | undefined {
    if (this.#id === 0 || this.isFull) return undefined;
    const sessionId = this.#id;
    this.#reset(0);
    return { sessionId, sessionEpoch: FINAL_EPOCH, partitions: [], forgotten: [] };
  }

  /** The fetch was answered without an error that concerns all of it. */
  handleAnswer(sessionId: number): void {
    this.#refusals = 0;
    // The broker has no room for a session, or has ended it.
    if (sessionId === 0) this.#reset(0);
    else {
      this.#id = sessionId;
      this.#epoch = this.#epoch === INT32_MAX ? 1 : this.#epoch + 1;
    }
  }

  /** The fetch was refused as a whole. True if to begin a new session at once may help. */
  handleRefusal(errorCode: number): boolean {
    this.#reset(errorCode === brokerErrorCodes.FETCH_SESSION_ID_NOT_FOUND ? 0 : this.#id);
    return sessionErrors.has(errorCode) && ++this.#refusals === 1;
  }

  /** The fetch got no answer: what the broker remembers is not known. */
  handleFailure(): void {
    this.#reset(this.#id);
  }

  #reset(id: number): void {
    this.#id = id;
    this.#epoch = 0;
    this.#remembered = new Map();
  }
}

const sessionErrors: ReadonlySet<number> = new Set([
  brokerErrorCodes.FETCH_SESSION_ID_NOT_FOUND,
  brokerErrorCodes.INVALID_FETCH_SESSION_EPOCH,
  brokerErrorCodes.FETCH_SESSION_TOPIC_ID_ERROR,
]);

function isSame(before: SessionPartition | undefined, now: SessionPartition): boolean {
  return (
    before !== undefined &&
    before.fetchOffset === now.fetchOffset &&
    before.currentLeaderEpoch === now.currentLeaderEpoch &&
    before.lastFetchedEpoch === now.lastFetchedEpoch &&
    before.partitionMaxBytes === now.partitionMaxBytes
  );
}
