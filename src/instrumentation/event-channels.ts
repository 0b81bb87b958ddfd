import { channel, type Channel } from 'node:diagnostics_channel';
import type { ClientEventName, ClientEvents } from './events.ts';

/**
 * An event as it comes on its diagnostics channel, `kavka:` and its name: what `kafka.on` gives, and whose it is.
 *
 * A channel has the events of every client in the process; an agent need not know the `Kafka` that they are of.
 */
export interface ClientEventMessage<Name extends ClientEventName = ClientEventName> {
  /** The `clientId` of the `Kafka` that the event is of; several may have the same. */
  readonly clientId: string;
  /** The name of the event. */
  readonly name: Name;
  /** What a listener of `kafka.on` is given. */
  readonly payload: ClientEvents[Name];
}

// Node holds channels weakly: those that an agent has subscribed to must be found again, so they are kept here.
const channels = new Map<ClientEventName, Channel>();

/** The channel of an event; all publishers of a process share it. */
export function eventChannel(name: ClientEventName): Channel {
  let found = channels.get(name);
  if (found === undefined) channels.set(name, (found = channel(`kavka:${name}`)));
  return found;
}
