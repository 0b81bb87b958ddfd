import { FencedError, KafkaError, UsageError } from '../errors/kafka-error.ts';
import { reasonOf } from '../errors/thrown.ts';
import type { ConsumerGroupMetadata } from '../model/consumer-group-metadata.ts';
import type { ProducerRecord } from '../model/producer-record.ts';
import { untilAborted } from '../cluster/call-guard.ts';
import { abortSignal, checkCallOptions } from '../cluster/call-options.ts';
import { quote, type OptionRule } from '../util/option-rules.ts';
import type { RecordMetadata } from './record-metadata.ts';
import type { TransactionDriver } from './transaction-driver.ts';
import { checkGroup, offsetsToSend, type OffsetsToSend } from './transaction-offsets.ts';

/** What may be said about a wait. */
export interface TransactionWaitOptions {
  /** Ends the wait: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What {@link TransactionWaitOptions} accept. */
export const waitOptionRules: Readonly<Record<keyof TransactionWaitOptions, OptionRule>> = { signal: abortSignal };

/** What the body of `producer.transaction(…)` gets: sends records and offsets that become visible together, or never. */
export interface TransactionScope<R = ProducerRecord<string | Uint8Array | null, string | Uint8Array | null>> {
  /**
   * Sends a record as a part of the transaction. It need not be awaited: the commit waits for it, and is none if it failed.
   *
   * @throws {@link SendError} `TRANSACTION_REQUIRED` the transaction has ended, `TRANSACTION_ABORTED` something else of it failed before;
   *   otherwise as `producer.send`
   */
  send(record: R): Promise<RecordMetadata>;
  /**
   * Sends records as a part of the transaction, and resolves with their metadata in the same order.
   *
   * @throws {@link SendManyError}
   */
  send(records: readonly R[]): Promise<RecordMetadata[]>;
  /**
   * Makes offsets the group's if the transaction commits, and not otherwise (KIP-98). It need not be awaited: the commit waits for it.
   *
   * Take `group` from `consumer.groupMetadata()` after the read whose records you processed; the coordinator then refuses a member that
   * has been removed from the group meanwhile (KIP-447). Java: `sendOffsetsToTransaction`.
   *
   * @param what a record, a batch or a poll result, which mean the offset after the last record; or for each partition the next offset to
   *   read
   * @param options.signal ends the wait; the transaction can only be aborted then
   * @throws {@link BrokerError} `ILLEGAL_GENERATION`, `UNKNOWN_MEMBER_ID`, `FENCED_INSTANCE_ID`: the group has given the partitions to another
   *   member; the transaction can only be aborted
   * @throws {@link UsageError} `PARTITION_NOT_OWNED` what was read belongs to an assignment that has ended
   */
  sendOffsets(what: OffsetsToSend, group: ConsumerGroupMetadata, options?: TransactionWaitOptions): Promise<void>;
}

/** What a {@link Transaction} needs of its producer. */
export interface TransactionParts<R> {
  readonly driver: TransactionDriver;
  readonly number: number;
  readonly transactionalId: string;
  send(input: R | readonly R[], number: number): Promise<RecordMetadata | RecordMetadata[]>;
}

type Ending = 'commit' | 'abort';

/**
 * A transaction of `producer.beginTransaction()`: everything that is sent in it becomes visible to `read_committed` readers together
 * with its commit, or never. It ends with {@link Transaction.commit} or {@link Transaction.abort}; left without, as by an error, it is
 * aborted by `await using`.
 */
export class Transaction<R = ProducerRecord<string | Uint8Array | null, string | Uint8Array | null>>
  implements TransactionScope<R>, AsyncDisposable
{
  readonly #parts: TransactionParts<R>;
  #ending: { readonly how: Ending; readonly ended: Promise<boolean> } | undefined;

  /** @internal */
  constructor(parts: TransactionParts<R>) {
    this.#parts = parts;
  }

  /** Whether records and offsets are still taken: it has not ended, and nothing of it has failed. */
  get isOpen(): boolean {
    return this.#isCurrent && this.#parts.driver.isOpen;
  }

  send(record: R): Promise<RecordMetadata>;
  send(records: readonly R[]): Promise<RecordMetadata[]>;
  send(input: R | readonly R[]): Promise<RecordMetadata | RecordMetadata[]> {
    return this.#parts.send(input, this.#isCurrent ? this.#parts.number : -1);
  }

  async sendOffsets(
    what: OffsetsToSend,
    group: ConsumerGroupMetadata,
    options: TransactionWaitOptions = {},
  ): Promise<void> {
    const { driver } = this.#parts;
    if (!this.#isCurrent) throw this.#over('take offsets into');
    try {
      options.signal?.throwIfAborted();
      checkCallOptions(options, 'sendOffsets', waitOptionRules);
      checkGroup(group);
      const offsets = offsetsToSend(what);
      if (offsets.length === 0) return;
      const taken = driver.sendOffsets(offsets, group);
      await untilAborted(taken, options.signal);
    } catch (error) {
      // Without its offsets, what was sent would be sent again by whoever reads from there.
      driver.handleProblem(asKafkaError(error, this.#parts.transactionalId));
      throw error;
    }
  }

  /**
   * Ends the transaction: waits for everything that was sent in it, then makes it visible. Java: `commitTransaction`.
   *
   * @param options.signal ends the wait; whether it commits is then not known
   * @throws {@link KafkaError} `TRANSACTION_ABORTED` something of it failed, the `cause`, and so it was aborted; `OPERATION_TIMEOUT` the
   *   coordinator has not answered within `deliveryTimeoutMs`, and it may be committed all the same
   * @throws {@link FencedError} another producer took over the transactional id; this one is finished
   */
  async commit(options: TransactionWaitOptions = {}): Promise<void> {
    checkCallOptions(options, 'commit', waitOptionRules);
    if (this.#ending?.how === 'abort' || (this.#ending === undefined && !this.#isCurrent)) throw this.#over('commit');
    const isCommitted = await this.#end('commit', options.signal);
    if (!isCommitted) throw this.#over('commit');
  }

  /**
   * Ends the transaction so that nothing of it is ever seen: what has not left fails, what is under way is waited for. Does nothing if it
   * was aborted before. Java: `abortTransaction`.
   *
   * @throws {@link UsageError} `INVALID_STATE` it was committed
   * @throws {@link FencedError} another producer took over the transactional id; this one is finished
   */
  async abort(options: TransactionWaitOptions = {}): Promise<void> {
    checkCallOptions(options, 'abort', waitOptionRules);
    if (this.#ending === undefined && !this.#isCurrent) return;
    const isCommitted = await this.#end('abort', options.signal).catch((error: unknown) => {
      if (error instanceof KafkaError && error.code === 'TRANSACTION_ABORTED') return false;
      throw error;
    });
    if (!isCommitted) return;
    throw new UsageError(`Cannot abort the transaction of ${quote(this.#parts.transactionalId)}: it was committed`, {
      code: 'INVALID_STATE',
    });
  }

  /** Aborts the transaction unless it was ended, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending === undefined) await this.abort();
    else await this.#ending.ended.catch(() => undefined);
  }

  /** @internal Aborts, since `error` was thrown, and answers what to throw. */
  async abortFor(error: unknown): Promise<unknown> {
    try {
      await this[Symbol.asyncDispose]();
    } catch (abortError) {
      if (!(abortError instanceof FencedError)) return error;
      return new FencedError(abortError.message, { code: abortError.code, cause: error });
    }
    return error;
  }

  get #isCurrent(): boolean {
    return this.#parts.driver.number === this.#parts.number && this.#ending === undefined;
  }

  #end(how: Ending, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#ending === undefined) {
      const ended = this.#parts.driver.end(how === 'commit').then(({ committed, error }) => {
        if (error !== undefined && how === 'commit') throw error;
        return committed;
      });
      ended.catch(() => undefined);
      this.#ending = { how, ended };
    }
    const { ended } = this.#ending;
    return untilAborted(ended, signal);
  }

  #over(what: string): UsageError {
    const whose = quote(this.#parts.transactionalId);
    return new UsageError(`Cannot ${what} the transaction of ${whose}: it has ended`, { code: 'INVALID_STATE' });
  }
}

function asKafkaError(error: unknown, transactionalId: string): KafkaError {
  if (error instanceof KafkaError) return error;
  const why = reasonOf(error);
  const message = `Cannot take offsets into the transaction of ${quote(transactionalId)}: ${why}`;
  return new KafkaError(message, { code: 'SEND_FAILED', cause: error });
}
