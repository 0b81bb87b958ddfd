import { KafkaError } from './kafka-error.ts';

/** What became of one item of an administrative call. */
export type SettledItem<Result> =
  | {
      /** As with `Promise.allSettled`: it was done. */
      readonly status: 'fulfilled';
      /** What the call found or made. */
      readonly value: Result;
    }
  | {
      /** As with `Promise.allSettled`: it was not. */
      readonly status: 'rejected';
      /** Why it was not. */
      readonly reason: KafkaError;
    };

/** Some items of an administrative call failed; {@link AdminError.results} has one entry for each item, in order. */
export class AdminError<Result = unknown> extends KafkaError {
  /** One entry per item given, in the same order. */
  readonly results: readonly SettledItem<Result>[];

  constructor(doing: string, results: readonly SettledItem<Result>[]) {
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    const first = failed[0];
    super(`${doing}: ${failed.length} of ${results.length} failed; the first with: ${first?.message ?? ''}`, {
      code: 'ADMIN_FAILED',
      retriable: failed.every((error) => error.retriable),
      cause: first,
    });
    this.results = results;
  }
}
