import type { Watchable } from '../watch.ts';

/**
 * A service of the cluster (groups, transactions, …) whose state survives a restart where the cluster has a data folder.
 *
 * `importState` is called once, right after the service was made and before anybody uses it, with what `exportState` gave
 * before: plain JSON, so bigints and bytes as text.
 */
export interface Persistent {
  /** The name of its file, in kebab-case; it must not change. */
  readonly persistentName: string;
  /** Told when there is something to save. */
  readonly persistentChanged: Watchable;
  exportState(): unknown;
  importState(state: unknown): void;
}

/** Whether a service has a state to save. */
export function isPersistent(service: unknown): service is Persistent {
  return typeof service === 'object' && service !== null && 'persistentName' in service && 'exportState' in service;
}
