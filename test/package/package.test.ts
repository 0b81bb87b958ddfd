import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, realpathSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodes, otherRuntimes, programOf, type Runtime } from '../../tools/runtimes.ts';
import { eventually } from '../support/eventually.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const tools = join(repository, 'node_modules');

/** An install takes seconds; npm asks a registry that does not answer again for minutes, and prints nothing. */
const maxMs = 180_000;

interface Outcome {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  // Settings that the surrounding npm hands down would change what a user's npm does.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS|NODE_TEST)/i.test(name));
  const options = {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    maxBuffer: 64 * 1024 * 1024,
    timeout: maxMs,
  };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const cut = error?.killed === true ? `\nCut off after ${maxMs / 1_000} s; does npm reach its registry?\n` : '';
      resolve({ code: error === null ? 0 : error.code, stdout, stderr: stderr + cut });
    });
  });
}

/** Where npm's program lies: it is started by the Node under test, as `npm` itself would start it. */
function npmProgram(): string {
  const inherited = process.env['npm_execpath'];
  if (inherited !== undefined && /npm-cli\.js$/.test(inherited)) return inherited;
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (existsSync(join(folder, 'npm'))) return realpathSync(join(folder, 'npm'));
  }
  throw new Error('Cannot find npm');
}

let scratch = '';
let tarball = '';

async function pack(): Promise<void> {
  const parent = join(repository, '.cache/package-test');
  await mkdir(parent, { recursive: true });
  scratch = await mkdtemp(join(parent, 'run-'));
  const built = await run(process.execPath, ['tools/build.ts'], repository);
  assert.equal(built.code, 0, `The build failed:\n${built.stdout}${built.stderr}`);
  const packed = await run(
    process.execPath,
    [npmProgram(), 'pack', '--ignore-scripts', '--json', '--pack-destination', scratch],
    repository,
  );
  assert.equal(packed.code, 0, packed.stderr);
  const [name] = (await readdir(scratch)).filter((file) => file.endsWith('.tgz'));
  assert.ok(name !== undefined, 'npm pack wrote no tarball');
  tarball = join(scratch, name);
}

/** A user's project, with the tarball installed by the npm that the given Node runs. */
async function install(node: Runtime): Promise<{ readonly folder: string; readonly outcome: Outcome }> {
  const folder = join(scratch, `project-${node.version}`);
  await mkdir(folder);
  await copyFile(tarball, join(folder, 'kavka.tgz'));
  await writeFile(join(folder, 'package.json'), '{ "name": "project", "version": "1.0.0", "private": true }\n');
  const program = await programOf(node);
  const env = {
    PATH: [dirname(program), process.env['PATH'] ?? ''].join(delimiter),
    npm_config_update_notifier: 'false',
  };
  const outcome = await run(program, [npmProgram(), 'install', './kavka.tgz', '--foreground-scripts'], folder, env);
  return { folder, outcome };
}

const useIt = `
  const kafka = new front.Kafka({ clientId: 'package-test', bootstrapServers: ['localhost:9'] });
  const bytes = protocol.apis.Metadata.encodeRequest({ topics: null }, 1);
  const topics = protocol.apis.Metadata.decodeRequest(bytes, 1).topics;
  let refusal;
  try {
    protocol.apis.Metadata.encodeRequest({ topics: 5 }, 1);
  } catch (error) {
    refusal = error;
  }
  const collected = metrics.collectMetrics(kafka);
  let misuse;
  try {
    metrics.collectMetrics(kafka, { prefx: 'shop' });
  } catch (error) {
    misuse = error;
  }
  const hasOneOfEachClass = refusal instanceof front.UsageError && misuse instanceof front.UsageError;
  const heard = [];
  channels.subscribe('kavka:producer.batch.delivered', ({ clientId, payload }) => heard.push([clientId, payload.records]));
  async function produceAndRead() {
    const cluster = await testing.TestCluster.start({ topics: { orders: 1 } });
    const own = new front.Kafka({ clientId: 'own', bootstrapServers: cluster.bootstrapServers });
    const counted = metrics.collectMetrics(own);
    await own.producer().send({ topic: 'orders', value: 'one' });
    const [record] = await cluster.records('orders');
    await own.close();
    await cluster.close();
    const records = /^kavka_producer_records_total{.*} (.*)$/m.exec(counted.prometheus())?.[1];
    return { value: record.value.toString(), records };
  }
  kafka.close().then(produceAndRead).then((result) => {
    collected.close();
    console.log(JSON.stringify({ front: Object.keys(front).includes('Kafka'), topics, version: manifest.name, ...result, heard, hasOneOfEachClass }));
  });
`;

