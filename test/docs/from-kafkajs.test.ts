import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as kafkajs from 'kafkajs';
import ts from 'typescript';
import {
  isKafkaError,
  Kafka,
  type Consumer,
  type ConsumerOptions,
  type PartitionAssignor,
  type Producer,
} from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';
import { repository, snippetsOf } from './snippets.ts';
import { rowsOf } from './markdown-tables.ts';

const page = 'docs/guide/from-kafkajs.md';
const text = readFileSync(join(repository, page), 'utf8');
const broker = await kafkaUnderTest({ brokers: 1 });

/** The names in a cell. */
function namesIn(cell = ''): string[] {
  return [...cell.matchAll(/`([\w.()]+)`/g)].map(([, name = '']) => name);
}

/** The names of the options of KafkaJS, by where they are given, as its types have them. */
function optionsOfKafkaJs(): Record<string, string[]> {
  const path = createRequire(import.meta.url).resolve('kafkajs/types/index.d.ts');
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
  const membersOf = (name: string): string[] => {
    for (const each of source.statements) {
      const isIt = (ts.isInterfaceDeclaration(each) || ts.isTypeAliasDeclaration(each)) && each.name.text === name;
      if (!isIt) continue;
      const members = ts.isInterfaceDeclaration(each) ? each.members : (each.type as ts.TypeLiteralNode).members;
      return members.map((member) => (member.name as ts.Identifier).text);
    }
    throw new Error(`KafkaJS has no ${name}`);
  };
  return {
    client: membersOf('KafkaConfig'),
    producer: membersOf('ProducerConfig'),
    consumer: membersOf('ConsumerConfig'),
    run: membersOf('ConsumerRunConfig'),
  };
}

/** What Kavka says to an option, given to a client, a producer, a consumer or a run. */
async function refusalOf(where: string, name: string): Promise<string> {
  const options = { [name]: 1 };
  try {
    const bootstrapServers = '127.0.0.1:1';
    if (where === 'client') new Kafka({ bootstrapServers, ...options });
    const kafka = new Kafka({ bootstrapServers });
    if (where === 'producer') kafka.producer(options as never);
    const consumer = kafka.consumer({ groupId: 'g', ...(where === 'consumer' ? options : {}) });
    if (where === 'run') await consumer.run(options);
  } catch (error) {
    assert.ok(isKafkaError(error, 'UNKNOWN_OPTION'), `${where} ${name}: ${String(error)}`);
    return error.message;
  }
  return '';
}

describe(page, () => {
  const rows = rowsOf(text, 'of | KafkaJS | Kavka');

  it('lists options that Kavka refuses, and names what it says to use instead', async () => {
    assert.ok(rows.length > 20);
    for (const [where = '', theirs, ours] of rows) {
      let told = '';
      for (const name of namesIn(theirs).filter((each) => each !== 'subscribe')) {
        const refusal = await refusalOf(where.replaceAll('`', ''), name);
        assert.match(refusal, /there is no such option; (?!known options|did you mean)/, name);
        told += refusal;
      }
      for (const name of namesIn(ours)) assert.ok(told.includes(name), `${theirs}: ${name} is not in ${told}`);
    }
  });

  it('lists every option of KafkaJS that Kavka has not under the same name', async () => {
    for (const [where, names] of Object.entries(optionsOfKafkaJs())) {
      const listed = rows
        .filter(([of = '']) => of.replaceAll('`', '') === where)
        .flatMap(([, theirs]) => namesIn(theirs));
      for (const name of names) {
        // What it says otherwise is that 1 is no value for it.
        const isRefused = await refusalOf(where, name).then(
          (refusal) => refusal !== '',
          () => false,
        );
        // Handlers stand among the calls.
        if (isRefused && name !== 'eachMessage') assert.ok(listed.includes(name), `${where} ${name}`);
      }
    }
  });
});

