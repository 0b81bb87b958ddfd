import type { CallOptions, Destination } from '../cluster/request.ts';
import type { SettledItem } from '../errors/admin-error.ts';
import {
  DescribeConfigs,
  type DescribeConfigsResponseDescribeConfigsResourceResult,
} from '../protocol/generated/describe-configs.ts';
import { IncrementalAlterConfigs } from '../protocol/generated/incremental-alter-configs.ts';
import { ListConfigResources } from '../protocol/generated/list-config-resources.ts';
import {
  expectedInstead,
  listOf,
  nonEmptyString,
  object,
  oneOf,
  quote,
  type OptionRule,
} from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { allOf, checkedFields, configValuesProblem, type ItemCheck } from './item-check.ts';
import {
  fulfilled,
  inGroups,
  inRounds,
  orRejected,
  refused,
  rejected,
  unanswered,
  type AdminOptions,
  type ItemOutcome,
} from './items.ts';

/** What has configurations of its own. */
export type ConfigResourceType = 'topic' | 'broker' | 'brokerLogger' | 'clientMetrics' | 'group';

const resourceTypes: Readonly<Record<ConfigResourceType, number>> = {
  topic: 2,
  broker: 4,
  brokerLogger: 8,
  clientMetrics: 16,
  group: 32,
};

/** Something that has configurations. */
export interface ConfigResource {
  /** What it is. */
  readonly type: ConfigResourceType;
  /** The topic, the group, or the broker's id; an empty name means the defaults of all brokers. */
  readonly name: string | number;
}

/** How configurations are described. */
export interface DescribeConfigsOptions extends AdminOptions {
  /** Only these, by Kafka's names. @defaultValue all */
  readonly names?: readonly string[] | undefined;
  /** Adds where each value comes from, the strongest first. @defaultValue false */
  readonly includeSynonyms?: boolean | undefined;
  /** Adds Kafka's documentation of each. @defaultValue false */
  readonly includeDocumentation?: boolean | undefined;
}

/** Which resources are listed. */
export interface ListConfigResourcesOptions extends CallOptions {
  /** Only resources of these types. @defaultValue all */
  readonly types?: readonly ConfigResourceType[] | undefined;
}

/** Where a configuration's value comes from. */
export type ConfigSource =
  | 'unknown'
  | 'topic'
  | 'dynamicBroker'
  | 'dynamicDefaultBroker'
  | 'staticBroker'
  | 'default'
  | 'dynamicBrokerLogger'
  | 'clientMetrics'
  | 'group';

/** What kind of value a configuration has. */
export type ConfigValueType =
  'unknown' | 'boolean' | 'string' | 'int' | 'short' | 'long' | 'double' | 'list' | 'class' | 'password';

/** One configuration and its value. */
export interface ConfigEntry {
  /** Kafka's name of it: `retention.ms`. */
  readonly name: string;
  /** Null if the value is sensitive, or there is none. */
  readonly value: string | null;
  /** Where the value comes from. */
  readonly source: ConfigSource;
  /** Whether nobody has set it. */
  readonly isDefault: boolean;
  /** Whether it cannot be changed while the broker runs. */
  readonly isReadOnly: boolean;
  /** Whether brokers keep its value to themselves, as with passwords. */
  readonly isSensitive: boolean;
  /** What kind of value it has; `unknown` from brokers before 2.6. */
  readonly type: ConfigValueType;
  /** Empty unless asked for. */
  readonly synonyms: readonly {
    /** The name in that place, which may differ: `log.retention.ms`. */
    readonly name: string;
    /** The value there, null if it is sensitive. */
    readonly value: string | null;
    /** Which place it is. */
    readonly source: ConfigSource;
  }[];
  /** Kafka's own words about it; undefined unless asked for. */
  readonly documentation: string | undefined;
}

/** The configurations of one resource. */
export interface ConfigDescription {
  /** What the resource is. */
  readonly type: ConfigResourceType;
  /** The resource's name, as text. */
  readonly name: string;
  /** In the broker's order; {@link get} finds one by name. */
  readonly entries: readonly ConfigEntry[];
  /** The value of a configuration; undefined if the resource has none of that name. */
  get(name: string): string | null | undefined;
}

