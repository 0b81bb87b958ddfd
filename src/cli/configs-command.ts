import type { ConfigEntry } from '../index.ts';
import { adminOptions, withAdmin } from './admin-command.ts';
import { namesOf, parseArguments, parsePair, refuseMore, type CliOptions } from './arguments.ts';
import { CliError } from './cli-error.ts';
import type { Command, CommandGroup } from './command.ts';
import { table } from './table.ts';
import { styled } from './terminal.ts';

type ResourceType = 'topic' | 'broker' | 'group';

const options: CliOptions = {
  set: { type: 'string', multiple: true, value: 'NAME=VALUE', help: 'change this one; may be repeated' },
  unset: { type: 'string', multiple: true, value: 'NAME', help: 'back to its default; may be repeated' },
  all: { type: 'boolean', help: 'show those that nobody has set, too' },
  ...adminOptions,
};

/** What the word for all brokers means to Kafka. */
const allBrokers = { word: 'default', name: '' };

function configsOf(type: ResourceType, name: string, about: string): Command {
  const program = `kavka configs ${type}`;
  return {
    name: type,
    summary: `of a ${type}`,
    usage: `${program} ${name} [options]`,
    about: `${about} With --set or --unset it changes them; those that are not named stay as they are.`,
    options,
    async run(args, terminal) {
      const given = parseArguments(args, options);
      const [word = ''] = namesOf(given, program, type === 'broker' ? 'an id' : 'a name');
      refuseMore(given, program, 1);
      if (type === 'broker' && word !== allBrokers.word && !/^\d+$/.test(word))
        throw new CliError(`Cannot use "${word}": give the id of a broker, or ${allBrokers.word} for all of them`);
      const resource = { type, name: type === 'broker' && word === allBrokers.word ? allBrokers.name : word } as const;
      const set = given.texts('set').map((text) => parsePair('setting', text, 'retention.ms=86400000'));
      const unset = given.texts('unset');
      const isChange = set.length > 0 || unset.length > 0;
      if (isChange && given.has('all')) throw new CliError('Cannot use --all with --set or --unset: it is for showing');
      await withAdmin(given, terminal, async ({ admin, limits, show }) => {
        if (isChange) {
          const changes = { ...resource, set: Object.fromEntries(set), delete: unset };
          await admin.incrementalAlterConfigs(changes, limits);
          // Without the values: some are passwords.
          const names = Object.keys(changes.set);
          show({ ...resource, set: names, delete: unset }, () => {
            return [...names.map((name) => `${name} set`), ...unset.map((name) => `${name} unset`)].join('\n');
          });
          return;
        }
        const { entries } = await admin.describeConfigs(resource, limits);
        const shown = entries.filter((entry) => given.has('all') || isSetFor(type, entry)).sort(byName);
        show({ ...resource, entries: shown }, () => {
          if (shown.length === 0) return styled(terminal, 'dim', 'Nothing was set; --all shows the defaults');
          const columns = [{ title: 'config' }, { title: 'value' }, { title: 'from', isDim: true }];
          const rows = shown.map(({ name, value, isSensitive, source }) => {
            return [name, isSensitive ? '(hidden)' : (value ?? undefined), sourceNames[source]];
          });
          return table(terminal, columns, rows);
        });
      });
    },
  };
}

/** What a topic or a group has from its broker was not set for it. */
function isSetFor(type: ResourceType, { source }: ConfigEntry): boolean {
  return type === 'broker' ? source !== 'default' : source === type;
}

function byName(a: ConfigEntry, b: ConfigEntry): number {
  return a.name < b.name ? -1 : 1;
}

const sourceNames: Readonly<Record<ConfigEntry['source'], string>> = {
  unknown: 'unknown',
  topic: 'topic',
  dynamicBroker: 'broker',
  dynamicDefaultBroker: 'all brokers',
  staticBroker: "broker's file",
  default: 'default',
  dynamicBrokerLogger: 'logger',
  clientMetrics: 'client metrics',
  group: 'group',
};

/** `kavka configs`. */
export const configsCommands: CommandGroup = {
  name: 'configs',
  summary: 'show and change configurations of topics, brokers and groups',
  about: 'Shows and changes configurations.',
  commands: [
    configsOf('topic', 'NAME', 'Shows the configurations that were set for a topic.'),
    configsOf(
      'broker',
      'ID|default',
      'Shows the configurations that were set for a broker, in its file or later, or for all of them.',
    ),
    configsOf('group', 'ID', 'Shows the configurations that were set for a group.'),
  ],
};
