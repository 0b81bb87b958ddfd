import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Kafka, type CompressionName } from '../../src/index.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const codecs: readonly CompressionName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** What travels in either direction; NULL stands for null in the words of the console tools. */
const rows = [
  { headers: [['source', 'web']], key: 'k-1', value: 'plain' },
  { headers: [], key: null, value: 'no key' },
  {
    headers: [
      ['a', '1'],
      ['a', '2'],
      ['ünï', '値'],
    ],
    key: 'schlüssel',
    value: 'wert ✓',
  },
  { headers: [], key: 'tombstone', value: null },
  { headers: [['long', 'x'.repeat(300)]], key: 'k'.repeat(200), value: 'compress me '.repeat(500) },
] as const;

const headersText = (headers: readonly (readonly [string, string])[]): string =>
  headers.length === 0 ? 'NO_HEADERS' : headers.map(([key, value]) => `${key}:${value}`).join(',');

for (const version of ['4.3.1', '3.9.1']) {
  const kafka = await kafkaUnderTest({ brokers: 1, version, needs: ['tools'] });

  // Each has a topic of its own, and starts a JVM.
  describe(`The Java console tools on Kafka ${version}`, { skip: kafka.skip, concurrency: 2 }, () => {
    // 4.2 renamed the options of the console tools (KIP-1147).
    const [readerProperty, formatterProperty] = version.startsWith('3.')
      ? ['--property', '--property']
      : ['--reader-property', '--formatter-property'];
    let client: Kafka;

    before(() => {
      client = new Kafka({ bootstrapServers: kafka.bootstrapServers });
    });
    after(() => client.close());

    for (const compression of codecs) {
      it(`read what the producer wrote with ${compression}: headers, null keys, null values`, async () => {
        const topic = `to-java-${compression}-${randomUUID()}`;
        await client.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
        const producer = client.producer({ compression });
        await producer.send(rows.map((row) => ({ topic, key: row.key, value: row.value, headers: row.headers })));

        const printed = ['print.headers', 'print.key', 'print.value'].flatMap((name) => [
          formatterProperty,
          `${name}=true`,
        ]);
        const read = await kafka.tool('console-consumer', [
          ...['--bootstrap-server', '{bootstrap}', '--topic', topic, '--from-beginning'],
          ...['--max-messages', String(rows.length), '--timeout-ms', '30000'],
          ...[
            ...printed,
            formatterProperty,
            'null.literal=NULL',
            formatterProperty,
            'key.separator=|',
            formatterProperty,
            'headers.separator=,',
          ],
        ]);
        const expected = rows.map((row) => `${headersText(row.headers)}|${row.key ?? 'NULL'}|${row.value ?? 'NULL'}`);
        const lines = read.stdout.split('\n').filter((line) => expected.includes(line));
        assert.deepEqual(lines, expected, read.stdout + read.stderr);
      });

      it(`write with ${compression} what the consumer reads: headers, null keys, null values`, async () => {
        const topic = `from-java-${compression}-${randomUUID()}`;
        await client.admin().createTopics({ topic, partitions: 1, replicationFactor: 1 });
        const input = rows.map(
          (row) =>
            `${row.headers.length === 0 ? 'NULL' : headersText(row.headers)}\t${row.key ?? 'NULL'}\t${row.value ?? 'NULL'}\n`,
        );
        const properties = ['parse.key=true', 'parse.headers=true', 'null.marker=NULL'].flatMap((property) => [
          readerProperty,
          property,
        ]);
        const written = await kafka.tool(
          'console-producer',
          ['--bootstrap-server', '{bootstrap}', '--topic', topic, '--compression-codec', compression, ...properties],
          { input: input.join('') },
        );
        assert.equal(written.code, 0, written.stderr);

        const consumer = client.consumer();
        consumer.assign([{ topic, partition: 0 }]);
        consumer.seekToBeginning([{ topic, partition: 0 }]);
        const seen = [];
        for await (const record of consumer.records({ limit: rows.length })) {
          const headers = [...record.headers].map(([key, value]) => [key, value?.toString()]);
          seen.push({ headers, key: record.key?.toString() ?? null, value: record.value?.toString() ?? null });
        }
        await consumer.close();
        assert.deepEqual(seen, rows);
      });
    }
  });
}
