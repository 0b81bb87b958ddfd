import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { ConsumerRecord, type RecordDeserializers } from '../../../src/consumer/consumer-record.ts';
import { PartitionState } from '../../../src/consumer/partition-state.ts';
import { placeOfOne } from '../../../src/protocol/records/record-places.ts';
import { BatchReader, RecordCursor, type RecordHeader } from '../../../src/protocol/records/index.ts';
import { BufferViews } from '../../../src/util/buffer-views.ts';
import { sampleBatch } from '../../support/records/sample-batch.ts';

const asBytes: RecordDeserializers = { key: (bytes) => bytes, value: (bytes) => bytes };

function recordOf(
  content: {
    key?: string | null;
    value?: string | Uint8Array | null;
    headers?: readonly RecordHeader[];
    timestamp?: number;
  },
  deserializers: RecordDeserializers = asBytes,
): ConsumerRecord<unknown, unknown> {
  const { timestamp = 1_700_000_000_000, ...rest } = content;
  const bytes = sampleBatch([{ timestampMs: timestamp, ...rest }], { baseOffset: 2n ** 60n, partitionLeaderEpoch: 4 });
  const header = new BatchReader(bytes).next();
  assert.ok(header);
  const cursor = new RecordCursor(header);
  cursor.next();
  const state = new PartitionState('t', 3, { ended: false }, 0n);
  return new ConsumerRecord<unknown, unknown>(
    {
      state,
      content: new BufferViews(cursor.bytes),
      places: placeOfOne(cursor),
      baseOffset: header.baseOffset,
      leaderEpoch: 4,
      timestampType: 'create',
      use: { isLookedAt: false },
      deserializers,
    },
    0,
  );
}

describe('ConsumerRecord', () => {
  it('gives every field, the offset as an exact bigint', () => {
    const record = recordOf({ key: 'k', value: 'value' });
    assert.equal(record.topic, 't');
    assert.equal(record.partition, 3);
    assert.equal(record.offset, 2n ** 60n);
    assert.equal(record.timestamp, 1_700_000_000_000);
    assert.equal(record.timestampType, 'create');
    assert.equal(record.leaderEpoch, 4);
    assert.deepEqual(record.key, Buffer.from('k'));
    assert.deepEqual(record.value, Buffer.from('value'));
    assert.equal(record.serializedKeySize, 1);
    assert.equal(record.serializedValueSize, 5);
    assert.equal(record.headers.size, 0);
  });

  it('tells null from empty', () => {
    const empty = recordOf({ key: '', value: '' });
    assert.deepEqual(
      [empty.key, empty.value, empty.serializedKeySize, empty.serializedValueSize],
      [Buffer.alloc(0), Buffer.alloc(0), 0, 0],
    );
    const none = recordOf({});
    assert.deepEqual([none.key, none.value, none.serializedKeySize, none.serializedValueSize], [null, null, -1, -1]);
  });

  it('gives headers in wire order, repeated keys included', () => {
    const record = recordOf({
      headers: [
        { key: 'a', value: '1' },
        { key: 'b', value: null },
        { key: 'a', value: '2' },
      ],
    });
    assert.deepEqual(
      [...record.headers].map(([key, value]) => [key, value?.toString() ?? null]),
      [
        ['a', '1'],
        ['b', null],
        ['a', '2'],
      ],
    );
  });

  it('views the fetched bytes, and detach() does not', () => {
    const record = recordOf({ key: 'k', value: 'value', headers: [{ key: 'h', value: 'x' }] });
    const detached = record.detach();
    (record.valueBytes as Buffer).fill(0);
    (record.headers.get('h') as Buffer).fill(0);
    assert.deepEqual(record.valueBytes, Buffer.alloc(5));
    assert.deepEqual(detached.value, Buffer.from('value'));
    assert.deepEqual(detached.key, Buffer.from('k'));
    assert.equal(detached.headers.getString('h'), 'x');
    assert.equal(detached.offset, record.offset);
    assert.ok((detached.valueBytes as Buffer).buffer.byteLength < 10_000);
  });

  it('detach() keeps a value that was deserialized before', () => {
    const record = recordOf({ value: 'v' }, { ...asBytes, value: () => ({ made: 'once' }) });
    const { value } = record;
    assert.equal(record.detach().value, value);
  });

  it('survives JSON.stringify: offset as text, bytes as base64', () => {
    const json = JSON.parse(
      JSON.stringify(recordOf({ key: 'k', value: 'v', headers: [{ key: 'h', value: 'x' }] })),
    ) as unknown;
    assert.deepEqual(json, {
      topic: 't',
      partition: 3,
      offset: String(2n ** 60n),
      timestamp: 1_700_000_000_000,
      timestampType: 'create',
      key: 'aw==',
      value: 'dg==',
      headers: [['h', 'eA==']],
    });
  });

  it('survives JSON.stringify when a deserializer throws, or gives bigints, cycles, or a toJSON that throws', () => {
    const cycle: Record<string, unknown> = { big: 1n, bytes: Buffer.from('b') };
    cycle['self'] = cycle;
    const cases: [() => unknown, unknown][] = [
      [
        () => {
          throw new Error('no');
        },
        'dg==',
      ],
      [() => cycle, { big: '1', bytes: 'Yg==', self: '[circular]' }],
      [
        () => ({
          toJSON: () => {
            throw new Error('no');
          },
        }),
        'dg==',
      ],
      [() => ({ toJSON: () => 5n }), '5'],
      [() => [new Date(0)], ['1970-01-01T00:00:00.000Z']],
    ];
    for (const [value, expected] of cases) {
      const record = recordOf({ value: 'v' }, { ...asBytes, value });
      assert.deepEqual((JSON.parse(JSON.stringify(record)) as { value: unknown }).value, expected);
    }
  });

  it('util.inspect shows the fields', () => {
    assert.match(inspect(recordOf({ key: 'k', value: 'v' })), /topic: 't'.*partition: 3/s);
  });

  it('toProducerRecord keeps key, value, headers and time for another topic', () => {
    const record = recordOf({ key: 'k', value: 'v', headers: [{ key: 'h', value: 'x' }] });
    assert.deepEqual(record.toProducerRecord({ topic: 'copy' }), {
      topic: 'copy',
      key: record.key,
      value: record.value,
      headers: record.headers,
      timestamp: 1_700_000_000_000,
    });
    assert.equal('timestamp' in recordOf({ timestamp: -1 }).toProducerRecord({ topic: 'copy' }), false);
  });
});
