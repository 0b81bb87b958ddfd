import { eventChannel, type ClientEventMessage } from './event-channels.ts';
import type { ClientEventName, ClientEvents } from './events.ts';

type Listener = (payload: never) => void;

/**
 * Hands each event to those who asked for it: listeners of this client, and whoever has subscribed to the event's diagnostics channel.
 * Costs two look-ups where nobody did.
 */
export class EventPublisher {
  readonly #clientId: string;
  readonly #listeners = new Map<ClientEventName, Set<Listener>>();

  /** @param clientId whose events these are, for those who hear them on a channel */
  constructor(clientId = '') {
    this.#clientId = clientId;
  }

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
    return this.#listeners.has(name) || eventChannel(name).hasSubscribers;
  }

  publish<Name extends ClientEventName>(name: Name, payload: ClientEvents[Name]): void {
    const channel = eventChannel(name);
    if (channel.hasSubscribers) {
      const message: ClientEventMessage<Name> = { clientId: this.#clientId, name, payload };
      // What a subscriber throws, Node reports as an uncaught exception, once this call is over.
      channel.publish(message);
    }
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
