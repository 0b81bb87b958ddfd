import net from 'node:net';

// The systems we know hand out 32768 and above to outgoing connections: a client that connects to a broker's port there
// while the broker is down can be given that very port and talk to itself, and the broker cannot come back.
const first = 20_000;
const last = 32_000;

/** Ports that nothing listens on just now. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries++) {
    if (tries > 1000) throw new Error(`Cannot find ${count} free ports between ${first} and ${last}`);
    const port = first + Math.floor(Math.random() * (last - first));
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => {
      resolve(false);
    });
    // On all addresses, as Docker publishes them.
    server.listen({ port, host: '0.0.0.0' }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
