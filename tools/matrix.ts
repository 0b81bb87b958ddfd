/**
 * `npm run test:matrix`: the tests, compiled, on every supported Node, on Bun and on Deno.
 *
 *     node tools/matrix.ts                 on all of them, with a Kafka if there is one
 *     node tools/matrix.ts 20.20.2 bun     on these
 *     node tools/matrix.ts --only producer the files whose path contains a word
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Keeper } from '../test/support/kafka/keeper.ts';
import { findRuntime, nodes, otherRuntimes, type Runtime } from './runtimes.ts';
import { closingLine, sum } from './test/counts.ts';
import { runMatrix } from './test/run-matrix.ts';
import { filesOf, root, stages } from './test/stages.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });

const chosen = positionals.length === 0 ? [...nodes, ...otherRuntimes] : positionals.map(findRuntime);
const ofNode = stages.filter(({ name }) => name === 'matrix').flatMap((stage) => filesOf(stage, values.only));
/** On what is not Node: all that users rely on, and what depends most on the runtime's own sockets, TLS and zlib. */
const ofOthers = filesOf(
  {
    files: [
      'test/behaviour/**/*.test.ts',
      'test/integration/{admin,hostile-server,reauthentication,security,share-groups}.test.ts',
    ],
  },
  values.only,
);

const keeper = new Keeper((line) => {
  console.log(`  ${line}`);
});
try {
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: path.join(root, '.cache/compile'),
    KAVKA_TEST_KAFKA: JSON.stringify(await keeper.listen()),
  };
  const onEach = async (runtime: Runtime): ReturnType<typeof runMatrix> =>
    runMatrix([runtime], { env, files: runtime.name === 'Node' ? ofNode : ofOthers });
  const all = [];
  for (const runtime of chosen) all.push(await onEach(runtime));
  const counts = sum(all);
  for (const { where, reason } of counts.skips) console.log(`Skipped ${where} (${reason})`);
  for (const { where, what } of counts.failures) console.log(`\nFAILED ${where}\n${what.replaceAll(/^/gm, '    ')}`);
  console.log(`\n${closingLine(counts)}`);
  process.exitCode = counts.failures.length === 0 && counts.passed > 0 ? 0 : 1;
} finally {
  await keeper.close();
}
