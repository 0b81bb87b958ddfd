import type { ClusterState } from '../state/cluster-state.ts';
import { configDefaults } from '../state/config-defaults.ts';
import type { ConfigRow, ConfigType } from '../state/config-row.ts';
import type { BrokerState } from '../state/broker-state.ts';

/** Where a value comes from, as Kafka numbers it. */
export const configSource = {
  topic: 1,
  broker: 2,
  allBrokers: 3,
  start: 4,
  default: 5,
  group: 8,
} as const;

const typeNumbers: Readonly<Record<ConfigType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
};

/** Whose settings are told. */
export type ConfigOwner =
  | { readonly kind: 'topic'; readonly configs: ReadonlyMap<string, string> }
  | { readonly kind: 'group'; readonly configs: ReadonlyMap<string, string> }
  | { readonly kind: 'broker'; readonly broker: BrokerState };

/** One place that gives a setting a value. */
export interface ConfigSynonym {
  readonly name: string;
  readonly value: string | null;
  readonly source: number;
}

/** A setting as DescribeConfigs tells it. */
export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  readonly configType: number;
  readonly synonyms: readonly ConfigSynonym[];
}

/** The number of a broker setting's type; 0 for one that Kafka does not know. */
export function configTypeOf(name: string): number {
  const row = configDefaults.broker.get(name);
  return row === undefined ? 0 : typeNumbers[row[1]];
}

/** All settings of a topic, a group or a broker, each with the places that give it a value, the one that counts first. */
export function configEntries(cluster: ClusterState, owner: ConfigOwner): ConfigEntry[] {
  return [...configDefaults[owner.kind].values()].map((row) => entryOf(cluster, owner, row));
}

function entryOf(cluster: ClusterState, owner: ConfigOwner, row: ConfigRow): ConfigEntry {
  const [name, type, defaultValue, more] = row;
  const synonyms =
    owner.kind === 'broker' ? brokerSynonyms(cluster, owner.broker, row) : ownSynonyms(cluster, owner, row);
  const isSensitive = type === 'password';
  const [first = { name, value: defaultValue, source: configSource.default }] = synonyms;
  return {
    name,
    value: isSensitive ? null : first.value,
    readOnly: owner.kind === 'broker' && more === 'read-only',
    configSource: first.source,
    isSensitive,
    configType: typeNumbers[type],
    synonyms: isSensitive ? synonyms.map((synonym) => ({ ...synonym, value: null })) : synonyms,
  };
}

function ownSynonyms(
  cluster: ClusterState,
  owner: Exclude<ConfigOwner, { kind: 'broker' }>,
  [name, , defaultValue, parent]: ConfigRow,
): ConfigSynonym[] {
  const own = owner.configs.get(name);
  const synonyms: ConfigSynonym[] = own === undefined ? [] : [{ name, value: own, source: configSource[owner.kind] }];
  if (parent === null) return synonyms;
  synonyms.push(...setForAll(cluster, parent));
  const parentDefault = configDefaults.broker.get(parent)?.[2] ?? null;
  // Times that brokers have in hours and minutes, too, have no default of their own in milliseconds.
  if (parentDefault !== null || owner.kind === 'group') {
    synonyms.push({ name: parent, value: parentDefault ?? defaultValue, source: configSource.default });
  }
  return synonyms;
}

function brokerSynonyms(
  cluster: ClusterState,
  broker: BrokerState,
  [name, , defaultValue]: ConfigRow,
): ConfigSynonym[] {
  const own = broker.configs.get(name);
  const synonyms: ConfigSynonym[] = own === undefined ? [] : [{ name, value: own, source: configSource.broker }];
  synonyms.push(...setForAll(cluster, name));
  if (defaultValue !== null) synonyms.push({ name, value: defaultValue, source: configSource.default });
  return synonyms;
}

function setForAll(cluster: ClusterState, name: string): ConfigSynonym[] {
  const places = [
    [cluster.dynamicConfigs, configSource.allBrokers],
    [cluster.configs, configSource.start],
  ] as const;
  return places.flatMap(([configs, source]) => {
    const value = configs.get(name);
    return value === undefined ? [] : [{ name, value, source }];
  });
}
