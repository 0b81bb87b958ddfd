import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Metadata } from '../../../src/protocol/generated/metadata.ts';
import { FakeServer, type FakePeer } from '../../support/fake-server.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const child = fileURLToPath(new URL(`../../support/network-child.${extension}`, import.meta.url));

/** Runs the child against a server that answers late; resolves with what it printed once it has ended. */
async function run(then: string): Promise<{ code: number | null; result: { clusterId: string; left: string[] } }> {
  const server = await FakeServer.start(async (peer: FakePeer) => {
    await peer.shakeHands();
    const request = await peer.request(); // of `idle` none comes
    if (then !== 'background') setTimeout(() => peer.answer(Metadata, request, { clusterId: 'late' }), 300);
  });
  const client = spawn(process.execPath, [child, String(server.port), then], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  client.stdout.on('data', (chunk) => (printed += String(chunk)));
  const hung = setTimeout(() => client.kill('SIGKILL'), 60_000);
  const code = await new Promise<number | null>((resolve) => client.once('close', resolve));
  clearTimeout(hung);
  await server.close();
  return { code, result: JSON.parse(printed || '{}') as { clusterId: string; left: string[] } };
}

describe('ConnectionPool and the process', () => {
  it('keeps the process alive for an answer, and lets it end with an idle connection open', async () => {
    const { code, result } = await run('nothing');
    assert.equal(code, 0);
    assert.equal(result.clusterId, 'late');
  });

  it('lets the process end with a connection open that was never used', async () => {
    const { code, result } = await run('idle');
    assert.equal(code, 0);
    assert.equal(result.clusterId, 'not asked');
  });

  it('lets the process end while a request waits in the background', async () => {
    const { code, result } = await run('background');
    assert.equal(code, 0);
    assert.deepEqual(result, {});
  });

  it('leaves no socket and no timer after close', async () => {
    const { code, result } = await run('close');
    assert.equal(code, 0);
    assert.deepEqual(result.left, []);
  });
});
