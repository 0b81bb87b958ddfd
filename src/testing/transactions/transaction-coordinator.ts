import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import type { TimerHandle } from '../../util/clock.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { writeMarker } from './marker-writer.ts';
import { ProducerIds } from './producer-ids.ts';
import {
  TransactionMachine,
  type EndRequest,
  type IdentityAnswer,
  type ProducerIdentity,
  type TransactionRules,
  type TransactionSnapshot,
} from './transaction-machine.ts';
import type { TransactionPartition } from './transaction-partitions.ts';

/** The state of all transactional ids, as JSON: for the data folder. */
export interface TransactionsSnapshot {
  /** Producer ids from here on were not given to anyone. */
  readonly nextProducerIdBlock: string;
  readonly transactions: readonly TransactionSnapshot[];
}

/** What InitProducerId asks the coordinator for. */
export interface InitProducer {
  readonly timeoutMs: number;
  readonly expected: ProducerIdentity | undefined;
}

const refused = (errorCode: number): IdentityAnswer => ({ errorCode, producerId: -1n, producerEpoch: -1 });

/**
 * The transaction coordinators of all brokers: one machine per transactional id, which belongs to the broker that leads its
 * partition of `__transaction_state`. What is asked of the wrong broker is for the handlers to refuse.
 *
 * Markers are written at once where the leader can; the rest follows as soon as a change makes it possible. A transaction that takes
 * too long is aborted when its time is over, not at the next round as in Kafka.
 */
