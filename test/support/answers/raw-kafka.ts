import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { Api, Input } from '../../../src/protocol/api.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../../../src/protocol/framing.ts';
import { CreateTopics } from '../../../src/protocol/generated/create-topics.ts';
import { Metadata } from '../../../src/protocol/generated/metadata.ts';
import { SaslAuthenticate } from '../../../src/protocol/generated/sasl-authenticate.ts';
import { SaslHandshake } from '../../../src/protocol/generated/sasl-handshake.ts';
import { Reader } from '../../../src/protocol/wire/reader.ts';
import { eventually } from '../eventually.ts';

interface Waiting {
  resolve(frame: Buffer): void;
  reject(error: Error): void;
}

/** One socket to a broker, without anything of our client: requests go out as they are, answers come back in order. */
export class RawConnection {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #correlationId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error('the broker closed the connection'));
    });
  }

  static async open(address: string): Promise<RawConnection> {
    const colon = address.lastIndexOf(':');
    const socket = connect(Number(address.slice(colon + 1)), address.slice(0, colon));
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawConnection(socket);
  }

  /** Sends one request and waits for its answer; rejects if the broker hangs up instead. */
  async send<Req, Res>(
    api: Api<Req, Res>,
    version: number,
    message: Input<Req>,
    clientId: string | null = 'raw',
  ): Promise<Res> {
    this.#socket.write(Buffer.concat(encodeRequestFrame(api, message, version, ++this.#correlationId, clientId)));
    const frame = await new Promise<Buffer>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    const reader = new Reader(frame, `a response of ${api.name}`);
    decodeResponseHeader(reader, api.responseHeaderVersion(version));
    const answer = api.readResponse(reader, version);
    reader.finish();
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4 && this.#bytes.length >= 4 + this.#bytes.readInt32BE(0)) {
      const end = 4 + this.#bytes.readInt32BE(0);
      this.#waiting.shift()?.resolve(this.#bytes.subarray(4, end));
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}

/** A topic made for one scenario. */
export interface RawTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: number;
}

/** Where and as whom a scenario can log in. */
export interface RawLogin {
  /** A listener with SASL and without TLS. */
  readonly address: string;
  readonly username: string;
  readonly password: string;
}

/** The cluster that a scenario asks: a real one, or the one inside this process. */
export class RawKafka {
  readonly bootstrapServers: readonly string[];
  readonly #login: RawLogin | undefined;
  readonly #settleMs: number;
  readonly #open: RawConnection[] = [];

  /** @param settleMs how long a new topic is left alone: the coordinators of a busy broker learn of it later than its clients do */
  constructor(bootstrapServers: readonly string[], login?: RawLogin, settleMs = 0) {
    this.bootstrapServers = bootstrapServers;
    this.#login = login;
    this.#settleMs = settleMs;
  }

  /** As whom a scenario can log in, and where. */
  get login(): RawLogin {
    if (this.#login === undefined) throw new Error('this cluster has no listener with SASL');
    return this.#login;
  }

  /** A new connection of somebody who may do no more than the rules of access say. */
  async connectAsUser(): Promise<RawConnection> {
    const { address, username, password } = this.login;
    const connection = await this.connectTo(address);
    await connection.send(SaslHandshake, 1, { mechanism: 'PLAIN' });
    const authBytes = Buffer.from(`\0${username}\0${password}`);
    const { errorCode } = await connection.send(SaslAuthenticate, 2, { authBytes });
    if (errorCode !== 0) throw new Error(`cannot log in: error ${errorCode}`);
    return connection;
  }

  /** A new connection to one of the brokers. */
  async connect(brokerIndex = 0): Promise<RawConnection> {
    return this.connectTo(this.bootstrapServers[brokerIndex] ?? '');
  }

  /** A new connection to the broker at this address, as a coordinator or leader is told. */
  async connectTo(address: string): Promise<RawConnection> {
    const connection = await RawConnection.open(address);
    this.#open.push(connection);
    return connection;
  }

  /** A name that nobody has used yet. */
  name(prefix: string): string {
    return `${prefix}-${randomUUID()}`;
  }

  /** A new topic whose partitions have leaders. */
  async topic(
    partitions = 1,
    configs: Readonly<Record<string, string>> = {},
    replicationFactor = 1,
  ): Promise<RawTopic> {
    const connection = await this.connect();
    const name = this.name('answers');
    const pairs = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
    const topics = [{ name, numPartitions: partitions, replicationFactor, configs: pairs }];
    const { topics: made } = await connection.send(CreateTopics, 7, { topics, timeoutMs: 30_000 });
    if (made[0]?.errorCode !== 0) throw new Error(`cannot create a topic: error ${made[0]?.errorCode}`);
    let topicId = '';
    await eventually(async () => {
      const answer = await connection.send(Metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false });
      const topic = answer.topics[0];
      topicId = topic?.topicId ?? '';
      if (topic?.errorCode !== 0 || topic.partitions.some(({ leaderId }) => leaderId === -1))
        throw new Error(`topic ${name} has no leaders`);
      return true;
    });
    if (this.#settleMs > 0) await setTimeout(this.#settleMs);
    return { name, topicId, partitions };
  }

  /** Ends all connections that are still open. */
  close(): void {
    for (const connection of this.#open.splice(0)) connection.close();
  }
}
