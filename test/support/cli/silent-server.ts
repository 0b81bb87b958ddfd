import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** A server that takes connections and says nothing. */
export async function silentServer(): Promise<{
  readonly address: string;
  close(): void;
  connections(): number;
}> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => undefined);
    socket.resume();
    socket.on('end', () => socket.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, close: () => server.close(), connections: () => connections };
}
