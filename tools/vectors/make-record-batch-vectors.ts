/**
 * Makes the record batches and key hashes of `test/conformance/vectors/` with Kafka's own classes.
 *
 * Needs Java and Maven; the tests that read the vectors do not.
 *
 *     node tools/vectors/make-record-batch-vectors.ts           writes
 *     node tools/vectors/make-record-batch-vectors.ts --check   exits 1 if what is committed differs
 */
import { writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import {
  batchVectorsFile,
  keyVectorsFile,
  readVectorText,
  type BatchVector,
} from '../../test/support/records/batch-vectors.ts';
import { runRecordBatchJava, vectorRelease } from './record-batch-java.ts';

/** Every vector is made from it; it stands in the first line of each file. */
const seed = 20_260_102;

const head = JSON.stringify({ kafka: vectorRelease, seed });
const outputs = [
  {
    file: batchVectorsFile,
    text: `${head}\n${await runRecordBatchJava(['batches', String(seed)])}`,
    compare: comparable,
  },
  { file: keyVectorsFile, text: `${head}\n${await runRecordBatchJava(['keys', String(seed)])}`, compare: String },
];

for (const { file, text, compare } of outputs) {
  if (!process.argv.includes('--check')) {
    await writeFile(file, gzipSync(text, { level: 9 }));
    console.log(`Wrote ${text.split('\n').length - 2} vectors to ${file}`);
  } else if (compare(readVectorText(file)) !== compare(text)) {
    console.error(`${file} differs from what Kafka's classes make; run tools/vectors/make-record-batch-vectors.ts`);
    process.exitCode = 1;
  }
}

/** Another build of a codec's library may compress the same content to other bytes; the content must be the same. */
function comparable(text: string): string {
  const lines = text.trimEnd().split('\n').slice(1);
  const vectors = lines.map((line) => {
    const vector = JSON.parse(line) as BatchVector;
    if (vector.compression === 'none') return vector;
    return { ...vector, bytes: '', batches: vector.batches.map((batch) => ({ ...batch, checksum: 0 })) };
  });
  return JSON.stringify([text.split('\n')[0], vectors]);
}
