import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A proxy that {@link startBrokerProxy} has started. */
export interface BrokerProxy extends AsyncDisposable {
  readonly address: string;
}

/** One client's way through a {@link BrokerProxy}. */
export interface ProxiedConnection {
  readonly client: Socket;
  readonly broker: Socket;
  /** Gives an answer of the broker to the client, with the proxy's address in place of the broker's. */
  readonly answer: (frame: Buffer) => void;
}

/**
 * Stands between clients and a broker. The broker's own address is replaced in what it answers, so that clients stay with the proxy.
 *
 * @param server `127.0.0.1:9092`, as the broker itself advertises it
 * @param serve passes on what comes on a connection: nothing goes through by itself
 */
export async function startBrokerProxy(
  server: string,
  serve: (connection: ProxiedConnection) => void,
): Promise<BrokerProxy> {
  const sockets = new Set<Socket>();
  const [host = '', port = ''] = server.split(':');
  const proxy = createServer((client) => {
    const broker = connect(Number(port), host);
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => other.destroy()).on('error', () => other.destroy());
    }
    const from = advertised(host, Number(port));
    const to = advertised(host, (proxy.address() as AddressInfo).port);
    const answer = (frame: Buffer): void => {
      replaceAll(frame, from, to);
      client.write(frame);
    };
    serve({ client, broker, answer });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

/** Calls with each frame, its size included. They are put together from chunks without copying what has come again and again. */
export function forEachFrame(socket: Socket, handle: (frame: Buffer) => void): void {
  let chunks: Buffer[] = [];
  let length = 0;
  let wanted = 4;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    while (length >= wanted) {
      const all = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
      const end = 4 + all.readInt32BE(0);
      const isWhole = all.length >= end;
      wanted = isWhole ? 4 : end;
      chunks = [isWhole ? all.subarray(end) : all];
      length = isWhole ? all.length - end : all.length;
      if (!isWhole) return;
      handle(Buffer.from(all.subarray(0, end)));
    }
  });
}

/** `to` must be as long as `from`. A text could lie across two chunks of a stream, never across two frames. */
export function replaceAll(bytes: Buffer, from: Buffer, to: Buffer): void {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + to.length)) to.copy(bytes, at);
}

/** How an answer with metadata names a broker: host, then port. */
function advertised(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(host.length + 4);
  bytes.write(host);
  bytes.writeInt32BE(port, host.length);
  return bytes;
}
