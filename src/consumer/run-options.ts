import { UsageError } from '../errors/kafka-error.ts';
import { anyOf, findOptionProblem, func, integer, object, oneOf, type OptionRule } from '../util/option-rules.ts';
import type { ConsumerBatch } from './consumer-batch.ts';
import type { ConsumerRecord } from './consumer-record.ts';

/** What a handler of {@link Consumer.run} gets beside its record or batch. */
export interface HandlerContext {
  /**
   * Aborts when the work is not wanted any more: the partition is being given up or is lost, the handler took longer than
   * `maxPollIntervalMs`, or `close()` has waited long enough. What the handler throws from then on ends nothing.
   */
  readonly signal: AbortSignal;
  /** Ends the run: no handler is begun any more, those under way finish, and `run` resolves. */
  readonly stop: () => void;
}

/** What to do after a handler has thrown: end the run with the error, call the handler again, or go on as if it had not thrown. */
export type HandlerErrorDecision = 'fail' | 'retry' | 'skip';

/** A handler that has thrown, and what it was given. */
export interface HandlerFailure<R, B> {
  /** The record, with `eachRecord`. */
  readonly record: R | undefined;
  /** The batch, with `eachBatch`: what of it was not marked as processed is handed out again with `retry`, left out with `skip`. */
  readonly batch: B | undefined;
  /** How often the handler was called for it, from 1. */
  readonly attempt: number;
  /** As the handler's. */
  readonly signal: AbortSignal;
}

/** How {@link Consumer.run} reads: `eachRecord` or `eachBatch`, and what goes with it. */
export interface RunOptions<R = ConsumerRecord, B = ConsumerBatch> {
  /** Called for each record; the record is processed when it has resolved. */
  readonly eachRecord?: ((record: R, context: HandlerContext) => unknown) | undefined;
  /** Called for consecutive records of a partition, at most `maxPollRecords`; they are processed when it has resolved. */
  readonly eachBatch?: ((batch: B, context: HandlerContext) => unknown) | undefined;
  /**
   * How many handlers may be at work at a time, each with another partition: the order of a partition is kept. `'partition'` sets
   * no limit but the number of partitions.
   *
   * @defaultValue 1
   */
  readonly concurrency?: number | 'partition' | undefined;
  /**
   * Decides what becomes of a handler's error; it may wait before it answers `retry`. What it throws ends the run.
   *
   * @defaultValue every error ends the run
   */
  readonly onError?:
    | ((error: unknown, failure: HandlerFailure<R, B>) => HandlerErrorDecision | Promise<HandlerErrorDecision>)
    | undefined;
  /** Asks to stop: handlers under way finish, and the run resolves. */
  readonly signal?: AbortSignal | undefined;
}

/** {@link RunOptions} after checking. */
export interface ResolvedRunOptions {
  readonly eachRecord: ((record: unknown, context: HandlerContext) => unknown) | undefined;
  readonly eachBatch: ((batch: unknown, context: HandlerContext) => unknown) | undefined;
  /** Infinity without a limit. */
  readonly concurrency: number;
  readonly onError: (error: unknown, failure: HandlerFailure<unknown, unknown>) => unknown;
  readonly signal: AbortSignal | undefined;
}

const rules: Readonly<Record<keyof RunOptions, OptionRule>> = {
  eachRecord: func,
  eachBatch: func,
  concurrency: anyOf(integer(1, Number.MAX_SAFE_INTEGER), oneOf(['partition'])),
  onError: func,
  signal: object,
};

const otherNames: Readonly<Record<string, string>> = {
  eachMessage: 'use eachRecord',
  partitionsConsumedConcurrently: 'use concurrency',
  eachBatchAutoResolve: 'a batch is processed when its handler has resolved; batch.markProcessed counts earlier',
  autoCommit: 'it is an option of the consumer',
  autoCommitInterval: 'use autoCommitIntervalMs of the consumer',
  autoCommitThreshold: 'call commit() after so many records',
};

/**
 * Checks the options of a run.
 *
 * @throws UsageError UNKNOWN_OPTION, INVALID_OPTION
 */
export function resolveRunOptions<R, B>(given: RunOptions<R, B>): ResolvedRunOptions {
  const problem = findOptionProblem(given, rules, 'run', otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  // Callers without types may leave it out.
  const { eachRecord, eachBatch, concurrency = 1, onError, signal } = (given as RunOptions<R, B> | undefined) ?? {};
  if ((eachRecord === undefined) === (eachBatch === undefined)) {
    throw new UsageError('Cannot run: give either eachRecord or eachBatch', { code: 'INVALID_OPTION' });
  }
  return {
    eachRecord: eachRecord as ResolvedRunOptions['eachRecord'],
    eachBatch: eachBatch as ResolvedRunOptions['eachBatch'],
    concurrency: concurrency === 'partition' ? Infinity : concurrency,
    onError: (onError as ResolvedRunOptions['onError'] | undefined) ?? (() => 'fail'),
    signal,
  };
}
