import type { Kafka } from '../index.ts';
import type { CliOptions, GivenArguments } from './arguments.ts';
import { CliFailure } from './cli-error.ts';
import { integerOf } from './option-values.ts';

const defaultTimeoutSeconds = 30;

/**
 * The option that {@link timeoutMsOf} reads.
 *
 * @param what takes so long at most, for the help
 */
export function timeoutOption(what: string): CliOptions {
  return {
    timeout: { type: 'string', value: 'SECONDS', help: `how long ${what} may take (${defaultTimeoutSeconds})` },
  };
}

/** @throws CliError for what is no time */
export function timeoutMsOf(given: GivenArguments): number {
  return (integerOf(given, 'timeout', { min: 1, max: 86_400 }) ?? defaultTimeoutSeconds) * 1000;
}

/**
 * Connects before anything else is done: calls try again where this says what is wrong at once.
 *
 * @throws CliFailure nobody answered in time
 */
export async function connectInTime(kafka: Kafka, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const tooLate = AbortSignal.timeout(timeoutMs);
  try {
    await kafka.connect({ signal: AbortSignal.any([signal, tooLate]) });
  } catch (error) {
    if (error !== tooLate.reason || !tooLate.aborted) throw error;
    throw new CliFailure(
      `Cannot reach the cluster: no answer within ${timeoutMs / 1000} s; check --bootstrap-servers, or give a longer --timeout`,
    );
  }
}
