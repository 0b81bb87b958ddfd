import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isKafkaError, Kafka, type Consumer, type Producer, type ShareConsumer } from '../../../src/index.ts';

interface Clients {
  readonly kafka: Kafka;
  readonly consumer: Consumer;
  /** One that does not commit by itself. */
  readonly stream: Consumer;
  readonly share: ShareConsumer;
  readonly producer: Producer;
}

const signal = { signal: 'an AbortSignal' };
const time = { timeoutMs: 'a number of milliseconds from 0' };
const some = 'an integer from 1 to 9007199254740991';
const any = 'an integer from 0 to 9007199254740991';
const t0 = { topic: 't', partition: 0 };

/** For each call: the call with these options, and what it expects of each of them. */
const calls: Readonly<
  Record<string, [(clients: Clients, options: never) => unknown, Readonly<Record<string, string>>]>
> = {
  connect: [({ kafka }, options) => kafka.connect(options), signal],
  'Kafka.close': [({ kafka }, options) => kafka.close(options), time],
  waitForAssignment: [({ consumer }, options) => consumer.waitForAssignment(options), { ...signal, ...time }],
  records: [({ consumer }, options) => consumer.records(options), { ...signal, limit: any, until: 'one of "end"' }],
  batches: [({ consumer }, options) => consumer.batches(options), signal],
  poll: [({ consumer }, options) => consumer.poll(options), { ...signal, ...time, minRecords: any, maxRecords: some }],
  stream: [
    ({ stream }, options) => stream.stream(options),
    { ...signal, limit: any, until: 'one of "end"', highWaterMark: any },
  ],
  commit: [({ consumer }, options) => consumer.commit(undefined, options), { ...signal, ...time }],
  committed: [({ consumer }, options) => consumer.committed(t0, options), { ...signal, ...time }],
  lag: [({ consumer }, options) => consumer.lag(options), { ...signal, ...time }],
  beginningOffsets: [({ consumer }, options) => consumer.beginningOffsets(t0, options), { ...signal, ...time }],
  endOffsets: [({ consumer }, options) => consumer.endOffsets(t0, options), { ...signal, ...time }],
  offsetsForTimes: [
    ({ consumer }, options) => consumer.offsetsForTimes({ ...t0, timestamp: 5 }, options),
    { ...signal, ...time },
  ],
  'Consumer.close': [
    ({ consumer }, options) => consumer.close(options),
    { ...time, groupMembership: 'one of "default", "leave", "remain"' },
  ],
  'ShareConsumer.waitForAssignment': [({ share }, options) => share.waitForAssignment(options), { ...signal, ...time }],
  'ShareConsumer.records': [({ share }, options) => share.records(options), { ...signal, limit: any }],
  'ShareConsumer.poll': [
    ({ share }, options) => share.poll(options),
    { ...signal, ...time, minRecords: any, maxRecords: some },
  ],
  'ShareConsumer.commit': [({ share }, options) => share.commit(options), { ...signal, ...time }],
  'ShareConsumer.close': [({ share }, options) => share.close(options), time],
  flush: [({ producer }, options) => producer.flush(options), signal],
  ready: [({ producer }, options) => producer.ready(options), signal],
  beginTransaction: [({ producer }, options) => producer.beginTransaction(options), signal],
  'Producer.close': [({ producer }, options) => producer.close(options), time],
};

async function refusal(call: () => unknown): Promise<{ readonly code: string; readonly message: string }> {
  const error: unknown = await Promise.resolve()
    .then(call)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  assert.ok(isKafkaError(error), `refused with ${String(error)}`);
  return error;
}

