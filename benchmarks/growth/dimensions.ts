/** What grows, how far, and what is done at each size. */

/** One size of one dimension: how the cluster looks, and what the client does. */
export interface Point {
  readonly brokers: number;
  readonly topics: number;
  /** Of each topic. */
  readonly partitions: number;
  readonly valueBytes: number;
  /** Sends of lists outstanding at a time. */
  readonly inFlight: number;
  readonly listSize: number;
  /** How many records are written, and read. */
  readonly records: number;
  /** Consumers that join one group, after what was written. */
  readonly members: number;
}

/** A row of points of which the cost per unit should not grow. */
export interface Dimension {
  readonly name: string;
  readonly sizes: readonly number[];
  /** What the cost is counted by: a record, or one of what grows. */
  readonly unit: 'record' | 'MB' | 'member';
  point(size: number): Point;
}

const base: Point = {
  brokers: 1,
  topics: 1,
  partitions: 6,
  valueBytes: 100,
  inFlight: 20,
  listSize: 1000,
  records: 300_000,
  members: 1,
};

export const dimensions: readonly Dimension[] = [
  {
    name: 'records',
    sizes: [30_000, 100_000, 300_000, 1_000_000],
    unit: 'record',
    point: (records) => ({ ...base, records }),
  },
  {
    name: 'partitions',
    sizes: [1, 10, 100, 1_000, 10_000],
    unit: 'record',
    point: (partitions) => ({ ...base, partitions }),
  },
  {
    name: 'topics',
    sizes: [1, 10, 100, 1_000],
    unit: 'record',
    point: (topics) => ({ ...base, topics, partitions: 1 }),
  },
  {
    name: 'brokers',
    sizes: [1, 3, 10, 30],
    unit: 'record',
    point: (brokers) => ({ ...base, brokers, partitions: 60 }),
  },
  {
    name: 'sends of 100 in flight',
    sizes: [1, 10, 100, 1_000],
    unit: 'record',
    point: (inFlight) => ({ ...base, inFlight, listSize: 100 }),
  },
  {
    name: 'bytes of a value',
    sizes: [10, 100, 1_000, 10_000, 100_000, 900_000],
    unit: 'MB',
    point: (valueBytes) => ({
      ...base,
      valueBytes,
      listSize: Math.max(1, Math.min(1000, Math.floor(1_000_000 / valueBytes))),
      inFlight: 10,
      records: Math.min(300_000, Math.floor(100_000_000 / valueBytes)),
    }),
  },
  {
    name: 'members of a group',
    sizes: [1, 10, 100, 1_000],
    unit: 'member',
    point: (members) => ({ ...base, members, partitions: 1_000, records: 30_000 }),
  },
];
