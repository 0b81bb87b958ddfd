import type { ProduceVerdict } from './produce-errors.ts';

/** A producer id and epoch, under which sequence numbers count from 0 in every partition (KIP-98). */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** What the machine keeps in a batch; the rest of the batch is its owner's. */
export interface SequencedBatch {
  readonly recordCount: number;
  readonly deadlineMs: number;
  producerId: bigint;
  producerEpoch: number;
  /** The sequence number of the first record; -1 until the batch is sent for the first time, and without idempotence. */
  baseSequence: number;
  /** How often the batch was sent. */
  attempts: number;
  /** Whether an attempt ended without an answer that rules out that the batch was written. */
  maybeWritten: boolean;
  /** Its place among the batches of its partition that were sent; -1 until it is sent for the first time. */
  order: number;
  /** Whether its sends have been told how it ended; it may still be in flight. */
  settled: boolean;
  /**
   * It is part of a batch that was too large, and that may have been written as a whole by an earlier attempt: the broker would not
   * recognize it by its parts.
   */
  maybeWrittenWhole: boolean;
}

/** How one attempt to send a batch ended. */
export interface AttemptResult {
  readonly verdict: ProduceVerdict;
  readonly maybeWritten: boolean;
}

/**
 * What to do with a batch after {@link PartitionMachine.handleResult}; `ignored`: its sends were told before; `split`: it is to be taken
 * apart, and {@link PartitionMachine.handleSplit} or {@link PartitionMachine.handleSplitFailure} called.
 */
export type BatchFate = 'delivered' | 'failed' | 'retry' | 'split' | 'ignored';

/** What a {@link PartitionMachine} is made for. */
export interface PartitionMachineOptions {
  readonly idempotent: boolean;
  /** Whether identities come from outside only: another epoch is the transaction's to ask for. @defaultValue false */
  readonly transactional?: boolean | undefined;
  /** How many batches may be in flight; a partition remembers a producer's last five, so more would break idempotence. */
  readonly maxInFlight: number;
  /** How often a batch is sent again after a passing error. */
  readonly retries: number;
  /** The pause after so many failures in a row, in milliseconds. */
  readonly backoffMs: (failures: number) => number;
}

/** How many batches of a producer a partition recognizes when they come again. */
const rememberedBatches = 5;
const maxSequence = 0x7fff_ffff;
const maxEpoch = 0x7fff;
const nobody: ProducerIdentity = { producerId: -1n, producerEpoch: -1 };

/**
 * The batches of one partition, from the moment nothing is added to them until they are acknowledged or given up: which may
 * be sent now, under which sequence number, and what an answer means for them.
 *
 * Order is kept by one rule: once an attempt fails, nothing more is sent until every batch in flight has been answered; then
 * all that came back go first, in their order. So is a change of the leader.
 *
 * Sequence numbers follow from what the broker does with them: it takes a batch only if it continues the last one, and
 * recognizes the last five. Three consequences:
 * - until the first batch under an identity is acknowledged, nothing follows it: a partition without memory of the producer
 *   takes any number for the first one, so a second batch could overtake a first one that failed;
 * - a batch that was given up keeps its numbers, unless it was the last one and certainly not written: the next one is sent
 *   as if it had been, and only if the broker then misses it (a gap at the front) is it certain that it was not;
 * - a gap at the front is closed by another epoch, whose numbers begin at 0 again (KIP-360). What follows a gap cannot have
 *   been written either, so all of it may be numbered anew. Numbers are never used twice within an epoch while an earlier use
 *   may still arrive: a late copy of a batch could fit them.
 *
 * A batch that is too large for the topic is taken apart; its parts share its sequence numbers, and nothing goes before they are there.
 */
export class PartitionMachine<Batch extends SequencedBatch> {
  readonly #options: PartitionMachineOptions;
  #waiting: Batch[] = [];
  #inFlight: Batch[] = [];
  #returned: Batch[] = [];
  /** Answered as too large, and not yet taken apart. */
  #splitting: Batch[] = [];
  #identity: ProducerIdentity = nobody;
  #spentProducerId: bigint | undefined;
  #nextSequence = 0;
  #acknowledged = false;
  #needsNewEpoch = false;
  #leaderMoving = false;
  #failures = 0;
  #retryAtMs = 0;
  #nextOrder = 0;

