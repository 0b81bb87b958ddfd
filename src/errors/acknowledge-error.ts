import { KafkaError } from './kafka-error.ts';

/** What became of acknowledgements of one partition of a share group. */
export interface AcknowledgeOutcome {
  /** The topic. */
  readonly topic: string;
  /** The number of the partition. */
  readonly partition: number;
  /** The records. */
  readonly offsets: readonly bigint[];
  /** How they were acknowledged. */
  readonly type: 'accept' | 'release' | 'reject' | 'renew';
  /** Why they were not; undefined if they were. */
  readonly error?: KafkaError;
}

/** Some records of a share group were not acknowledged; {@link AcknowledgeError.results} tells of each partition. */
export class AcknowledgeError extends KafkaError {
  /** What became of all acknowledgements of the call, those that went well included. */
  readonly results: readonly AcknowledgeOutcome[];

  constructor(results: readonly AcknowledgeOutcome[]) {
    const failed = results.filter(({ error }) => error !== undefined);
    const count = failed.reduce((sum, { offsets }) => sum + offsets.length, 0);
    const first = failed[0]?.error;
    super(`Cannot acknowledge ${count} records; the first failed with: ${first?.message ?? ''}`, {
      code: 'ACKNOWLEDGE_FAILED',
      cause: first,
    });
    this.results = results;
  }
}
