import { nextOffsetOf, readBatches, writeBatch, type ReadTotals } from '../bare/batch.ts';
import { BareConnection, eachFetched, fetchBody, initProducerId, producePieces, producedOffset } from '../bare/wire.ts';
import type { BareProducer, Contender, OnRead, OpenConsumer, Target } from '../contender.ts';
import type { PlainRecord } from '../record-pool.ts';

const inFlight = 5;
const batchBytes = Number(process.env['BARE_BATCH_BYTES'] ?? 1_000_000);
const fetchBytes = Number(process.env['BARE_FETCH_BYTES'] ?? 6 * 1024 * 1024);
const partitionBytes = Number(process.env['BARE_PARTITION_BYTES'] ?? 1024 * 1024);

/** Idempotent, acks=all, five requests of one full batch in flight; no key is hashed, nothing is retried. */
async function openBareProducer(target: Target, pool: readonly (readonly PlainRecord[])[]): Promise<BareProducer> {
  const records = pool.flat().map(({ key, value }) => ({ key: Buffer.from(key), value }));
  const connection = await BareConnection.open(target.bootstrap);
  const { id: producerId, epoch: producerEpoch } = await initProducerId(connection);
  const sequences = new Array<number>(target.partitions).fill(0);
  let turn = 0;
  let at = 0;
  const largest = Math.max(...records.map(({ key, value }) => key.length + value.length));

  async function worker(isOver: () => boolean, onAcknowledged: (records: number) => void): Promise<void> {
    // A record larger than a batch goes alone.
    const bytes = Buffer.allocUnsafeSlow(Math.max(batchBytes, largest + 100));
    while (!isOver()) {
      const partition = turn++ % target.partitions;
      const baseSequence = sequences[partition] ?? 0;
      const facts = { producerId, producerEpoch, baseSequence, timestampMs: Date.now() };
      const { count, end } = writeBatch(bytes, records, at, facts);
      at = (at + count) % records.length;
      sequences[partition] = (baseSequence + count) & 0x7fffffff;
      const answer = await connection.send(0, 7, producePieces(target.topic, partition, bytes.subarray(0, end)));
      producedOffset(answer, target.topic);
      onAcknowledged(count);
    }
  }

  return {
    async run(isOver, onAcknowledged) {
      await Promise.all(Array.from({ length: inFlight }, () => worker(isOver, onAcknowledged)));
    },
    close: () => connection.close(),
  };
}

/** Asks for the next records as soon as it knows where they begin, then checks and walks what it has. */
async function openConsumer(target: Target, _groupId: string, onRead: OnRead): Promise<OpenConsumer> {
  const connection = await BareConnection.open(target.bootstrap);
  const offsets = new Array<number>(target.partitions).fill(0);
  let closed = false;
  let rotation = 0;

  function fetch(): Promise<Buffer> {
    // The broker fills the answer in the order of the request: begin with another partition each time.
    const wanted = offsets.map((_, index) => {
      const partition = (index + rotation) % target.partitions;
      return { partition, offset: offsets[partition] ?? 0 };
    });
    rotation++;
    return connection.send(1, 11, [fetchBody(target.topic, wanted, fetchBytes, partitionBytes)]);
  }

  async function loop(): Promise<void> {
    let next = fetch();
    while (!closed) {
      const answer = await next;
      const from = [...offsets];
      eachFetched(answer, target.topic, (partition, start, end) => {
        offsets[partition] = nextOffsetOf(answer, start, end) ?? offsets[partition] ?? 0;
      });
      next = fetch();
      const totals: ReadTotals = { records: 0, bytes: 0, checksum: 0 };
      eachFetched(answer, target.topic, (partition, start, end) => {
        readBatches(answer, start, end, from[partition] ?? 0, totals);
      });
      if (totals.records > 0) onRead(totals.records, totals.bytes);
    }
    await next;
  }

  const ended = loop();
  // It ends with the connection when the consumer is closed; before that, a failure must end the process.
  ended.catch((error: unknown) => {
    if (!closed) throw error;
  });
  return {
    close: async () => {
      closed = true;
      connection.close();
    },
  };
}

/** The limit: what one Node thread can do if it does only what the protocol asks for. */
export const contender: Contender = {
  name: 'bare loop',
  options: {
    bulk: `idempotent, acks=all, ${inFlight} requests in flight of one batch of ${batchBytes} bytes; keys are not hashed`,
    consume: `one fetch ahead, max ${fetchBytes} bytes, ${partitionBytes} per partition, CRC checked, no group`,
  },
  bulkConcurrency: inFlight,
  refuses: (_workload, { compression, caFile }) =>
    compression !== 'none' || caFile !== undefined ? 'it knows neither codecs nor TLS' : undefined,
  openBareProducer,
  openConsumer,
};
