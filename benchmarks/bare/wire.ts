/**
 * The least of Kafka's protocol that the bare loop and the harness need, written by hand and on purpose without any code of
 * src: the harness must be able to count what a client wrote without asking a client.
 */
import net from 'node:net';

/** A connection that matches answers to requests by their order, and reads each frame into one buffer of its size. */
export class BareConnection {
  readonly #socket: net.Socket;
  readonly #waiting: { readonly resolve: (frame: Buffer) => void; readonly reject: (error: Error) => void }[] = [];
  readonly #size = Buffer.allocUnsafe(4);
  #frame: Buffer | undefined;
  #filled = 0;
  #correlationId = 0;
  #failure: Error | undefined;

  private constructor(host: string, port: number) {
    this.#socket = net.connect({
      host,
      port,
      noDelay: true,
      onread: { buffer: () => this.#rest(), callback: (bytes) => this.#read(bytes) },
    });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error(`The connection to ${host}:${port} was closed`)));
  }

  static async open(bootstrap: string): Promise<BareConnection> {
    const first = bootstrap.split(',')[0] ?? bootstrap;
    const colon = first.lastIndexOf(':');
    const connection = new BareConnection(first.slice(0, colon), Number(first.slice(colon + 1)));
    await new Promise<void>((resolve, reject) => {
      connection.#socket.once('connect', resolve);
      connection.#socket.once('error', reject);
    });
    return connection;
  }

  /** Sends a request whose body is `pieces`, without copying them, and resolves with the body of the answer. */
  send(apiKey: number, version: number, pieces: readonly Uint8Array[]): Promise<Buffer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const header = Buffer.allocUnsafe(4 + 10);
    let size = 10;
    for (const piece of pieces) size += piece.length;
    header.writeInt32BE(size, 0);
    header.writeInt16BE(apiKey, 4);
    header.writeInt16BE(version, 6);
    header.writeInt32BE(this.#correlationId++, 8);
    header.writeInt16BE(-1, 12);
    this.#socket.cork();
    this.#socket.write(header);
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.uncork();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #rest(): Uint8Array {
    return this.#frame === undefined ? this.#size.subarray(this.#filled) : this.#frame.subarray(this.#filled);
  }

  #read(bytes: number): boolean {
    this.#filled += bytes;
    if (this.#frame === undefined) {
      if (this.#filled === 4) this.#startFrame(this.#size.readInt32BE(0));
    } else if (this.#filled === this.#frame.length) {
      const frame = this.#frame;
      this.#frame = undefined;
      this.#filled = 0;
      this.#waiting.shift()?.resolve(frame.subarray(4));
    }
    return true;
  }

  #startFrame(size: number): void {
    this.#frame = Buffer.allocUnsafeSlow(size);
    this.#filled = 0;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

/** A string as the non-flexible versions write it. */
export function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}

function refuse(doing: string, errorCode: number): void {
  if (errorCode !== 0) throw new Error(`${doing}: the broker answered error ${errorCode}`);
}

