import net from 'node:net';

// Deliberately not Kavka's own client: what the tests stand on must not be what they test.

/** Asks one broker (Metadata, version 1, no topics) which brokers the cluster counts as alive. */
export function aliveBrokers(host: string, port: number, timeoutMs = 2000): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port });
    let received = Buffer.alloc(0);
    const finish = (result: number[] | Error): void => {
      socket.destroy();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.setTimeout(timeoutMs, () => {
      finish(new Error(`No answer from ${host}:${port} within ${timeoutMs} ms`));
    });
    socket.once('error', finish);
    socket.once('close', () => {
      finish(new Error(`${host}:${port} closed the connection`));
    });
    socket.once('connect', () => socket.write(metadataRequest()));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) finish(brokerIds(received));
    });
  });
}

function metadataRequest(): Buffer {
  const clientId = Buffer.from('probe');
  const body = Buffer.alloc(4 + 2 + 2 + 4 + 2 + clientId.length + 4);
  let at = body.writeInt32BE(body.length - 4, 0);
  at = body.writeInt16BE(3, at); // api key
  at = body.writeInt16BE(1, at); // version
  at = body.writeInt32BE(7, at); // correlation id
  at = body.writeInt16BE(clientId.length, at);
  at += clientId.copy(body, at);
  body.writeInt32BE(0, at); // no topics
  return body;
}

function brokerIds(frame: Buffer): number[] {
  const ids: number[] = [];
  let at = 12;
  for (let count = frame.readInt32BE(8); count > 0; count--) {
    ids.push(frame.readInt32BE(at));
    at += 4;
    at += 2 + frame.readInt16BE(at); // host
    at += 4; // port
    at += 2 + Math.max(0, frame.readInt16BE(at)); // rack
  }
  return ids.sort((a, b) => a - b);
}

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Answers with what is wrong as soon as waiting is in vain. */
  readonly giveUp?: () => string | undefined | Promise<string | undefined>;
}

/** Waits until every one of these brokers says that all of `ids` are alive. */
export async function waitForBrokers(
  addresses: readonly { readonly host: string; readonly port: number }[],
  ids: readonly number[],
  { timeoutMs, giveUp }: WaitOptions,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let last = '';
  while (performance.now() < deadline) {
    const answers = await Promise.allSettled(addresses.map(({ host, port }) => aliveBrokers(host, port)));
    if (answers.every((answer) => answer.status === 'fulfilled' && ids.every((id) => answer.value.includes(id))))
      return;
    last = answers.map((a) => (a.status === 'fulfilled' ? `sees ${a.value.join()}` : String(a.reason))).join('; ');
    const inVain = await giveUp?.();
    if (inVain !== undefined) throw new Error(`Kafka does not come up: ${inVain}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Kafka does not come up: not all brokers answered within ${timeoutMs} ms (${last})`);
}
