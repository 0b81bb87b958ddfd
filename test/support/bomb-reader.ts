/** Reads from a fake broker until an error ends the read, and prints the error and how much memory that took. Needs --expose-gc. */
import { Kafka, KafkaError } from '../../src/index.ts';

const [port = ''] = process.argv.slice(2);

async function main(): Promise<void> {
  const kafka = new Kafka({ bootstrapServers: `127.0.0.1:${port}` });
  const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
  consumer.assign([{ topic: 't', partition: 0 }]);
  const before = process.resourceUsage().maxRSS;
  const error: unknown = await readUntilError(() => consumer.poll({ timeoutMs: 60_000 }));
  const peakBytes = (process.resourceUsage().maxRSS - before) * 1024;
  const keptBytes = await collected();
  const { code, message } = error instanceof KafkaError ? error : { code: 'none', message: String(error) };
  console.log(JSON.stringify({ code, message, peakBytes, keptBytes }));
  await kafka.close();
}

async function readUntilError(read: () => Promise<unknown>): Promise<unknown> {
  for (let tries = 0; tries < 3; tries++) {
    try {
      await read();
    } catch (error) {
      return error;
    }
  }
  return 'the read went on';
}

/** What buffers take once they are collected, which takes more than one round: the thread pool lets go of them late. */
async function collected(): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < 20; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
    least = Math.min(least, process.memoryUsage().external);
  }
  return least;
}

void main();
