/**
 * `npm test`: everything that says whether a change is done, in stages.
 *
 *     npm test                              all stages
 *     npm test -- unit lint                 these stages
 *     npm test -- behaviour --only producer the files of a stage whose path contains a word
 *     npm test -- --list                    what there is
 *     npm test -- --set-minimums            writes the numbers of this run as the least that later ones must reach
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Keeper } from '../test/support/kafka/keeper.ts';
import { inProcessKafka } from '../test/support/kafka/options.ts';
import { NoKafkaError } from '../test/support/kafka/start-kafka.ts';
import { closingLine, nothing, sum } from './test/counts.ts';
import type { Counts } from './test/counts.ts';
import { runMatrix } from './test/run-matrix.ts';
import { runStage } from './test/run-stage.ts';
import { filesOf, root, stages } from './test/stages.ts';
import type { Stage } from './test/stages.ts';

const minimumsFile = path.join(root, 'test/minimums.json');
const clustersFile = path.join(root, '.cache/test-clusters.json');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean', default: false },
    only: { type: 'string' },
    'set-minimums': { type: 'boolean', default: false },
  },
});

if (values.list) list();
else process.exit(await main()); // nothing waits for connections to clusters that are kept

function list(): void {
  for (const stage of stages) {
    const files = filesOf(stage).length;
    console.log(`${stage.name.padEnd(15)} ${stage.what} (${stage.checks?.length ?? 0} checks, ${files} files)`);
  }
}

async function main(): Promise<number> {
  const unknown = positionals.filter((name) => stages.every((stage) => stage.name !== name));
  if (unknown.length > 0) {
    console.error(`There is no stage ${unknown.join(', ')}; see npm test -- --list`);
    return 2;
  }
  const chosen = stages.filter((stage) => positionals.length === 0 || positionals.includes(stage.name));
  const keeper = new Keeper((line) => {
    console.log(`  ${line}`);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void keeper.close().finally(() => process.exit(130)));
  try {
    const counts = await runAll(chosen, keeper);
    await tellClusters(keeper);
    report(counts);
    return counts.failures.length === 0 ? 0 : 1;
  } finally {
    // CI looks at the containers after the tests and removes them then.
    if (process.env['KAVKA_KEEP_CONTAINERS'] === undefined) await keeper.close();
  }
}

async function runAll(chosen: readonly Stage[], keeper: Keeper): Promise<Counts> {
  const minimums = JSON.parse(readFileSync(minimumsFile, 'utf8')) as Record<string, number>;
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_COMPILE_CACHE: path.join(root, '.cache/compile') };
  const all: Counts[] = [];
  let kafka: KafkaState | undefined;
  for (const stage of chosen) {
    console.log(`\n${stage.name}: ${stage.what}`);
    const begun = performance.now();
    const files = filesOf(stage, values.only);
    if (stage.needsKafka === true && files.length > 0) {
      kafka ??= await getKafka(keeper);
      env['KAVKA_TEST_KAFKA'] = kafka.env;
      if (kafka.failure !== undefined) all.push({ ...nothing, failures: [kafka.failure] });
      kafka = { ...kafka, failure: undefined };
    }
    const isInProcess = stage.inProcessKafka === true && !(stage.needsKafka === true && kafka?.isThere === true);
    // Bun does not report a suite that is left out as a whole: a file of nothing else would seem to have run no test.
    const isForReal = (file: string): boolean => isInProcess && file.startsWith('test/integration/');
    const stageEnv = isInProcess ? { ...env, KAVKA_TEST_KAFKA: inProcessKafka } : env;
    const counts =
      stage.runtimes === undefined
        ? await runStage(stage, { env: stageEnv, only: values.only })
        : await runMatrix(stage.runtimes, { env: stageEnv, files: files.filter((file) => !isForReal(file)) });
    const skips = files.filter(isForReal).map((where) => ({ where, reason: 'no Kafka could be had here' }));
    all.push({ ...nothing, skips });
    const ran = counts.passed + counts.failures.length;
    if (values['set-minimums']) minimums[stage.name] = ran;
    const isPartial = values.only !== undefined || (stage.needsKafka === true && kafka?.isThere !== true);
    all.push(
      counts,
      isPartial ? nothing : belowMinimum(stage, ran + skippedChecks(counts, stage), minimums[stage.name]),
    );
    console.log(`${stage.name}: ${closingLine(counts)} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
    for (const { where } of counts.failures) console.log(`  FAILED ${where}`);
    for (const { where } of counts.unsteady) console.log(`  UNSTEADY ${where}`);
  }
  if (values['set-minimums']) writeFileSync(minimumsFile, `${JSON.stringify(minimums, undefined, 2)}\n`);
  return sum(all);
}

interface KafkaState {
  readonly env: string;
  readonly isThere: boolean;
  readonly failure: { where: string; what: string } | undefined;
}

/** The cluster that most tests use is started before them, so that whether there is any Kafka is known. */
async function getKafka(keeper: Keeper): Promise<KafkaState> {
  const address = await keeper.listen();
  try {
    await keeper.shared({ brokers: 1 });
    return { env: JSON.stringify(address), isThere: true, failure: undefined };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.log(`  ${reason}`);
    // Without any Kafka the rest is still worth something on a developer's machine; one that was asked for by name must be there.
    const mustBeThere =
      process.env['CI'] === 'true' || !(error instanceof NoKafkaError) || process.env['KAFKA_VIA'] !== undefined;
    return {
      env: JSON.stringify({ unavailable: 'no Kafka could be had here' }),
      isThere: false,
      failure: mustBeThere ? { where: 'Kafka', what: reason } : undefined,
    };
  }
}

/** A check that cannot run here does not make its stage fall short; it is among the skipped ones. */
function skippedChecks(counts: Counts, stage: Stage): number {
  const names = new Set(stage.checks?.map((check) => check.name));
  return counts.skips.filter((skip) => names.has(skip.where)).length;
}

function belowMinimum(stage: Stage, ran: number, minimum: number | undefined): Counts {
  if (minimum === undefined)
    return { ...nothing, failures: [{ where: stage.name, what: 'has no number in test/minimums.json' }] };
  if (ran >= minimum) return nothing;
  const what = `ran ${ran} tests, fewer than the ${minimum} of test/minimums.json: some are no longer found or counted`;
  return { ...nothing, failures: [{ where: stage.name, what }] };
}

/** Which Kafka was tested, for whoever checks the run from outside. */
async function tellClusters(keeper: Keeper): Promise<void> {
  const clusters = [...(await keeper.running()).entries()].map(([name, { via, version, containers, listeners }]) => ({
    name,
    via,
    version,
    containers,
    bootstrapServers: listeners.plaintext ?? [],
  }));
  mkdirSync(path.dirname(clustersFile), { recursive: true });
  writeFileSync(clustersFile, `${JSON.stringify(clusters, undefined, 2)}\n`);
}

function report(counts: Counts): void {
  console.log();
  for (const [reason, places] of Map.groupBy(counts.skips, (skip) => skip.reason))
    console.log(`Skipped (${reason}): ${places.map((skip) => skip.where).join('; ')}`);
  for (const { where, what } of counts.unsteady)
    console.log(`\nUNSTEADY (failed, then passed) ${where}\n${what.replaceAll(/^/gm, '    ')}`);
  for (const { where, what } of counts.failures) console.log(`\nFAILED ${where}\n${what.replaceAll(/^/gm, '    ')}`);
  console.log(`\n${closingLine(counts)}`);
}
