import { KafkaError, type KafkaErrorDetails } from './kafka-error.ts';

/**
 * What is known of a record whose send failed.
 *
 * - `not-sent`: it never left this process; sending it again cannot double it
 * - `refused`: the broker said no; it is not in the log
 * - `unknown`: it may have been written (the answer is missing); sending it again may double it
 */
export type SendOutcome = 'not-sent' | 'refused' | 'unknown';

/** A record was not acknowledged; {@link SendError.outcome} says whether it may be in the log all the same. */
export class SendError extends KafkaError {
  /** What is known of the record. */
  readonly outcome: SendOutcome;
  /** The topic that the record was for. */
  readonly topic: string;
  /** The partition, once it was chosen. */
  readonly partition: number | undefined;

  constructor(
    message: string,
    details: KafkaErrorDetails & { outcome: SendOutcome; topic: string; partition?: number | undefined },
  ) {
    super(message, details);
    this.outcome = details.outcome;
    this.topic = details.topic;
    this.partition = details.partition;
  }
}

/** The result of one record of a `send` of many: its metadata, or the error that it alone met. */
export type SendResult<Metadata> =
  | {
      /** As with `Promise.allSettled`: the record was acknowledged. */
      readonly status: 'fulfilled';
      /** Where the record is. */
      readonly value: Metadata;
    }
  | {
      /** As with `Promise.allSettled`: it was not. */
      readonly status: 'rejected';
      /** Why it was not. */
      readonly reason: SendError;
    };

/** Some records of a `send` of many were not acknowledged; {@link SendManyError.results} has one entry for each, in order. */
export class SendManyError<Metadata = unknown> extends KafkaError {
  /** One entry per record given, in the same order. */
  readonly results: readonly SendResult<Metadata>[];

  constructor(results: readonly SendResult<Metadata>[]) {
    const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    const first = failed[0];
    super(`Cannot send ${failed.length} of ${results.length} records; the first failed with: ${first?.message ?? ''}`, {
      code: 'SEND_FAILED',
      retriable: failed.every((error) => error.retriable),
      cause: first,
    });
    this.results = results;
  }
}