/** No broker is there: whoever asks one before it looks at its options does not end in time. */
async function withClients(use: (clients: Clients) => Promise<void>): Promise<void> {
  const kafka = new Kafka({ bootstrapServers: '127.0.0.1:1' });
  const consumer = kafka.consumer({ groupId: 'g' });
  consumer.subscribe('t');
  const stream = kafka.consumer({ autoCommit: false });
  stream.assign(t0);
  const share = kafka.shareConsumer({ groupId: 's' });
  share.subscribe('t');
  try {
    await use({ kafka, consumer, stream, share, producer: kafka.producer({ transactionalId: 'x' }) });
  } finally {
    await kafka.close({ timeoutMs: 0 });
  }
}

describe('Options of calls', () => {
  for (const [name, [call, expected]] of Object.entries(calls)) {
    it(
      `${name} refuses what is no object, options that it does not have, and values that they cannot have`,
      { timeout: 20_000 },
      async () => {
        await withClients(async (clients) => {
          for (const given of [5, null, 'SIGTERM', () => undefined, []]) {
            const { code, message } = await refusal(() => call(clients, given as never));
            assert.equal(code, 'INVALID_OPTION');
            assert.match(message, /^Cannot use .* as options of \w+: it must be an object$/);
          }
          const unknown = await refusal(() => call(clients, { nothing: 5 } as never));
          assert.equal(unknown.code, 'UNKNOWN_OPTION');
          assert.match(unknown.message, /known options are/);
          for (const option of Object.keys(expected)) assert.ok(unknown.message.includes(option), option);
          if ('timeoutMs' in expected) {
            const { message } = await refusal(() => call(clients, { timeout: 5 } as never));
            assert.match(message, /use timeoutMs$/);
          }
          for (const [option, what] of Object.entries(expected)) {
            for (const value of ['5', -1, NaN, {}]) {
              const { code, message } = await refusal(() => call(clients, { [option]: value } as never));
              assert.equal(code, 'INVALID_OPTION', `${option} ${typeof value}`);
              assert.match(message, new RegExp(`^Cannot use ${option} .*: it must be ${what}$`));
            }
          }
        });
      },
    );
  }

  it('are refused before anything ends: what was not closed can still be closed', async () => {
    await withClients(async ({ consumer, producer }) => {
      for (const client of [consumer, producer]) {
        await refusal(() => client.close({ timeout: 0 } as never));
        await client.close({ timeoutMs: 0 });
      }
    });
  });

  it('Consumer.subscribe refuses a listener whose callbacks would never be called, and takes one with a life of its own', async () => {
    await withClients(async ({ consumer }) => {
      const subscribed = (listener: unknown) => refusal(() => consumer.subscribe('t', listener as never));
      assert.equal((await subscribed(() => undefined)).code, 'INVALID_OPTION');
      assert.equal((await subscribed({ onPartitionsRevoked: 5 })).code, 'INVALID_OPTION');
      const misnamed = await subscribed({ onRevoked: () => undefined });
      assert.equal(misnamed.code, 'UNKNOWN_OPTION');
      assert.match(misnamed.message, /option onRevoked of the rebalance listener.*onPartitionsRevoked/);
      class Listener {
        seen = 0;
        once = true;
        onPartitionsAssigned(): void {
          this.seen++;
        }
      }
      consumer.subscribe('t', new Listener());
      consumer.subscribe('t', { onPartitionsLost: undefined } as never);
    });
  });

  it('Producer.transaction refuses what is no function before it begins', async () => {
    await withClients(async ({ producer }) => {
      for (const body of [undefined, 5, {}]) {
        const { code, message } = await refusal(() => producer.transaction(body as never));
        assert.equal(code, 'INVALID_ARGUMENT');
        assert.match(message, /^Cannot begin a transaction: .* given, where a function was expected$/);
      }
    });
  });

  it('Consumer.run and ShareConsumer.run say what to give', async () => {
    await withClients(async ({ consumer, share }) => {
      assert.match(
        (await refusal(() => consumer.run(undefined as never))).message,
        /give either eachRecord or eachBatch/,
      );
      assert.match((await refusal(() => share.run(undefined as never))).message, /give eachRecord/);
    });
  });
});
