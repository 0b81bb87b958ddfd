/** A process that connects to a fake server and then has nothing left to do: it must end by itself. */
import { ConnectionPool } from '../../src/network/connection-pool.ts';
import { Metadata } from '../../src/protocol/generated/metadata.ts';
import { networkOptions } from './network-options.ts';

const [port = '', then = ''] = process.argv.slice(2);

async function main(): Promise<void> {
  const pool = new ConnectionPool(networkOptions());
  const target = { nodeId: 1, endpoint: { host: '127.0.0.1', port: Number(port) } };
  const connection = await pool.connect(target, 'control', { timeoutMs: 60_000 });
  if (then === 'idle') return console.log(JSON.stringify({ clusterId: 'not asked' }));
  // Answered late: the request alone keeps the process alive until then.
  const { clusterId } = await connection.send(Metadata, 9, {}, { background: then === 'background' });
  if (then === 'close') await pool.close();
  const left = process.getActiveResourcesInfo().filter((name) => /TCP|TLS|Timeout/.test(name));
  console.log(JSON.stringify({ clusterId, left }));
}

void main();
