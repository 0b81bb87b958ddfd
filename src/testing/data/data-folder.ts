import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../errors/kafka-error.ts';
import type { ClusterState, StoredTopic } from '../state/cluster-state.ts';
import type { PartitionState } from '../state/partition-state.ts';
import type { PersistentService } from './persistent.ts';
import { replaceFile } from './replace-file.ts';
import { SegmentFiles } from './segment-files.ts';

/** What `cluster.json` holds. */
interface StoredCluster {
  readonly format: 1;
  readonly clusterId: string;
  readonly brokers: number;
  readonly configs: readonly (readonly [string, string])[];
  readonly brokerConfigs: readonly (readonly [number, readonly (readonly [string, string])[]])[];
  readonly groupConfigs: readonly (readonly [string, readonly (readonly [string, string])[]])[];
  readonly topics: readonly StoredTopic[];
}

/**
 * The folder that a cluster survives restarts in: records in files that only grow, topics and settings in `cluster.json`, and
 * a file for each service that is `Persistent`.
 *
 * Everything is handed to the operating system before a client is told that it is done, but nothing is forced to the disk: it
 * survives the end of the process, however sudden, not that of the machine.
 */
export class DataFolder {
  readonly #folder: string;
  readonly #stored: StoredCluster | undefined;
  readonly #logs = new Map<PartitionState, SegmentFiles>();
  #cluster: ClusterState | undefined;
  #isSavePlanned = false;
  #isClosed = false;
  readonly #services: ReadonlyMap<string, PersistentService>;
  /** The texts that the files of the services have, so that nothing is written twice. */
  readonly #written = new Map<string, string>();

  private constructor(
    folder: string,
    stored: StoredCluster | undefined,
    services: ReadonlyMap<string, PersistentService>,
  ) {
    this.#folder = folder;
    this.#stored = stored;
    this.#services = services;
  }

  /**
   * Takes hold of a folder, which is made if it is not there.
   *
   * @throws UsageError another cluster uses it, it was written by one with another number of brokers, or it is none of ours
   */
  static open(folder: string, brokers: number, services: ReadonlyMap<string, PersistentService>): DataFolder {
    mkdirSync(path.join(folder, 'services'), { recursive: true });
    const stored = readStored(folder);
    if (stored !== undefined && stored.brokers !== brokers)
      throw refused(folder, `it was written by a cluster of ${stored.brokers} brokers, and this one has ${brokers}`);
    lock(folder);
    return new DataFolder(folder, stored, services);
  }

  /** The id of the cluster that wrote it. */
  get clusterId(): string | undefined {
    return this.#stored?.clusterId;
  }

