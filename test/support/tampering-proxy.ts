import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A proxy that {@link startTamperingProxy} has started. */
export interface TamperingProxy extends AsyncDisposable {
  readonly address: string;
}

/**
 * Stands between a client and a broker and replaces a text in everything that the broker answers, checksums left as they were:
 * a broker stores no batch whose checksum is wrong, so damage has to come later. The broker's own address is replaced too, so
 * that the client stays with the proxy.
 *
 * @param server `127.0.0.1:9092`, as the broker itself advertises it
 * @param text what to replace, by a text of the same length
 */
export async function startTamperingProxy(server: string, text: string, by: string): Promise<TamperingProxy> {
  const sockets = new Set<Socket>();
  const [host = '', port = ''] = server.split(':');
  const proxy = createServer((client) => {
    const broker = connect(Number(port), host);
    const replacements = [
      [Buffer.from(text), Buffer.from(by)],
      [address(host, Number(port)), address(host, (proxy.address() as AddressInfo).port)],
    ] as const;
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket);
      socket.on('close', () => other.destroy()).on('error', () => other.destroy());
    }
    client.pipe(broker);
    forEachFrame(broker, (frame) => {
      for (const [from, to] of replacements) replaceAll(frame, from, to);
      client.write(frame);
    });
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

/** How an answer with metadata names a broker: host, then port. */
function address(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(host.length + 4);
  bytes.write(host);
  bytes.writeInt32BE(port, host.length);
  return bytes;
}

/** A text could lie across two chunks of the stream, never across two answers. */
function forEachFrame(socket: Socket, handle: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      handle(Buffer.from(rest.subarray(0, end)));
      rest = rest.subarray(end);
    }
  });
}

function replaceAll(bytes: Buffer, from: Buffer, to: Buffer): void {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + to.length)) to.copy(bytes, at);
}
