import { UsageError } from '../errors/kafka-error.ts';
import { findOptionProblem, type OptionRule } from '../util/option-rules.ts';
import type { CallOptions } from './request.ts';

/** Milliseconds from now on; `Infinity` for no limit. */
export const duration: OptionRule = {
  expected: 'a number of milliseconds from 0',
  accepts: (value) => typeof value === 'number' && value >= 0,
};

export const abortSignal: OptionRule = {
  expected: 'an AbortSignal',
  // Not by its class: a test's environment may have another one of this name.
  accepts: (value) =>
    typeof value === 'object' && typeof (value as Partial<AbortSignal> | null)?.throwIfAborted === 'function',
};

/** What {@link CallOptions} accept. */
export const callOptionRules: Readonly<Record<keyof CallOptions, OptionRule>> = {
  signal: abortSignal,
  timeoutMs: duration,
};

/** What other clients call these. */
const otherNames: Readonly<Record<string, string>> = {
  timeout: 'use timeoutMs',
  timeoutMillis: 'use timeoutMs',
  max: 'use maxRecords',
  maxMessages: 'use maxRecords',
  abortSignal: 'use signal',
};

/**
 * Why a call cannot use its options, looked at before it does anything: UNKNOWN_OPTION, INVALID_OPTION; undefined if it can.
 *
 * @param call its name, as it appears in the message: `poll`
 */
export function callOptionsError(
  given: unknown,
  call: string,
  rules: Readonly<Record<string, OptionRule>> = callOptionRules,
): UsageError | undefined {
  const problem = findOptionProblem(given, rules, call, otherNames);
  return problem === undefined ? undefined : new UsageError(problem.message, { code: problem.code });
}

/** @throws UsageError see {@link callOptionsError} */
export function checkCallOptions(...args: Parameters<typeof callOptionsError>): void {
  const error = callOptionsError(...args);
  if (error !== undefined) throw error;
}
