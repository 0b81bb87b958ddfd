import {
  largestRecordBytes,
  type Contender,
  type OnRead,
  type OpenConsumer,
  type OpenProducer,
  type Target,
} from '../contender.ts';
import { confluentFolder } from '../install-confluent.ts';
import type { PlainRecord } from '../record-pool.ts';
import type { Workload } from '../scenarios.ts';
import { allHaveTheirShare, groupMembers } from './members.ts';
import { loadPeer } from './peer.ts';

type Callback<T = unknown> = (error: Error | null | undefined, result: T) => void;

interface Client {
  connect(options: object, callback: Callback): void;
  disconnect(callback: () => void): void;
}
/** What it hands back with the report of each record: counts what is left of a send. */
interface Sending {
  left: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}
interface Producer extends Client {
  produce(topic: string, partition: number, value: Buffer, key: Buffer, timestampMs: number, opaque: Sending): unknown;
  on(event: 'delivery-report', listener: Callback<{ readonly opaque: Sending }>): void;
  setPollInterval(ms: number): void;
  setPollInBackground(isOn: boolean): void;
}
interface Read {
  readonly value: Buffer | null;
}
interface Consumer extends Client {
  subscribe(topics: readonly string[]): void;
  assignments(): readonly unknown[];
  setDefaultConsumeTimeout(ms: number): void;
  setDefaultIsTimeoutOnlyForFirstMessage(isOnly: boolean): void;
  consume(count: number, callback: Callback<readonly Read[]>): void;
  consume(callback: Callback<Read>): void;
}
interface ReadStream extends AsyncIterable<Read> {
  close(callback: () => void): void;
}
interface RdKafka {
  readonly features: readonly string[];
  readonly Producer: new (options: object) => Producer;
  readonly KafkaConsumer: (new (options: object, topicOptions: object) => Consumer) & {
    createReadStream(options: object, topicOptions: object, streamOptions: object): ReadStream;
  };
}

const pollMs = Number(process.env['CONFLUENT_POLL_MS'] ?? 5);
const consumeCount = Number(process.env['CONFLUENT_CONSUME'] ?? 10_000);
function load(): RdKafka {
  return loadPeer('@confluentinc/kafka-javascript', confluentFolder) as RdKafka;
}

function connection({ bootstrap, caFile }: Target): object {
  const tls = caFile === undefined ? {} : { 'security.protocol': 'ssl', 'ssl.ca.location': caFile };
  return { 'client.id': 'bench', 'bootstrap.servers': bootstrap, 'message.max.bytes': largestRecordBytes, ...tls };
}

function connected(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.connect({}, (error) => (error ? reject(error) : resolve()));
  });
}

function disconnected(client: Client): Promise<void> {
  return new Promise((resolve) => client.disconnect(resolve));
}

async function openProducer(
  target: Target,
  pool: readonly (readonly PlainRecord[])[],
  workload: Workload,
): Promise<OpenProducer> {
  const { topic } = target;
  const producer = new (load().Producer)({
    ...connection(target),
    'enable.idempotence': true,
    acks: 'all',
    'linger.ms': workload === 'awaited' ? 0 : 5,
    'batch.size': 1_000_000,
    'batch.num.messages': 100_000,
    'queue.buffering.max.messages': 1_000_000,
    partitioner: 'murmur2_random',
    'compression.type': target.compression,
    dr_cb: true,
  });
  producer.on('delivery-report', (error, { opaque }) => {
    if (error) opaque.reject(error);
    else if (--opaque.left === 0) opaque.resolve();
  });
  await connected(producer);
  if (workload === 'awaited') producer.setPollInBackground(true);
  else producer.setPollInterval(pollMs);
  // A key that is text would become bytes anew with each send.
  const lists = pool.map((list) => list.map(({ key, value }) => ({ key: Buffer.from(key), value })));
  const send = (records: readonly { key: Buffer; value: Buffer }[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const sending = { left: records.length, resolve, reject };
      for (const { key, value } of records) producer.produce(topic, -1, value, key, 0, sending);
    });
  return {
    sendMany: (list) => send(lists[list] ?? []),
    sendOne: (list, index) => send(lists[list]?.slice(index, index + 1) ?? []),
    close: () => disconnected(producer),
  };
}

