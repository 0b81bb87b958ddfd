/** A write of a transaction that a partition has not seen begin. */
export interface TransactionalWrite {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly topic: string;
  readonly partition: number;
  /** Whether the write itself adds the partition (KIP-890, `transaction.version` 2); otherwise the client has done so before. */
  readonly addsPartition: boolean;
}

/** Answers the error code of a write: 0 if the partition belongs to the producer's transaction (now). */
export type VerifyTransaction = (write: TransactionalWrite) => number | Promise<number>;

/**
 * Whom the leaders of partitions ask whether a transactional write is one (KIP-890).
 *
 * It is a service that the transaction coordinator fills when it is made; as long as there is none, there is no transaction
 * either, and `whenNobodyKnows` is what a write is answered with.
 */
export class TransactionMembership {
  verify: VerifyTransaction | undefined;

  ask(write: TransactionalWrite, whenNobodyKnows: number): number | Promise<number> {
    return this.verify === undefined ? whenNobodyKnows : this.verify(write);
  }
}
