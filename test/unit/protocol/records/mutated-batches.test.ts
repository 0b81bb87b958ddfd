import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProtocolError } from '../../../../src/errors/kafka-error.ts';
import { readBatches, RecordCursor } from '../../../../src/protocol/records/index.ts';
import { readBatchVectors } from '../../../support/records/batch-vectors.ts';
import { decompressRecords } from '../../../support/records/describe-batches.ts';
import { fuzzBatches, fuzzMaxBytes } from '../../../support/records/fuzz-batches.ts';

const seed = Number(process.env['SEED'] ?? 20_260_103);
const inputs = Number(process.env['FUZZ_INPUTS'] ?? 20_000);
const samples = readBatchVectors().map(({ bytes }) => Buffer.from(bytes, 'base64'));

describe('mutated batches', () => {
  it(`are read or refused with a ProtocolError, and nothing grows beyond its limit (SEED=${seed})`, async (test) => {
    const small = samples.filter(({ length }) => length < 20_000);
    const startCpu = process.cpuUsage();
    const report = await fuzzBatches(small, seed, inputs);
    test.diagnostic(JSON.stringify({ ...report, cpuMs: Math.round(process.cpuUsage(startCpu).user / 1_000) }));
    assert.ok(report.refused > inputs / 10 && report.records > inputs, JSON.stringify(report));
    assert.ok(report.largestBody <= fuzzMaxBytes);
  });

  it('that are cut off anywhere are partial or refused, never read as whole', async () => {
    for (const sample of samples.filter(({ length }) => length < 600)) {
      for (let cut = 0; cut < sample.length; cut++) {
        let found = 0;
        for (const batch of readBatches(sample.subarray(0, cut))) found += batch.end - batch.start;
        assert.ok(found <= cut && found < sample.length);
      }
    }
  });

  it('with a body cut off anywhere behind a right header are refused', async () => {
    const compressed = samples.filter((sample) => sample.length < 3_000 && sample.readInt8(16) === 2);
    let refused = 0;
    for (const sample of compressed) {
      const [header] = readBatches(sample);
      if (header === undefined || header.recordCount === 0) continue;
      const bodyBytes = header.end - header.recordsStart;
      for (const cut of [0, 1, bodyBytes >> 1, bodyBytes - 1]) {
        const batch = { ...header, end: header.recordsStart + cut };
        await assert.rejects(
          async () => {
            const cursor = new RecordCursor(batch, await decompressRecords(batch));
            while (cursor.next());
          },
          (error) => error instanceof ProtocolError && ['CORRUPT_BATCH', 'COMPRESSION_FAILED'].includes(error.code),
        );
        refused++;
      }
    }
    assert.ok(refused > 400, String(refused));
  });
});
