import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SendError, SendManyError } from '../../../src/errors/send-error.ts';
import type { ProducerInterceptor } from '../../../src/producer/interceptors.ts';
import { Producer } from '../../../src/producer/producer.ts';
import { FakeCluster } from './fake-cluster.ts';

function setUp(interceptors: readonly ProducerInterceptor[]): {
  cluster: FakeCluster;
  producer: Producer;
  failures: { event: string; message: string }[];
} {
  const cluster = new FakeCluster();
  cluster.addTopic('t', 2, { isKnown: true });
  cluster.onRequest = (pending) => cluster.clock.setTimer(() => pending.answer(), 5);
  const failures: { event: string; message: string }[] = [];
  cluster.events.on('listener.failed', ({ event, error }) => failures.push({ event, message: String(error) }));
  return { cluster, producer: new Producer(cluster, { interceptors }), failures };
}

/** Adds its mark to the value, and notes what it learns. */
function marker(mark: string, notes: string[]): ProducerInterceptor {
  return {
    onSend: (record) => ({ ...record, value: `${String(record.value)}${mark}` }),
    onAcknowledgement: (error, metadata, { value }) => {
      notes.push(`${mark} ${String(value)} ${error === undefined ? `at ${String(metadata?.offset)}` : error.code}`);
    },
    close: () => notes.push(`${mark} closed`),
  };
}

describe('interceptors', () => {
  it('interceptors see each record in order, each what the one before made of it, and learn how it ended', async () => {
    const notes: string[] = [];
    const { cluster, producer } = setUp([marker('a', notes), marker('b', notes)]);
    const order: string[] = [];
    const one = producer.send({ topic: 't', partition: 0, value: '1' }).then(() => order.push(...notes, 'caller'));
    producer.enqueue({ topic: 't', partition: 0, value: '2' });
    producer.enqueue({ topic: 't', partition: 0, value: '3' }, () => notes.push('callback'));
    const many = producer.send([
      { topic: 't', partition: 0, value: '4' },
      { topic: 't', partition: 0, value: '5' },
    ]);
    await cluster.clock.advance(100);
    await Promise.all([one, many]);
    assert.deepEqual(cluster.log('t', 0).values, ['1ab', '2ab', '3ab', '4ab', '5ab']);
    const learned = (value: number): string[] => ['a', 'b'].map((mark) => `${mark} ${value}ab at ${value - 1}`);
    for (const value of [1, 2, 3, 4, 5]) {
      for (const line of learned(value)) assert.equal(notes.filter((note) => note === line).length, 1, line);
    }
    assert.ok(notes.indexOf('callback') > notes.indexOf('b 3ab at 2'), 'before the caller');
    assert.ok(order.indexOf('caller') > order.indexOf('b 1ab at 0'), 'before the caller');
    const closed = producer.close();
    await cluster.clock.advance(100);
    await closed;
    assert.deepEqual(notes.slice(-2), ['a closed', 'b closed']);
  });

  it('interceptors learn of records that fail, before they are sent too; nothing else changes', async () => {
    const notes: string[] = [];
    const { cluster, producer } = setUp([marker('a', notes)]);
    const unheard: unknown[] = [];
    cluster.events.on('producer.error', ({ error }) => unheard.push(error));
    await assert.rejects(producer.send({ topic: 't', partition: 9, value: '1' }), SendError);
    await assert.rejects(
      producer.send([
        { topic: 't', partition: 9, value: '2' },
        { topic: '', value: '3' },
      ]),
      SendManyError,
    );
    producer.enqueue({ topic: 't', partition: 9, value: '4' });
    await cluster.clock.advance(100);
    assert.deepEqual(
      notes,
      ['1a', '2a', '3a', '4a'].map((value) => `a ${value} INVALID_ARGUMENT`),
    );
    assert.equal(unheard.length, 1, 'nobody waited for the last one');
    await assert.rejects(producer.flush(), /4 records were not delivered/);
  });

  it('an interceptor that throws, or answers with nonsense, is left out and reported; the others go on', async () => {
    const notes: string[] = [];
    const broken: ProducerInterceptor = {
      onSend: () => {
        throw new Error('no send');
      },
      onAcknowledgement: () => {
        throw new Error('no acknowledgement');
      },
      close: () => {
        throw new Error('no close');
      },
    };
    const answering = (answer: unknown): ProducerInterceptor => ({ onSend: () => answer as never });
    // Methods answer with nothing; one that is async all the same must not end the process.
    const fails: () => unknown = () => Promise.reject(new Error('late'));
    const late: ProducerInterceptor = { onAcknowledgement: fails };
    const { cluster, producer, failures } = setUp([
      broken,
      marker('a', notes),
      answering(undefined),
      answering(Promise.reject(new Error('async'))),
      late,
      marker('b', notes),
    ]);
    const sent = producer.send({ topic: 't', partition: 0, value: '1' });
    await cluster.clock.advance(100);
    assert.equal((await sent).offset, 0n);
    assert.deepEqual(cluster.log('t', 0).values, ['1ab']);
    assert.deepEqual(notes, ['a 1ab at 0', 'b 1ab at 0']);
    const closed = producer.close();
    await cluster.clock.advance(100);
    await closed;
    assert.deepEqual(
      failures.map(({ event, message }) => `${event} ${message}`),
      [
        'interceptors[0].onSend Error: no send',
        'interceptors[2].onSend TypeError: onSend answered with undefined, where a record was expected',
        'interceptors[3].onSend TypeError: onSend answered with a promise, where a record was expected',
        'interceptors[0].onAcknowledgement Error: no acknowledgement',
        'interceptors[4].onAcknowledgement Error: late',
        'interceptors[0].close Error: no close',
      ],
    );
  });

  it('an interceptor may send on the same producer', async () => {
    const copies: ProducerInterceptor = {
      onSend: (record) => {
        if (record.partition === 0) producer.enqueue({ ...record, partition: 1 });
        return record;
      },
    };
    const { cluster, producer } = setUp([copies]);
    const sent = producer.send({ topic: 't', partition: 0, value: 'x' });
    await cluster.clock.advance(100);
    assert.equal((await sent).partition, 0);
    assert.deepEqual([cluster.log('t', 0).values, cluster.log('t', 1).values], [['x'], ['x']]);
  });
});
