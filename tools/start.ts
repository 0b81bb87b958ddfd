/**
 * The main job of `npm start`: one record per file of the installed packages, through a Kafka, to a group of three members that
 * add up sizes per package; the result is compared with a direct computation.
 *
 * It takes a real Kafka if it can get one, else the one inside this process, and says so. Ends with 1 if a record is missing
 * or doubled, or a total is wrong; with 2 if a Kafka was asked for that cannot be had. The report goes
 * to standard output (a table on a terminal, JSON elsewhere), everything else to standard error.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type * as Front from '../src/index.ts';
import type { KafkaSource } from '../test/support/kafka/options.ts';
import { NoKafkaError, startKafka } from '../test/support/kafka/start-kafka.ts';
import { listPackageFiles, totalsOf } from './start/package-files.ts';
import { runPipeline, type Progress } from './start/pipeline.ts';
import { makeReport, printable, type Report } from './start/report.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const fewest = 5_000;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

let lastLine = 0;

function showProgress({ sent, read, total }: Progress): void {
  const percent = (count: number): string => `${String(Math.floor((count * 100) / total)).padStart(3)} %`;
  const line = `  sent ${percent(sent)}   read ${percent(read)}   ${read} of ${total} records`;
  if (process.stderr.isTTY) {
    process.stderr.write(`\r${line}${read === total ? '\n' : ''}`);
  } else if (performance.now() - lastLine > 1000 || read === total) {
    lastLine = performance.now();
    say(line);
  }
}

/** A report with how its Kafka was got. */
type Run = Report & { readonly kafka: KafkaSource };

async function run(): Promise<Run> {
  const files = await listPackageFiles(fileURLToPath(new URL('../node_modules', import.meta.url)));
  if (files.length < fewest) throw new Error(`Only ${files.length} files lie in node_modules: run npm ci first`);
  say('Getting a Kafka …');
  const cluster = await startKafka({ brokers: 1, listeners: ['plaintext'], say, orInProcess: true });
  try {
    say('Building …');
    await promisify(execFile)(process.execPath, ['tools/build.ts', '--unless-built'], { cwd: repository });
    // What was just built, as users have it.
    const front = (await import(new URL('../dist/index.js', import.meta.url).href)) as typeof Front;
    const bootstrapServers = [...(cluster.description.listeners.plaintext ?? [])];
    const kafka = new front.Kafka({ clientId: 'kavka-start', bootstrapServers });
    try {
      await kafka.connect();
      say(`Sending ${files.length} records, one per file of the installed packages, to a group of three members …`);
      const report = makeReport(await runPipeline(front, kafka, files, showProgress), totalsOf(files));
      return { kafka: cluster.description.via, ...report };
    } finally {
      await kafka.close();
    }
  } finally {
    await cluster.close();
  }
}

try {
  const report = await run();
  console.log(process.stdout.isTTY ? printable(report) : JSON.stringify(report, null, 2));
  if (!report.ok) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof NoKafkaError)) throw error;
  say(error.message);
  process.exitCode = 2;
}
