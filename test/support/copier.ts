/**
 * A process that copies a topic to another one in transactions, until it is told to stop: consume, transform, produce. Whoever starts it
 * kills it, too. It prints a line for each transaction.
 */
import { FencedError, Kafka } from '../../src/index.ts';

interface Work {
  readonly bootstrapServers: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly groupId: string;
  readonly transactionalId: string;
  readonly recordsPerTransaction: number;
}

const work = JSON.parse(process.argv[2] ?? '{}') as Work;
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

async function main(): Promise<void> {
  const { bootstrapServers, from, to, groupId, transactionalId, recordsPerTransaction } = work;
  const kafka = new Kafka({ bootstrapServers });
  const producer = kafka.producer({ transactionalId });
  const consumer = kafka.consumer({
    groupId,
    autoCommit: false,
    autoOffsetReset: 'earliest',
    isolationLevel: 'read_committed',
    sessionTimeoutMs: 6000,
  });
  // What this id has left open holds up the offsets of its group.
  await producer.ready();
  consumer.subscribe([from]);
  while (!stopping.signal.aborted) {
    const records = await consumer.poll({ maxRecords: recordsPerTransaction, minRecords: 1, timeoutMs: 250 });
    if (records.length === 0) continue;
    try {
      await producer.transaction(async (tx) => {
        for (const record of records) void tx.send(record.toProducerRecord({ topic: to }));
        await tx.sendOffsets(records, consumer.groupMetadata());
      });
      console.log(JSON.stringify({ copied: records.length }));
    } catch (error) {
      if (error instanceof FencedError) throw error;
      console.log(JSON.stringify({ aborted: String(error) }));
      consumer.rewind();
    }
  }
  await kafka.close();
}

await main();
