import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';
import { logEvents, type Logger } from '../../../src/instrumentation/log-events.ts';

function recorder(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}

describe('logEvents', () => {
  it('writes an event at its level with its cause', () => {
    const { logger, lines } = recorder();
    const publisher = new EventPublisher();
    logEvents(publisher, logger);
    publisher.publish('connection.failed', {
      nodeId: 3,
      host: '::1',
      port: 9092,
      lane: 'control',
      error: new Error('refused'),
    });
    publisher.publish('group.rebalancing', { groupId: 'g', reason: 'a member joined' });
    assert.deepEqual(lines, [
      'warn Connection to broker 3 ([::1]:9092) failed: refused',
      'info Group "g" rebalances: a member joined',
    ]);
  });

  it('leaves out events that are for listeners only', () => {
    const { logger, lines } = recorder();
    const publisher = new EventPublisher();
    logEvents(publisher, logger);
    publisher.publish('metadata.updated', { clusterId: 'c', brokers: 1, topics: 1 });
    assert.deepEqual(lines, []);
  });

  it('survives a logger that throws', () => {
    const { logger } = recorder();
    const publisher = new EventPublisher();
    logEvents(publisher, { ...logger, warn: () => assert.fail('full disk') });
    publisher.publish('warning', { message: 'odd' });
  });
});
