/** The time for which a partition is assigned to the consumer that read from it; what was read carries it. */
export interface ReadTerm {
  /** Whether the partition has been taken away since: then it is another consumer that has to do with its records. */
  readonly ended: boolean;
}

/** Where records and batches of a consumer carry their {@link ReadTerm}. */
export const readTerm: unique symbol = Symbol('kavka.readTerm');
