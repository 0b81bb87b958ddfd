import { isKafkaError, type ConfigDescription, type TopicDescription } from '../index.ts';
import {
  adminOptions,
  confirmDeletion,
  failWith,
  sortOut,
  withAdmin,
  yesOption,
  type AdminSession,
} from './admin-command.ts';
import { namesOf, parseArguments, parsePair, refuseMore, type CliOptions } from './arguments.ts';
import { CliError } from './cli-error.ts';
import type { Command, CommandGroup } from './command.ts';
import { integerOf } from './option-values.ts';
import { table } from './table.ts';
import { styled, type Terminal } from './terminal.ts';
import { visible } from './visible-text.ts';

const numberOfPartitions = { min: 1, max: 1_000_000 };

const listOptions: CliOptions = {
  internal: { type: 'boolean', help: 'with the topics that Kafka keeps for itself' },
  ...adminOptions,
};

const listCommand: Command = {
  name: 'list',
  summary: 'the topics of the cluster',
  usage: 'kavka topics list [options]',
  about: 'Lists the topics that you are allowed to see, by name.',
  options: listOptions,
  async run(args, terminal) {
    const given = parseArguments(args, listOptions);
    refuseMore(given, 'kavka topics list', 0);
    await withAdmin(given, terminal, async ({ admin, limits, show }) => {
      const listed = await admin.listTopics({ ...limits, includeInternal: given.has('internal') });
      const results = await admin.describeTopics(
        listed.map(({ topic }) => topic),
        { ...limits, settled: true },
      );
      // One that was deleted after it was listed is no failure of the list.
      const there = results.filter(
        (result) => result.status === 'fulfilled' || !isKafkaError(result.reason, 'UNKNOWN_TOPIC_OR_PARTITION'),
      );
      const { done, failures } = sortOut(there);
      const topics = done.map(({ topic, topicId, isInternal, partitions }) => ({
        topic,
        topicId,
        isInternal,
        partitions: partitions.length,
        replicationFactor: replicasOf(partitions),
      }));
      show(topics, () => {
        if (topics.length === 0) return styled(terminal, 'dim', 'There are no topics');
        const columns = [
          { title: 'topic' },
          { title: 'partitions', isNumber: true },
          { title: 'replicas', isNumber: true },
          { title: 'id', isDim: true },
        ];
        const rows = topics.map((topic) => [topic.topic, topic.partitions, topic.replicationFactor, topic.topicId]);
        return table(terminal, columns, rows);
      });
      failWith(failures);
    });
  },
};

const describeOptions: CliOptions = adminOptions;

const describeCommand: Command = {
  name: 'describe',
  summary: 'partitions, leaders, replicas, and the configs that were set',
  usage: 'kavka topics describe NAME… [options]',
  about: 'Shows the partitions of topics, where they are, and the configs that were set for each topic.',
  options: describeOptions,
  async run(args, terminal) {
    const given = parseArguments(args, describeOptions);
    const names = namesOf(given, 'kavka topics describe', 'a topic');
    await withAdmin(given, terminal, async (session) => {
      const { done, failures } = sortOut(
        await session.admin.describeTopics(names, { ...session.limits, settled: true }),
      );
      const configs = sortOut(
        await configsOf(
          session,
          done.map(({ topic }) => topic),
        ),
      );
      const described = done.map((topic) => ({
        ...topic,
        // Null where they may not be read, which is told below.
        configs: setConfigs(configs.done.find(({ name }) => name === topic.topic)),
      }));
      session.show(described, () => described.map((topic) => topicText(terminal, topic)).join('\n\n'));
      failWith([...failures, ...configs.failures]);
    });
  },
};

function configsOf({ admin, limits }: AdminSession, topics: readonly string[]) {
  return admin.describeConfigs(
    topics.map((name) => ({ type: 'topic', name }) as const),
    { ...limits, settled: true },
  );
}

/** What was set for the topic itself, by name; the value of a secret is null. */
function setConfigs(description: ConfigDescription | undefined): Readonly<Record<string, string | null>> | null {
  if (description === undefined) return null;
  const set = description.entries.filter(({ source }) => source === 'topic');
  return Object.fromEntries(set.map(({ name, value }) => [name, value]));
}

type DescribedTopic = TopicDescription & { readonly configs: Readonly<Record<string, string | null>> | null };

function topicText(terminal: Terminal, { topic, topicId, partitions, configs }: DescribedTopic): string {
  const size = `${partitions.length} ${plural(partitions.length, 'partition')} × ${replicasOf(partitions)}`;
  const columns = [
    { title: 'partition', isNumber: true },
    { title: 'leader', isNumber: true },
    { title: 'replicas' },
    { title: 'in sync' },
  ];
  const rows = partitions.map(({ partition, leaderId, replicas, isr }) => {
    const missing = replicas.filter((id) => !isr.includes(id));
    const inSync = missing.length === 0 ? isr.join(',') : `${isr.join(',')} (not ${missing.join(',')})`;
    return [partition, leaderId < 0 ? 'none' : leaderId, replicas.join(','), inSync];
  });
  return [
    `${styled(terminal, 'bold', visible(topic))}  ${size}${styled(terminal, 'dim', `  ${topicId}`)}`,
    ...Object.entries(configs ?? {}).map(([name, value]) => `  ${visible(`${name}=${value ?? '(hidden)'}`)}`),
    table(terminal, columns, rows, '  '),
  ].join('\n');
}