describe(`${page}, with Kafka`, { skip: broker.skip }, () => {
  let kafka: Kafka;
  let producer: Producer;
  let theirs: kafkajs.Kafka;
  let assignor: PartitionAssignor;
  before(async () => {
    kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
    producer = kafka.producer();
    theirs = new kafkajs.Kafka({ brokers: [...broker.bootstrapServers], logLevel: kafkajs.logLevel.NOTHING });
    const snippet = snippetsOf(page, text).find(({ code }) => code.includes('RoundRobinAssigner'));
    const code = ts.transpile(snippet?.code ?? '', { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext });
    const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as Record<
      string,
      PartitionAssignor
    >;
    assignor = module['roundRobinOfKafkaJs'] as PartitionAssignor;
  });
  after(() => kafka.close());

  async function topicOf(partitions: number): Promise<string> {
    const topic = `from-kafkajs-${randomUUID()}`;
    await kafka.admin().createTopics({ topic, partitions, replicationFactor: 1 });
    return topic;
  }

  async function produce(topic: string, from: number, count: number): Promise<string[]> {
    const values = Array.from({ length: count }, (_, index) => String(from + index));
    await producer.send(values.map((value) => ({ topic, key: `key-${value}`, value })));
    return values;
  }

  /** A member that runs with KafkaJS. */
  async function theirMember(
    topic: string,
    groupId: string,
    seen: string[],
  ): Promise<{ count: number; close(): Promise<void> }> {
    const consumer = theirs.consumer({ groupId, heartbeatInterval: 200 });
    const member = { count: 0, close: () => consumer.disconnect() };
    consumer.on('consumer.group_join', ({ payload }) => (member.count = payload.memberAssignment[topic]?.length ?? 0));
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.value)) });
    return member;
  }

  function ourMember(topic: string, groupId: string, seen: string[], options: Partial<ConsumerOptions> = {}): Consumer {
    const consumer = kafka.consumer({ groupId, autoOffsetReset: 'earliest', heartbeatIntervalMs: 200, ...options });
    consumer.subscribe(topic);
    void consumer.run({ eachRecord: ({ value }) => void seen.push(String(value)) });
    return consumer;
  }

  it('the partition of a key stays the same', async () => {
    const topic = await topicOf(7);
    const keys = Array.from({ length: 300 }, (_, index) => `ключ-${index}`);
    const old = theirs.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await old.connect();
    await old.send({ topic, messages: keys.map((key) => ({ key, value: 'old' })) });
    await old.disconnect();
    await producer.send(keys.map((key) => ({ topic, key, value: 'new' })));
    const partitions = new Map<string, Set<number>>();
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    consumer.assign(Array.from({ length: 7 }, (_, partition) => ({ topic, partition })));
    // KafkaJS may have written some of them twice.
    for await (const { key, partition } of consumer.records({ until: 'end' }))
      partitions.set(String(key), (partitions.get(String(key)) ?? new Set()).add(partition));
    assert.deepEqual([partitions.size, [...partitions.values()].filter(({ size }) => size > 1)], [300, []]);
    assert.ok(new Set([...partitions.values()].flatMap((each) => [...each])).size > 3);
    await consumer.close();
  });

  it('a group goes on where the other client has committed, and back again', async () => {
    const topic = await topicOf(3);
    const groupId = `group-${randomUUID()}`;
    const seen: string[] = [];
    const expected: string[] = [];
    for (const isOurs of [false, true, false, true]) {
      const member = isOurs ? ourMember(topic, groupId, seen) : await theirMember(topic, groupId, seen);
      expected.push(...(await produce(topic, expected.length, 30)));
      await eventually(() => seen.length >= expected.length);
      await member.close();
    }
    assert.deepEqual(seen.sort(), expected.sort());
  });

  for (const isOursFirst of [false, true]) {
    const first = isOursFirst ? 'Kavka' : 'KafkaJS';
    it(`members of both are in one group that ${first} leads, each record read once, until Java’s assignors take over`, async () => {
      const topic = await topicOf(6);
      const groupId = `group-${randomUUID()}`;
      const [old, fresh, last]: string[][] = [[], [], []];
      const both = { partitionAssignors: [assignor, 'range' as const] };
      const lead = isOursFirst ? ourMember(topic, groupId, fresh ?? [], both) : undefined;
      if (lead !== undefined) await eventually(() => lead.assignment().length === 6);
      const theirOne = await theirMember(topic, groupId, old ?? []);
      const ourOne = lead ?? ourMember(topic, groupId, fresh ?? [], both);
      await eventually(() => ourOne.assignment().length === 3 && theirOne.count === 3, 'three partitions each');
      const all = (): string[] => [old, fresh, last].flatMap((each) => each ?? []).sort();
      const expected = await produce(topic, 0, 60);
      await eventually(() => all().length >= 60);
      assert.deepEqual(all(), [...expected].sort());
      assert.ok(old?.length !== 0 && fresh?.length !== 0);
      await theirOne.close();
      const lastOne = ourMember(topic, groupId, last ?? []);
      await eventually(() => ourOne.assignment().length === 3 && lastOne.assignment().length === 3);
      expected.push(...(await produce(topic, 60, 60)));
      await eventually(() => all().length >= 120);
      assert.deepEqual(all(), [...expected].sort());
      await Promise.all([ourOne.close(), lastOne.close()]);
    });
  }
});
