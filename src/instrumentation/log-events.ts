import { inspect } from 'node:util';
import type { EventPublisher } from './event-publisher.ts';
import type { ClientEventName, ClientEvents } from './events.ts';

/** Where a client writes what happens to it: `console`, pino and most others fit as they are. */
export interface Logger {
  /** What belongs to normal work: connections, retries. */
  debug(message: string): void;
  /** What a group member goes through. */
  info(message: string): void;
  /** What may need a look if it comes often. */
  warn(message: string): void;
  /** What was lost: records that were not delivered, a listener that threw. */
  error(message: string): void;
}

type Line<Name extends ClientEventName> = readonly [keyof Logger, (payload: ClientEvents[Name]) => string];

/** Which events are logged, at which level and in which words; an event that is not here is for listeners only. */
const lines: { readonly [Name in ClientEventName]?: Line<Name> } = {
  'connection.opened': ['debug', (e) => `Connected to ${broker(e)} in ${Math.round(e.durationMs)} ms`],
  'connection.closed': ['debug', (e) => `Connection to ${broker(e)} ended${because(e.error)}`],
  'connection.reauthenticated': [
    'debug',
    (e) => `Authenticated again with ${broker(e)} in ${Math.round(e.durationMs)} ms`,
  ],
  'connection.failed': ['warn', (e) => `Connection to ${broker(e)} failed${because(e.error)}`],
  'sasl.token.failed': [
    'warn',
    (e) => `No new token; the one before holds until ${new Date(e.expiresAtMs).toISOString()}${because(e.error)}`,
  ],
  'broker.throttled': ['warn', (e) => `${broker(e)} asks for ${e.throttleTimeMs} ms of silence`],
  'metadata.failed': ['warn', (e) => `Metadata could not be refreshed, try ${e.failures}${because(e.error)}`],
  'metadata.rebootstrapped': ['warn', (e) => `Back to the bootstrap servers: ${e.reason}`],
  'request.retried': ['debug', (e) => `${e.api} is tried again in ${Math.round(e.delayMs)} ms${because(e.error)}`],
  'producer.batch.retried': [
    'debug',
    (e) => `${e.records} records for ${partition(e)} are sent again${because(e.error)}`,
  ],
  'producer.batch.failed': [
    'error',
    (e) => `${e.records} records for ${partition(e)} were given up${because(e.error)}`,
  ],
  'producer.transaction.failed': [
    'error',
    (e) => `The producer of transactional id "${e.transactionalId}" is finished${because(e.error)}`,
  ],
  'producer.error': ['error', (e) => `A record that nobody waits for was not delivered${because(e.error)}`],
  'consumer.fetch.failed': ['warn', (e) => `Fetch from broker ${e.nodeId} failed${because(e.error)}`],
  'consumer.commit.failed': ['warn', (e) => `Commit for group "${e.groupId}" failed${because(e.error)}`],
  'group.joined': [
    'info',
    (e) =>
      `Group "${e.groupId}": generation ${e.generationId}, ${e.assignment.length} partitions${e.leader ? ', leader' : ''}`,
  ],
  'group.rebalancing': ['info', (e) => `Group "${e.groupId}" rebalances: ${e.reason}`],
  'group.lost': ['warn', (e) => `Group "${e.groupId}": ${e.partitions.length} partitions were lost to other members`],
  'group.left': ['info', (e) => `Group "${e.groupId}" left: ${e.reason}`],
  'group.heartbeat.failed': ['warn', (e) => `Heartbeat for group "${e.groupId}" failed${because(e.error)}`],
  'share.acknowledge.failed': [
    'warn',
    (e) => `Group "${e.groupId}": ${e.records} records of ${partition(e)} were not acknowledged${because(e.error)}`,
  ],
  'share.locks.lost': [
    'warn',
    (e) => `Group "${e.groupId}": ${e.records} records of ${partition(e)} were in hand when ${e.reason}`,
  ],
  'share.records.returned': [
    'debug',
    (e) => `Group "${e.groupId}": ${e.records} offsets of ${partition(e)} were returned unread`,
  ],
  'share.session.ended': [
    'warn',
    (e) => `Group "${e.groupId}": the share session with broker ${e.nodeId} ended${because(e.error)}`,
  ],
  'share.handler.failed': [
    'warn',
    (e) =>
      `Group "${e.groupId}": the handler of ${partition(e)} at offset ${e.offset} failed, ${e.decision}${because(e.error)}`,
  ],
  warning: ['warn', (e) => `${e.message}${because(e.error)}`],
  'listener.failed': ['error', (e) => `A listener of ${e.event} threw${because(e.error)}`],
};

/** Writes the events of `publisher` that matter to a reader of logs into `logger`. */
export function logEvents(publisher: EventPublisher, logger: Logger): void {
  for (const name of Object.keys(lines) as ClientEventName[]) logOne(publisher, logger, name);
}

function logOne<Name extends ClientEventName>(publisher: EventPublisher, logger: Logger, name: Name): void {
  const line = lines[name];
  if (line === undefined) return;
  const [level, words] = line;
  publisher.on(name, (payload) => logger[level](words(payload)));
}

function broker(event: { readonly nodeId: number | undefined; readonly host: string; readonly port: number }): string {
  const address = `${event.host.includes(':') ? `[${event.host}]` : event.host}:${event.port}`;
  return event.nodeId === undefined ? address : `broker ${event.nodeId} (${address})`;
}

function partition(event: { readonly topic: string; readonly partition: number }): string {
  return `${event.topic}-${event.partition}`;
}

function because(error: unknown): string {
  if (error === undefined) return '';
  return `: ${error instanceof Error ? error.message : inspect(error)}`;
}