const createOptions: CliOptions = {
  partitions: { type: 'string', value: 'N', help: "how many partitions (the cluster's num.partitions)" },
  replicas: {
    type: 'string',
    value: 'N',
    help: "how many brokers hold each partition (the cluster's default.replication.factor)",
  },
  config: {
    type: 'string',
    multiple: true,
    value: 'NAME=VALUE',
    help: 'a config of the topic, such as retention.ms=86400000; may be repeated',
  },
  'if-not-exists': { type: 'boolean', help: 'a topic that exists stays as it is, and is no error' },
  ...adminOptions,
};

const createCommand: Command = {
  name: 'create',
  summary: 'make topics',
  usage: 'kavka topics create NAME… [options]',
  about: 'Makes topics, and waits until each of their partitions has a leader.',
  options: createOptions,
  async run(args, terminal) {
    const given = parseArguments(args, createOptions);
    const names = namesOf(given, 'kavka topics create', 'a name');
    const plan = {
      partitions: integerOf(given, 'partitions', numberOfPartitions),
      replicationFactor: integerOf(given, 'replicas', { min: 1, max: 32_767 }),
      configs: Object.fromEntries(
        given.texts('config').map((text) => parsePair('setting', text, 'retention.ms=86400000')),
      ),
    };
    await withAdmin(given, terminal, async ({ admin, limits, show }) => {
      const results = await admin.createTopics(
        names.map((topic) => ({ topic, ...plan })),
        { ...limits, ifNotExists: given.has('if-not-exists'), settled: true },
      );
      const { done, failures } = sortOut(results);
      show(done, () =>
        done
          .map(({ topic, partitions, replicationFactor, created }) => {
            const size = `${partitions} ${plural(partitions, 'partition')} × ${replicationFactor}`;
            return `${topic} ${created ? 'created' : 'is there already'}: ${size}`;
          })
          .join('\n'),
      );
      failWith(failures);
    });
  },
};

const deleteOptions: CliOptions = {
  'if-exists': { type: 'boolean', help: 'a topic that does not exist is no error' },
  ...yesOption,
  ...adminOptions,
};

const deleteCommand: Command = {
  name: 'delete',
  summary: 'delete topics with all their records',
  usage: 'kavka topics delete NAME… [options]',
  about:
    'Deletes topics with all their records, and waits until they are gone. It asks before; where there is nobody to\n' +
    'ask, it needs --yes.',
  options: deleteOptions,
  async run(args, terminal) {
    const given = parseArguments(args, deleteOptions);
    const names = namesOf(given, 'kavka topics delete', 'a topic');
    const contents = { ofOne: 'all its records', ofMany: 'all their records' };
    await confirmDeletion(given, terminal, 'topic', names, contents);
    await withAdmin(given, terminal, async ({ admin, limits, show }) => {
      const results = await admin.deleteTopics(names, { ...limits, ifExists: given.has('if-exists'), settled: true });
      const { done, failures } = sortOut(results);
      show(done, () =>
        done.map(({ topic, deleted }) => `${topic} ${deleted ? 'deleted' : 'was not there'}`).join('\n'),
      );
      failWith(failures);
    });
  },
};

const growOptions: CliOptions = {
  partitions: { type: 'string', value: 'N', help: 'how many partitions it shall have in all' },
  ...adminOptions,
};

const growCommand: Command = {
  name: 'grow',
  summary: 'give a topic more partitions',
  usage: 'kavka topics grow NAME --partitions N [options]',
  about:
    'Gives a topic more partitions. Records with a key that are sent afterwards may go to another partition than\n' +
    'those before. Partitions cannot be taken away.',
  options: growOptions,
  async run(args, terminal) {
    const given = parseArguments(args, growOptions);
    const [topic = ''] = namesOf(given, 'kavka topics grow', 'a topic');
    refuseMore(given, 'kavka topics grow', 1);
    const count = integerOf(given, 'partitions', numberOfPartitions);
    if (count === undefined) throw new CliError(`Cannot grow ${topic}: give --partitions N, how many in all`);
    await withAdmin(given, terminal, async ({ admin, limits, show }) => {
      await admin.createPartitions({ topic, count }, limits);
      show({ topic, count }, () => `${topic} has ${count} partitions now`);
    });
  },
};

function replicasOf(partitions: TopicDescription['partitions']): number {
  return partitions[0]?.replicas.length ?? 0;
}

/** The word for one or for more. */
function plural(count: number, word: string): string {
  return count === 1 ? word : `${word}s`;
}

/** `kavka topics`. */
export const topicsCommands: CommandGroup = {
  name: 'topics',
  summary: 'list, describe, create and delete topics, and give them more partitions',
  about: 'Looks after topics.',
  commands: [listCommand, describeCommand, createCommand, deleteCommand, growCommand],
  unnamed: listCommand,
};
