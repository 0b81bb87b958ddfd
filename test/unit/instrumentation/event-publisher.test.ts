import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventPublisher } from '../../../src/instrumentation/event-publisher.ts';

describe('EventPublisher', () => {
  it('hands an event to each listener until it is taken off', () => {
    const publisher = new EventPublisher();
    const seen: string[] = [];
    const off = publisher.on('warning', ({ message }) => seen.push(`a ${message}`));
    publisher.on('warning', ({ message }) => seen.push(`b ${message}`));
    publisher.publish('warning', { message: '1' });
    off();
    publisher.publish('warning', { message: '2' });
    assert.deepEqual(seen, ['a 1', 'b 1', 'b 2']);
  });

  it('knows whether anybody listens', () => {
    const publisher = new EventPublisher();
    assert.equal(publisher.has('warning'), false);
    const off = publisher.on('warning', () => undefined);
    assert.equal(publisher.has('warning'), true);
    off();
    off();
    assert.equal(publisher.has('warning'), false);
  });

  it('reports a listener that throws and goes on to the next', () => {
    const publisher = new EventPublisher();
    const seen: unknown[] = [];
    publisher.on('listener.failed', ({ event, error }) => seen.push([event, (error as Error).message]));
    publisher.on('warning', () => {
      throw new Error('mine');
    });
    publisher.on('warning', () => seen.push('second'));
    publisher.publish('warning', { message: '1' });
    assert.deepEqual(seen, [['warning', 'mine'], 'second']);
  });

  it('does not loop when a listener of listener.failed throws', () => {
    const publisher = new EventPublisher();
    publisher.on('listener.failed', () => {
      throw new Error('again');
    });
    publisher.publish('listener.failed', { event: 'warning', error: new Error('first') });
  });
});
