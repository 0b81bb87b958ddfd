import type * as Front from '../../src/index.ts';
import { addFile, type PackageFile, type Total } from './package-files.ts';

/** How far the pipeline is. */
export interface Progress {
  readonly sent: number;
  readonly read: number;
  readonly total: number;
}

/** What came out of the pipeline. */
export interface Outcome {
  readonly totals: Map<string, Total>;
  /** For each partition, how many records the broker has. */
  readonly written: readonly number[];
  readonly missing: number;
  readonly doubled: number;
  readonly recordsPerMember: readonly number[];
  readonly produceSeconds: number;
  readonly consumeSeconds: number;
  readonly bytes: number;
  /** The most that a member was behind the end of a partition, in records. */
  readonly maxLag: number;
  /** End offsets less committed offsets when everything was done. */
  readonly finalLag: number;
  /** From `send` to the member that reads, per record. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

const partitions = 6;
const members = 3;
const sendSize = 500;

/** What one file's record holds. */
interface FileRecord {
  readonly id: number;
  readonly path: string;
  readonly size: number;
}

/** Sends every file through a topic to a group of three members that add up sizes per package. */
export async function runPipeline(
  front: typeof Front,
  kafka: Front.Kafka,
  files: readonly PackageFile[],
  onProgress: (progress: Progress) => void,
): Promise<Outcome> {
  const topic = `kavka-start-${Date.now().toString(36)}`;
  const admin = kafka.admin();
  await admin.createTopics([{ topic, partitions, replicationFactor: 1 }]);
  try {
    const reading = new Reading(front, kafka, topic, files.length);
    await reading.joined();
    const begun = performance.now();
    const report = (sent: number): void => onProgress({ sent, read: reading.read, total: files.length });
    const reporting = setInterval(() => report(sent), 100);
    let sent = 0;
    let produceSeconds = 0;
    try {
      await produce(front, kafka, topic, files, (count) => (sent = count));
      produceSeconds = (performance.now() - begun) / 1000;
      await reading.finished();
      report(sent);
    } finally {
      clearInterval(reporting);
    }
    const consumeSeconds = (performance.now() - begun) / 1000;
    await reading.close();
    const tps = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    const written = await endOffsets(admin, tps);
    const committed = await committedOffsets(admin, topic, tps);
    return {
      ...reading.result(),
      written,
      produceSeconds,
      consumeSeconds,
      finalLag: written.reduce((lag, end, index) => lag + end - (committed[index] ?? 0), 0),
    };
  } finally {
    await admin.deleteGroups([topic]).catch(() => undefined);
    await admin.deleteTopics([topic]);
  }
}

async function produce(
  front: typeof Front,
  kafka: Front.Kafka,
  topic: string,
  files: readonly PackageFile[],
  onSent: (sent: number) => void,
): Promise<void> {
  const producer = kafka.producer({ key: front.string, value: front.json<FileRecord>() });
  let sent = 0;
  const outstanding = new Set<Promise<void>>();
  for (let start = 0; start < files.length; start += sendSize) {
    const records = files.slice(start, start + sendSize).map((file, index) => ({
      topic,
      key: file.package,
      value: { id: start + index, path: file.path, size: file.size },
    }));
    const sending = producer.send(records).then(() => {
      sent += records.length;
      onSent(sent);
      outstanding.delete(sending);
    });
    outstanding.add(sending);
    // A few sends at a time keep the connection busy; more would only measure the length of the queue.
    if (outstanding.size >= 8) await Promise.race(outstanding);
  }
  await Promise.all(outstanding);
  await producer.close();
}

/** A group of three members that reads until it has every record. */
class Reading {
  readonly #consumers: Front.Consumer<string | null, FileRecord | null>[];
  readonly #loops: Promise<void>[];
  readonly #totals = new Map<string, Total>();
  readonly #timesSeen: Uint8Array;
  readonly #recordsPerMember = new Array<number>(members).fill(0);
  readonly #latencies: number[] = [];
  readonly #assigned = new Map<number, number>();
  #bytes = 0;
  #distinct = 0;
  #maxLag = 0;
  #allAssigned: () => void = () => undefined;
  #allRead: () => void = () => undefined;
  readonly #whenAssigned = new Promise<void>((resolve) => (this.#allAssigned = resolve));
  readonly #whenRead = new Promise<void>((resolve) => (this.#allRead = resolve));
  read = 0;

