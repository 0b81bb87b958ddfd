/**
 * What a record costs in the producer alone, from `send` to its metadata: brokers are played by a few lines that acknowledge
 * everything and look at nothing, so sockets are left out, the checksum is not.
 *
 *     node benchmarks/micro/producer.ts [--processes 5] [--against <another checkout>]
 *     node --cpu-prof benchmarks/micro/producer.ts --row 'send(1,000), texts'
 *
 * Counts CPU time, not wall time: the median of nine rounds. What V8 makes of the code is decided anew in each process, and by what ran
 * there before: each row has processes of its own, in turns with those of the other checkout.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Connection } from '../../src/cluster/connection.ts';
import { MetadataSnapshot, type PartitionMetadata } from '../../src/cluster/metadata-snapshot.ts';
import { resolveClientOptions } from '../../src/cluster/options.ts';
import { EventPublisher } from '../../src/instrumentation/event-publisher.ts';
import { BrokerVersions } from '../../src/network/broker-versions.ts';
import type { ProducerCluster } from '../../src/producer/producer-cluster.ts';
import { Producer } from '../../src/producer/producer.ts';
import type { ProduceRequest, ProduceResponse } from '../../src/protocol/generated/produce.ts';
import { systemClock } from '../../src/util/clock.ts';

const { values: flags } = parseArgs({
  options: {
    processes: { type: 'string', default: '5' },
    against: { type: 'string' },
    row: { type: 'string' },
  },
});
const topic = 'measured';
const partitions = 6;
const listSize = 1_000;
const listsPerRound = 400;
const listsOutstanding = 64;
const rounds = 9;

type Value = string | Buffer;
interface Row {
  readonly name: string;
  readonly value: (index: number) => Value;
  readonly work: (producer: Producer, lists: readonly Listed[][]) => Promise<void>;
}
interface Listed {
  readonly topic: string;
  readonly key: string;
  readonly value: Value;
}

const asBuffer = (index: number): Buffer => Buffer.alloc(100, 97 + (index % 26));
const asText = (index: number): string => flat(String.fromCharCode(97 + (index % 26)).repeat(100));
const rows: readonly Row[] = [
  { name: 'send(1,000), Buffers', value: asBuffer, work: sendLists },
  { name: 'send(1,000), texts', value: asText, work: sendLists },
  { name: 'send(1), Buffers', value: asBuffer, work: sendSingles },
  { name: 'send(1), texts', value: asText, work: sendSingles },
];

if (flags.row === undefined) compare();
else console.log((await measure(flags.row)).toFixed(3));

/** Each row in several processes, of both checkouts in turns. */
function compare(): void {
  const here = join(import.meta.dirname, '../..');
  const checkouts = flags.against === undefined ? [here] : [here, flags.against];
  for (const { name } of rows) {
    const micros = checkouts.map((): number[] => []);
    for (let turn = 0; turn < Number(flags.processes); turn++) {
      for (const [at, checkout] of checkouts.entries()) micros[at]?.push(measureIn(checkout, name));
    }
    for (const [at, checkout] of checkouts.entries()) {
      const all = (micros[at] ?? []).sort((a, b) => a - b);
      const figures = all.map((each) => each.toFixed(3)).join(' ');
      console.log(`${name.padEnd(22)} ${median(all).toFixed(3)} µs/record (${figures}) ${at === 0 ? '' : checkout}`);
    }
  }
}

function measureIn(checkout: string, row: string): number {
  const file = join(checkout, 'benchmarks/micro/producer.ts');
  return Number(execFileSync(process.execPath, [file, '--row', row], { encoding: 'utf8' }));
}

/** CPU time for a record, µs. */
async function measure(name: string): Promise<number> {
  const row = rows.find((each) => each.name === name);
  if (row === undefined) throw new Error(`Cannot measure ${name}: there is no such row`);
  const producer = new Producer(makeCluster());
  const lists = Array.from({ length: 20 }, (_, list) => makeList(list, row.value));
  await row.work(producer, lists); // warms up
  const micros: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage();
    await row.work(producer, lists);
    const { user, system } = process.cpuUsage(start);
    micros.push((user + system) / (listsPerRound * listSize));
  }
  await producer.close();
  return median(micros);
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}

