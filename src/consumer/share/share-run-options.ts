import { UsageError } from '../../errors/kafka-error.ts';
import { findOptionProblem, func, integer, object, type OptionRule } from '../../util/option-rules.ts';
import type { AcknowledgeType } from './share-options.ts';
import type { ShareRecord } from './share-record.ts';

/** What a handler of {@link ShareConsumer.run} gets beside its record. */
export interface ShareHandlerContext {
  /**
   * Aborts when the work is not wanted any more: the record's lock has ended, so that it is delivered again, or `close()` has waited long
   * enough. What the handler throws from then on ends nothing.
   */
  readonly signal: AbortSignal;
  /** Ends the run: no handler is begun any more, those under way finish, and `run` resolves. */
  readonly stop: () => void;
  /** The same as {@link ShareConsumer.acknowledge} for the record of this handler. */
  readonly acknowledge: (type?: AcknowledgeType) => void;
}

/**
 * What to do with the record of a handler that has thrown: deliver it again, to whoever asks first; never again; take it for processed; or
 * release it and end the run with the error.
 */
export type ShareHandlerErrorDecision = 'release' | 'reject' | 'accept' | 'stop';

/** How {@link ShareConsumer.run} reads. */
export interface ShareRunOptions<R = ShareRecord> {
  /** Called for each record; the record is accepted when it has resolved, unless it was acknowledged before. */
  readonly eachRecord: (record: R, context: ShareHandlerContext) => unknown;
  /**
   * How many handlers may be at work at a time, whatever partitions their records are of: there is no order to keep.
   *
   * @defaultValue 1
   */
  readonly concurrency?: number | undefined;
  /**
   * Decides what becomes of the record of a handler that has thrown. What it throws ends the run.
   *
   * @defaultValue every such record is released
   */
  readonly onError?:
    ((error: unknown, record: R) => ShareHandlerErrorDecision | Promise<ShareHandlerErrorDecision>) | undefined;
  /** Asks to stop: handlers under way finish, and the run resolves. */
  readonly signal?: AbortSignal | undefined;
}

/** {@link ShareRunOptions} after checking. */
export interface ResolvedShareRunOptions {
  readonly eachRecord: (record: unknown, context: ShareHandlerContext) => unknown;
  readonly concurrency: number;
  readonly onError: (error: unknown, record: unknown) => unknown;
  readonly signal: AbortSignal | undefined;
}

const rules: Readonly<Record<keyof ShareRunOptions, OptionRule>> = {
  eachRecord: func,
  concurrency: integer(1, Number.MAX_SAFE_INTEGER),
  onError: func,
  signal: object,
};

const otherNames: Readonly<Record<string, string>> = {
  eachMessage: 'use eachRecord',
  eachBatch: 'a share group acknowledges record by record; use eachRecord, or poll',
  partitionsConsumedConcurrently: 'use concurrency',
};

/**
 * Checks the options of a run.
 *
 * @throws UsageError UNKNOWN_OPTION, INVALID_OPTION
 */
export function resolveShareRunOptions<R>(given: ShareRunOptions<R>): ResolvedShareRunOptions {
  const problem = findOptionProblem(given, rules, 'run', otherNames);
  if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
  // Callers without types may leave it out.
  const { eachRecord, concurrency = 1, onError, signal } = (given as Partial<ShareRunOptions<R>> | undefined) ?? {};
  if (eachRecord === undefined) throw new UsageError('Cannot run: give eachRecord', { code: 'INVALID_OPTION' });
  return {
    eachRecord: eachRecord as ResolvedShareRunOptions['eachRecord'],
    concurrency,
    onError: (onError as ResolvedShareRunOptions['onError'] | undefined) ?? (() => 'release'),
    signal,
  };
}
