import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An identity provider as far as a client sees it: it answers each request with what `answer` says. */
export interface FakeTokenEndpoint {
  readonly url: string;
  /** What it was asked with. */
  readonly forms: readonly URLSearchParams[];
  close(): Promise<void>;
}

/** @param answer the body; undefined for an endpoint that is out of order just now */
export async function startTokenEndpoint(answer: () => object | undefined): Promise<FakeTokenEndpoint> {
  const forms: URLSearchParams[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      forms.push(new URLSearchParams(Buffer.concat(pieces).toString('utf8')));
      const body = answer();
      // Ends each connection: a test is over when nothing is open any more.
      response.writeHead(body === undefined ? 503 : 200, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(body ?? { error: 'temporarily_unavailable' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    forms,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
