import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { extname } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tryMutations, tryTruncations } from '../support/protocol/fuzz.ts';
import { fuzzSubjects } from '../support/protocol/fuzz-subjects.ts';
import type { HostileMeasure } from '../support/protocol/measure-hostile-messages.ts';
import { readCommittedRelease } from '../support/protocol/messages.ts';
import { seededRandom } from '../support/seeded-random.ts';

const SEED = Number(process.env['SEED'] ?? 20_260_103);

const subjects = fuzzSubjects(await readCommittedRelease());

describe(`decoders, SEED=${SEED}`, () => {
  it('refuse every truncation of a valid message or frame with a ProtocolError and nothing else', () => {
    const whole = subjects.filter(({ hasNoValidPart }) => hasNoValidPart);
    const { inputs, refused } = tryTruncations(whole, 13);
    assert.ok(inputs > 100_000, `only ${inputs} truncations were tried`);
    assert.equal(refused, inputs);
  });

  it('take or refuse every truncation of record batches', () => {
    const { inputs, refused } = tryTruncations(
      subjects.filter(({ hasNoValidPart }) => !hasNoValidPart),
      13,
    );
    assert.ok(inputs > 50_000 && refused < inputs, `${refused} of ${inputs} were refused`);
  });

  it('take or refuse mutated bytes with a ProtocolError and nothing else', () => {
    const { inputs, refused } = tryMutations(subjects, 50_000, seededRandom(SEED));
    assert.ok(refused > inputs * 0.3 && refused < inputs * 0.99, `${refused} of ${inputs} were refused`);
  });

  it('keep less than 64 times the input and 1 MiB in memory', async () => {
    const script = fileURLToPath(
      new URL(`../support/protocol/measure-hostile-messages${extname(import.meta.url)}`, import.meta.url),
    );
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--expose-gc', script, String(128 * 1024), String(SEED), '16'],
      { maxBuffer: 1 << 26 },
    );
    const measures = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as HostileMeasure);
    assert.ok(measures.length > 50, `only ${measures.length} messages were measured`);
    for (const { label, inputBytes, liveBytes } of measures) {
      assert.ok(liveBytes < 64 * inputBytes + 1024 * 1024, `${label}: ${liveBytes} bytes live for ${inputBytes}`);
      // A measure near zero would mean that the result was collected before it was measured.
      assert.ok(liveBytes > inputBytes / 16, `${label}: only ${liveBytes} bytes live for ${inputBytes}`);
    }
  });
});