/** What to change about one resource; what is not named stays as it is. */
export interface ConfigChanges extends ConfigResource {
  /** New values by Kafka's names. */
  readonly set?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Configurations that go back to their default. */
  readonly delete?: readonly string[] | undefined;
  /** Values to add to configurations that are lists. */
  readonly append?: Readonly<Record<string, string>> | undefined;
  /** Values to take out of configurations that are lists. */
  readonly subtract?: Readonly<Record<string, string>> | undefined;
}

/** How configurations are changed. */
export interface AlterConfigsOptions extends AdminOptions {
  /** Only checks whether the changes could be made. @defaultValue false */
  readonly validateOnly?: boolean | undefined;
}

const sources: readonly ConfigSource[] = [
  'unknown',
  'topic',
  'dynamicBroker',
  'dynamicDefaultBroker',
  'staticBroker',
  'default',
  'dynamicBrokerLogger',
  'clientMetrics',
  'group',
];

const valueTypes: readonly ConfigValueType[] = [
  'unknown',
  'boolean',
  'string',
  'int',
  'short',
  'long',
  'double',
  'list',
  'class',
  'password',
];

const operations = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

const isType = oneOf(Object.keys(resourceTypes));
const texts = listOf(nonEmptyString);
/** Looked at before. */
const anything: OptionRule = { expected: 'anything', accepts: () => true };

/** What is wrong with the type of a resource. */
export const configResourceType: ItemCheck = (type) =>
  isType.accepts(type) ? undefined : expectedInstead(isType.expected, type);

/** What is wrong with a resource. More fields are no mistake: what other calls answer with can be given as it is. */
export const configResource: ItemCheck = (item) => {
  if (!object.accepts(item)) return expectedInstead("{ type: 'topic', name: 'orders' }", item);
  const { type, name } = item as Readonly<Record<string, unknown>>;
  if (!isType.accepts(type)) return `${expectedInstead(isType.expected, type)} for type`;
  if (type !== 'broker' && type !== 'brokerLogger')
    return isName(name) ? undefined : `${expectedInstead('a name', name)} for name of the ${String(type)}`;
  if (name === '' || /^\d+$/.test(String(name))) return undefined;
  return `${expectedInstead("the broker's id", name)} for name; an empty one means the defaults of all brokers`;
};

/** What is wrong with a resource whose configurations are to be changed. */
export const configChanges: ItemCheck = allOf(
  configResource,
  checkedFields<ConfigChanges>(
    'a resource to change',
    { type: isType, name: anything, set: object, delete: texts, append: object, subtract: object },
    [],
    { configs: 'use set', entries: 'use set', configEntries: "use set: { 'retention.ms': '86400000' }" },
  ),
  (item) => {
    const { set, append, subtract } = item as ConfigChanges;
    return (
      configValuesProblem('set', set) ??
      configValuesProblem('append', append) ??
      configValuesProblem('subtract', subtract)
    );
  },
);

function isName(name: unknown): boolean {
  return nonEmptyString.accepts(name) || Number.isInteger(name);
}

/** Reads configurations. */
export function describeConfigs(
  call: AdminCall,
  items: readonly ConfigResource[],
  options: DescribeConfigsOptions,
): Promise<SettledItem<ConfigDescription>[]> {
  return atDestinations(call, items, async (to, group) => {
    const { results } = await call.request({
      api: DescribeConfigs,
      to,
      message: {
        resources: group.map((item) => ({
          ...wireResource(item),
          configurationKeys: options.names === undefined ? null : [...options.names],
        })),
        includeSynonyms: options.includeSynonyms === true,
        ...(options.includeDocumentation === true ? { includeDocumentation: true } : {}),
      },
      versions: { min: options.includeDocumentation === true ? 3 : 1 },
    });
    return group.map((item) => {
      const doing = `Cannot describe the configurations of ${resourceName(item)}`;
      const result = results.find((candidate) => isFor(item, candidate));
      if (result === undefined) return rejected(unanswered(doing));
      if (result.errorCode !== 0) return refused(result.errorCode, doing, result.errorMessage);
      return fulfilled(description(item, result.configs.map(configEntry)));
    });
  });
}

