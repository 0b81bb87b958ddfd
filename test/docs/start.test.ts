import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { packageOf, totalsOf } from '../../tools/start/package-files.ts';
import type { Outcome } from '../../tools/start/pipeline.ts';
import { makeReport, printable, type Report } from '../../tools/start/report.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { repository } from './snippets.ts';

const files = [
  { package: 'a', path: 'a/one.js', size: 10 },
  { package: 'a', path: 'a/two.js', size: 5 },
  { package: 'b', path: 'b/one.js', size: 7 },
];

function outcome(differences: Partial<Outcome> = {}): Outcome {
  return {
    totals: totalsOf(files),
    written: [2, 1],
    missing: 0,
    doubled: 0,
    recordsPerMember: [1, 1, 1],
    produceSeconds: 1,
    consumeSeconds: 1,
    bytes: 100,
    maxLag: 1,
    finalLag: 0,
    latencyMs: { p50: 1, p99: 2, max: 3 },
    ...differences,
  };
}

describe('makeReport', () => {
  it('is content when everything came once', () => {
    const report = makeReport(outcome(), totalsOf(files));
    assert.equal(report.ok, true);
    assert.deepEqual(report.largest, [
      { package: 'a', files: 2, bytes: 15, matches: true },
      { package: 'b', files: 1, bytes: 7, matches: true },
    ]);
    assert.match(printable(report), /none missing, none doubled/);
  });

  const defects: Readonly<Record<string, Partial<Outcome>>> = {
    'a record that no member read': { missing: 1 },
    'a record that was read twice': { doubled: 1 },
    'a record that was written twice': { written: [3, 1] },
    'a record that was not written': { written: [1, 1] },
    'offsets that were not committed': { finalLag: 1 },
    'a wrong total': { totals: totalsOf(files.map((file) => ({ ...file, size: file.size + 1 }))) },
    'a package too many': { totals: totalsOf([...files, { package: 'c', path: 'c', size: 1 }]) },
    'a package too few': { totals: totalsOf(files.slice(0, 2)) },
  };
  for (const [defect, difference] of Object.entries(defects)) {
    it(`finds ${defect}`, () => assert.equal(makeReport(outcome(difference), totalsOf(files)).ok, false));
  }
});

describe('packageOf', () => {
  it('names the innermost package', () => {
    assert.equal(packageOf('a/lib/b.js'), 'a');
    assert.equal(packageOf('@s/a/lib/b.js'), '@s/a');
    assert.equal(packageOf('a/node_modules/@s/c/d.js'), '@s/c');
    assert.equal(packageOf('a/node_modules/c/d.js'), 'c');
  });
});

interface Ended {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function start(env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: repository, env: { ...process.env, ...env }, timeout: 300_000 };
    execFile(process.execPath, ['tools/start.ts'], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

const kafka = await kafkaUnderTest({ brokers: 1 });

describe('npm start', () => {
  it('sends every file through a group of three', { skip: kafka.skip }, async () => {
    const { code, stdout, stderr } = await start({ KAFKA_BOOTSTRAP: kafka.bootstrapServers.join(',') });
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as Report;
    assert.equal(report.ok, true);
    assert.ok(report.records >= 5000, `only ${report.records} records`);
    assert.equal(report.recordsPerMember.length, 3);
    assert.ok(!report.recordsPerMember.includes(0), 'a member read nothing');
    assert.match(stderr, /sent 100 %\s+read 100 %/);
  });

  it('uses the cluster inside its own process where nothing else is there, and says so', async () => {
    // A socket that nobody listens on stands for a machine without an engine.
    const nowhere = 'unix:///nowhere/docker.sock';
    const none = { KAFKA_BOOTSTRAP: '', KAFKA_VIA: '', PATH: '/nowhere', DOCKER_HOST: nowhere };
    const { code, stdout, stderr } = await start(none);
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as Report & { readonly kafka: string };
    assert.equal(report.kafka, 'in-process');
    assert.ok(report.ok && report.records >= 5000);
    assert.match(stderr, /No Kafka through Docker/);
    assert.match(stderr, /No Kafka through Java either/);
    assert.match(stderr, /Using Kavka's own Kafka inside this process \(kavka\/testing\), which is no real one/);
  });

  it('ends with what to install where the Kafka that was asked for is not there', async () => {
    const { code, stdout, stderr } = await start({ KAFKA_BOOTSTRAP: '', KAFKA_VIA: 'jvm', PATH: '/nowhere' });
    assert.equal(code, 2, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, /install Docker, or Java 17/);
  });
});
