import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Deserializer } from '../../../src/model/serdes.ts';
import { deferred } from '../../../src/util/deferred.ts';
import { FakeKafka } from './fake-kafka.ts';

/** Holds back what begins with "slow", and counts. */
class Held implements Deserializer<string> {
  readonly gate = deferred<undefined>();
  begun = 0;

  async deserialize(data: Buffer | null): Promise<string> {
    this.begun++;
    const value = String(data);
    if (value.startsWith('slow')) await this.gate.promise;
    return value;
  }
}

describe('Lazy deserializers', () => {
  it('run before the record is handed out where a policy decides about what they refuse', async () => {
    for (const [onDeserializationError, expected] of [
      ['fail', 0],
      ['skip', 2],
      [(): 'skip' => 'skip', 2],
    ] as const) {
      const kafka = new FakeKafka();
      kafka.append(0, ['a', 'b']);
      let runs = 0;
      const value = { lazy: true, deserialize: (): number => ++runs };
      const { consumer } = kafka.consumer({ value, onDeserializationError } as object);
      consumer.assign([{ topic: 't', partition: 0 }]);
      assert.equal((await kafka.run(consumer.poll({ minRecords: 2, timeoutMs: 5000 }))).length, 2);
      assert.equal(runs, expected, String(onDeserializationError));
      await kafka.run(consumer.close());
    }
  });
});

describe('Deserializers that answer later', () => {
  it('hold back their own partition and no other', async () => {
    const kafka = new FakeKafka(2);
    kafka.append(0, ['slow 1', 'slow 2']);
    kafka.append(1, ['a', 'b', 'c']);
    const value = new Held();
    const { consumer } = kafka.consumer({ value } as object);
    consumer.assign([0, 1].map((partition) => ({ topic: 't', partition })));
    const first = await kafka.run(consumer.poll({ minRecords: 3, timeoutMs: 5000 }));
    assert.deepEqual(
      first.map((record) => String(record.value)),
      ['a', 'b', 'c'],
    );
    value.gate.resolve(undefined);
    const second = await kafka.run(consumer.poll({ minRecords: 2, timeoutMs: 5000 }));
    assert.deepEqual(
      second.map((record) => String(record.value)),
      ['slow 1', 'slow 2'],
    );
    await kafka.run(consumer.close());
  });

  it('are at work on at most maxPollRecords at a time, over all partitions', async () => {
    const kafka = new FakeKafka(20);
    for (let partition = 0; partition < 20; partition++) kafka.append(partition, Array<string>(50).fill('slow'));
    const value = new Held();
    const { consumer } = kafka.consumer({ value, maxPollRecords: 16 } as object);
    consumer.assign(kafka.logs.map((_, partition) => ({ topic: 't', partition })));
    assert.deepEqual(await kafka.run(consumer.poll({ timeoutMs: 5000 })), []);
    assert.ok(value.begun > 2 && value.begun <= 16, `${value.begun} are at work`);
    value.gate.resolve(undefined);
    let read = 0;
    while (read < 1000) read += (await kafka.run(consumer.poll({ timeoutMs: 5000 }))).length;
    await kafka.run(consumer.close());
  });

  it('do not hand out what a seek has left behind', async () => {
    const kafka = new FakeKafka();
    kafka.append(0, ['slow 0', 'slow 1', 'two']);
    const value = new Held();
    const { consumer } = kafka.consumer({ value } as object);
    consumer.assign([{ topic: 't', partition: 0 }]);
    assert.deepEqual(await kafka.run(consumer.poll({ timeoutMs: 500 })), []);
    consumer.seek({ topic: 't', partition: 0, offset: 2 });
    value.gate.resolve(undefined);
    const records = await kafka.run(consumer.poll({ timeoutMs: 5000 }));
    assert.deepEqual(
      records.map((record) => String(record.value)),
      ['two'],
    );
    await kafka.run(consumer.close());
  });
});