function sizeOf({ value }: Read): number {
  return value?.length ?? 0;
}

/** What a story does with each record. */
const looks: Readonly<Partial<Record<Workload, (record: Read) => number>>> = {
  lazy: () => 0,
  json: (record) => ((JSON.parse(String(record.value)) as { id: number }).id === 0 ? 0 : sizeOf(record)),
};

async function openConsumer(
  target: Target,
  groupId: string,
  onRead: OnRead,
  workload: Workload,
): Promise<OpenConsumer> {
  const { KafkaConsumer } = load();
  const options = { ...connection(target), 'group.id': groupId };
  const topicOptions = { 'auto.offset.reset': 'earliest' };
  if (workload === 'each') {
    const settings = { topics: [target.topic], fetchSize: consumeCount, waitInterval: 0 };
    return openStream(KafkaConsumer.createReadStream(options, topicOptions, settings), onRead);
  }
  const count = workload === 'group' ? groupMembers : 1;
  const members = Array.from({ length: count }, () => new KafkaConsumer(options, topicOptions));
  await Promise.all(members.map(connected));
  for (const member of members) member.subscribe([target.topic]);
  // A rebalance amid the reading would have records read twice: nothing is read until the group is settled.
  if (members.length > 1)
    await allHaveTheirShare(() => members.map((member) => member.assignments().length), target.partitions);
  let isClosed = false;
  for (const member of members) {
    if (workload === 'run') {
      member.consume((error, record) => {
        if (error) throw error;
        onRead(1, sizeOf(record));
      });
    } else readBatches(member, onRead, looks[workload] ?? sizeOf, () => isClosed);
  }
  return {
    close: async () => {
      isClosed = true;
      await Promise.all(members.map(disconnected));
    },
  };
}

function readBatches(consumer: Consumer, onRead: OnRead, look: (record: Read) => number, isOver: () => boolean): void {
  consumer.setDefaultConsumeTimeout(100);
  // Otherwise it waits so long for each record.
  consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
  const next = (): void => {
    consumer.consume(consumeCount, (error, records) => {
      if (isOver()) return;
      if (error) throw error;
      let bytes = 0;
      for (const record of records) bytes += look(record);
      if (records.length > 0) onRead(records.length, bytes);
      next();
    });
  };
  next();
}

async function openStream(stream: ReadStream, onRead: OnRead): Promise<OpenConsumer> {
  const reading = (async () => {
    for await (const record of stream) onRead(1, sizeOf(record));
  })();
  let isClosed = false;
  // It ends with the consumer; before that, a failure must end the process.
  reading.catch((error: unknown) => {
    if (!isClosed) throw error;
  });
  return {
    close: () => {
      isClosed = true;
      return new Promise<void>((resolve) => stream.close(resolve));
    },
  };
}

const produce =
  'Producer: enable.idempotence, acks=all, batch.size=1 MB, murmur2_random, a delivery report for each record';
const many = `${produce}; linger.ms=5, setPollInterval(${pollMs})`;
const consume = `KafkaConsumer: defaults, consume(${consumeCount.toLocaleString('en-US')})`;

/** \@confluentinc/kafka-javascript, through the API below that of its promises: that one is slower and takes more memory. */
export const contender: Contender = {
  name: '@confluentinc/kafka-javascript',
  options: {
    bulk: many,
    singles: many,
    awaited: `${produce}; linger.ms=0, setPollInBackground`,
    consume: `${consume}; checks no CRC`,
    lazy: `${consume}, nothing looked at`,
    each: `\`for await\` over createReadStream, fetchSize: ${consumeCount}`,
    run: 'KafkaConsumer: defaults, consume(callback)',
    json: `${consume}, JSON.parse of each value`,
    group: `${consume}, ${groupMembers} members in one process`,
  },
  bulkConcurrency: Number(process.env['BULK_CONCURRENCY'] ?? 16),
  refuses: (_workload, { compression }) =>
    compression === 'none' || load().features.includes(compression)
      ? undefined
      : `its librdkafka was built without ${compression}`,
  openProducer,
  openConsumer,
};
