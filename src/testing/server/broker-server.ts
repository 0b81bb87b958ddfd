import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { ListenerInfo } from '../handler.ts';
import { ClientConnection, type Serve } from './client-connection.ts';

/** Where a broker listens. */
export interface ListenerPlan {
  readonly info: ListenerInfo;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls?: TlsOptions;
}

let connectionCount = 0;

/** One listening socket of a broker and the connections that came in through it. */
export class BrokerServer {
  readonly plan: ListenerPlan;
  readonly #serve: Serve;
  readonly #connections = new Set<ClientConnection>();
  #server: Server | undefined;
  #port: number;
  #isPaused = false;

  constructor(plan: ListenerPlan, serve: Serve) {
    this.plan = plan;
    this.#serve = serve;
    this.#port = plan.port;
  }

  /** The port; the same one after a restart. */
  get port(): number {
    return this.#port;
  }

  /**
   * Takes connections from now on, at the port of the last time if there was one.
   *
   * @throws Error with Node's code, such as EADDRINUSE
   */
  async listen(): Promise<void> {
    const { tls, host } = this.plan;
    const accept = (socket: Socket): void => this.#accept(socket);
    const server = tls === undefined ? createTcpServer(accept) : createTlsServer(tls, accept);
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Goes on accepting connections, as the system does for a process that hangs, and does nothing with them. */
  pause(): void {
    this.#isPaused = true;
    for (const connection of this.#connections) connection.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const connection of this.#connections) connection.resume();
  }

  /** Refuses new connections and ends those that are open. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#isPaused = false;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  connections(): readonly ClientConnection[] {
    return [...this.#connections];
  }

  #accept(socket: Socket): void {
    const connection = new ClientConnection(socket, ++connectionCount, this.plan.info, this.#serve);
    this.#connections.add(connection);
    if (this.#isPaused) connection.pause();
    connection.onClose(() => this.#connections.delete(connection));
  }
}
