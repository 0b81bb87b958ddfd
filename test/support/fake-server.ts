import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { Api, Input } from '../../src/protocol/api.ts';
import { decodeRequestHeader, encodeResponseFrame, peekRequest } from '../../src/protocol/framing.ts';
import { ApiVersions } from '../../src/protocol/generated/api-versions.ts';
import { Metadata } from '../../src/protocol/generated/metadata.ts';
import { Produce } from '../../src/protocol/generated/produce.ts';
import { SaslAuthenticate } from '../../src/protocol/generated/sasl-authenticate.ts';
import { SaslHandshake } from '../../src/protocol/generated/sasl-handshake.ts';
import { Reader } from '../../src/protocol/wire/reader.ts';

/** One request as the fake server got it. */
export interface FakeRequest {
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  readonly body: Buffer;
}

/** What happens on each connection, in order; an error in it fails the test at {@link FakeServer.close}. */
export type FakeScript = (peer: FakePeer) => Promise<void> | void;

const advertised = [ApiVersions, Metadata, Produce, SaslHandshake, SaslAuthenticate];

/** The server's side of one connection: it may say anything, at any time. */
export class FakePeer {
  readonly socket: Socket;
  readonly requests: FakeRequest[] = [];
  readonly #waiting: ((request: FakeRequest) => void)[] = [];
  #taken = 0;
  #chunks: Buffer[] = [];
  #length = 0;
  #wanted = 4;

  /** @param reading false leaves everything that the client sends in the kernel */
  constructor(socket: Socket, reading: boolean) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    if (reading) socket.on('data', (chunk) => this.#take(chunk));
    else socket.pause();
  }

  /** The next request that was not yet taken; never settles if none comes. */
  request(): Promise<FakeRequest> {
    const there = this.requests[this.#taken++];
    return there === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(there);
  }

  answer<Res>(api: Api<unknown, Res>, request: FakeRequest, message: Input<Res>): void {
    this.send(responseBytes(api, request, message));
  }

  /** Any bytes at all. */
  send(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  /** Each byte in a segment of its own. */
  async sendByteByByte(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) {
      await new Promise((resolve) => this.socket.write(Buffer.from([byte]), resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Answers ApiVersions, as each connection begins with it. */
  async shakeHands(answer: Partial<Parameters<typeof versionsAnswer>[0]> = {}): Promise<FakeRequest> {
    const request = await this.request();
    this.answer(ApiVersions, request, versionsAnswer(answer));
    return request;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    // Put together only when a whole request is there: a large one comes in a thousand chunks.
    while (this.#length >= this.#wanted) {
      const bytes = Buffer.concat(this.#chunks);
      this.#wanted = bytes.length < 4 ? 4 : 4 + bytes.readInt32BE(0);
      const whole = bytes.length >= Math.max(4, this.#wanted);
      const rest = whole ? bytes.subarray(this.#wanted) : bytes;
      this.#chunks = [rest];
      this.#length = rest.length;
      if (!whole) return;
      this.#handOut(parseRequest(bytes.subarray(4, this.#wanted)));
      this.#wanted = 4;
    }
  }

  #handOut(request: FakeRequest): void {
    this.requests.push(request);
    this.#waiting.shift()?.(request);
  }
}

/** A server that follows a script on each connection, to see what a client makes of it. */
export class FakeServer {
  readonly host: string;
  readonly port: number;
  readonly peers: FakePeer[] = [];
  readonly #server: Server;
  readonly #errors: unknown[] = [];

  private constructor(server: Server, host: string) {
    this.#server = server;
    this.host = host;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start(
    script: FakeScript,
    options: { host?: string; tls?: TlsOptions; reading?: boolean; port?: number } = {},
  ): Promise<FakeServer> {
    const { host = '127.0.0.1', tls, reading = true, port = 0 } = options;
    const accept = (socket: Socket): void => fake.#accept(new FakePeer(socket, reading), script);
    const server = tls === undefined ? createTcpServer(accept) : createTlsServer(tls, accept);
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    const fake = new FakeServer(server, host);
    return fake;
  }

  get endpoint(): { host: string; port: number } {
    return { host: this.host, port: this.port };
  }

  /** Ends all connections; rejects with the first error of a script. */
  async close(): Promise<void> {
    for (const { socket } of this.peers) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(peer: FakePeer, script: FakeScript): void {
    this.peers.push(peer);
    Promise.resolve()
      .then(() => script(peer))
      .catch((error: unknown) => this.#errors.push(error));
  }
}

/** A whole response frame. */
export function responseBytes<Res>(api: Api<unknown, Res>, request: FakeRequest, message: Input<Res>): Buffer {
  return Buffer.concat(encodeResponseFrame(api, message, request.version, request.correlationId));
}

/** What a broker says of itself, with some of it replaced. */
export function versionsAnswer(replaced: {
  errorCode?: number;
  apiKeys?: { apiKey: number; minVersion: number; maxVersion: number }[];
  finalizedFeatures?: { name: string; maxVersionLevel: number; minVersionLevel: number }[];
}): object {
  const apiKeys = advertised.map(({ key, minVersion, maxVersion }) => ({ apiKey: key, minVersion, maxVersion }));
  return { errorCode: 0, apiKeys, ...replaced };
}

/** A frame with this size prefix, whatever its real size. */
export function frameWithSize(size: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeInt32BE(size | 0);
  return Buffer.concat([prefix, body]);
}

function parseRequest(frame: Buffer): FakeRequest {
  const reader = new Reader(Buffer.from(frame), 'a request');
  const { apiKey, version } = peekRequest(reader);
  const api = advertised.find(({ key }) => key === apiKey);
  // Header version 1 is enough for what the tests look at; a flexible body keeps its tag buffer.
  const { correlationId, clientId } = decodeRequestHeader(reader, api?.requestHeaderVersion(version) ?? 1);
  return { apiKey, version, correlationId, clientId, body: reader.buffer.subarray(reader.offset) };
}
