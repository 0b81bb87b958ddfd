import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

const script = path.resolve(import.meta.dirname, '../../../tools/ensure-install.mjs');
let project = '';

beforeEach(() => {
  project = mkdtempSync(path.join(os.tmpdir(), 'kavka-install-'));
  mkdirSync(path.join(project, 'tools'));
  mkdirSync(path.join(project, 'node_modules/.bin'), { recursive: true });
  cpSync(script, path.join(project, 'tools/ensure-install.mjs'));
  write('package-lock.json', lock('1.0.0'));
  write('node_modules/.package-lock.json', lock('1.0.0'));
  putNode('v24.21.0');
  // Stands in for npm: leaves a trace.
  write('npm.cjs', `require('node:fs').writeFileSync(__dirname + '/asked', process.argv.slice(2).join(' '))`);
});

afterEach(() => {
  rmSync(project, { recursive: true });
});

function write(name: string, content: string): void {
  writeFileSync(path.join(project, name), content);
}

function lock(version: string): string {
  return JSON.stringify({
    packages: {
      '': { name: 'kavka' },
      'node_modules/node': { version: '24.21.0' },
      'node_modules/dependency': { version },
      'node_modules/other-platform': { version: '1.0.0', optional: true },
    },
  });
}

function putNode(version: string): void {
  const file = path.join(project, 'node_modules/.bin/node');
  writeFileSync(file, `#!/bin/sh\necho ${version}\n`);
  chmodSync(file, 0o755);
}

function runScript(): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(project, 'tools/ensure-install.mjs')], {
    encoding: 'utf8',
    env: { ...process.env, npm_execpath: path.join(project, 'npm.cjs') },
  });
  return { code: status, stdout, stderr };
}

describe('ensure-install', { skip: process.platform === 'win32' && 'its stand-in for Node is a shell script' }, () => {
  it('installs nothing when node_modules is what the lock file says', () => {
    write('node_modules/.package-lock.json', lock('1.0.0').replace(/,"node_modules\/other-platform[^}]*}/, ''));
    assert.deepEqual(runScript(), { code: 0, stdout: '', stderr: '' });
  });

  it('installs and says why when a version differs', () => {
    write('package-lock.json', lock('1.0.1'));
    const { code, stdout } = runScript();
    assert.equal(code, 0);
    assert.match(stdout, /Installing .*dependency is 1\.0\.0 and should be 1\.0\.1/);
  });

  it('installs when an install was cut off', () => {
    rmSync(path.join(project, 'node_modules/.package-lock.json'));
    assert.match(runScript().stdout, /nothing is installed yet/);
  });

  it('fails when the scripts would run on another Node, and says how to repair it', () => {
    putNode('v20.20.2');
    const { code, stderr } = runScript();
    assert.equal(code, 1);
    assert.match(stderr, /Node 24\.21\.0 .*scripts would run on v20\.20\.2.*allowScripts/);
  });
});
