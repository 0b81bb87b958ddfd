/**
 * Makes the assignments of `test/conformance/vectors/` with Kafka's own assignors.
 *
 * Needs Java and Maven; the tests that read the vectors do not.
 *
 *     node tools/vectors/make-assignment-vectors.ts           writes
 *     node tools/vectors/make-assignment-vectors.ts --check   exits 1 if what is committed differs
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { assignmentVectorsFile, readAssignmentText } from '../../test/support/consumer/assignment-vectors.ts';
import { runVectorJava, vectorRelease } from './record-batch-java.ts';

/** Every vector is made from it; it stands in the first line of the file. */
const seed = 20_260_429;
const cases = 200;

const program = fileURLToPath(new URL('AssignmentVectors.java', import.meta.url));
const head = JSON.stringify({ kafka: vectorRelease, seed, cases });
const text = `${head}\n${await runVectorJava(program, [String(seed), String(cases)])}`;
if (!process.argv.includes('--check')) {
  await writeFile(assignmentVectorsFile, gzipSync(text, { level: 9 }));
  console.log(`Wrote ${text.split('\n').length - 2} groups to ${assignmentVectorsFile}`);
} else if (readAssignmentText() !== text) {
  console.error(
    `${assignmentVectorsFile} differs from what Kafka's classes make; run tools/vectors/make-assignment-vectors.ts`,
  );
  process.exitCode = 1;
}