  /** Gives the cluster what the folder holds, and from now on saves what becomes of it. */
  attach(cluster: ClusterState): void {
    this.#cluster = cluster;
    if (this.#stored !== undefined) this.#restore(cluster, this.#stored);
    cluster.changed.watch(() => {
      this.#attachLogs(cluster);
      this.#plan();
    });
    this.#attachLogs(cluster);
    this.#restoreServices(cluster);
    this.#save();
  }

  /** Saves the services whose state is not what it was; called before an answer leaves. */
  saveServices(): void {
    const cluster = this.#cluster;
    if (cluster === undefined || this.#isClosed) return;
    for (const [name, type] of this.#services) {
      const text = JSON.stringify(cluster.service(type).snapshot());
      if (this.#written.get(name) === text) continue;
      replaceFile(this.#serviceFile(name), Buffer.from(text));
      this.#written.set(name, text);
    }
  }

  /** Saves what is not yet saved, and lets go of the folder. */
  close(): void {
    if (this.#isClosed) return;
    this.#save();
    this.#isClosed = true;
    for (const files of this.#logs.values()) files.end();
    this.#logs.clear();
    rmSync(path.join(this.#folder, 'lock'), { force: true });
  }

  #restore(cluster: ClusterState, stored: StoredCluster): void {
    for (const [name, value] of stored.configs) cluster.dynamicConfigs.set(name, value);
    for (const [groupId, configs] of stored.groupConfigs) cluster.groupConfigs.set(groupId, new Map(configs));
    for (const [id, configs] of stored.brokerConfigs)
      for (const [name, value] of configs) cluster.brokers.get(id)?.configs.set(name, value);
    for (const topic of stored.topics) {
      for (const partition of cluster.restoreTopic(topic).partitions) {
        const files = this.#filesOf(cluster, partition);
        const { segments, startOffset } = files.load();
        partition.log.restore(segments, startOffset, cluster.clock.wallMs());
        for (const segment of partition.log.segments) files.adopt(segment);
      }
    }
  }

  /** Gives each new partition its files, and takes them from those that are deleted. */
  #attachLogs(cluster: ClusterState): void {
    const partitions = new Set([...cluster.topics.values()].flatMap((topic) => topic.partitions));
    for (const partition of partitions) partition.log.sink ??= this.#filesOf(cluster, partition);
    for (const [partition, files] of this.#logs) {
      if (partitions.has(partition)) continue;
      partition.log.sink = undefined;
      files.remove();
      this.#logs.delete(partition);
    }
  }

  #filesOf(cluster: ClusterState, partition: PartitionState): SegmentFiles {
    const known = this.#logs.get(partition);
    if (known !== undefined) return known;
    const topicId = cluster.topics.get(partition.topic)?.topicId ?? '';
    const name = `${Buffer.from(topicId, 'base64url').toString('hex')}-${partition.partition}`;
    const files = new SegmentFiles(path.join(this.#folder, 'logs', name));
    this.#logs.set(partition, files);
    return files;
  }

  /** Saves once for all changes of one turn; they are written before an answer about them leaves. */
  #plan(): void {
    if (this.#isSavePlanned) return;
    this.#isSavePlanned = true;
    queueMicrotask(() => {
      if (this.#isSavePlanned) this.#save();
    });
  }

  #save(): void {
    this.#isSavePlanned = false;
    const cluster = this.#cluster;
    if (cluster === undefined || this.#isClosed) return;
    writeJson(path.join(this.#folder, 'cluster.json'), snapshot(cluster));
    this.saveServices();
  }

  #restoreServices(cluster: ClusterState): void {
    for (const [name, type] of this.#services) {
      const file = this.#serviceFile(name);
      if (existsSync(file)) cluster.service(type).restore(JSON.parse(readFileSync(file, 'utf8')) as never);
    }
  }

  #serviceFile(name: string): string {
    return path.join(this.#folder, 'services', `${name}.json`);
  }
}

function snapshot(cluster: ClusterState): StoredCluster {
  return {
    format: 1,
    clusterId: cluster.clusterId,
    brokers: cluster.brokers.size,
    configs: [...cluster.dynamicConfigs],
    brokerConfigs: [...cluster.brokers.values()].map(({ id, configs }) => [id, [...configs]]),
    groupConfigs: [...cluster.groupConfigs].map(([groupId, configs]) => [groupId, [...configs]]),
    topics: [...cluster.topics.values()].map(({ name, topicId, configs, partitions }) => ({
      name,
      topicId,
      configs: [...configs],
      partitions: partitions.map(({ replicas, leaderEpoch, partitionEpoch }) => ({
        replicas,
        leaderEpoch,
        partitionEpoch,
      })),
    })),
  };
}

function readStored(folder: string): StoredCluster | undefined {
  const file = path.join(folder, 'cluster.json');
  if (!existsSync(file)) return undefined;
  let stored: Partial<StoredCluster>;
  try {
    stored = JSON.parse(readFileSync(file, 'utf8')) as Partial<StoredCluster>;
  } catch (error) {
    throw refused(folder, 'its cluster.json cannot be read', error);
  }
  if (stored.format !== 1) throw refused(folder, 'its cluster.json is of another release');
  return stored as StoredCluster;
}

/** A lock that a process left behind which is no more does not count. */
function lock(folder: string): void {
  const file = path.join(folder, 'lock');
  if (existsSync(file)) {
    const owner = Number(readFileSync(file, 'utf8'));
    if (isRunning(owner))
      throw refused(folder, `process ${owner} uses it; if that is no test cluster, delete "${file}"`);
  }
  writeFileSync(file, String(process.pid));
}

function isRunning(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

function writeJson(file: string, value: unknown): void {
  replaceFile(file, Buffer.from(`${JSON.stringify(value, null, 1)}\n`));
}

function refused(folder: string, why: string, cause?: unknown): UsageError {
  return new UsageError(`Cannot use "${folder}" as the data folder of a test cluster: ${why}`, {
    code: 'INVALID_OPTION',
    cause,
  });
}
