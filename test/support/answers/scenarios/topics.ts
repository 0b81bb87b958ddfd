import { CreatePartitions } from '../../../../src/protocol/generated/create-partitions.ts';
import { CreateTopics } from '../../../../src/protocol/generated/create-topics.ts';
import { DeleteTopics } from '../../../../src/protocol/generated/delete-topics.ts';
import {
  DescribeTopicPartitions,
  type DescribeTopicPartitionsResponse,
} from '../../../../src/protocol/generated/describe-topic-partitions.ts';
import { ElectLeaders } from '../../../../src/protocol/generated/elect-leaders.ts';
import { FindCoordinator } from '../../../../src/protocol/generated/find-coordinator.ts';
import { AlterPartitionReassignments } from '../../../../src/protocol/generated/alter-partition-reassignments.ts';
import { ListPartitionReassignments } from '../../../../src/protocol/generated/list-partition-reassignments.ts';
import { Metadata } from '../../../../src/protocol/generated/metadata.ts';
import { ZERO_UUID } from '../../../../src/protocol/wire/uuid.ts';
import { eventually } from '../../eventually.ts';
import { errorName, normalise, type Scenario } from '../scenario.ts';

const timeoutMs = 30_000;
const unknownId = 'dW5rbm93bi10b3BpYy1pZA';

