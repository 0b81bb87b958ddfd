import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { codecFor } from '../../src/compression/index.ts';
import {
  BatchBuilder,
  compressionNames,
  type CompressionName,
  type RecordHeader,
} from '../../src/protocol/records/index.ts';
import { hasJava, runRecordBatchJava } from '../../tools/vectors/record-batch-java.ts';
import type { DescribedBatch } from '../support/records/batch-vectors.ts';
import { describeBatches } from '../support/records/describe-batches.ts';
import { seededRandom } from '../support/seeded-random.ts';

interface Content {
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers?: readonly RecordHeader[];
}

const contents: Readonly<Record<string, readonly Content[]>> = {
  texts: [
    { key: 'k-1', value: 'plain' },
    { key: 'klíč', value: 'žluťoučký kůň 🐎'.repeat(30) },
    { key: '', value: '' },
  ],
  nulls: [
    { key: null, value: 'no key' },
    { key: 'tombstone', value: null },
    { key: null, value: null },
  ],
  headers: [
    { key: null, value: Buffer.from([0, 255]), headers: [{ key: 'a', value: 'x' }, { key: 'a', value: null }] }, // prettier-ignore
    { key: 'k', value: 'v', headers: [{ key: '', value: Buffer.alloc(0) }, { key: 'ž', value: 'ů'.repeat(80) }] }, // prettier-ignore
  ],
  large: Array.from({ length: 300 }, (_, index) => ({
    key: `key-${index}`,
    value: index % 50 === 0 ? noise(70_000) : JSON.stringify({ index, text: 'Kafka and Kavka '.repeat(index) }),
  })),
};

describe('record batches read by Kafka itself', async () => {
  const skip = (await hasJava()) ? false : 'there is no Java';
  let found: Map<string, readonly DescribedBatch[]>;
  const written = new Map<string, Buffer>();

  before(async () => {
    if (skip !== false) return;
    for (const compression of compressionNames) {
      for (const [content, records] of Object.entries(contents)) {
        written.set(`${compression} ${content}`, await write(compression, records));
      }
    }
    const input = [...written].map(([name, bytes]) => `${name} ${bytes.toString('base64')}\n`).join('');
    const lines = (await runRecordBatchJava(['read'], input)).trimEnd().split('\n');
    const answers = lines.map((line) => JSON.parse(line) as { name: string; batches: DescribedBatch[] });
    found = new Map(answers.map(({ name, batches }) => [name, batches]));
  });

  for (const compression of compressionNames) {
    for (const [content, records] of Object.entries(contents)) {
      it(`BatchBuilder and the codec write what Kafka reads: ${compression}, ${content}`, { skip }, async () => {
        const name = `${compression} ${content}`;
        const [batch] = found.get(name) ?? [];
        assert.equal(batch?.records.length, records.length);
        assert.deepEqual(
          batch.records.map(({ key, value }) => [key, value]),
          records.map(({ key, value }) => [base64(key), base64(value)]),
        );
        assert.deepEqual(
          batch.records.map(({ headers }) => headers),
          records.map(({ headers = [] }) =>
            headers.map(({ key, value }) => [key, base64(value as string | Buffer | null)]),
          ),
        );
        assert.deepEqual([batch], await describeBatches(written.get(name) ?? Buffer.alloc(0)));
      });
    }
  }
});

async function write(compression: CompressionName, records: readonly Content[]): Promise<Buffer> {
  const builder = new BatchBuilder({ initialBytes: 256, maxBytes: 2 ** 24 });
  for (const [index, { key, value, headers }] of records.entries()) {
    assert.ok(builder.append(1_700_000_000_000 + index * 7 - 3, key, value, headers));
  }
  const compressed = await (await codecFor(compression)).compress(builder.body(), undefined);
  return builder.close({
    compression,
    compressed,
    producerId: 7n,
    producerEpoch: 2,
    baseSequence: 100,
    transactional: compression === 'gzip',
  });
}

function base64(content: string | Buffer | null): string | null {
  return content === null ? null : Buffer.from(content as string).toString('base64');
}

/** Bytes that no codec makes smaller. */
function noise(length: number): Buffer {
  const random = seededRandom(12_345);
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
}
