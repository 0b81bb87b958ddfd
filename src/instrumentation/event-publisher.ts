import type { ClientEventName, ClientEvents } from './events.ts';

type Listener = (payload: never) => void;

/** Hands each event to those who asked for it; costs one map look-up where nobody did. */
export class EventPublisher {
  readonly #listeners = new Map<ClientEventName, Set<Listener>>();

  /** Calls `listener` for each event of this name, until the returned function is called. */
  on<Name extends ClientEventName>(name: Name, listener: (payload: ClientEvents[Name]) => void): () => void {
    let listeners = this.#listeners.get(name);
    if (listeners === undefined) this.#listeners.set(name, (listeners = new Set()));
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(name) === listeners) this.#listeners.delete(name);
    };
  }

  /** Whether anybody listens: ask before making a payload on a hot path. */
  has(name: ClientEventName): boolean {
    return this.#listeners.has(name);
  }

  publish<Name extends ClientEventName>(name: Name, payload: ClientEvents[Name]): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) {
      try {
        (listener as (payload: ClientEvents[Name]) => void)(payload);
      } catch (error) {
        if (name !== 'listener.failed') this.publish('listener.failed', { event: name, error });
      }
    }
  }
}