/**
 * A text as it comes from a file or from JSON: its characters lie in one piece. V8 keeps one that was put together from parts as a tree,
 * which a Buffer takes at half the speed until a garbage collection happens to straighten it: the same code then seems to have a fast and
 * a slow mode.
 */
function flat(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function makeList(list: number, value: (index: number) => Value): Listed[] {
  return Array.from({ length: listSize }, (_, index) => {
    const key = flat(`key-${String(((list * listSize + index) * 7919) % 100_000).padStart(6, '0')}`);
    return { topic, key, value: value(index) };
  });
}

/** Lists in one call each, some of them outstanding. */
async function sendLists(producer: Producer, lists: readonly Listed[][]): Promise<void> {
  let turn = 0;
  const sendInTurn = async (): Promise<void> => {
    while (turn < listsPerRound) await producer.send(lists[turn++ % lists.length] ?? []);
  };
  await Promise.all(Array.from({ length: listsOutstanding }, sendInTurn));
}

/** A call and a promise for each record, 10,000 outstanding. */
async function sendSingles(producer: Producer, lists: readonly Listed[][]): Promise<void> {
  for (let turn = 0; turn < listsPerRound; turn += 10) {
    const sends: Promise<unknown>[] = [];
    for (let list = turn; list < turn + 10; list++) {
      for (const record of lists[list % lists.length] ?? []) sends.push(producer.send(record));
    }
    await Promise.all(sends);
  }
}

/** One broker that leads all partitions, answers in the next turn of the event loop, and never refuses. */
function makeCluster(): ProducerCluster {
  const events = new EventPublisher();
  const metadata = MetadataSnapshot.empty.withUpdate({
    clusterId: 'none',
    controllerId: 1,
    brokers: [{ nodeId: 1, host: 'none', port: 1, rack: undefined }],
    topics: [
      { name: topic, topicId: 'measuredmeasuredmeasuA', isInternal: false, errorCode: 0, partitions: leaders() },
    ],
    keep: () => false,
  });
  const connection = makeConnection();
  return {
    options: resolveClientOptions({ bootstrapServers: 'none:1' }),
    clock: systemClock,
    events,
    metadata,
    random: Math.random,
    topics: () => Promise.resolve(metadata),
    refreshSoon: () => undefined,
    onMetadata: () => () => undefined,
    connection: () => Promise.resolve(connection),
    coordinator: () => Promise.resolve(1),
    forgetCoordinator: () => undefined,
    closeLane: () => Promise.resolve(),
    nextClientNumber: () => 1,
    learnLeaders: () => undefined,
    request: <_Req, Res>() => Promise.resolve({ producerId: 1n, producerEpoch: 0, errorCode: 0 } as Res),
  };
}

function leaders(): PartitionMetadata[] {
  return Array.from({ length: partitions }, (_, partition) => ({
    partition,
    leaderId: 1,
    leaderEpoch: 1,
    replicas: [],
    isr: [],
    offlineReplicas: [],
    errorCode: 0,
  }));
}

function makeConnection(): Connection {
  let offset = 0n;
  const answer = ({ topicData }: ProduceRequest): ProduceResponse => ({
    responses: topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }) => ({
        index,
        errorCode: 0,
        baseOffset: (offset += 10_000n),
        logAppendTimeMs: -1n,
        logStartOffset: 0n,
        recordErrors: [],
        errorMessage: null,
        currentLeader: { leaderId: -1, leaderEpoch: -1 },
      })),
    })),
    throttleTimeMs: 0,
    nodeEndpoints: [],
  });
  return {
    nodeId: 1,
    endpoint: { host: 'none', port: 1 },
    lane: 'produce',
    versions: new BrokerVersions({ apiKeys: [{ apiKey: 0, minVersion: 3, maxVersion: 13 }] }),
    isOpen: true,
    inFlight: 0,
    bytesToWrite: 0,
    leaseOf: () => undefined,
    send: <_Req, Res>(_api: unknown, _version: number, message: unknown) =>
      new Promise<Res>((resolve) => setImmediate(() => resolve(answer(message as ProduceRequest) as Res))),
    close: () => Promise.resolve(),
  };
}