const programs: Readonly<Record<string, string>> = {
  'import.mjs': `
    import { createRequire } from 'node:module';
    import * as front from 'kavka';
    import * as protocol from 'kavka/protocol';
    import * as testing from 'kavka/testing';
    import * as metrics from 'kavka/metrics';
    import * as channels from 'node:diagnostics_channel';
    const manifest = createRequire(import.meta.url)('kavka/package.json');
    ${useIt}`,
  'require.cjs': `
    const front = require('kavka');
    const protocol = require('kavka/protocol');
    const testing = require('kavka/testing');
    const metrics = require('kavka/metrics');
    const channels = require('node:diagnostics_channel');
    const manifest = require('kavka/package.json');
    ${useIt}`,
};

const whatProgramsPrint = {
  front: true,
  topics: null,
  version: 'kavka',
  value: 'one',
  records: '1',
  heard: [['own', 1]],
  hasOneOfEachClass: true,
};

describe('package', () => {
  before(pack);
  after(() => rm(scratch, { recursive: true, force: true }));

  it('holds what it promises and nothing else', async () => {
    const { stdout } = await run('tar', ['-tzf', tarball], scratch);
    const files = stdout.trim().split('\n');
    for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json', 'dist/index.js', 'dist/index.d.ts']) {
      assert.ok(files.includes(`package/${file}`), `${file} is missing`);
    }
    const stray = files.filter(
      (file) => !/^package\/(dist\/|README\.md|LICENSE|CHANGELOG\.md|package\.json)/.test(file),
    );
    assert.deepEqual(stray, []);
    // Bundled: finding and reading a file for each module would be most of an import's time (docs/decisions/bundle.md).
    const code = files.filter((file) => file.endsWith('.js'));
    assert.ok(code.length <= 24, `${code.length} files of code: ${code.join(' ')}`);
  });

  it('holds code in ASCII only: one other character doubles what the source takes in memory', async () => {
    const { code, stdout, stderr } = await run('tar', ['-xzf', tarball], scratch);
    assert.equal(code, 0, stdout + stderr);
    const files = (await readdir(join(scratch, 'package/dist'), { recursive: true })).filter((file) =>
      file.endsWith('.js'),
    );
    assert.ok(files.length > 5, `${files.length} files of code`);
    for (const file of files) {
      const [stray] = /.{0,20}[\u0080-\uffff]/.exec(await readFile(join(scratch, 'package/dist', file), 'utf8')) ?? [];
      assert.equal(stray, undefined, file);
    }
  });

  it('passes publint without a suggestion', async () => {
    const { code, stdout, stderr } = await run(
      process.execPath,
      [join(tools, 'publint/src/cli.js'), tarball, '--strict'],
      scratch,
    );
    assert.equal(code, 0, stdout + stderr);
    assert.doesNotMatch(stdout, /Suggestions|Warnings|Errors/);
  });

  // Two things are left out, each for a reason (docs/decisions/esm-only.md): TypeScript's old "node10" resolution, which knows no
  // subpaths and which no supported Node has, and the rule that a require() must not end at an ES module, which every supported Node allows.
  it('passes attw for every resolution that a supported Node has', async () => {
    const flags = [
      '--profile',
      'node16',
      '--ignore-rules',
      'cjs-resolves-to-esm',
      '--format',
      'table-flipped',
      '--no-color',
    ];
    const program = join(tools, '@arethetypeswrong/cli/dist/index.js');
    const { code, stdout, stderr } = await run(process.execPath, [program, tarball, ...flags], scratch);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /kavka\/protocol/);
    assert.match(stdout, /kavka\/testing/);
    assert.match(stdout, /kavka\/metrics/);
  });

  it('has no module with a top-level await, which would break every require', async () => {
    const offenders: string[] = [];
    const dist = join(repository, 'dist');
    for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
      const text = await readFile(join(entry.parentPath, entry.name), 'utf8');
      if (/^(const .*= |let .*= |)await /m.test(text)) offenders.push(entry.name);
    }
    assert.deepEqual(offenders, []);
  });

  // Two at a time: most of it is waiting for npm and for programs to start.
  describe('installed', { concurrency: 2 }, () => {
    for (const node of nodes) {
      describe(`on Node ${node.version}`, { concurrency: 1 }, () => {
        let project: Awaited<ReturnType<typeof install>>;
        before(async () => {
          project = await install(node);
        });

        it('installs without a warning, and compiles nothing', async () => {
          const { code, stdout, stderr } = project.outcome;
          assert.equal(code, 0, stderr);
          // What npm thinks of this machine's own settings says nothing about the package.
          assert.equal(stderr.replaceAll(/^npm warn Unknown (user|env|global|builtin) config .*\n/gm, ''), '');
          assert.doesNotMatch(stdout, /warn|deprecated|gyp/i);
          const lock = JSON.parse(await readFile(join(project.folder, 'package-lock.json'), 'utf8')) as {
            packages: Record<string, { hasInstallScript?: boolean }>;
          };
          const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript === true);
          assert.deepEqual(scripted, []);
        });

        it('loads neither TLS nor compression before somebody uses them', async () => {
          // How Node's own modules are named there; it is not documented, so the last one makes sure of it.
          const program = `import('kavka').then(() => console.log(process.moduleLoadList.join('\\n')))`;
          const { stdout } = await run(await programOf(node), ['--eval', program], project.folder);
          const loaded = stdout.trim().split('\n');
          assert.deepEqual(
            ['tls', 'zlib', 'net'].map((name) => loaded.includes(`NativeModule ${name}`)),
            [false, false, true],
          );
        });

        it('starts a broker by its command, which Ctrl-C ends', async () => {
          // Where npm and npx link the commands of a package.
          const command = join(project.folder, 'node_modules/.bin/kavka');
          const path = [dirname(await programOf(node)), process.env['PATH'] ?? ''].join(delimiter);
          const child = spawn(command, ['broker', '--listen', '0', '--topic', 'orders:2'], {
            cwd: project.folder,
            env: { ...process.env, PATH: path, NODE_OPTIONS: '--throw-deprecation' },
          });
          let [printed, said] = ['', ''];
          child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
          child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
          await eventually(() => printed.endsWith('\n') || child.exitCode !== null, 'the broker to print its address');
          child.kill('SIGINT');
          const [code] = (await once(child, 'exit')) as [number | null];
          assert.equal(said, '');
          assert.equal(code, 0);
          assert.match(printed, /"bootstrapServers":\["127\.0\.0\.1:\d+"\].*"topics":\["orders"\]/);
        });

        for (const [name, text] of Object.entries(programs)) {
          it(`works by ${name}, silently`, async () => {
            await writeFile(join(project.folder, name), text);
            const flags = ['--throw-deprecation', '--trace-warnings', name];
            const { code, stdout, stderr } = await run(await programOf(node), flags, project.folder);
            assert.equal(stderr, '');
            assert.equal(code, 0);
            assert.deepEqual(JSON.parse(stdout), whatProgramsPrint);
          });
        }
      });
    }
  });

  describe('elsewhere', () => {
    let folder = '';
    before(async () => {
      folder = join(scratch, 'project-elsewhere');
      await cp(join(scratch, `project-${nodes[0]?.version}`), folder, { recursive: true });
    });

    const flags = { Node: [], Bun: [], Deno: ['run', '--allow-all'] };
    for (const runtime of otherRuntimes) {
      for (const [name, text] of Object.entries(programs)) {
        it(`works on ${runtime.name} ${runtime.version} by ${name}, silently`, async () => {
          await writeFile(join(folder, name), text);
          const { code, stdout, stderr } = await run(await programOf(runtime), [...flags[runtime.name], name], folder);
          assert.equal(stderr, '');
          assert.equal(code, 0);
          assert.deepEqual(JSON.parse(stdout), whatProgramsPrint);
        });
      }
    }
  });
});