  constructor(front: typeof Front, kafka: Front.Kafka, topic: string, total: number) {
    this.#timesSeen = new Uint8Array(total);
    this.#consumers = Array.from({ length: members }, () =>
      kafka.consumer({
        groupId: topic,
        key: front.string,
        value: front.json<FileRecord>(),
        autoOffsetReset: 'earliest',
      }),
    );
    this.#loops = this.#consumers.map((consumer, member) => this.#run(consumer, topic, member));
  }

  /** Resolves once the members share all partitions. */
  joined(): Promise<unknown> {
    return Promise.race([this.#whenAssigned, ...this.#loops]);
  }

  /** Resolves once every record has been read at least once. */
  finished(): Promise<unknown> {
    return Promise.race([this.#whenRead, ...this.#loops]);
  }

  /** Commits what was processed and ends the loops. */
  async close(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    await Promise.all(this.#loops);
  }

  result(): Omit<Outcome, 'written' | 'produceSeconds' | 'consumeSeconds' | 'finalLag'> {
    this.#latencies.sort((a, b) => a - b);
    const quantile = (q: number): number =>
      this.#latencies[Math.min(this.#latencies.length - 1, Math.floor(this.#latencies.length * q))] ?? 0;
    return {
      totals: this.#totals,
      missing: this.#timesSeen.length - this.#distinct,
      doubled: this.read - this.#distinct,
      recordsPerMember: this.#recordsPerMember,
      bytes: this.#bytes,
      maxLag: this.#maxLag,
      latencyMs: { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) },
    };
  }

  async #run(consumer: Front.Consumer<string | null, FileRecord | null>, topic: string, member: number): Promise<void> {
    const count = (): void => {
      this.#assigned.set(member, consumer.assignment().length);
      const owners = [...this.#assigned.values()];
      const owned = owners.reduce((sum, each) => sum + each, 0);
      if (owners.length === members && owned === partitions && !owners.includes(0)) this.#allAssigned();
    };
    consumer.subscribe([topic], { onPartitionsAssigned: count, onPartitionsRevoked: count });
    for await (const batch of consumer.batches()) {
      const nowMs = Date.now();
      let last = -1n;
      for (const record of batch) {
        this.#take(record.key, record.value, nowMs - record.timestamp);
        last = record.offset;
      }
      this.#recordsPerMember[member] = (this.#recordsPerMember[member] ?? 0) + batch.records.length;
      this.#maxLag = Math.max(this.#maxLag, Number(batch.highWatermark - last) - 1);
      if (this.#distinct === this.#timesSeen.length) this.#allRead();
    }
  }

  #take(key: string | null, value: FileRecord | null, latencyMs: number): void {
    if (key === null || value === null) throw new Error('A record came back without its key or its value');
    this.read++;
    this.#latencies.push(latencyMs);
    this.#bytes += key.length + JSON.stringify(value).length;
    const times = this.#timesSeen[value.id] ?? 0;
    this.#timesSeen[value.id] = times + 1;
    if (times === 0) this.#distinct++;
    addFile(this.#totals, key, value.size);
  }
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

async function endOffsets(admin: Front.Admin, places: readonly Place[]): Promise<number[]> {
  const listed = await admin.listOffsets(places.map((place) => ({ ...place, at: 'latest' as const })));
  return listed.map(({ offset }) => Number(offset));
}

async function committedOffsets(admin: Front.Admin, groupId: string, places: readonly Place[]): Promise<number[]> {
  const offsets = await admin.listGroupOffsets(groupId);
  return places.map(({ partition }) => Number(offsets.find((entry) => entry.partition === partition)?.offset ?? 0n));
}
