import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

const produceKey = 0;

/** What becomes of a Produce request: `cut-before` ends the connection instead of passing it on, `cut-after` instead of its answer. */
export type ProduceFate = 'pass' | 'cut-before' | 'cut-after';

/** A proxy that {@link startProduceProxy} has started. */
export interface ProduceProxy extends AsyncDisposable {
  readonly address: string;
  /** How many Produce requests have come. */
  readonly produced: number;
  /** How many connections were cut. */
  readonly cuts: number;
  /** Asked for each Produce request; they are numbered from 1. */
  fateOf: (number: number) => ProduceFate;
  /** How fast Produce requests go on to the broker; 0 for not at all. */
  bytesPerSecond: number;
}

/**
 * Stands between a client and a broker, slows Produce requests down or cuts their connections. The broker's own address is replaced
 * in what it answers, so that the client stays with the proxy.
 *
 * @param server `127.0.0.1:9092`, as the broker itself advertises it
 */
export async function startProduceProxy(server: string): Promise<ProduceProxy> {
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  const [host = '', port = ''] = server.split(':');
  const state = { produced: 0, cuts: 0, fateOf: (): ProduceFate => 'pass', bytesPerSecond: Infinity };
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
    const cut = (): void => {
      state.cuts++;
      client.destroy();
    };
    let cutAtAnswer: number | undefined;
    const hold = (bytes: number): void => {
      client.pause();
      const look = (): void => {
        const delayMs = state.bytesPerSecond === 0 ? 50 : (bytes / state.bytesPerSecond) * 1000;
        const timer = setTimeout(() => {
          timers.delete(timer);
          if (state.bytesPerSecond === 0) look();
          else client.resume();
        }, delayMs);
        timers.add(timer);
      };
      look();
    };
    forEachFrame(client, (frame) => {
      if (frame.readInt16BE(4) === produceKey) {
        const fate = (state.fateOf as (number: number) => ProduceFate)(++state.produced);
        if (fate === 'cut-before') return cut();
        if (fate === 'cut-after') cutAtAnswer = frame.readInt32BE(8);
        if (state.bytesPerSecond !== Infinity) hold(frame.length);
      }
      broker.write(frame);
    });
    const from = address(host, Number(port));
    const to = address(host, (proxy.address() as AddressInfo).port);
    forEachFrame(broker, (frame) => {
      if (frame.readInt32BE(4) === cutAtAnswer) return cut();
      for (let at = frame.indexOf(from); at >= 0; at = frame.indexOf(from, at + to.length)) to.copy(frame, at);
      client.write(frame);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  });
}

/** How an answer with metadata names a broker: host, then port. */
function address(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(host.length + 4);
  bytes.write(host);
  bytes.writeInt32BE(port, host.length);
  return bytes;
}

/** Frames are put together from chunks without copying what has come again and again. */
function forEachFrame(socket: Socket, handle: (frame: Buffer) => void): void {
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
