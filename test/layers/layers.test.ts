import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkLayers, type LayerViolation } from '../../tools/check-layers.ts';
import { withPlantedFolder } from '../support/planted-folder.ts';

const clean = {
  'src/errors/kafka-error.ts': 'export const one = 1;\n',
  'src/network/pool.ts': "import { one } from '../errors/kafka-error.ts';\nexport const pool: number = one;\n",
  'src/cluster/cluster.ts': "import { pool } from '../network/pool.ts';\nexport const cluster: number = pool;\n",
  'src/producer/producer.ts': "import { cluster } from '../cluster/cluster.ts';\nexport const p: number = cluster;\n",
  'src/index.ts': "export { p } from './producer/producer.ts';\n",
};

function violationsOf(planted: Readonly<Record<string, string>>): Promise<readonly LayerViolation[]> {
  return withPlantedFolder({ ...clean, ...planted }, async (folder) => (await checkLayers(folder)).violations);
}

async function rulesBrokenBy(planted: Readonly<Record<string, string>>): Promise<string[]> {
  return [...new Set((await violationsOf(planted)).map((violation) => violation.rule))].sort();
}

describe('checkLayers', { concurrency: 2 }, () => {
  it('finds nothing where imports point down', async () => {
    assert.deepEqual(await rulesBrokenBy({}), []);
  });

  it('finds an upward import', async () => {
    const planted = { 'src/errors/up.ts': "import { pool } from '../network/pool.ts';\nexport const up = pool;\n" };
    assert.deepEqual(await violationsOf(planted), [
      { rule: 'errors-imports-down', from: 'src/errors/up.ts', to: 'src/network/pool.ts' },
    ]);
  });

  it('finds an upward import of a type only', async () => {
    const planted = {
      'src/cluster/shape.ts': 'export interface Shape {\n  readonly size: number;\n}\n',
      'src/network/up.ts':
        "import type { Shape } from '../cluster/shape.ts';\nexport const up = (shape: Shape): number => shape.size;\n",
    };
    assert.deepEqual(await violationsOf(planted), [
      { rule: 'network-imports-down', from: 'src/network/up.ts', to: 'src/cluster/shape.ts' },
    ]);
  });

  it('finds a sideways import between clients', async () => {
    const planted = { 'src/admin/admin.ts': "export { p as admin } from '../producer/producer.ts';\n" };
    assert.deepEqual(await rulesBrokenBy(planted), ['admin-imports-down']);
  });

  it('finds an import of the front door from below', async () => {
    const planted = { 'src/consumer/consumer.ts': "import '../index.ts';\n" };
    assert.deepEqual(await rulesBrokenBy(planted), ['consumer-imports-down']);
  });

  it('finds the front door reaching past the clients', async () => {
    const planted = { 'src/index.ts': "export { pool } from './network/pool.ts';\n" };
    assert.deepEqual(await rulesBrokenBy(planted), ['front-door-imports-clients']);
  });

  it('finds a cycle', async () => {
    const planted = {
      'src/cluster/a.ts': "import { b } from './b.ts';\nexport const a = (): number => b();\n",
      'src/cluster/b.ts': "import { a } from './a.ts';\nexport const b = (): number => a();\n",
    };
    assert.deepEqual(await rulesBrokenBy(planted), ['no-cycle']);
  });

  it('finds a cycle of types only', async () => {
    const planted = {
      'src/cluster/a.ts': "import type { B } from './b.ts';\nexport interface A {\n  readonly b: B;\n}\n",
      'src/cluster/b.ts': "import type { A } from './a.ts';\nexport interface B {\n  readonly a: A;\n}\n",
    };
    assert.deepEqual(await rulesBrokenBy(planted), ['no-cycle']);
  });

  it('finds a Node module in protocol code and in a machine', async () => {
    const planted = {
      'src/protocol/framing.ts': "import { createHash } from 'node:crypto';\nexport const hash = createHash;\n",
      'src/network/handshake-machine.ts': "import type { Socket } from 'node:net';\nexport type S = Socket;\n",
    };
    assert.deepEqual(await violationsOf(planted), [
      { rule: 'pure-code-has-no-node-module', from: 'src/network/handshake-machine.ts', to: 'net' },
      { rule: 'pure-code-has-no-node-module', from: 'src/protocol/framing.ts', to: 'crypto' },
    ]);
  });

  it('finds a package in protocol code, crc-32 aside', async () => {
    const planted = {
      'src/protocol/allowed.ts': "import c from 'crc-32/crc32c.js';\nexport { c };\n",
      'src/protocol/refused.ts': "import snappy from 'snappyjs';\nexport { snappy };\n",
    };
    assert.deepEqual(
      (await violationsOf(planted)).map(({ from }) => from),
      ['src/protocol/refused.ts'],
    );
  });

  it('finds a package outside of the folder that may use it', async () => {
    const planted = {
      'src/network/pool.ts': "import snappy from 'snappyjs';\nexport const pool = 1;\nexport { snappy };\n",
    };
    assert.deepEqual(await rulesBrokenBy(planted), ['packages-stay-in-their-folder']);
  });

  it('finds a folder that has no place in the table', async () => {
    const planted = {
      'src/misc/thing.ts': "import { one } from '../errors/kafka-error.ts';\nexport const two = one;\n",
    };
    assert.deepEqual(await rulesBrokenBy(planted), ['every-folder-has-a-layer']);
  });

  it('finds an import that leads nowhere', async () => {
    const planted = { 'src/cluster/lost.ts': "import { x } from './nowhere.ts';\nexport const lost = x;\n" };
    assert.deepEqual(await rulesBrokenBy(planted), ['resolvable']);
  });

  it('fails when it saw fewer modules than there are files', async () => {
    // dependency-cruiser never looks into a node_modules folder: one inside of src stands for any reason not to see a file.
    const planted = { 'src/cluster/node_modules/unseen.ts': 'export const unseen = 1;\n' };
    await assert.rejects(
      violationsOf(planted),
      /saw 5 of 6 files, not for example src\/cluster\/node_modules\/unseen\.ts/,
    );
  });
});
