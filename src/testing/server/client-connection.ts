import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ConnectionState, ListenerInfo } from '../handler.ts';
import { RequestCutter } from './request-cutter.ts';

/** What becomes of one request: its answer in pieces, if there is one, or the end of the connection. */
export type Outcome =
  | 'disconnect'
  | {
      /** Undefined where nothing is to be sent. */
      readonly pieces: readonly Buffer[] | undefined;
      /** Holds back the next request after the answer was sent: how a broker throttles (KIP-219). */
      readonly mute?: () => Promise<void>;
    };

/** Serves one request; `signal` is aborted when the connection is gone. */
export type Serve = (frame: Buffer, connection: ConnectionState, signal: AbortSignal) => Promise<Outcome>;

// What Kafka's `socket.request.max.bytes` is by default.
const MAX_REQUEST_BYTES = 104_857_600;

/**
 * The broker's side of one connection. As in Kafka, the next request of a connection is looked at when the one before has been
 * answered, so answers keep the order of the requests.
 */
export class ClientConnection {
  readonly state: ConnectionState;
  readonly #socket: Socket;
  readonly #serve: Serve;
  readonly #gone = new AbortController();
  readonly #cutter = new RequestCutter(MAX_REQUEST_BYTES);
  readonly #waiting: Buffer[] = [];
  #isServing = false;
  #pause: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  constructor(socket: Socket, id: number, listener: ListenerInfo, serve: Serve) {
    this.#socket = socket;
    this.#serve = serve;
    this.state = {
      id,
      listener,
      clientHost: socket.remoteAddress ?? '',
      principal: certifiedPrincipal(socket) ?? 'User:ANONYMOUS',
      isEnding: false,
      software: undefined,
      attachments: new Map(),
    };
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => socket.destroy());
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      this.#gone.abort();
      this.resume();
    });
  }

  /** Calls back once, when the socket is closed. */
  onClose(callback: () => void): void {
    this.#socket.once('close', callback);
  }

  /** Ends the connection as a broker that dies does. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Stops reading, handling and answering, as a broker that hangs does, until {@link resume}. */
  pause(): void {
    if (this.#pause !== undefined || this.#gone.signal.aborted) return;
    this.#socket.pause();
    let end: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#pause = { over, end };
  }

  resume(): void {
    const pause = this.#pause;
    if (pause === undefined) return;
    this.#pause = undefined;
    this.#socket.resume();
    pause.end();
  }

  #receive(chunk: Buffer): void {
    try {
      this.#waiting.push(...this.#cutter.take(chunk));
    } catch {
      this.#socket.destroy();
      return;
    }
    void this.#serveWaiting();
  }

  async #serveWaiting(): Promise<void> {
    if (this.#isServing) return;
    this.#isServing = true;
    for (let frame = this.#waiting.shift(); frame !== undefined; frame = this.#waiting.shift()) {
      if (this.#pause !== undefined) await this.#pause.over;
      const outcome = await this.#serve(frame, this.state, this.#gone.signal);
      if (this.#pause !== undefined) await this.#pause.over;
      if (this.#gone.signal.aborted) return;
      if (outcome === 'disconnect') {
        this.#socket.destroy();
        return;
      }
      if (outcome.pieces !== undefined) await this.#send(outcome.pieces);
      if (this.state.isEnding) {
        this.#socket.end();
        return;
      }
      await outcome.mute?.();
    }
    this.#isServing = false;
  }

  async #send(pieces: readonly Buffer[]): Promise<void> {
    this.#socket.cork();
    let flowing = true;
    for (const piece of pieces) flowing = this.#socket.write(piece);
    this.#socket.uncork();
    if (flowing || this.#gone.signal.aborted) return;
    // A client that does not read is not served: its answers would pile up here.
    await new Promise<void>((resolve) => {
      const end = (): void => {
        this.#socket.off('drain', end).off('close', end);
        resolve();
      };
      this.#socket.on('drain', end).on('close', end);
    });
  }
}

const dnFields = ['CN', 'OU', 'O', 'L', 'ST', 'C'] as const;

/** Whom a client's certificate speaks for: its subject, as Java writes it. */
function certifiedPrincipal(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const subject = (socket.getPeerCertificate() as Partial<ReturnType<TLSSocket['getPeerCertificate']>>).subject;
  if (subject === undefined) return undefined;
  const fields = subject as unknown as Readonly<Record<string, string | string[] | undefined>>;
  const named = dnFields.flatMap((field) => [fields[field] ?? []].flat().map((value) => `${field}=${value}`));
  return `User:${named.join(',')}`;
}
