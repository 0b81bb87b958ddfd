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

const names: Readonly<Record<ClientEventName, true>> = {
  'connection.opened': true,
  'connection.closed': true,
  'connection.reauthenticated': true,
  'connection.failed': true,
  'sasl.token.failed': true,
  'request.sent': true,
  'request.answered': true,
  'request.failed': true,
  'broker.throttled': true,
  'metadata.updated': true,
  'metadata.failed': true,
  'metadata.rebootstrapped': true,
  'request.retried': true,
  'producer.transaction.ended': true,
  'producer.transaction.failed': true,
  'producer.batch.delivered': true,
  'producer.batch.retried': true,
  'producer.batch.failed': true,
  'producer.error': true,
  'consumer.fetched': true,
  'consumer.fetch.failed': true,
  'consumer.committed': true,
  'consumer.commit.failed': true,
  'group.joined': true,
  'group.rebalancing': true,
  'group.assigned': true,
  'group.revoked': true,
  'group.lost': true,
  'group.left': true,
  'group.heartbeat.failed': true,
  'share.acknowledged': true,
  'share.acknowledge.failed': true,
  'share.locks.lost': true,
  'share.records.returned': true,
  'share.session.ended': true,
  'share.handler.failed': true,
  warning: true,
  'listener.failed': true,
};

// All of them from the import on, and kept: runtimes hold channels weakly, and Bun 1.4 forgets the subscribers of one that nobody else holds.
const channels = Object.fromEntries(Object.keys(names).map((name) => [name, channel(`kavka:${name}`)])) as Readonly<
  Record<ClientEventName, Channel>
>;

/** The channel of an event; all publishers of a process share it. */
export function eventChannel(name: ClientEventName): Channel {
  return channels[name];
}
