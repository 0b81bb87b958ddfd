import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KafkaCluster, KafkaDescription, KafkaOptions, ToolOptions } from './options.ts';
import { defaultKafkaVersion } from './options.ts';
import { NoKafkaError, startKafka } from './start-kafka.ts';

/** What a test process asks the keeper; answered as JSON. */
export type KeeperRequest =
  | { readonly do: 'cluster'; readonly options: KafkaOptions; readonly own: boolean }
  | {
      readonly do: 'stop' | 'kill' | 'pause' | 'unpause' | 'start' | 'logs';
      readonly cluster: string;
      readonly brokerId: number;
    }
  | { readonly do: 'restore'; readonly cluster: string }
  | { readonly do: 'release'; readonly cluster: string }
  | {
      readonly do: 'tool';
      readonly cluster: string;
      readonly name: string;
      readonly args: readonly string[];
      readonly options: ToolOptions;
    };

/** The answer to `cluster`. */
export type ClusterAnswer =
  { readonly cluster: string; readonly description: KafkaDescription } | { readonly unavailable: string };

/** What `KAVKA_TEST_KAFKA` holds, as JSON. */
export interface KeeperAddress {
  readonly port: number;
  readonly token: string;
}

/**
 * Holds the clusters of a run and lets test processes use and control them.
 *
 * It runs on Node 24, which alone can load testcontainers; the test processes may run on any Node. A cluster is started
 * when the first test asks for it and serves all later ones.
 */
export class Keeper {
  readonly #clusters = new Map<string, Promise<KafkaCluster>>();
  readonly #token = randomBytes(16).toString('hex');
  readonly #say: (line: string) => void;
  readonly #server: http.Server;
  #ownClusters = 0;

  constructor(say: (line: string) => void) {
    this.#say = say;
    this.#server = http.createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<KeeperAddress> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#server.unref();
    return { port: (this.#server.address() as AddressInfo).port, token: this.#token };
  }

  /** The cluster that serves everyone who asks for the same. */
  shared(options: KafkaOptions): Promise<KafkaCluster> {
    const key = `${options.brokers ?? 1}@${options.version ?? defaultKafkaVersion}`;
    return this.#start(key, { brokers: options.brokers ?? 1, version: options.version ?? defaultKafkaVersion });
  }

  /** Those that are running, by name. */
  async running(): Promise<Map<string, KafkaDescription>> {
    const running = new Map<string, KafkaDescription>();
    for (const [name, starting] of this.#clusters) {
      const cluster = await starting.catch(() => undefined);
      if (cluster !== undefined) running.set(name, cluster.description);
    }
    return running;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    const clusters = [...this.#clusters.values()];
    this.#clusters.clear();
    await Promise.all(clusters.map((starting) => starting.then((cluster) => cluster.close()).catch(() => undefined)));
  }

  #start(key: string, options: KafkaOptions): Promise<KafkaCluster> {
    const known = this.#clusters.get(key);
    if (known !== undefined) return known;
    const starting = startKafka({ ...options, quickStart: true, say: this.#say });
    starting.catch(() => undefined); // whoever asked gets to know it
    this.#clusters.set(key, starting);
    return starting;
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    if (request.headers.authorization !== this.#token) {
      response.writeHead(403).end();
      return;
    }
    try {
      const result = await this.#do(JSON.parse(await readAll(request)) as KeeperRequest);
      response.end(JSON.stringify(result ?? null));
    } catch (error) {
      response.writeHead(500).end(JSON.stringify(error instanceof Error ? error.message : String(error)));
    }
  }

  async #do(request: KeeperRequest): Promise<unknown> {
    if (request.do === 'cluster') return await this.#cluster(request);
    const cluster = await this.#clusters.get(request.cluster);
    if (cluster === undefined) throw new Error(`There is no cluster "${request.cluster}"`);
    if (request.do === 'restore') return await cluster.restore();
    if (request.do === 'tool') return await cluster.tool(request.name, request.args, request.options);
    if (request.do !== 'release') return await cluster[request.do](request.brokerId);
    if (request.cluster.startsWith('own-')) {
      this.#clusters.delete(request.cluster);
      await cluster.close();
    }
    return undefined;
  }

  async #cluster({ options, own }: Extract<KeeperRequest, { do: 'cluster' }>): Promise<ClusterAnswer> {
    try {
      if (own) {
        const name = `own-${++this.#ownClusters}`;
        const cluster = await this.#start(name, options);
        return { cluster: name, description: cluster.description };
      }
      const cluster = await this.shared(options);
      const touched = await cluster.restore();
      if (touched.length > 0) this.#say(`A test before left broker ${touched.join(', ')} down; started again`);
      return {
        cluster: `${options.brokers ?? 1}@${options.version ?? defaultKafkaVersion}`,
        description: cluster.description,
      };
    } catch (error) {
      if (error instanceof NoKafkaError) return { unavailable: error.message };
      throw error;
    }
  }
}

async function readAll(request: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