export class TransactionCoordinator {
  readonly #cluster: ClusterState;
  readonly #machines = new Map<string, TransactionMachine>();
  /** Those with something to wait for: an open transaction's time, or markers that nobody could take. */
  readonly #active = new Set<TransactionMachine>();
  #producerIds = new ProducerIds();
  #timer: TimerHandle | undefined;
  #isWorking = false;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    cluster.changed.watch(() => this.#work());
  }

  /** The id of a producer without transactions. */
  newProducerId(brokerId: number): bigint {
    return this.#producerIds.take(brokerId);
  }

  init(transactionalId: string, { timeoutMs, expected }: InitProducer): IdentityAnswer {
    if (!this.#canWrite(transactionalId)) return refused(brokerErrorCodes.COORDINATOR_NOT_AVAILABLE);
    const newId = this.#newIdFor(transactionalId);
    const machine = this.find(transactionalId) ?? new TransactionMachine(transactionalId, newId(), this.#nowMs());
    this.#machines.set(transactionalId, machine);
    const request = { timeoutMs, expected, fencingRules: this.rules() };
    return this.#after(machine, machine.init(request, this.#nowMs(), newId));
  }

  /** Answers an error code. */
  add(transactionalId: string, producer: ProducerIdentity, partitions: readonly TransactionPartition[]): number {
    const machine = this.find(transactionalId);
    if (machine === undefined) return brokerErrorCodes.INVALID_PRODUCER_ID_MAPPING;
    if (!this.#canWrite(transactionalId)) return brokerErrorCodes.COORDINATOR_NOT_AVAILABLE;
    return this.#after(machine, machine.add(producer, partitions, this.#nowMs()));
  }

  /** Whether a partition is part of the producer's open transaction; answers an error code. */
  verify(transactionalId: string, producer: ProducerIdentity, partition: TransactionPartition): number {
    const machine = this.find(transactionalId);
    return machine?.verify(producer, partition) ?? brokerErrorCodes.INVALID_PRODUCER_ID_MAPPING;
  }

  end(transactionalId: string, request: EndRequest): IdentityAnswer {
    const machine = this.find(transactionalId);
    if (machine === undefined) return refused(brokerErrorCodes.INVALID_PRODUCER_ID_MAPPING);
    if (!this.#canWrite(transactionalId)) return refused(brokerErrorCodes.COORDINATOR_NOT_AVAILABLE);
    return this.#after(machine, machine.end(request, this.#nowMs(), this.#newIdFor(transactionalId)));
  }

  /** What is known of a transactional id, unless it was not used for so long that it is forgotten. */
  find(transactionalId: string): TransactionMachine | undefined {
    const machine = this.#machines.get(transactionalId);
    if (machine === undefined) return undefined;
    const isIdle = machine.nextDeadlineMs() === undefined && machine.pendingEnd() === undefined;
    const expirationMs = Number(this.#cluster.brokerConfig('transactional.id.expiration.ms'));
    if (!isIdle || machine.updateMs + expirationMs >= this.#nowMs()) return machine;
    this.#machines.delete(transactionalId);
    return undefined;
  }

  /** The transactional ids that this broker coordinates. */
  ofBroker(brokerId: number): TransactionMachine[] {
    const ids = [...this.#machines.keys()].filter(
      (id) => this.#cluster.coordinator('transaction', id)?.id === brokerId,
    );
    return ids.flatMap((id) => this.find(id) ?? []);
  }

  snapshot(): TransactionsSnapshot {
    return {
      nextProducerIdBlock: String(this.#producerIds.nextBlock),
      transactions: [...this.#machines.values()].map((machine) => machine.snapshot()),
    };
  }

  /** Goes on from a snapshot: what was open stays open, markers that were missing are written. */
  restore({ nextProducerIdBlock, transactions }: TransactionsSnapshot): void {
    this.#producerIds = new ProducerIds(BigInt(nextProducerIdBlock));
    this.#machines.clear();
    this.#active.clear();
    for (const snapshot of transactions) {
      const machine = TransactionMachine.restore(snapshot);
      this.#machines.set(machine.transactionalId, machine);
      this.#active.add(machine);
    }
    this.#work();
  }

  #after<Answer>(machine: TransactionMachine, answer: Answer): Answer {
    this.#active.add(machine);
    this.#work();
    return answer;
  }

  /** Aborts what took too long, writes the markers that can be written, and sets the timer for what comes next. */
  #work(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    // One time for both: a deadline that came between them would be neither met nor waited for.
    const nowMs = this.#nowMs();
    try {
      for (const machine of this.#active) this.#advance(machine, nowMs);
    } finally {
      this.#isWorking = false;
    }
    this.#setTimer(nowMs);
  }

  #advance(machine: TransactionMachine, nowMs: number): void {
    const { transactionalId } = machine;
    if (this.#machines.get(transactionalId) === machine && this.#canWrite(transactionalId)) {
      const deadlineMs = machine.nextDeadlineMs();
      if (deadlineMs !== undefined && deadlineMs <= nowMs)
        machine.fence(this.rules(), nowMs, this.#newIdFor(transactionalId));
      this.#writeMarkers(machine);
    }
    if (machine.nextDeadlineMs() === undefined && machine.pendingEnd() === undefined) this.#active.delete(machine);
  }

  #writeMarkers(machine: TransactionMachine): void {
    const end = machine.pendingEnd();
    if (end === undefined) return;
    const coordinatorEpoch = this.#coordinatorEpoch(machine.transactionalId);
    // A coordinator's own marker is never late: nothing begins under this id before it is written.
    const marker = { ...end, coordinatorEpoch, transactionVersion: 0 };
    for (const partition of end.partitions) {
      const errorCode = writeMarker(this.#cluster, partition, marker);
      if (passing.has(errorCode)) continue;
      machine.handleMarked(partition);
    }
    machine.handleCompleted(this.#nowMs());
  }

  #setTimer(nowMs: number): void {
    if (this.#timer !== undefined) this.#cluster.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    const deadlines = [...this.#active].flatMap((machine) => machine.nextDeadlineMs() ?? []);
    // What is overdue waits for a coordinator that can write, and a change tells of that.
    const future = deadlines.filter((deadlineMs) => deadlineMs > nowMs);
    if (future.length === 0) return;
    const earliestMs = future.reduce((least, each) => Math.min(least, each));
    this.#timer = this.#cluster.clock.setTimer(() => this.#work(), earliestMs - nowMs);
    this.#timer.unref();
  }

  /** Whether the partition that keeps this transactional id takes writes. */
  #canWrite(transactionalId: string): boolean {
    if (this.#cluster.coordinator('transaction', transactionalId) === undefined) return false;
    const { isr, replicas } = this.#cluster.coordinatorPartition('transaction', transactionalId);
    const minIsr = Number(this.#cluster.brokerConfig('transaction.state.log.min.isr'));
    return isr.length >= Math.min(minIsr, replicas.length);
  }

  #coordinatorEpoch(transactionalId: string): number {
    return this.#cluster.coordinatorPartition('transaction', transactionalId).leaderEpoch;
  }

  #newIdFor(transactionalId: string): () => bigint {
    return () => this.#producerIds.take(this.#cluster.coordinator('transaction', transactionalId)?.id ?? -1);
  }

  /** The rules of `transaction.version`: by them the coordinator itself ends a transaction. */
  rules(): TransactionRules {
    return (this.#cluster.features.get('transaction.version') ?? 0) >= 2 ? 2 : 1;
  }

  #nowMs(): number {
    return this.#cluster.clock.wallMs();
  }
}

/** Refusals of a marker that a later attempt may overcome. */
const passing: ReadonlySet<number> = new Set([
  brokerErrorCodes.NOT_LEADER_OR_FOLLOWER,
  brokerErrorCodes.NOT_ENOUGH_REPLICAS,
]);
