/** Something that changes, and that a long poll or a delayed answer waits for. */
export class Watchable {
  readonly #watchers = new Set<() => void>();

  /** Calls `watcher` at each change until the returned function is called. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Tells all who watch; whoever stops watching meanwhile is not told any more. */
  notify(): void {
    for (const watcher of [...this.#watchers]) if (this.#watchers.has(watcher)) watcher();
  }
}
