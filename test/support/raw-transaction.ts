import { Cluster } from '../../src/cluster/cluster.ts';
import { resolveClientOptions } from '../../src/cluster/options.ts';
import type { ClusterRequest, Destination } from '../../src/cluster/request.ts';
import { EventPublisher } from '../../src/instrumentation/event-publisher.ts';
import { apis, BatchBuilder } from '../../src/protocol/index.ts';
import { eventually } from './eventually.ts';

/**
 * A transactional id driven request by request, so that a test decides what a log of transactions looks like.
 *
 * Versions are those from before KIP-890's second part: partitions are added by a request of their own, and the producer id
 * and its epoch stay the same from one transaction to the next.
 */
export class RawTransactions implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #transactionalId: string;
  readonly #topic: string;
  readonly #partition = 0;
  #producer = { producerId: -1n, producerEpoch: -1 };
  #nextSequence = 0;

  private constructor(cluster: Cluster, transactionalId: string, topic: string) {
    this.#cluster = cluster;
    this.#transactionalId = transactionalId;
    this.#topic = topic;
  }

  /** @param topic its partition 0 is written to */
  static async start(
    bootstrapServers: readonly string[],
    transactionalId: string,
    topic: string,
  ): Promise<RawTransactions> {
    const cluster = new Cluster(resolveClientOptions({ bootstrapServers }), new EventPublisher());
    await cluster.topics([topic]);
    const transactions = new RawTransactions(cluster, transactionalId, topic);
    const { producerId, producerEpoch } = await transactions.#request({
      api: apis.InitProducerId,
      versions: { max: 4 },
      message: { transactionalId, transactionTimeoutMs: 60_000 },
      errorCode: ({ errorCode }) => errorCode,
    });
    transactions.#producer = { producerId, producerEpoch };
    return transactions;
  }

  /** The records become a transaction, which is ended before this resolves, markers and all. */
  async commit(values: readonly string[]): Promise<void> {
    await this.open(values);
    await this.end(true);
  }

  async abort(values: readonly string[]): Promise<void> {
    await this.open(values);
    await this.end(false);
  }

  /** Begins a transaction with one batch of records, or adds a batch to the one that is open. */
  async open(values: readonly string[]): Promise<void> {
    const { producerId, producerEpoch } = this.#producer;
    await this.#request({
      api: apis.AddPartitionsToTxn,
      versions: { max: 3 },
      message: {
        v3AndBelowTransactionalId: this.#transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: this.#topic, partitions: [this.#partition] }],
      },
      errorCode: (response) => response.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode ?? -1,
    });
    const batch = new BatchBuilder({ initialBytes: 1024, maxBytes: 1 << 20 });
    for (const value of values) batch.append(Date.now(), null, value, undefined);
    const baseSequence = this.#nextSequence;
    const records = batch.close({ ...this.#producer, baseSequence, compression: 'none', transactional: true });
    this.#nextSequence += values.length;
    await this.#request({
      api: apis.Produce,
      to: { kind: 'leader', topic: this.#topic, partition: this.#partition },
      versions: { max: 11 },
      message: {
        transactionalId: this.#transactionalId,
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ name: this.#topic, partitionData: [{ index: this.#partition, records }] }],
      },
      errorCode: (response) => response.responses[0]?.partitionResponses[0]?.errorCode ?? -1,
    });
  }

  /** Ends the open transaction; the coordinator answers before the markers are written, so this waits for them. */
  async end(committed: boolean): Promise<void> {
    await this.#request({
      api: apis.EndTxn,
      versions: { max: 4 },
      message: { transactionalId: this.#transactionalId, ...this.#producer, committed },
      errorCode: ({ errorCode }) => errorCode,
    });
    const state = committed ? 'CompleteCommit' : 'CompleteAbort';
    await eventually(async () => (await this.#state()) === state, `transaction to be ${state}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.close();
  }

  async #state(): Promise<string | undefined> {
    const { transactionStates } = await this.#request({
      api: apis.DescribeTransactions,
      message: { transactionalIds: [this.#transactionalId] },
      errorCode: (response) => response.transactionStates[0]?.errorCode ?? -1,
    });
    return transactionStates[0]?.transactionState;
  }

  #request<Req, Res>(
    request: Omit<ClusterRequest<Req, Res>, 'to' | 'doing'> & { readonly to?: Destination },
  ): Promise<Res> {
    const to: Destination = { kind: 'coordinator', type: 'transaction', key: this.#transactionalId };
    return this.#cluster.request({ to, doing: `Cannot drive transaction "${this.#transactionalId}"`, ...request });
  }
}
