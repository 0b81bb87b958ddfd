import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';
import { nodes, otherRuntimes, type Runtime } from '../runtimes.ts';

/** A command that passes or fails as a whole and counts as one test. */
export interface Check {
  readonly name: string;
  /** The program's file below the repository, run on this Node, and its arguments. */
  readonly run: readonly [string, ...string[]];
  /** Why it cannot run here, if so. */
  readonly unless?: () => string | undefined;
}

/** A part of `npm test`. */
export interface Stage {
  readonly name: string;
  readonly what: string;
  readonly checks?: readonly Check[];
  /** Patterns of test files, each run in a process of its own. */
  readonly files?: readonly string[];
  readonly exclude?: readonly string[];
  /** Words in the names of the files to begin with: those that take longest. */
  readonly longest?: readonly string[];
  /** How many files run at a time; more than the two cores of CI where they wait for brokers and time most of the while. @defaultValue 1 */
  readonly concurrency?: number;
  readonly fileTimeoutMs?: number;
  /** What its files run on, compiled; on this Node, as they are, if nothing is named. */
  readonly runtimes?: readonly Runtime[];
  /** Whether its tests ask for a (real) Kafka. */
  readonly needsKafka?: boolean;
  /** Whether its tests get the cluster inside their own process instead; with `needsKafka` where there is no other. */
  readonly inProcessKafka?: boolean;
}

export const root: string = path.resolve(import.meta.dirname, '../..');

const bin = (name: string): string => `node_modules/${name}`;
const minutes = 60_000;

/** Maven and Java make the golden bytes again. */
function withoutJava(): string | undefined {
  for (const [command, argument] of [
    ['java', '-version'],
    ['mvn', '--version'],
  ] as const) {
    if (spawnSync(command, [argument]).status !== 0) return `needs ${command} on this machine`;
  }
  return undefined;
}

export const stages: readonly Stage[] = [
  {
    name: 'types',
    what: 'the compiler, over sources, tests, tools and examples',
    checks: [{ name: 'tsc', run: [bin('typescript/bin/tsc'), '-p', 'tsconfig.json'] }],
  },
  {
    name: 'lint',
    what: 'eslint and prettier, and that each finds a planted defect',
    checks: [
      { name: 'eslint', run: [bin('eslint/bin/eslint.js'), '--concurrency=2', '--max-warnings=0', '.'] },
      { name: 'prettier', run: [bin('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'] },
    ],
    files: ['test/lint/**/*.test.ts'],
  },
  {
    name: 'layers',
    what: 'import directions, and that planted wrong imports are found',
    checks: [{ name: 'import directions', run: ['tools/check-layers.ts'] }],
    files: ['test/layers/**/*.test.ts'],
  },
  {
    name: 'generated',
    what: 'generating the protocol and compiling the WebAssembly again changes nothing',
    checks: [
      { name: 'protocol generator', run: ['tools/protocol-generator/generate.ts', '--check'] },
      { name: 'WebAssembly', run: ['tools/assembly/generate.ts', '--check'] },
    ],
  },
  {
    name: 'unit',
    what: 'each part by itself',
    files: ['test/unit/**/*.test.ts'],
    concurrency: 2,
  },
  {
    name: 'vectors',
    what: "golden bytes from Kafka's Java classes",
    checks: [
      { name: 'message vectors', run: ['tools/vectors/make-message-vectors.ts', '--check'], unless: withoutJava },
      { name: 'record vectors', run: ['tools/vectors/make-record-batch-vectors.ts', '--check'], unless: withoutJava },
      { name: 'assignment vectors', run: ['tools/vectors/make-assignment-vectors.ts', '--check'], unless: withoutJava },
    ],
    files: ['test/conformance/**/*.test.ts'],
    concurrency: 2,
    fileTimeoutMs: 10 * minutes,
  },
  {
    name: 'behaviour',
    what: 'what users rely on, against the in-process cluster',
    files: ['test/behaviour/**/*.test.ts'],
    concurrency: 4,
    longest: ['consumer-groups', 'consumer-options', 'consumer-run'],
    fileTimeoutMs: 10 * minutes,
    inProcessKafka: true,
  },
  {
    name: 'behaviour-real',
    what: 'the same files, against a real broker',
    files: ['test/behaviour/**/*.test.ts'],
    concurrency: 4,
    longest: ['consumer-groups', 'consumer-options', 'consumer-run'],
    fileTimeoutMs: 10 * minutes,
    needsKafka: true,
  },
  {
    name: 'integration',
    what: 'what only a real broker can show: security, other versions, other clients, bad input',
    files: ['test/integration/**/*.test.ts'],
    exclude: ['test/integration/three-brokers/**'],
    concurrency: 3,
    longest: [
      'answers',
      'share-groups',
      'consumer-chained-copy',
      'producer-outage',
      'testing-tools',
      'consumer-java-members',
      'hostile',
    ],
    fileTimeoutMs: 10 * minutes,
    needsKafka: true,
  },
  {
    name: 'three-brokers',
    what: 'faults: brokers killed, paused and moved under load',
    files: ['test/integration/three-brokers/**/*.test.ts'],
    concurrency: 1,
    fileTimeoutMs: 10 * minutes,
    needsKafka: true,
  },
  {
    name: 'docs',
    what: 'the reference builds without a gap, README and examples run',
    // Built before its files run, two at a time, so that none of them builds while another one uses what was built.
    checks: [
      { name: 'typedoc', run: [bin('typedoc/bin/typedoc')] },
      { name: 'build', run: ['tools/build.ts', '--unless-built'] },
    ],
    files: ['test/docs/**/*.test.ts'],
    concurrency: 2,
    longest: ['from-kafkajs', 'start', 'examples'],
    fileTimeoutMs: 10 * minutes,
    needsKafka: true,
  },
  {
    name: 'package',
    what: 'the packed tarball: contents, types, import and require',
    files: ['test/package/**/*.test.ts'],
    fileTimeoutMs: 10 * minutes,
  },
  {
    name: 'matrix',
    what: 'the tests, compiled, on the oldest supported Node (npm run test:matrix: on all)',
    // What is about the client, not about our tools, which run on the bundled Node only.
    files: ['test/unit/**/*.test.ts', 'test/conformance/**/*.test.ts', 'test/behaviour/**/*.test.ts'],
    exclude: ['test/unit/tools/**', 'test/unit/support/**'],
    runtimes: nodes.slice(0, 1),
    needsKafka: true,
  },
  {
    name: 'runtimes',
    what: 'what users rely on, compiled, on Bun and Deno (npm run test:matrix: all of it)',
    files: [
      'test/behaviour/{consumer,consumer-reading,producer,producer-typed,transactions}.test.ts',
      'test/integration/security.test.ts',
    ],
    runtimes: otherRuntimes,
    needsKafka: true,
    inProcessKafka: true,
  },
];

/** The test files of a stage, in a fixed order. */
export function filesOf(stage: Pick<Stage, 'files' | 'exclude'>, only?: string): string[] {
  const files = globSync(stage.files ?? [], { cwd: root, exclude: stage.exclude ?? [] })
    .map((file) => file.replaceAll(path.sep, '/'))
    .sort();
  return only === undefined ? files : files.filter((file) => file.includes(only));
}