/** Creates a topic of one replica (CreateTopics v2) that takes batches of this size, and waits until its leaders answer. */
export async function createTopic(
  connection: BareConnection,
  topic: string,
  partitions: number,
  maxBatchBytes: number,
): Promise<void> {
  const body = [
    int32(1),
    text(topic),
    int32(partitions),
    int16(1),
    int32(0),
    int32(1),
    text('max.message.bytes'),
    text(String(maxBatchBytes)),
    int32(30_000),
    Buffer.from([0]),
  ];
  const answer = await connection.send(19, 2, body);
  refuse(`Cannot create topic "${topic}"`, answer.readInt16BE(8 + 2 + Buffer.byteLength(topic)));
  for (let attempt = 0; ; attempt++) {
    try {
      await endOffsets(connection, topic, partitions);
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Deletes a topic (DeleteTopics v1). */
export async function deleteTopic(connection: BareConnection, topic: string): Promise<void> {
  const answer = await connection.send(20, 1, [int32(1), text(topic), int32(30_000)]);
  refuse(`Cannot delete topic "${topic}"`, answer.readInt16BE(8 + 2 + Buffer.byteLength(topic)));
}

/** The end offset of each partition (ListOffsets v1). */
export async function endOffsets(connection: BareConnection, topic: string, partitions: number): Promise<number[]> {
  const body = [int32(-1), int32(1), text(topic), int32(partitions)];
  for (let partition = 0; partition < partitions; partition++) body.push(int32(partition), int64(-1n));
  const answer = await connection.send(2, 1, body);
  let position = 4 + 2 + Buffer.byteLength(topic);
  const count = answer.readInt32BE(position);
  position += 4;
  const offsets = new Array<number>(partitions).fill(0);
  for (let index = 0; index < count; index++) {
    refuse(`Cannot list offsets of "${topic}"`, answer.readInt16BE(position + 4));
    offsets[answer.readInt32BE(position)] = Number(answer.readBigInt64BE(position + 14));
    position += 22;
  }
  return offsets;
}

/** What a broker that has just started answers for a while. */
const coordinatorLoading = 14;

/** A producer id and its epoch (InitProducerId v0). */
export async function initProducerId(connection: BareConnection): Promise<{ id: bigint; epoch: number }> {
  let answer = await connection.send(22, 0, [int16(-1), int32(60_000)]);
  for (let tries = 1; answer.readInt16BE(4) === coordinatorLoading && tries < 100; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    answer = await connection.send(22, 0, [int16(-1), int32(60_000)]);
  }
  refuse('Cannot get a producer id', answer.readInt16BE(4));
  return { id: answer.readBigInt64BE(6), epoch: answer.readInt16BE(14) };
}

/** The body of a Produce v7 request of one batch, as the pieces to write. */
export function producePieces(topic: string, partition: number, batch: Uint8Array): Uint8Array[] {
  const head = [int16(-1), int16(-1), int32(30_000), int32(1), text(topic), int32(1), int32(partition)];
  return [Buffer.concat([...head, int32(batch.length)]), batch];
}

/** The first offset that a Produce v7 answer of one batch tells. */
export function producedOffset(answer: Buffer, topic: string): bigint {
  const position = 4 + 2 + Buffer.byteLength(topic) + 4;
  refuse(`Cannot produce to "${topic}"`, answer.readInt16BE(position + 4));
  return answer.readBigInt64BE(position + 6);
}

/** Where the next records are wanted from, one entry per partition that has some left. */
export interface Wanted {
  readonly partition: number;
  readonly offset: number;
}

/** The body of a Fetch v11 request without a session. */
export function fetchBody(topic: string, wanted: readonly Wanted[], maxBytes: number, partitionBytes: number): Buffer {
  const limits = [int32(-1), int32(500), int32(1), int32(maxBytes), Buffer.from([0]), int32(0), int32(-1)];
  const parts = [...limits, int32(1), text(topic), int32(wanted.length)];
  for (const { partition, offset } of wanted) {
    parts.push(int32(partition), int32(-1), int64(BigInt(offset)), int64(-1n), int32(partitionBytes));
  }
  parts.push(int32(0), text(''));
  return Buffer.concat(parts);
}

/** Calls `each` with the place of every partition's records in a Fetch v11 answer. */
export function eachFetched(
  answer: Buffer,
  topic: string,
  each: (partition: number, start: number, end: number) => void,
): void {
  refuse(`Cannot fetch from "${topic}"`, answer.readInt16BE(4));
  let position = 10;
  if (answer.readInt32BE(position) === 0) return;
  position += 4 + 2 + Buffer.byteLength(topic);
  const partitions = answer.readInt32BE(position);
  position += 4;
  for (let index = 0; index < partitions; index++) {
    const partition = answer.readInt32BE(position);
    refuse(`Cannot fetch from "${topic}"`, answer.readInt16BE(position + 4));
    position += 6 + 24;
    position += 4 + Math.max(0, answer.readInt32BE(position)) * 16;
    const length = Math.max(0, answer.readInt32BE(position + 4));
    position += 8;
    each(partition, position, position + length);
    position += length;
  }
}
