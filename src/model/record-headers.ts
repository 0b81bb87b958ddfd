/** One header as it stands in a record: a key, which may occur again, and a value, which may be null. */
export type RecordHeaderEntry = readonly [key: string, value: Buffer | null];

/**
 * The headers of a record that was read, in the order in which they stand in it; read-only.
 *
 * A key may occur more than once. `producer.send` accepts it as it is, so that a record can be forwarded with its headers.
 */
export class RecordHeaders implements Iterable<RecordHeaderEntry> {
  readonly #entries: readonly RecordHeaderEntry[];

  constructor(entries: readonly RecordHeaderEntry[] = []) {
    this.#entries = entries;
  }

  /** How many headers there are, repeated keys counted each time. */
  get size(): number {
    return this.#entries.length;
  }

  /** Whether there is a header of this key. */
  has(key: string): boolean {
    return this.#entries.some(([name]) => name === key);
  }

  /** The value of the last header of this key, or undefined if there is none. Java: `Headers.lastHeader`. */
  get(key: string): Buffer | null | undefined {
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      const entry = this.#entries[index];
      if (entry !== undefined && entry[0] === key) return entry[1];
    }
    return undefined;
  }

  /** The values of all headers of this key, first to last. Java: `Headers.headers(key)`. */
  getAll(key: string): (Buffer | null)[] {
    return this.#entries.flatMap(([name, value]) => (name === key ? [value] : []));
  }

  /** The value of the last header of this key as UTF-8 text; null if it is null, undefined if there is no such header. */
  getString(key: string): string | null | undefined {
    return this.get(key)?.toString('utf8') ?? (this.has(key) ? null : undefined);
  }

  /** Every header as a pair of key and value, first to last. */
  entries(): IterableIterator<RecordHeaderEntry> {
    return this.#entries.values();
  }

  /** Every header as a pair of key and value, first to last. */
  [Symbol.iterator](): IterableIterator<RecordHeaderEntry> {
    return this.#entries.values();
  }

  /** Pairs of key and value, bytes as base64. */
  toJSON(): [string, string | null][] {
    return this.#entries.map(([key, value]) => [key, value === null ? null : value.toString('base64')]);
  }

  static {
    // What util.inspect and console.log show; not a computed member because of isolatedDeclarations.
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: RecordHeaders): readonly RecordHeaderEntry[] {
        return this.#entries;
      },
    });
  }
}