/** Changes configurations, leaving alone what is not named (KIP-339). */
export function incrementalAlterConfigs(
  call: AdminCall,
  items: readonly ConfigChanges[],
  options: AlterConfigsOptions,
): Promise<SettledItem<void>[]> {
  return atDestinations(call, items, async (to, group) => {
    const { responses } = await call.request({
      api: IncrementalAlterConfigs,
      to,
      message: {
        resources: group.map((item) => ({ ...wireResource(item), configs: wireChanges(item) })),
        validateOnly: options.validateOnly === true,
      },
    });
    return group.map((item) => {
      const doing = `Cannot alter the configurations of ${resourceName(item)}`;
      const result = responses.find((candidate) => isFor(item, candidate));
      if (result === undefined) return rejected(unanswered(doing));
      return result.errorCode === 0 ? fulfilled(undefined) : refused(result.errorCode, doing, result.errorMessage);
    });
  });
}

/** What has configurations: groups and client metrics that some were set for, all topics and brokers (KIP-1142). */
export async function listConfigResources(
  call: AdminCall,
  types: readonly ConfigResourceType[],
): Promise<ConfigResource[]> {
  const isOldQuestion = types.length > 0 && types.every((type) => type === 'clientMetrics');
  const { configResources } = await call.request({
    api: ListConfigResources,
    to: { kind: 'any' },
    // The first version, of KIP-1000, is about client metrics and nothing else.
    message: (version) => (version === 0 ? {} : { resourceTypes: types.map((type) => resourceTypes[type]) }),
    versions: { min: isOldQuestion ? 0 : 1 },
    errorCode: ({ errorCode }) => errorCode,
  });
  const names = Object.keys(resourceTypes) as ConfigResourceType[];
  return names.flatMap((type) =>
    configResources
      .filter(({ resourceType }) => resourceType === resourceTypes[type])
      .map(({ resourceName: name }) => ({ type, name }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
}

/** Only a broker itself knows its static configurations and its loggers; everything else any broker answers. */
function atDestinations<Item extends ConfigResource, Result>(
  call: AdminCall,
  items: readonly Item[],
  send: (to: Destination, items: readonly Item[]) => Promise<ItemOutcome<Result>[]>,
): Promise<SettledItem<Result>[]> {
  return inRounds(call, items, (left) =>
    inGroups(left, destinationOf, (nodeId, group) =>
      orRejected(group, () => send(nodeId === ANY ? { kind: 'any' } : { kind: 'broker', nodeId }, group)),
    ),
  );
}

const ANY = -1;

function destinationOf({ type, name }: ConfigResource): number {
  return (type === 'broker' || type === 'brokerLogger') && name !== '' ? Number(name) : ANY;
}

function wireResource({ type, name }: ConfigResource): { resourceType: number; resourceName: string } {
  return { resourceType: resourceTypes[type], resourceName: String(name) };
}

function wireChanges(item: ConfigChanges): { name: string; configOperation: number; value: string | null }[] {
  const withValues = (['set', 'append', 'subtract'] as const).flatMap((operation) =>
    Object.entries(item[operation] ?? {}).map(([name, value]) => ({
      name,
      configOperation: operations[operation],
      value: String(value),
    })),
  );
  const deleted = (item.delete ?? []).map((name) => ({ name, configOperation: operations.delete, value: null }));
  return [...withValues, ...deleted];
}

function isFor(item: ConfigResource, result: { resourceType: number; resourceName: string }): boolean {
  return result.resourceType === resourceTypes[item.type] && result.resourceName === String(item.name);
}

function description({ type, name }: ConfigResource, entries: readonly ConfigEntry[]): ConfigDescription {
  const get = (wanted: string): string | null | undefined => entries.find((entry) => entry.name === wanted)?.value;
  return { type, name: String(name), entries, get };
}

function configEntry(wire: DescribeConfigsResponseDescribeConfigsResourceResult): ConfigEntry {
  const source = sources[wire.configSource] ?? 'unknown';
  return {
    name: wire.name,
    value: wire.value,
    source,
    isDefault: source === 'default',
    isReadOnly: wire.readOnly,
    isSensitive: wire.isSensitive,
    type: valueTypes[wire.configType] ?? 'unknown',
    synonyms: wire.synonyms.map(({ name, value, source: from }) => ({
      name,
      value,
      source: sources[from] ?? 'unknown',
    })),
    documentation: wire.documentation ?? undefined,
  };
}

function resourceName({ type, name }: ConfigResource): string {
  if (type === 'broker' && name === '') return 'all brokers';
  return type === 'broker' || type === 'brokerLogger' ? `broker ${name}` : `${type} ${quote(name)}`;
}
