import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../../../src/errors/kafka-error.ts';
import { json } from '../../../src/model/json-serde.ts';
import { string } from '../../../src/model/serdes.ts';
import { defaultPartitioner, type BuiltInPartitioner } from '../../../src/producer/partitioner.ts';
import { resolveProducerOptions, type GivenProducerOptions } from '../../../src/producer/options.ts';

const resolve = (
  options?: GivenProducerOptions<unknown, unknown>,
): ReturnType<typeof resolveProducerOptions<never, never>> => resolveProducerOptions(options as never, 30_000);

function refused(options: unknown, code: string, message: RegExp): void {
  assert.throws(
    () => resolve(options as GivenProducerOptions<unknown, unknown>),
    (error: unknown) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    },
  );
}

describe('resolveProducerOptions', () => {
  it('resolveProducerOptions has the safe defaults', () => {
    const options = resolve();
    assert.equal(options.acks, -1);
    assert.equal(options.idempotence, true);
    assert.equal(options.maxInFlightRequests, 5);
    assert.equal(options.maxBlockMs, options.deliveryTimeoutMs);
    assert.ok(options.batchSizeBytes <= options.maxRequestBytes);
    assert.ok(Object.isFrozen(options));
  });

  it('resolveProducerOptions turns idempotence off for acks 0 and 1, and refuses it there if it is asked for', () => {
    for (const acks of [0, 1] as const) {
      assert.equal(resolve({ acks }).idempotence, false);
      refused({ acks, idempotence: true }, 'INVALID_OPTION', /acks . with idempotence/);
    }
    assert.equal(resolve({ acks: 'all' }).idempotence, true);
    assert.equal(resolve({ acks: -1, idempotence: false }).idempotence, false);
  });

  it('resolveProducerOptions refuses more than five in flight with idempotence only', () => {
    refused({ maxInFlightRequests: 9 }, 'INVALID_OPTION', /maxInFlightRequests 9/);
    assert.equal(resolve({ maxInFlightRequests: 9, idempotence: false }).maxInFlightRequests, 9);
    assert.equal(resolve({ maxInFlightRequests: 9, acks: 1 }).maxInFlightRequests, 9);
  });

  it('resolveProducerOptions keeps the limits in an order that can work', () => {
    assert.equal(resolve({ maxRequestBytes: 5000 }).batchSizeBytes, 5000);
    refused({ batchSizeBytes: 2_000_000 }, 'INVALID_OPTION', /must not be above maxRequestBytes, which is 1048576/);
    assert.equal(resolve({ batchSizeBytes: 2_000_000, maxRequestBytes: 3_000_000 }).batchSizeBytes, 2_000_000);
    refused({ bufferMemoryBytes: 1000 }, 'INVALID_OPTION', /must not be below maxRequestBytes/);
    refused({ deliveryTimeoutMs: 1000 }, 'INVALID_OPTION', /lingerMs plus requestTimeoutMs, which is 30000/);
    refused({ deliveryTimeoutMs: 30_050, lingerMs: 100 }, 'INVALID_OPTION', /30100/);
  });

  it('resolveProducerOptions takes a compression level only where the codec has it', () => {
    assert.equal(resolve({ compression: 'zstd', compressionLevel: 19 }).compressionLevel, 19);
    refused({ compression: 'gzip', compressionLevel: 12 }, 'INVALID_OPTION', /from 1 to 9/);
    refused({ compression: 'snappy', compressionLevel: 1 }, 'INVALID_OPTION', /has no levels/);
    refused({ compressionLevel: 1 }, 'INVALID_OPTION', /"none" has no levels/);
  });

  it('resolveProducerOptions refuses what it does not know, with the nearest name', () => {
    refused({ linger: 5 }, 'UNKNOWN_OPTION', /did you mean lingerMs/);
    refused({ idempotent: true }, 'UNKNOWN_OPTION', /use idempotence/);
    refused({ 'batch.size': 5 }, 'UNKNOWN_OPTION', /use batchSizeBytes/);
    refused(
      { 'partitioner.rack.aware': true },
      'UNKNOWN_OPTION',
      /use partitioner: defaultPartitioner\(\{ rackAware \}\)/,
    );
    refused({ 'interceptor.classes': [] }, 'UNKNOWN_OPTION', /use interceptors/);
  });

  it('resolveProducerOptions takes topics in place of key and value, never both', () => {
    const topics = { orders: { key: string, value: json() }, plain: {} };
    assert.equal(resolve({ topics }).topics, topics);
    refused({ topics, key: string }, 'INVALID_OPTION', /topics together with key or value/);
    refused({ topics: {} }, 'INVALID_OPTION', /it must be an object of topic names/);
    refused({ topics: ['a'] }, 'INVALID_OPTION', /where to send is said by each record/);
    refused({ topic: 'a' }, 'UNKNOWN_OPTION', /each record says its topic/);
    refused({ topics: { orders: { values: json() } } }, 'INVALID_OPTION', /each with \{ key, value \}/);
  });

  it('resolveProducerOptions takes a partitioner by name, made, or as a function', () => {
    assert.deepEqual(resolve({}).partitioner, defaultPartitioner());
    const made = defaultPartitioner({ ignoreKeys: true });
    assert.equal(resolve({ partitioner: made }).partitioner, made);
    assert.equal((resolve({ partitioner: 'round-robin' }).partitioner as BuiltInPartitioner).kind, 'round-robin');
    const chosen = (): number => 0;
    assert.equal(resolve({ partitioner: chosen }).partitioner, chosen);
  });

  it('resolveProducerOptions refuses rackAware where the rack is not known', () => {
    const partitioner = defaultPartitioner({ rackAware: true });
    refused({ partitioner }, 'INVALID_OPTION', /rackAware without clientRack/);
    assert.equal(resolveProducerOptions({ partitioner }, 30_000, 'a').partitioner, partitioner);
  });

  it('resolveProducerOptions refuses values outside of their range, naming option and range', () => {
    const bad: Record<string, unknown> = {
      acks: 2,
      idempotence: 'yes',
      compression: 'brotli',
      compressionLevel: 1.5,
      batchSizeBytes: 0,
      lingerMs: -1,
      bufferMemoryBytes: -1,
      maxBlockMs: '5',
      maxWaitingSends: -1,
      maxRequestBytes: 0,
      maxInFlightRequests: 0,
      deliveryTimeoutMs: 0,
      partitioner: 'sticky',
      key: () => 'x',
      value: {},
      topics: { orders: { value: {} } },
      interceptors: [{}],
    };
    for (const [name, value] of Object.entries(bad))
      refused({ [name]: value }, 'INVALID_OPTION', new RegExp(`Cannot use ${name} .*must be`));
    refused('x', 'INVALID_OPTION', /must be an object/);
  });
});