  constructor(options: PartitionMachineOptions) {
    this.#options = options;
  }

  /** Batches that wait to be sent, for the first time or again. */
  get waitingCount(): number {
    return this.#waiting.length + this.#returned.length;
  }

  get inFlightCount(): number {
    return this.#inFlight.length;
  }

  get isEmpty(): boolean {
    return this.waitingCount === 0 && this.#inFlight.length === 0 && this.#splitting.length === 0;
  }

  /** The producer id and epoch under which the next batch goes. */
  get identity(): ProducerIdentity {
    return this.#identity;
  }

  /** Whether {@link adoptIdentity} must be called before anything can be sent: at first, and when the epochs are used up. */
  get needsIdentity(): boolean {
    return this.#options.idempotent && this.#identity === nobody;
  }

  /** The producer id whose epochs are used up: the next identity must have another. */
  get spentProducerId(): bigint | undefined {
    return this.#spentProducerId;
  }

  /** Whether sequence numbers were used: another machine for the partition must not begin with the same producer id. */
  get hasSequences(): boolean {
    return this.#options.idempotent && this.#nextOrder > 0;
  }

  /** Whether an attempt to send the batch is under way. */
  isInFlight(batch: Batch): boolean {
    return this.#inFlight.includes(batch);
  }

  /** A batch is complete and joins the end. */
  add(batch: Batch): void {
    this.#waiting.push(batch);
  }

  adoptIdentity(identity: ProducerIdentity): void {
    this.#identity = identity;
    this.#startSequences();
  }

