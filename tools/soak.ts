/**
 * The scenarios of `npm test` at their full length, one after the other; each prints its seed, and `SEED=` repeats it.
 *
 *     npm run soak              npm run soak -- producer
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

interface Scenario {
  readonly name: string;
  readonly what: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const scenarios: readonly Scenario[] = [
  { name: 'decoders', what: 'a million mutated messages, every truncation', args: ['tools/fuzz.ts'], env: {} },
  {
    name: 'batches',
    what: 'a million mutated record batches',
    args: ['--test', 'test/unit/protocol/records/mutated-batches.test.ts'],
    env: { FUZZ_INPUTS: '1000000' },
  },
  {
    name: 'producer',
    what: 'random schedules of answers, failures, leader moves, batches that are too large, re-created topics',
    args: ['--test', 'test/unit/producer/producer-schedules.test.ts', 'test/unit/producer/partition-machine.test.ts'],
    env: { RUNS: '3000' },
  },
  {
    name: 'producer-brokers',
    what: 'leaders killed five times, no broker at all for 12 s, on three real brokers',
    args: ['tools/test.ts', 'three-brokers', '--only', 'producer-'],
    env: { LEADER_LOSSES: '5', OUTAGE_MS: '12000' },
  },
  {
    name: 'producer-memory',
    what: 'a minute of a producer that is faster than its broker',
    args: ['tools/test.ts', 'integration', '--only', 'producer-memory'],
    env: { MEMORY_MS: '60000' },
  },
  {
    name: 'transactions',
    what: 'random schedules of transactions, late copies of their requests among them',
    args: ['--test', 'test/unit/producer/transaction-machine.test.ts'],
    env: { RUNS: '20000' },
  },
  {
    name: 'copy',
    what: '100,000 records copied in transactions of 750 while three brokers and two copiers are bounced 12 times',
    args: ['tools/test.ts', 'three-brokers', '--only', 'transactional-copy'],
    env: { COPIED_RECORDS: '100000', COPY_ROUNDS: '3' },
  },
  {
    name: 'long-transaction',
    what: 'a transaction of 20 s, on both protocols',
    args: ['tools/test.ts', 'integration', '--only', 'long-transaction'],
    env: { TRANSACTION_MS: '20000' },
  },
  {
    name: 'group',
    what: 'random schedules of members and coordinators',
    args: [
      '--test',
      'test/unit/consumer/group/group-schedules.test.ts',
      'test/unit/consumer/group/consumer-group-schedules.test.ts',
    ],
    env: { RUNS: '5000' },
  },
  {
    name: 'fetch',
    what: 'random schedules of brokers that are slow, lost, moved, without sessions, and a reader that pauses and seeks',
    args: ['--test', 'test/unit/consumer/fetch/fetch-schedules.test.ts'],
    env: { RUNS: '5000' },
  },
  {
    name: 'slow-handler',
    what: 'a handler that awaits for 60 s keeps its membership and stops no other partition',
    args: ['tools/test.ts', 'behaviour-real', '--only', 'consumer-run'],
    env: { SLOW_HANDLER_MS: '60000' },
  },
  {
    name: 'chained-copy',
    what: '500,000 records through three groups whose members go and come, in each protocol, dynamic and static, with and without transactions',
    args: ['tools/test.ts', 'integration', '--only', 'consumer-chained-copy'],
    env: { CHAINED_COPY: 'whole', RECORDS: '500000', ROUNDS: '200' },
  },
  {
    name: 'outage',
    what: 'a consumer in each protocol through 120 s without a broker, and brokers that are restarted one by one',
    args: ['tools/test.ts', 'three-brokers', '--only', 'consumer-group-bounce'],
    env: { OUTAGE_MS: '120000' },
  },
  {
    name: 'share-group',
    what: 'random schedules of members of share groups and their coordinator',
    args: ['--test', 'test/unit/consumer/share/share-group-schedules.test.ts'],
    env: { RUNS: '5000' },
  },
  {
    name: 'share-jobs',
    what: '50,000 jobs by 12 members of a share group, two of them Java’s, while six processes are killed and six brokers bounced',
    args: ['tools/test.ts', 'three-brokers', '--only', 'share-jobs'],
    env: { SHARE_JOBS: '50000', SHARE_ROUNDS: '3' },
  },
];

const root = fileURLToPath(new URL('..', import.meta.url));
const wanted = process.argv.slice(2);
const chosen = scenarios.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (chosen.length === 0) {
  console.error(`Cannot run ${wanted.join(', ')}: scenarios are ${scenarios.map(({ name }) => name).join(', ')}`);
  process.exitCode = 2;
}

let failed = 0;
for (const { name, what, args, env } of chosen) {
  console.log(`\n${name}: ${what}`);
  const begin = performance.now();
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, FILE_TIMEOUT_MS: String(4 * 3_600_000), SHOW_OUTPUT: 'yes', ...env },
  });
  if (status !== 0) failed++;
  console.log(`${name}: ${status === 0 ? 'passed' : 'FAILED'} (${((performance.now() - begin) / 1000).toFixed(0)} s)`);
}
console.log(`\n${chosen.length - failed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
