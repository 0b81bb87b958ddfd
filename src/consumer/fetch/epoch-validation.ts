import type { Cluster } from '../../cluster/cluster.ts';
import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { brokerError } from '../../errors/broker-error.ts';
import { isKafkaError } from '../../errors/kafka-error.ts';
import {
  OffsetForLeaderEpoch,
  type OffsetForLeaderEpochResponse,
} from '../../protocol/generated/offset-for-leader-epoch.ts';
import { isPassingFailure } from '../offset-client.ts';
import type { PartitionState } from '../partition-state.ts';

/** Where the log that was read and the leader's part; undefined where the leader knows nothing of that epoch. */
export interface Divergence {
  readonly offset: bigint;
  readonly epoch: number;
}

/** What the validation needs of the fetcher. */
export interface EpochValidationParts {
  readonly cluster: Cluster;
  /** Fetching may go on, or be tried again. */
  readonly onChange: () => void;
  /** Leave the partition alone for a while: it could not be asked. */
  readonly onFailed: (state: PartitionState) => void;
  /** The log was cut off before the fetch position. */
  readonly onTruncated: (state: PartitionState, divergence: Divergence | undefined) => void;
  readonly onFatal: (error: Error) => void;
}

interface Question {
  readonly state: PartitionState;
  readonly leaderEpoch: number;
  readonly fetchEpoch: number;
  readonly round: number;
}

/** The first version that asks for no more than the right to describe the topic. */
const MIN_VERSION = 3;

/**
 * Asks a new leader whether its log still has what was read from the old one (KIP-320).
 *
 * Without it, a consumer behind an unclean election would read on at its offset in another history, and nobody would know.
 */
export class EpochValidation {
  readonly #parts: EpochValidationParts;
  readonly #asking = new Set<PartitionState>();
  #due = new Map<number, Question[]>();

  constructor(parts: EpochValidationParts) {
    this.#parts = parts;
  }

  /** Whether the partition may be fetched from the leader of this epoch; if not, the leader is asked. */
  isValid(state: PartitionState, leaderId: number, leaderEpoch: number): boolean {
    if (leaderEpoch <= state.validEpoch) return true;
    const { fetchEpoch, fetchRound: round } = state;
    // What this very leader has appended it has; of a place that the user chose nothing is known.
    if (fetchEpoch < 0 || fetchEpoch >= leaderEpoch) {
      state.validEpoch = leaderEpoch;
      return true;
    }
    if (this.#asking.has(state)) return false;
    this.#asking.add(state);
    if (this.#due.size === 0) queueMicrotask(() => this.#askAll());
    const questions = this.#due.get(leaderId) ?? [];
    this.#due.set(leaderId, questions);
    questions.push({ state, leaderEpoch, fetchEpoch, round });
    return false;
  }

  #askAll(): void {
    const due = this.#due;
    this.#due = new Map();
    for (const [nodeId, questions] of due) void this.#ask(nodeId, questions);
  }

  async #ask(nodeId: number, questions: readonly Question[]): Promise<void> {
    const { cluster, onFailed, onFatal, onChange } = this.#parts;
    try {
      const answer = await cluster.request({
        api: OffsetForLeaderEpoch,
        to: { kind: 'broker', nodeId },
        versions: { min: MIN_VERSION },
        doing: 'Cannot compare the log with that of the last leader',
        retry: 'never',
        message: { replicaId: -1, topics: topicsOf(questions) },
      });
      for (const question of questions) this.#handle(question, answer);
    } catch (error) {
      for (const { state, leaderEpoch } of questions) {
        if (isKafkaError(error, 'UNSUPPORTED_VERSION')) state.validEpoch = leaderEpoch;
        else if (isPassingFailure(error)) onFailed(state);
        else onFatal(error as Error);
      }
      cluster.refreshSoon();
    }
    for (const { state } of questions) this.#asking.delete(state);
    onChange();
  }

  #handle({ state, leaderEpoch, fetchEpoch, round }: Question, response: OffsetForLeaderEpochResponse): void {
    // The user has sought, or the group has taken the partition away, while the leader answered.
    if (state.fetchRound !== round || state.fetchEpoch !== fetchEpoch || state.term.ended) return;
    const answer = response.topics
      .find(({ topic }) => topic === state.topic)
      ?.partitions.find(({ partition }) => partition === state.partition);
    if (answer === undefined || answer.errorCode !== brokerErrorCodes.NONE) {
      const error = brokerError(
        answer?.errorCode ?? brokerErrorCodes.UNKNOWN_SERVER_ERROR,
        `Cannot compare the log of ${state.topic}-${state.partition} with that of the last leader`,
      );
      if (error.code.endsWith('AUTHORIZATION_FAILED')) return this.#parts.onFatal(error);
      this.#parts.cluster.refreshSoon();
      return this.#parts.onFailed(state);
    }
    state.validEpoch = leaderEpoch;
    if (answer.endOffset < 0n || answer.leaderEpoch < 0) this.#parts.onTruncated(state, undefined);
    else if (answer.endOffset < state.fetchOffset)
      this.#parts.onTruncated(state, { offset: answer.endOffset, epoch: answer.leaderEpoch });
  }
}

function topicsOf(questions: readonly Question[]): {
  readonly topic: string;
  readonly partitions: {
    readonly partition: number;
    readonly currentLeaderEpoch: number;
    readonly leaderEpoch: number;
  }[];
}[] {
  const names = [...new Set(questions.map(({ state }) => state.topic))];
  return names.map((topic) => ({
    topic,
    partitions: questions
      .filter(({ state }) => state.topic === topic)
      .map(({ state: { partition }, leaderEpoch, fetchEpoch }) => ({
        partition,
        currentLeaderEpoch: leaderEpoch,
        leaderEpoch: fetchEpoch,
      })),
  }));
}
