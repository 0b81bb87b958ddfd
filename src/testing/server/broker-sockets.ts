import type { BrokerServer } from './broker-server.ts';

/** The listeners of one broker, which begin, pause and end together. */
export class BrokerSockets {
  readonly servers: readonly BrokerServer[];

  /** @param servers one per listener; the first is the one that the cluster shows */
  constructor(servers: readonly [BrokerServer, ...BrokerServer[]]) {
    this.servers = servers;
  }

  get host(): string {
    return this.servers[0]?.plan.host ?? '';
  }

  get port(): number {
    return this.servers[0]?.port ?? 0;
  }

  /** @throws Error with Node's code, such as EADDRINUSE; then none of them listens */
  async listen(): Promise<void> {
    try {
      for (const server of this.servers) await server.listen();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  pause(): void {
    for (const server of this.servers) server.pause();
  }

  resume(): void {
    for (const server of this.servers) server.resume();
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()));
  }
}