  /** Whether a batch could go now: the next waiting one, or one that would be added. */
  canSend(nowMs: number): boolean {
    if (this.#returned.length > 0 || this.#needsNewEpoch || this.#leaderMoving || nowMs < this.#retryAtMs) return false;
    if (this.#splitting.length > 0 || this.needsIdentity) return false;
    const limit = this.#options.idempotent && !this.#acknowledged ? 1 : this.#options.maxInFlight;
    return this.#inFlight.length < limit && !this.#wouldBeForgotten();
  }

  /** The batch that goes next. */
  peek(): Batch | undefined {
    return this.#waiting[0];
  }

  /** Takes the batch that {@link peek} gave: it is in flight from now, and has its sequence number. */
  take(): Batch | undefined {
    const batch = this.#waiting.shift();
    if (batch === undefined) return undefined;
    batch.attempts++;
    if (batch.order < 0) batch.order = this.#nextOrder++;
    if (this.#options.idempotent && batch.baseSequence < 0) {
      batch.producerId = this.#identity.producerId;
      batch.producerEpoch = this.#identity.producerEpoch;
      batch.baseSequence = this.#nextSequence;
      this.#nextSequence = advance(this.#nextSequence, batch.recordCount);
    }
    this.#inFlight.push(batch);
    return batch;
  }

  /** An attempt ended. */
  handleResult(batch: Batch, result: AttemptResult, nowMs: number): BatchFate {
    const at = this.#inFlight.indexOf(batch);
    if (at < 0) return 'ignored';
    this.#inFlight.splice(at, 1);
    if (result.maybeWritten) batch.maybeWritten = true;
    const fate = this.#fateOf(batch, result, nowMs);
    this.#resumeIfQuiet();
    return fate;
  }

  /**
   * A batch whose fate was `split` has been taken apart. The parts go in its place, under its sequence numbers.
   *
   * @returns false if it was given up meanwhile: then nobody waits for the parts
   */
  handleSplit(batch: Batch, parts: readonly Batch[]): boolean {
    const at = this.#splitting.indexOf(batch);
    if (at < 0) return false;
    this.#splitting.splice(at, 1);
    if (batch.settled) this.#leave(batch);
    else this.#replace(batch, parts);
    this.#resumeIfQuiet();
    return !batch.settled;
  }

  /** A batch whose fate was `split` cannot be taken apart. Answers whether its sends are still to be told. */
  handleSplitFailure(batch: Batch): boolean {
    const at = this.#splitting.indexOf(batch);
    if (at < 0) return false;
    this.#splitting.splice(at, 1);
    const isNews = !batch.settled;
    batch.settled = true;
    this.#leave(batch);
    this.#resumeIfQuiet();
    return isNews;
  }

  /**
   * The partition has another leader. What is in flight to the old one must be answered before anything goes to the new one.
   * It is worth one try at once, however long the pause is that the old one's answers have led to.
   */
  handleNewLeader(): void {
    if (this.#inFlight.length > 0) this.#leaderMoving = true;
    if (this.#failures <= 1) this.#retryAtMs = 0;
  }

  /** Gives up what is due: the sends of each batch in the answer are to be told. Those in flight stay until they are answered. */
  takeExpired(nowMs: number): Batch[] {
    return this.giveUp((batch) => batch.deadlineMs <= nowMs);
  }

  /** Gives up the batches that `matches` says, in order. Those in flight stay, settled, until they are answered. */
  giveUp(matches: (batch: Batch) => boolean): Batch[] {
    const given: Batch[] = [];
    const keep = (batch: Batch): boolean => {
      if (!matches(batch)) return true;
      given.push(batch);
      return false;
    };
    for (const batch of this.#inFlight) if (!batch.settled) keep(batch);
    for (const batch of this.#splitting) if (!batch.settled) keep(batch);
    this.#returned = this.#returned.filter(keep);
    given.sort((a, b) => a.order - b.order);
    // What waits comes after all that is in flight or has come back.
    this.#waiting = this.#waiting.filter(keep);
    // The last one first: only the newest sequence numbers can be given back.
    for (let at = given.length - 1; at >= 0; at--) {
      const batch = given[at];
      if (batch === undefined) continue;
      batch.settled = true;
      if (!this.#inFlight.includes(batch) && !this.#splitting.includes(batch)) this.#leave(batch);
    }
    this.#resumeIfQuiet();
    return given;
  }

  /** The topic was created again: its partitions know nothing of the sequence numbers of the old ones. */
  handleNewTopic(): void {
    const { idempotent, transactional } = this.#options;
    this.#needsNewEpoch = idempotent && transactional !== true && this.#identity !== nobody;
    this.#retryAtMs = 0;
    this.#resumeIfQuiet();
  }

  /** When {@link takeExpired} or a retry is due; undefined while nothing is. */
  nextDeadlineMs(nowMs: number): number | undefined {
    let deadline = Infinity;
    for (const batches of [this.#waiting, this.#inFlight, this.#returned, this.#splitting]) {
      for (const batch of batches) if (!batch.settled && batch.deadlineMs < deadline) deadline = batch.deadlineMs;
    }
    if (this.#waiting.length > 0 && this.#retryAtMs > nowMs) deadline = Math.min(deadline, this.#retryAtMs);
    return deadline === Infinity ? undefined : deadline;
  }

  /** When the pause after a failure ends; may lie in the past. */
  get retryAtMs(): number {
    return this.#retryAtMs;
  }

  #fateOf(batch: Batch, result: AttemptResult, nowMs: number): BatchFate {
    if (result.verdict === 'delivered') {
      this.#failures = 0;
      this.#retryAtMs = 0;
      this.#acknowledged = true;
      return batch.settled ? 'ignored' : 'delivered';
    }
    const missed = result.verdict === 'identity-lost' || result.verdict === 'sequence-gap';
    // Not at the front, a batch before it came back too, and may have been written: only that one's next answer tells.
    const isGap = missed && this.#isFirst(batch) && this.#isCurrent(batch);
    // In a transaction no record may be left out: without what is missing, the rest is not to be committed either.
    const isGapInTransaction = this.#options.transactional === true && (isGap || result.verdict === 'identity-lost');
    if (isGap && !batch.maybeWrittenWhole && !isGapInTransaction) this.#needsNewEpoch = true;
    const isTooLarge = result.verdict === 'too-large';
    if (isTooLarge && batch.recordCount > 1 && !batch.settled) {
      this.#splitting.push(batch);
      return 'split';
    }
    // A gap before a part of what may have been written whole: under other numbers it could be written twice.
    const isHopeless =
      isTooLarge || result.verdict === 'refused' || (isGap && batch.maybeWrittenWhole) || isGapInTransaction;
    const givenUp = isHopeless || batch.attempts > this.#options.retries;
    if (batch.settled || givenUp) {
      this.#leave(batch);
      if (batch.settled) return 'ignored';
      batch.settled = true;
      return 'failed';
    }
    // Several batches fail together: that is one failure, not five.
    if (this.#returned.length === 0) this.#retryAtMs = nowMs + this.#options.backoffMs(++this.#failures);
    this.#returned.push(batch);
    return 'retry';
  }

  /**
   * Whether another batch would push one that is still in flight out of what the partition remembers.
   *
   * Walkthrough: 1. batch 2 is written, but its answer says REQUEST_TIMED_OUT; 2. it is sent again, 7 to 10 with it; 3. its second
   * attempt is turned away before anything is looked at (NOT_ENOUGH_REPLICAS), 7 to 10 are written, since 2 to 6 had been; 4. its
   * third attempt is a duplicate that the partition does not recognize any more, a gap as it seems, and a new epoch would double it.
   */
  #wouldBeForgotten(): boolean {
    if (!this.#options.idempotent) return false;
    const next = this.#waiting[0];
    const order = next === undefined || next.order < 0 ? this.#nextOrder : next.order;
    return this.#inFlight.some((batch) => !batch.settled && order - batch.order >= rememberedBatches);
  }

  /** Whether every batch before this one has been answered well or given up. */
  #isFirst(batch: Batch): boolean {
    const isLater = (other: Batch): boolean => other.order > batch.order;
    return this.#inFlight.every(isLater) && this.#returned.every(isLater) && this.#splitting.every(isLater);
  }

  #isCurrent(batch: Batch): boolean {
    return (
      batch.baseSequence >= 0 &&
      batch.producerEpoch === this.#identity.producerEpoch &&
      batch.producerId === this.#identity.producerId
    );
  }

  /** A batch goes without having been acknowledged: what becomes of its sequence numbers? */
  #leave(batch: Batch): void {
    if (!this.#isCurrent(batch) || batch.maybeWritten) return;
    if (advance(batch.baseSequence, batch.recordCount) === this.#nextSequence) this.#nextSequence = batch.baseSequence;
  }

  /** Puts the parts of a batch where it was: what was sent after it comes after all of them. */
  #replace(batch: Batch, parts: readonly Batch[]): void {
    const added = parts.length - 1;
    for (const batches of [this.#waiting, this.#inFlight, this.#returned, this.#splitting]) {
      for (const other of batches) if (other.order > batch.order) other.order += added;
    }
    this.#nextOrder += added;
    let sequence = batch.baseSequence;
    for (const [at, part] of parts.entries()) {
      part.order = batch.order + at;
      part.maybeWritten = batch.maybeWritten;
      part.maybeWrittenWhole = batch.maybeWritten;
      part.producerId = batch.producerId;
      part.producerEpoch = batch.producerEpoch;
      part.baseSequence = sequence;
      if (sequence >= 0) sequence = advance(sequence, part.recordCount);
    }
    this.#returned.push(...parts);
  }

  #resumeIfQuiet(): void {
    if (this.#inFlight.length === 0 && this.#splitting.length === 0) this.#resume();
  }

  /** Nothing is in flight: what came back goes first, under a new epoch if need be. */
  #resume(): void {
    this.#leaderMoving = false;
    if (this.#returned.length > 0) {
      this.#returned.sort((a, b) => a.order - b.order);
      this.#waiting.unshift(...this.#returned);
      this.#returned = [];
    }
    if (!this.#needsNewEpoch) return;
    this.#needsNewEpoch = false;
    const { producerId, producerEpoch } = this.#identity;
    const isSpent = producerEpoch >= maxEpoch;
    if (isSpent) this.#spentProducerId = producerId;
    this.#identity = isSpent ? nobody : { producerId, producerEpoch: producerEpoch + 1 };
    this.#startSequences();
  }

  #startSequences(): void {
    this.#nextSequence = 0;
    this.#acknowledged = false;
    for (const batch of this.#waiting) batch.baseSequence = -1;
  }
}

/** Sequence numbers are int32 and begin at 0 again after the largest. */
function advance(sequence: number, count: number): number {
  const room = maxSequence - sequence;
  return count <= room ? sequence + count : count - room - 1;
}
