import type { Cluster } from '../cluster/cluster.ts';
import type { CallOptions } from '../cluster/request.ts';
import { retryBackoff } from '../cluster/options.ts';
import { brokerErrorByNumber, brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { brokerError } from '../errors/broker-error.ts';
import { KafkaError, TimeoutError, UsageError } from '../errors/kafka-error.ts';
import { asError } from '../errors/thrown.ts';
import { byTopic, topicPartitionKey, type TopicPartition } from '../model/topic-partition.ts';
import { ListOffsets } from '../protocol/generated/list-offsets.ts';
import { OffsetCommit, type OffsetCommitResponse } from '../protocol/generated/offset-commit.ts';
import { OffsetFetch, type OffsetFetchResponse } from '../protocol/generated/offset-fetch.ts';
import { backoffMs } from '../util/backoff.ts';
import { delay } from '../util/delay.ts';
import { quote } from '../util/option-rules.ts';
import type { IsolationLevel } from './options.ts';

/** The offset that a group has for a partition. */
export interface CommittedOffset extends TopicPartition {
  /** The next offset to read; undefined where the group has none. */
  readonly offset: bigint | undefined;
  /** What was committed with it. */
  readonly metadata: string | undefined;
}

/** The same, with what a new leader is asked about. */
export interface CommittedPosition extends CommittedOffset {
  /** The epoch of the leader that appended the record before it; -1 where it was not committed with it. */
  readonly leaderEpoch: number;
}

/** An offset to commit. */
export interface OffsetToCommit extends TopicPartition {
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** Who commits: a member of a generation, or nobody (-1 and an empty id) for partitions that were assigned by hand. */
export interface CommitIdentity {
  readonly generationId: number;
  readonly memberId: string;
}

/** A question to ListOffsets: -1 asks for the end, -2 for the beginning. */
export interface OffsetQuery extends TopicPartition {
  readonly timestamp: bigint;
}

/** Its answer; offset -1 where the partition has no record as young as the timestamp. */
export interface ListedOffset extends TopicPartition {
  readonly offset: bigint;
  readonly timestamp: number;
}

/** OffsetFetch from this version on says who asks (KIP-848). */
const MEMBER_EPOCHS_SINCE = 9;

export const BEGINNING: bigint = -2n;
export const END: bigint = -1n;

/** What one round of questions brought. */
interface Round {
  readonly found: ListedOffset[];
  readonly failed: { readonly query: OffsetQuery; readonly error: Error; readonly passing: boolean }[];
}

/** Asks brokers for offsets, and commits them. */
export class OffsetClient {
  readonly #cluster: Cluster;
  readonly #lane: string;
  readonly #groupId: string | undefined;
  readonly #groupInstanceId: string | undefined;
  readonly #isolationLevel: IsolationLevel;

  constructor(
    cluster: Cluster,
    lane: string,
    options: {
      readonly groupId: string | undefined;
      readonly groupInstanceId: string | undefined;
      readonly isolationLevel: IsolationLevel;
    },
  ) {
    this.#cluster = cluster;
    this.#lane = lane;
    this.#groupId = options.groupId;
    this.#groupInstanceId = options.groupInstanceId;
    this.#isolationLevel = options.isolationLevel;
  }

  /** The offsets that the group has, in the order asked for. */
  async committed(partitions: readonly TopicPartition[], options: CallOptions = {}): Promise<CommittedOffset[]> {
    const positions = await this.committedPositions(partitions, options);
    return positions.map(({ topic, partition, offset, metadata }) => ({ topic, partition, offset, metadata }));
  }

  /**
   * The same with leader epochs, to go on from there.
   *
   * @param member who asks, in the new protocol: the coordinator refuses one whose epoch is over, and whose partitions may be others'
   */
  async committedPositions(
    partitions: readonly TopicPartition[],
    options: CallOptions = {},
    member?: CommitIdentity,
  ): Promise<CommittedPosition[]> {
    const groupId = this.#group('read committed offsets');
    if (partitions.length === 0) return [];
    const doing = `Cannot read the committed offsets of group ${quote(groupId)}`;
    const topics = byTopic(partitions).map(([name, items]) => ({
      name,
      partitionIndexes: items.map((item) => item.partition),
    }));
    const requireStable = this.#isolationLevel === 'read_committed';
    const response = await this.#cluster.request(
      {
        api: OffsetFetch,
        to: { kind: 'coordinator', type: 'group', key: groupId },
        lane: this.#lane,
        doing,
        message: (version) => ({
          ...(version >= 8 ? { groups: [{ groupId, topics, ...asMember(version, member) }] } : { groupId, topics }),
          ...(version >= 7 ? { requireStable } : {}),
        }),
        errorCode: (answer) => worstCode(offsetFetchCodes(answer)),
      },
      options,
    );
    const answers = new Map<
      string,
      {
        readonly committedOffset: bigint;
        readonly committedLeaderEpoch: number;
        readonly metadata: string | null;
        readonly errorCode: number;
      }
    >();
    for (const topic of [...response.topics, ...(response.groups[0]?.topics ?? [])]) {
      for (const partition of topic.partitions)
        answers.set(topicPartitionKey(topic.name, partition.partitionIndex), partition);
    }
    return partitions.map(({ topic, partition }) => {
      const answer = answers.get(topicPartitionKey(topic, partition));
      if (answer !== undefined && answer.errorCode !== 0)
        throw brokerError(answer.errorCode, `${doing}, partition ${topic}-${partition}`);
      const known = answer !== undefined && answer.committedOffset >= 0n;
      return {
        topic,
        partition,
        offset: known ? answer.committedOffset : undefined,
        metadata: known ? (answer.metadata ?? '') : undefined,
        leaderEpoch: known ? answer.committedLeaderEpoch : -1,
      };
    });
  }

  /** Commits; rejects with the first error if any partition was refused. */
  async commit(offsets: readonly OffsetToCommit[], identity: CommitIdentity, options: CallOptions = {}): Promise<void> {
    const groupId = this.#group('commit offsets');
    if (offsets.length === 0) return;
    const doing = `Cannot commit offsets of group ${quote(groupId)}`;
    const topics = byTopic(offsets).map(([name, items]) => ({
      name,
      partitions: items.map((item) => ({
        partitionIndex: item.partition,
        committedOffset: item.offset,
        committedLeaderEpoch: item.leaderEpoch,
        committedMetadata: item.metadata,
      })),
    }));
    const groupInstanceId = this.#groupInstanceId;
    const message = {
      groupId,
      generationIdOrMemberEpoch: identity.generationId,
      memberId: identity.memberId,
      // Only a member of a generation may name itself so; offsets of partitions assigned by hand have no member.
      ...(groupInstanceId !== undefined && identity.generationId >= 0 ? { groupInstanceId } : {}),
      topics,
    };
    const response = await this.#cluster.request(
      {
        api: OffsetCommit,
        to: { kind: 'coordinator', type: 'group', key: groupId },
        lane: this.#lane,
        doing,
        message,
        errorCode: (answer) => retriableCode(offsetCommitCodes(answer)),
      },
      options,
    );
    for (const topic of response.topics) {
      for (const { partitionIndex, errorCode } of topic.partitions) {
        if (errorCode === brokerErrorCodes.NONE) continue;
        throw commitError(errorCode, `${doing}, partition ${topic.name}-${partitionIndex}`);
      }
    }
  }

  /**
   * The offsets asked for, in the same order; asks again until all are answered.
   *
   * @throws TimeoutError OPERATION_TIMEOUT, with the last error as its cause
   */
  async list(queries: readonly OffsetQuery[], options: CallOptions = {}): Promise<ListedOffset[]> {
    const { clock, random } = this.#cluster;
    const timeoutMs = options.timeoutMs ?? 60_000;
    const deadlineMs = clock.nowMs() + timeoutMs;
    const found = new Map<string, ListedOffset>();
    let open = queries;
    for (let failures = 1; ; failures++) {
      const round = await this.listOnce(open);
      options.signal?.throwIfAborted();
      for (const answer of round.found) found.set(topicPartitionKey(answer.topic, answer.partition), answer);
      const final = round.failed.find((failure) => !failure.passing);
      if (final !== undefined) throw final.error;
      if (round.failed.length === 0) break;
      const pauseMs = backoffMs(retryBackoff(this.#cluster.options), failures, random());
      if (clock.nowMs() + pauseMs >= deadlineMs) {
        const cause = round.failed[0]?.error;
        throw new TimeoutError(
          `Cannot list offsets: not all leaders answered within ${timeoutMs} ms; the last error was: ${cause?.message ?? ''}`,
          {
            code: 'OPERATION_TIMEOUT',
            retriable: true,
            cause,
          },
        );
      }
      open = round.failed.map((failure) => failure.query);
      await delay(clock, pauseMs, options.signal ?? undefined, true);
      options.signal?.throwIfAborted();
    }
    return queries.flatMap(({ topic, partition }) => found.get(topicPartitionKey(topic, partition)) ?? []);
  }

  /** Asks each leader once, and says of each question what became of it. Never rejects. */
  async listOnce(queries: readonly OffsetQuery[]): Promise<Round> {
    const round: Round = { found: [], failed: [] };
    const byLeader = new Map<number, OffsetQuery[]>();
    for (const query of queries) {
      const leader = this.#cluster.metadata.leader(query.topic, query.partition);
      if (leader === undefined) {
        const error = brokerError(
          brokerErrorCodes.LEADER_NOT_AVAILABLE,
          `Cannot list offsets of ${query.topic}-${query.partition}`,
        );
        round.failed.push({ query, error, passing: true });
        continue;
      }
      const sameLeader = byLeader.get(leader.nodeId);
      if (sameLeader === undefined) byLeader.set(leader.nodeId, [query]);
      else sameLeader.push(query);
    }
    await Promise.all([...byLeader].map(async ([nodeId, own]) => this.#askLeader(nodeId, own, round)));
    if (round.failed.length > 0) this.#cluster.refreshSoon();
    return round;
  }

  async #askLeader(nodeId: number, queries: readonly OffsetQuery[], round: Round): Promise<void> {
    const { metadata } = this.#cluster;
    const open = new Map(queries.map((query) => [topicPartitionKey(query.topic, query.partition), query]));
    try {
      const response = await this.#cluster.request({
        api: ListOffsets,
        to: { kind: 'broker', nodeId },
        doing: 'Cannot list offsets',
        retry: 'never',
        message: {
          replicaId: -1,
          isolationLevel: this.#isolationLevel === 'read_committed' ? 1 : 0,
          timeoutMs: this.#cluster.options.requestTimeoutMs,
          topics: byTopic(queries).map(([name, items]) => ({
            name,
            partitions: items.map(({ partition, timestamp }) => ({
              partitionIndex: partition,
              currentLeaderEpoch: metadata.partition(name, partition)?.leaderEpoch ?? -1,
              timestamp,
            })),
          })),
        },
      });
      for (const { name, partitions } of response.topics) {
        for (const answer of partitions) {
          const key = topicPartitionKey(name, answer.partitionIndex);
          const query = open.get(key);
          if (query === undefined) continue;
          open.delete(key);
          if (answer.errorCode === brokerErrorCodes.NONE) {
            round.found.push({
              topic: name,
              partition: answer.partitionIndex,
              offset: answer.offset,
              timestamp: Number(answer.timestamp),
            });
          } else {
            const error = brokerError(answer.errorCode, `Cannot list offsets of ${name}-${answer.partitionIndex}`);
            round.failed.push({ query, error, passing: error.retriable });
          }
        }
      }
      for (const query of open.values()) {
        round.failed.push({
          query,
          error: new Error(`Broker ${nodeId} left ${query.topic}-${query.partition} out of its answer`),
          passing: true,
        });
      }
    } catch (error) {
      const failure = asError(error);
      for (const query of open.values())
        round.failed.push({ query, error: failure, passing: isPassingFailure(failure) });
    }
  }

  #group(what: string): string {
    if (this.#groupId !== undefined) return this.#groupId;
    throw new UsageError(`Cannot ${what}: the consumer has no group; give it a groupId`, { code: 'INVALID_STATE' });
  }
}

/** Whether what failed may go well at the next try: everything but a refusal that stays one. */
export function isPassingFailure(error: unknown): boolean {
  if (!(error instanceof KafkaError)) return true;
  if (error.retriable) return true;
  return [
    'CONNECTION_FAILED',
    'CONNECTION_CLOSED',
    'CONNECTION_SETUP_TIMEOUT',
    'REQUEST_TIMED_OUT',
    'DNS_FAILED',
    'PROTOCOL_ERROR',
    'BROKER_UNKNOWN',
    'BOOTSTRAP_FAILED',
    'OPERATION_TIMEOUT',
  ].includes(error.code);
}

function asMember(
  version: number,
  member: CommitIdentity | undefined,
): { readonly memberId?: string; readonly memberEpoch?: number } {
  if (version < MEMBER_EPOCHS_SINCE || member === undefined || member.generationId < 0) return {};
  return { memberId: member.memberId, memberEpoch: member.generationId };
}

/** Whether a member asked under an epoch that is over: it will have another one, or nothing any more. */
export function isOutdatedMember(error: unknown): boolean {
  const codes: readonly string[] = ['STALE_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH'];
  return error instanceof KafkaError && codes.includes(error.code);
}

/** A member that the coordinator does not know in this generation: its partitions are somebody else's now. */
export function isDisowned(errorCode: number): boolean {
  return errorCode === brokerErrorCodes.UNKNOWN_MEMBER_ID || errorCode === brokerErrorCodes.ILLEGAL_GENERATION;
}

function commitError(errorCode: number, doing: string): KafkaError {
  const error = brokerError(errorCode, doing);
  if (!isDisowned(errorCode)) return error;
  return new KafkaError(`${doing}: the group has given the partition to another member`, {
    code: 'PARTITION_NOT_OWNED',
    cause: error,
  });
}

function offsetCommitCodes(answer: OffsetCommitResponse): number[] {
  return answer.topics.flatMap((topic) => topic.partitions.map((partition) => partition.errorCode));
}

function offsetFetchCodes(answer: OffsetFetchResponse): number[] {
  const group = answer.groups[0];
  const topics = [...answer.topics, ...(group?.topics ?? [])];
  return [
    answer.errorCode,
    group?.errorCode ?? 0,
    ...topics.flatMap((topic) => topic.partitions.map((partition) => partition.errorCode)),
  ];
}

/** The code that decides about the whole answer: a final one before a passing one. */
function worstCode(codes: readonly number[]): number {
  const failures = codes.filter((code) => code !== brokerErrorCodes.NONE);
  return failures.find((code) => brokerErrorByNumber(code)?.retriable !== true) ?? failures[0] ?? brokerErrorCodes.NONE;
}

/** A passing code, if there is one and no final one: then the whole commit, which is safe to repeat, is tried again. */
function retriableCode(codes: readonly number[]): number {
  const code = worstCode(codes);
  if (code === brokerErrorCodes.REBALANCE_IN_PROGRESS) return brokerErrorCodes.NONE;
  return brokerErrorByNumber(code)?.retriable === true ? code : brokerErrorCodes.NONE;
}