/** Everything about topics but their settings. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'CreateTopics answers with what the topic became',
    async run(kafka) {
      const broker = await kafka.connect();
      const answers: unknown[] = [];
      for (const version of [2, 4, 5, 7]) {
        const name = kafka.name('create');
        const configs = [{ name: 'retention.ms', value: '1234' }];
        const topics = [{ name, numPartitions: 3, replicationFactor: 1, configs }];
        const answer = await broker.send(CreateTopics, version, { topics, timeoutMs });
        const [topic] = answer.topics;
        const set = topic?.configs?.filter((config) => config.configSource === 1);
        answers.push(normalise({ ...topic, configs: set }, { topic: name, id: topic?.topicId ?? '' }));
      }
      return answers;
    },
  },
  {
    name: 'CreateTopics takes the defaults of the broker for -1',
    async run(kafka) {
      const broker = await kafka.connect();
      const name = kafka.name('defaults');
      const topics = [{ name, numPartitions: -1, replicationFactor: -1 }];
      const answer = await broker.send(CreateTopics, 7, { topics, timeoutMs });
      const [topic] = answer.topics;
      return [errorName(topic?.errorCode ?? -1), topic?.numPartitions, topic?.replicationFactor];
    },
  },
  {
    name: 'CreateTopics refuses, topic by topic',
    async run(kafka) {
      const broker = await kafka.connect();
      const there = await kafka.topic();
      const dotted = kafka.name('a.b');
      await broker.send(CreateTopics, 7, {
        topics: [{ name: dotted, numPartitions: 1, replicationFactor: 1 }],
        timeoutMs,
      });
      const fresh = (): string => kafka.name('refused');
      const twice = fresh();
      const sizes = { numPartitions: 1, replicationFactor: 1 };
      const assigned = { numPartitions: -1, replicationFactor: -1 };
      const setting = (name: string, value: string | null): object => ({ ...sizes, configs: [{ name, value }] });
      const asked: { readonly what: string; readonly name: string; readonly [field: string]: unknown }[] = [
        { what: 'exists', name: there.name, ...sizes },
        { what: 'looks like another', name: dotted.replace('a.b', 'a_b'), ...sizes },
        { what: 'empty name', name: '', ...sizes },
        { what: 'name of dots', name: '..', ...sizes },
        { what: 'name with a slash', name: 'a/b', ...sizes },
        { what: 'long name', name: 'x'.repeat(250), ...sizes },
        { what: 'no partitions', name: fresh(), numPartitions: 0, replicationFactor: 1 },
        { what: 'minus two partitions', name: fresh(), numPartitions: -2, replicationFactor: 1 },
        { what: 'no replicas', name: fresh(), numPartitions: 1, replicationFactor: 0 },
        { what: 'too many replicas', name: fresh(), numPartitions: 1, replicationFactor: 99 },
        { what: 'no such setting', name: fresh(), ...setting('no.such.setting', '1') },
        { what: 'setting that is no number', name: fresh(), ...setting('retention.ms', 'soon') },
        { what: 'setting too small', name: fresh(), ...setting('segment.bytes', '1') },
        { what: 'word that is none', name: fresh(), ...setting('cleanup.policy', 'burn') },
        { what: 'setting without a value', name: fresh(), ...setting('retention.ms', null) },
        { what: 'boolean that is none', name: fresh(), ...setting('preallocate', 'maybe') },
        { what: 'assigned and counted', name: fresh(), ...sizes, assignments: [{ partitionIndex: 0, brokerIds: [1] }] },
        { what: 'assigned to nobody', name: fresh(), ...assigned, assignments: [{ partitionIndex: 0, brokerIds: [] }] },
        { what: 'assigned twice', name: fresh(), ...assigned, assignments: [{ partitionIndex: 0, brokerIds: [1, 1] }] },
        {
          what: 'assigned to a stranger',
          name: fresh(),
          ...assigned,
          assignments: [{ partitionIndex: 0, brokerIds: [99] }],
        },
        {
          what: 'assigned from one on',
          name: fresh(),
          ...assigned,
          assignments: [{ partitionIndex: 1, brokerIds: [1] }],
        },
        { what: 'assigned well', name: fresh(), ...assigned, assignments: [{ partitionIndex: 0, brokerIds: [1] }] },
      ];
      const told: Record<string, unknown> = {};
      for (const { what, ...topic } of asked) {
        const answer = await broker.send(CreateTopics, 7, { topics: [topic], timeoutMs });
        const [result] = answer.topics;
        told[what] = [
          errorName(result?.errorCode ?? -1),
          result?.numPartitions,
          result?.replicationFactor,
          result?.configs?.length === 0,
        ];
      }
      const topics = [
        { name: twice, ...sizes },
        { name: twice, ...sizes },
      ];
      const answer = await broker.send(CreateTopics, 7, { topics, timeoutMs });
      told['named twice'] = answer.topics.map(({ errorCode }) => errorName(errorCode));
      return told;
    },
  },
  {
    name: 'CreateTopics only looks when it is asked to',
    async run(kafka) {
      const broker = await kafka.connect();
      const name = kafka.name('dry');
      const topics = [{ name, numPartitions: 2, replicationFactor: 1 }];
      const answer = await broker.send(CreateTopics, 7, { topics, timeoutMs, validateOnly: true });
      const metadata = await broker.send(Metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false });
      const [topic] = answer.topics;
      return [
        errorName(topic?.errorCode ?? -1),
        topic?.topicId !== ZERO_UUID,
        topic?.numPartitions,
        errorName(metadata.topics[0]?.errorCode ?? -1),
      ];
    },
  },
  {
    name: 'DeleteTopics removes by name and by id, and refuses what is not there',
    async run(kafka) {
      const broker = await kafka.connect();
      const [first, second, third] = [await kafka.topic(), await kafka.topic(), await kafka.topic()];
      const named = await broker.send(DeleteTopics, 5, { topicNames: [first.name, 'there-is-none'], timeoutMs });
      const byId = await broker.send(DeleteTopics, 6, {
        topics: [{ topicId: second.topicId }, { topicId: unknownId }, { name: third.name, topicId: third.topicId }],
        timeoutMs,
      });
      const twice = await broker.send(DeleteTopics, 6, {
        topics: [{ name: third.name }, { topicId: third.topicId }],
        timeoutMs,
      });
      const names = { first: first.name, second: second.name, third: third.name };
      const ids = { firstId: first.topicId, secondId: second.topicId, thirdId: third.topicId };
      const sorted = (answer: typeof named): object[] =>
        [...answer.responses].sort((a, b) => a.errorCode - b.errorCode || (a.name ?? '').localeCompare(b.name ?? ''));
      return [named, byId, twice].map((answer) => normalise(sorted(answer), { ...names, ...ids }));
    },
  },
  {
    name: 'CreatePartitions raises the number and refuses the rest',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await kafka.topic(2);
      const told: Record<string, unknown> = {};
      const ask = async (what: string, wanted: object, name = topic.name): Promise<void> => {
        const answer = await broker.send(CreatePartitions, 3, {
          topics: [{ name, assignments: null, ...wanted }],
          timeoutMs,
        });
        told[what] = normalise(answer.results, { topic: topic.name });
      };
      await ask('as many', { count: 2 });
      await ask('fewer', { count: 1 });
      await ask('none', { count: 0 });
      await ask('no such topic', { count: 3 }, 'there-is-none');
      await ask('assigned too few', { count: 4, assignments: [{ brokerIds: [1] }] });
      await ask('assigned to a stranger', { count: 3, assignments: [{ brokerIds: [99] }] });
      await ask('assigned twice', { count: 3, assignments: [{ brokerIds: [1, 1] }] });
      await ask('assigned', { count: 3, assignments: [{ brokerIds: [1] }] });
      await ask('more', { count: 5 });
      const metadata = await eventually(async () => {
        const answer = await broker.send(Metadata, 12, {
          topics: [{ name: topic.name }],
          allowAutoTopicCreation: false,
        });
        return answer.topics[0]?.partitions.length === 5 && answer;
      });
      told['partitions'] = metadata.topics[0]?.partitions.length;
      return told;
    },
  },
  {
    name: 'Metadata tells of topics by name, by id, and of none',
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await kafka.topic(2);
      const names = { topic: topic.name, id: topic.topicId };
      const of = async (version: number, topics: object[] | null, allow = false): Promise<unknown> => {
        const flag = version >= 4 ? { allowAutoTopicCreation: allow } : {};
        const answer = await broker.send(Metadata, version, { topics, ...flag });
        return normalise(answer.topics, names);
      };
      return {
        ...Object.fromEntries(
          await Promise.all(
            [0, 1, 4, 5, 7, 9, 10, 12, 13].map(
              async (version) => [`v${version}`, await of(version, [{ name: topic.name }])] as const,
            ),
          ),
        ),
        'by id': await of(12, [{ name: null, topicId: topic.topicId }]),
        'unknown id': await of(12, [{ name: null, topicId: unknownId }]),
        'unknown name': await of(12, [{ name: 'there-is-none' }]),
        'impossible name': await of(12, [{ name: 'a/b' }], true),
        'no topics': await of(12, []),
      };
    },
  },
  {
    name: 'Metadata creates a topic at first sight for those who allow it',
    async run(kafka) {
      const broker = await kafka.connect();
      const name = kafka.name('sight');
      const first = await broker.send(Metadata, 12, { topics: [{ name }], allowAutoTopicCreation: true });
      const later = await eventually(async () => {
        const answer = await broker.send(Metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false });
        return answer.topics[0]?.errorCode === 0 && answer.topics[0].partitions[0]?.leaderId !== -1 && answer;
      });
      return [errorName(first.topics[0]?.errorCode ?? -1), later.topics[0]?.partitions.length];
    },
  },
  {
    name: 'DescribeTopicPartitions goes on from its cursor',
    async run(kafka) {
      const broker = await kafka.connect();
      const pair = [await kafka.topic(3), await kafka.topic(3)].sort((a, b) => (a.name < b.name ? -1 : 1));
      const [first, second] = pair.map(({ name }) => name);
      const topics = [{ name: second ?? '' }, { name: first ?? '' }, { name: 'zzz-there-is-none' }];
      const pages: unknown[] = [];
      let cursor: { topicName: string; partitionIndex: number } | null = null;
      do {
        const message = { topics, responsePartitionLimit: 2, cursor };
        const answer: DescribeTopicPartitionsResponse = await broker.send(DescribeTopicPartitions, 0, message);
        const shown = answer.topics.map(({ errorCode, name, partitions }) => ({
          errorCode,
          name,
          partitions: partitions.map(({ partitionIndex }) => partitionIndex),
        }));
        cursor = answer.nextCursor;
        pages.push(normalise({ topics: shown, nextCursor: cursor }, { first: first ?? '', second: second ?? '' }));
      } while (cursor !== null);
      return pages;
    },
  },
  {
    name: 'FindCoordinator answers in each of its versions',
    async run(kafka) {
      const broker = await kafka.connect();
      const key = kafka.name('group');
      const tell = async (version: number): Promise<unknown> =>
        eventually(async () => {
          const asked = version >= 4 ? { coordinatorKeys: [key, `${key}-2`] } : { key };
          const answer = await broker.send(FindCoordinator, version, {
            ...asked,
            ...(version >= 1 ? { keyType: 0 } : {}),
          });
          const code = version >= 4 ? answer.coordinators[0]?.errorCode : answer.errorCode;
          if (code !== 0) return false;
          const each = answer.coordinators.map((found) => ({ ...found, host: '', port: 0 }));
          return normalise({ ...answer, host: '', port: 0, coordinators: each }, { group: key, second: `${key}-2` });
        });
      const told: unknown[] = [];
      for (const version of [0, 1, 2, 3, 4, 5, 6]) told.push(await tell(version));
      const strange = await broker.send(FindCoordinator, 4, { keyType: 9, coordinatorKeys: [key] }).catch(String);
      const empty = await broker.send(FindCoordinator, 4, { keyType: 0, coordinatorKeys: [] });
      return [told, normalise(strange, { group: key }), normalise(empty)];
    },
  },
  {
    name: 'ElectLeaders moves leadership back to the preferred replica',
    brokers: 3,
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await kafka.topic(1, {}, 3);
      const ask = async (
        version: number,
        partitions: number[] | null,
        name = topic.name,
        electionType = 0,
      ): Promise<unknown> => {
        const topicPartitions = partitions === null ? null : [{ topic: name, partitions }];
        const type = version >= 1 ? { electionType } : {};
        const answer = await broker.send(ElectLeaders, version, { topicPartitions, timeoutMs, ...type });
        return normalise(answer, { topic: topic.name });
      };
      return [
        await ask(2, [0]),
        await ask(0, [0]),
        await ask(2, [7]),
        await ask(2, [0], 'there-is-none'),
        await ask(2, [0], topic.name, 1),
      ];
    },
  },
  {
    name: 'AlterPartitionReassignments moves a partition and refuses what cannot be',
    brokers: 3,
    async run(kafka) {
      const broker = await kafka.connect();
      const topic = await kafka.topic(1, {}, 1);
      const ask = async (replicas: number[] | null, partitionIndex = 0, name = topic.name): Promise<unknown> => {
        const topics = [{ name, partitions: [{ partitionIndex, replicas }] }];
        const answer = await broker.send(AlterPartitionReassignments, 0, { topics, timeoutMs });
        return normalise(answer, { topic: topic.name });
      };
      const before = await broker.send(Metadata, 12, { topics: [{ name: topic.name }], allowAutoTopicCreation: false });
      const old = before.topics[0]?.partitions[0]?.leaderId ?? -1;
      const target = [1, 2, 3].filter((id) => id !== old);
      const told = [
        await ask(null),
        await ask([]),
        await ask([1, 1]),
        await ask([99]),
        await ask([1], 5),
        await ask([1], 0, 'there-is-none'),
        await ask(target),
      ];
      const after = await eventually(async () => {
        const list = await broker.send(ListPartitionReassignments, 0, {
          topics: [{ name: topic.name, partitionIndexes: [0] }],
          timeoutMs,
        });
        const metadata = await broker.send(Metadata, 12, {
          topics: [{ name: topic.name }],
          allowAutoTopicCreation: false,
        });
        const partition = metadata.topics[0]?.partitions[0];
        return (
          list.topics.length === 0 &&
          partition?.isrNodes.length === 2 &&
          partition.replicaNodes.length === 2 && { list, partition }
        );
      });
      const { replicaNodes, isrNodes, leaderId } = after.partition;
      return [
        ...told,
        normalise(after.list),
        replicaNodes.join() === target.join(),
        isrNodes.length,
        leaderId === target[0],
      ];
    },
  },
];
