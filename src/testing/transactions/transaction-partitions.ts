/** One partition, as transactions name it. */
export interface TransactionPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The partitions of one transaction, in the order in which their topics were first named. */
export class TransactionPartitions {
  readonly #topics = new Map<string, Set<number>>();

  constructor(partitions: Iterable<TransactionPartition> = []) {
    for (const each of partitions) this.add(each);
  }

  get size(): number {
    return [...this.#topics.values()].reduce((sum, { size }) => sum + size, 0);
  }

  has({ topic, partition }: TransactionPartition): boolean {
    return this.#topics.get(topic)?.has(partition) === true;
  }

  add({ topic, partition }: TransactionPartition): void {
    const known = this.#topics.get(topic);
    if (known === undefined) this.#topics.set(topic, new Set([partition]));
    else known.add(partition);
  }

  delete({ topic, partition }: TransactionPartition): void {
    const known = this.#topics.get(topic);
    known?.delete(partition);
    if (known?.size === 0) this.#topics.delete(topic);
  }

  clear(): void {
    this.#topics.clear();
  }

  all(): TransactionPartition[] {
    return this.byTopic().flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
  }

  byTopic(): { readonly topic: string; readonly partitions: number[] }[] {
    return [...this.#topics].map(([topic, partitions]) => ({ topic, partitions: [...partitions] }));
  }
}
