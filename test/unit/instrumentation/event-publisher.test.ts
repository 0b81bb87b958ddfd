import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, it } from 'node:test';
import type { ClientEventMessage } from '../../../src/instrumentation/event-channels.ts';
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

  it('publishes each event on its diagnostics channel as well, with the client that it is of', () => {
    const publishers = [new EventPublisher('orders'), new EventPublisher('billing')];
    const seen: unknown[] = [];
    const listener = (message: unknown, name: string | symbol): void => void seen.push([name, message]);
    subscribe('kavka:warning', listener);
    const payload = { message: 'odd' };
    for (const publisher of publishers) publisher.publish('warning', payload);
    unsubscribe('kavka:warning', listener);
    publishers[0]?.publish('warning', { message: 'nobody hears it' });
    assert.deepEqual(seen, [
      ['kavka:warning', { clientId: 'orders', name: 'warning', payload }],
      ['kavka:warning', { clientId: 'billing', name: 'warning', payload }],
    ]);
    assert.equal((seen[0] as [string, ClientEventMessage])[1].payload, payload);
  });

  it('counts a subscriber of the channel as one who listens, for as long as there is one', () => {
    const publisher = new EventPublisher('orders');
    const listener = (): void => undefined;
    subscribe('kavka:request.sent', listener);
    assert.deepEqual([publisher.has('request.sent'), publisher.has('request.answered')], [true, false]);
    unsubscribe('kavka:request.sent', listener);
    assert.equal(publisher.has('request.sent'), false);
  });

  it('gives the listeners of a client what they had without a channel', () => {
    const publisher = new EventPublisher('orders');
    const seen: unknown[] = [];
    publisher.on('warning', (payload) => seen.push(payload));
    const listener = (): void => undefined;
    subscribe('kavka:warning', listener);
    publisher.publish('warning', { message: 'odd' });
    unsubscribe('kavka:warning', listener);
    assert.deepEqual(seen, [{ message: 'odd' }]);
  });
});
