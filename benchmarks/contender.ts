/** What the harness asks of each contender. */
import type { PlainRecord } from './record-pool.ts';
import type { Codec, Workload } from './scenarios.ts';

/** Where a contender works. */
export interface Target {
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  readonly compression: Codec;
  /** The file with the certificate of the authority that signed the broker's; undefined without TLS. */
  readonly caFile: string | undefined;
}

/** A record of 1 MiB and what is around it: more than brokers and clients take unless they are told. */
export const largestRecordBytes: number = 4 * 1024 * 1024;

/** A client that produces. Records are named by their place in the pool, so that their form costs nothing in the measured time. */
export interface OpenProducer {
  /** Sends all records of one list of the pool; resolves when they are acknowledged. */
  sendMany(list: number): Promise<unknown>;
  /** Sends one record; resolves when it is acknowledged. */
  sendOne(list: number, index: number): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Told by a consumer: so many records, with so many bytes of values, have been read. */
export type OnRead = (records: number, valueBytes: number) => void;

/** A client that consumes. */
export interface OpenConsumer {
  close(): Promise<unknown>;
}

/** The bare loop produces by itself: it makes batches until it is told to stop. */
export interface BareProducer {
  run(isOver: () => boolean, onAcknowledged: (records: number) => void): Promise<void>;
  close(): void;
}

/** One client in Node, with the options that serve it best. */
export interface Contender {
  readonly name: string;
  /** The options that differ from the client's defaults, for the report. */
  readonly options: Readonly<Partial<Record<Workload, string>>>;
  /** How many `sendMany` of small lists are outstanding at a time. */
  readonly bulkConcurrency: number;
  /** Why it cannot do this, although it has the story; undefined if it can. */
  refuses?(workload: Workload, target: Target): string | undefined;
  openBareProducer?(target: Target, pool: readonly (readonly PlainRecord[])[]): Promise<BareProducer>;
  openProducer?(target: Target, pool: readonly (readonly PlainRecord[])[], workload: Workload): Promise<OpenProducer>;
  openConsumer(target: Target, groupId: string, onRead: OnRead, workload: Workload): Promise<OpenConsumer>;
}
