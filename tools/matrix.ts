/**
 * `npm run test:matrix`: the tests, compiled, on every supported Node.
 *
 *     node tools/matrix.ts                 all versions, with a Kafka if there is one
 *     node tools/matrix.ts 20.20.2 26.10.0 these versions
 *     node tools/matrix.ts --only producer the files whose path contains a word
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Keeper } from '../test/support/kafka/keeper.ts';
import { nodeVersions } from './node-versions.ts';
import { closingLine } from './test/counts.ts';
import { runMatrix } from './test/run-matrix.ts';
import { root } from './test/stages.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });

const keeper = new Keeper((line) => {
  console.log(`  ${line}`);
});
try {
  const counts = await runMatrix(positionals.length === 0 ? nodeVersions : positionals, {
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: path.join(root, '.cache/compile'),
      KAVKA_TEST_KAFKA: JSON.stringify(await keeper.listen()),
    },
    only: values.only,
  });
  for (const { where, reason } of counts.skips) console.log(`Skipped ${where} (${reason})`);
  for (const { where, what } of counts.failures) console.log(`\nFAILED ${where}\n${what.replaceAll(/^/gm, '    ')}`);
  console.log(`\n${closingLine(counts)}`);
  process.exitCode = counts.failures.length === 0 && counts.passed > 0 ? 0 : 1;
} finally {
  await keeper.close();
}
