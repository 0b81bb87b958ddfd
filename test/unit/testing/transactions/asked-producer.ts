import { apis, BatchBuilder, controlType, readBatches, RecordCursor } from '../../../../src/protocol/index.ts';
import { errorName } from '../../../support/answers/scenario.ts';
import type { AskedCluster } from '../asked-cluster.ts';

/** A transactional producer whose requests go straight to the handlers; what is answered is an error's name. */
export class AskedProducer {
  readonly cluster: AskedCluster;
  readonly transactionalId: string;
  producerId = -1n;
  producerEpoch = -1;
  readonly #sequences = new Map<string, number>();

  constructor(cluster: AskedCluster, transactionalId = 'tx') {
    this.cluster = cluster;
    this.transactionalId = transactionalId;
  }

  get #who(): { readonly transactionalId: string; readonly producerId: bigint; readonly producerEpoch: number } {
    const { transactionalId, producerId, producerEpoch } = this;
    return { transactionalId, producerId, producerEpoch };
  }

  get #coordinator(): number {
    return Math.max(this.cluster.coordinatorOf(this.transactionalId), 1);
  }

  async init(transactionTimeoutMs = 60_000, brokerId: number = this.#coordinator): Promise<string> {
    const request = { transactionalId: this.transactionalId, transactionTimeoutMs };
    const answer = await this.cluster.ask(apis.InitProducerId, 5, request, brokerId);
    if (answer.errorCode === 0) {
      this.producerId = answer.producerId;
      this.producerEpoch = answer.producerEpoch;
      this.#sequences.clear();
    }
    return errorName(answer.errorCode);
  }

  async add(topic: string, partition = 0): Promise<string> {
    const answer = await this.cluster.ask(
      apis.AddPartitionsToTxn,
      3,
      {
        v3AndBelowTransactionalId: this.transactionalId,
        v3AndBelowProducerId: this.producerId,
        v3AndBelowProducerEpoch: this.producerEpoch,
        v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
      },
      this.#coordinator,
    );
    return errorName(answer.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode ?? -1);
  }

  async produce(topic: string, partition: number, value: string, version = 12): Promise<string> {
    const batch = new BatchBuilder({ initialBytes: 256, maxBytes: 1 << 20 });
    batch.append(this.cluster.clock.wallMs(), null, value, undefined);
    const place = `${topic}/${partition}`;
    const baseSequence = this.#sequences.get(place) ?? 0;
    const records = batch.close({ ...this.#who, baseSequence, compression: 'none', transactional: true });
    const { transactionalId } = this;
    const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }];
    const leaderId = this.cluster.state.partition(topic, partition)?.leaderId ?? -1;
    if (leaderId === -1) return 'LEADER_NOT_AVAILABLE';
    const message = { transactionalId, acks: 1, timeoutMs: 1_000, topicData };
    const answer = await this.cluster.ask(apis.Produce, version, message, leaderId);
    const errorCode = answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
    if (errorCode === 0) this.#sequences.set(place, baseSequence + 1);
    return errorName(errorCode);
  }

  async end(committed: boolean, version = 5): Promise<string> {
    const answer = await this.cluster.ask(apis.EndTxn, version, { ...this.#who, committed }, this.#coordinator);
    if (answer.errorCode === 0 && answer.producerId !== -1n) {
      if (answer.producerEpoch !== this.producerEpoch) this.#sequences.clear();
      this.producerId = answer.producerId;
      this.producerEpoch = answer.producerEpoch;
    }
    return errorName(answer.errorCode);
  }

  /** State and epoch as DescribeTransactions tells them. */
  async describe(): Promise<string> {
    const request = { transactionalIds: [this.transactionalId] };
    const answer = await this.cluster.ask(apis.DescribeTransactions, 0, request, this.#coordinator);
    const state = answer.transactionStates[0];
    if (state === undefined || state.errorCode !== 0) return errorName(state?.errorCode ?? -1);
    return `${state.transactionState} epoch ${state.producerEpoch}`;
  }
}

/** What a reader of committed records gets of a partition; markers as `commit` and `abort` of a producer's epoch. */
export function readPartition(
  cluster: AskedCluster,
  topic: string,
  partition = 0,
): { readonly committed: string[]; readonly markers: string[] } {
  const log = cluster.state.partition(topic, partition)?.log;
  const committed: string[] = [];
  const markers: string[] = [];
  if (log === undefined) return { committed, markers };
  const abortedFrom = new Map<bigint, bigint[]>();
  for (const { producerId, firstOffset } of log.abortedWithin(0n, log.endOffset))
    abortedFrom.set(producerId, [...(abortedFrom.get(producerId) ?? []), firstOffset]);
  const open = new Set<bigint>();
  for (let offset = log.startOffset; offset < log.lastStableOffset;) {
    const { records } = log.read(offset, { maxBytes: 1 << 20, minOneBatch: true, until: 'lastStableOffset' });
    if (records.length === 0) break;
    for (const batch of readBatches(records)) {
      const { producerId, producerEpoch } = batch;
      offset = batch.baseOffset + BigInt(batch.lastOffsetDelta) + 1n;
      const next = abortedFrom.get(producerId)?.[0];
      if (next !== undefined && batch.baseOffset >= next) {
        abortedFrom.get(producerId)?.shift();
        open.add(producerId);
      }
      const cursor = new RecordCursor(batch);
      while (cursor.next()) {
        const { bytes, keyStart, keyLength, valueStart, valueLength } = cursor;
        if (batch.isControl) {
          const type = controlType(bytes.subarray(keyStart, keyStart + keyLength));
          markers.push(`${type} ${producerId}/${producerEpoch}`);
          if (type === 'abort') open.delete(producerId);
        } else if (!open.has(producerId)) {
          committed.push(bytes.subarray(valueStart, valueStart + valueLength).toString());
        }
      }
    }
  }
  return { committed, markers };
}
