/**
 * A process with nothing but one producer, so that its memory is the producer's; its parent makes the broker slow. Tells on standard
 * output, in JSON, how much more memory was taken than at the start, and how the sends ended.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, SendError, type RecordMetadata } from '../../src/index.ts';

const [bootstrapServers = '', topic = '', bufferMemoryBytes = '', maxBlockMs = '', durationMs = ''] =
  process.argv.slice(2);
const kafka = new Kafka({ bootstrapServers: [bootstrapServers], requestTimeoutMs: 120_000 });
const producer = kafka.producer({ bufferMemoryBytes: Number(bufferMemoryBytes), maxBlockMs: Number(maxBlockMs) });
/** All records have this one value, so that what waits takes no memory of the user's. */
const value = Buffer.alloc(1000, 'v');

const taken = (): number => {
  globalThis.gc?.();
  const { external, heapUsed } = process.memoryUsage();
  return external + heapUsed;
};

const offsets: bigint[] = [];
const failures = new Map<string, number>();
let [sent, settled, waited] = [0, 0, 0];
function send(): void {
  sent++;
  const each: Promise<RecordMetadata> = producer.send({ topic, partition: 0, value });
  each.then(
    ({ offset }) => {
      settled++;
      offsets.push(offset);
    },
    (error: unknown) => {
      settled++;
      const kind = error instanceof SendError ? `${error.code} ${error.outcome} ${error.message}` : String(error);
      failures.set(kind, (failures.get(kind) ?? 0) + 1);
    },
  );
}

// Code that is compiled and tables that are made once are not what grows.
for (let at = 0; at < 5000; at++) send();
await producer.flush();
const startBytes = taken();
process.send?.('warm');
let mostBytes = 0;
const endsMs = performance.now() + Number(durationMs);
while (performance.now() < endsMs) {
  // Where memory ends within these, the rest of them waits.
  for (let at = 0; at < 2000; at++) send();
  mostBytes = Math.max(mostBytes, taken() - startBytes);
  const began = performance.now();
  await Promise.race([producer.ready(), delay(Math.max(1, endsMs - began))]);
  if (performance.now() - began > 5) waited++;
}
process.send?.('the broker may be fast again');
await producer.flush().catch(() => undefined);
console.log(
  JSON.stringify({
    mostBytes,
    sent,
    settled,
    waited,
    acknowledged: offsets.length,
    inOrder: offsets.every((offset, at) => offset === BigInt(at)),
    failures: [...failures],
  }),
);
await kafka.close().catch(() => undefined);
process.disconnect?.();
