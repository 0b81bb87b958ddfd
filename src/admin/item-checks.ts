import {
  adviceOn,
  describeValue,
  expectedInstead,
  integer,
  object,
  oneOf,
  quote,
  type OptionRule,
} from '../util/option-rules.ts';
import { partitionProblem } from '../util/partition-problem.ts';
import type { ConfigChanges } from './configs.ts';
import { electionTypes } from './elections.ts';
import { upgradeTypes, type FeatureUpdate } from './features.ts';
import type { NewReplicaLogDir } from './log-dirs.ts';
import type { NewPartitionReassignment } from './reassignments.ts';
import type { NewPartitions, NewTopic } from './topics.ts';

/** Looks at what a call was given for one item, before anything is sent; says what is wrong with it. */
export type ItemCheck = (item: unknown) => string | undefined;

export const topicName: ItemCheck = text('the name of a topic');
export const groupId: ItemCheck = text('the id of a group');
export const transactionalId: ItemCheck = text('a transactional id');

/** More fields are no mistake: what other calls answer with can be given as it is. */
export const topicPartition: ItemCheck = (item) => partitionProblem(item);

export const newTopic: ItemCheck = fields<NewTopic>(
  'a topic to create',
  { topic: true, partitions: true, replicationFactor: true, assignments: true, configs: true },
  {
    topics: 'give the topics themselves, one or a list of them',
    name: 'use topic',
    numPartitions: 'use partitions',
    replicaAssignment: 'use assignments: for each partition, in order, its brokers',
    configEntries: "use configs: { 'retention.ms': '86400000' }",
    config: 'use configs',
  },
);

export const newPartitions: ItemCheck = fields<NewPartitions>(
  'a topic to add partitions to',
  { topic: true, count: true, assignments: true },
  {
    partitions: 'use count: how many it shall have in all',
    totalCount: 'use count',
  },
);

export const configChanges: ItemCheck = fields<ConfigChanges>(
  'a resource to change',
  { type: true, name: true, set: true, delete: true, append: true, subtract: true },
  { configs: 'use set', entries: 'use set', configEntries: "use set: { 'retention.ms': '86400000' }" },
);

const isBrokerId = integer(0, 0x7fff_ffff);

export const brokerId: ItemCheck = (item) =>
  isBrokerId.accepts(item) ? undefined : expectedInstead('the id of a broker', item);

export const reassignment: ItemCheck = allOf(
  fields<NewPartitionReassignment>(
    'a partition to move',
    { topic: true, partition: true, replicas: true },
    {
      partitions: 'give { topic, partition, replicas } for each of them',
      partitionAssignment: 'give { topic, partition, replicas } for each of them',
      targetReplicas: 'use replicas',
      addingReplicas: 'use replicas: all brokers that shall hold it',
      removingReplicas: 'use replicas: all brokers that shall hold it',
    },
  ),
  topicPartition,
  (item) => replicasProblem(item as NewPartitionReassignment),
);

export const replica: ItemCheck = allOf(topicPartition, (item) => {
  const { topic, partition, brokerId: id } = item as Readonly<Record<string, unknown>>;
  if (isBrokerId.accepts(id)) return undefined;
  const whose = `for brokerId of partition ${String(partition)} of topic ${quote(topic)}`;
  return `${expectedInstead('the id of a broker', id)} ${whose}`;
});

export const newReplicaLogDir: ItemCheck = allOf(
  fields<NewReplicaLogDir>(
    'a replica to move',
    { topic: true, partition: true, brokerId: true, path: true },
    { broker: 'use brokerId', nodeId: 'use brokerId', logDir: 'use path', dir: 'use path', current: 'give the path' },
  ),
  replica,
  (item) => {
    const { path } = item as Readonly<Record<string, unknown>>;
    if (typeof path === 'string' && path !== '') return undefined;
    return `${expectedInstead('the absolute path of a log directory', path)} for path`;
  },
);

export const featureUpdate: ItemCheck = allOf(
  fields<FeatureUpdate>(
    'a feature to change',
    { feature: true, maxVersionLevel: true, upgradeType: true },
    {
      name: 'use feature',
      level: 'use maxVersionLevel',
      versionLevel: 'use maxVersionLevel',
      allowDowngrade: "use upgradeType: 'safe-downgrade' or 'unsafe-downgrade'",
    },
  ),
  (item) => featureProblem(item as Readonly<Record<string, unknown>>),
);

const isElectionType = oneOf(Object.keys(electionTypes));

export const electionType: ItemCheck = (item) =>
  isElectionType.accepts(item) ? undefined : expectedInstead(isElectionType.expected, item);

export const anyItem: ItemCheck = () => undefined;

/** For what belongs to a group. */
export function ofGroup(group: unknown, check: ItemCheck): ItemCheck {
  return (item) => groupId(group) ?? check(item);
}

function replicasProblem({ topic, partition, replicas }: NewPartitionReassignment): string | undefined {
  if (replicas === null) return undefined;
  const whose = `for the replicas of partition ${partition} of topic ${quote(topic)}`;
  const wanted = 'a list of the ids of all brokers that shall hold it, or null to cancel its reassignment,';
  if (!Array.isArray(replicas) || replicas.length === 0)
    return `${quote(replicas)} given ${whose}, where ${wanted} was expected`;
  const given: readonly unknown[] = replicas;
  const none = given.findIndex((id) => !isBrokerId.accepts(id));
  if (none >= 0) return `${expectedInstead('the id of a broker', given[none])} ${whose}`;
  const twice = given.find((id, index) => given.indexOf(id) !== index);
  return twice === undefined ? undefined : `broker ${quote(twice)} given twice ${whose}`;
}

const levels = integer(0, 0x7fff);
const isUpgradeType = oneOf(Object.keys(upgradeTypes));

function featureProblem(item: Readonly<Record<string, unknown>>): string | undefined {
  const { feature, maxVersionLevel, upgradeType = 'upgrade' } = item;
  if (typeof feature !== 'string' || feature === '')
    return `${expectedInstead('the name of a feature', feature)} for feature`;
  const whose = `of feature ${quote(feature)}`;
  if (!levels.accepts(maxVersionLevel))
    return `${expectedInstead(levels.expected, maxVersionLevel)} for maxVersionLevel ${whose}`;
  if (!isUpgradeType.accepts(upgradeType))
    return `${expectedInstead(isUpgradeType.expected, upgradeType)} for upgradeType ${whose}`;
  if (maxVersionLevel !== 0 || upgradeType !== 'upgrade') return undefined;
  return `level 0 given ${whose}, which switches it off; that needs upgradeType 'safe-downgrade' or 'unsafe-downgrade'`;
}

/** The first that finds something wrong says so. */
function allOf(...checks: ItemCheck[]): ItemCheck {
  return (item) => {
    for (const check of checks) {
      const problem = check(item);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

function text(what: string): ItemCheck {
  return (item) => (typeof item === 'string' ? undefined : expectedInstead(what, item));
}

/** As {@link fields}; looks at the values as well. A field that is `undefined` counts as not given. */
export function checkedFields<Item>(
  what: string,
  rules: Readonly<Record<keyof Item, OptionRule>>,
  needed: readonly (keyof Item)[],
  otherNames: Readonly<Record<string, string>>,
): ItemCheck {
  const namesProblem = fields<Item>(what, rules, otherNames);
  const mustBeThere: readonly unknown[] = needed;
  return (item) => {
    const problem = namesProblem(item);
    if (problem !== undefined) return problem;
    for (const [name, rule] of Object.entries<OptionRule>(rules)) {
      const value = (item as Readonly<Record<string, unknown>>)[name];
      if (value === undefined && !mustBeThere.includes(name)) continue;
      if (!rule.accepts(value)) {
        return `${describeValue(name, value)} given for ${name}, where ${rule.expected} was expected`;
      }
    }
    return undefined;
  };
}

/** What a call does not know of an item it would leave out in silence. */
function fields<Item>(
  what: string,
  fieldsOfItem: Readonly<Record<keyof Item, unknown>>,
  otherNames: Readonly<Record<string, string>>,
): ItemCheck {
  const known = Object.keys(fieldsOfItem);
  return (item) => {
    if (!object.accepts(item)) return expectedInstead(`{ ${known.join(', ')} }`, item);
    const name = Object.keys(item as object).find((each) => !known.includes(each));
    if (name === undefined) return undefined;
    const advice = adviceOn(name, known, otherNames) ?? `its fields are ${known.join(', ')}`;
    return `${what} has no field ${name}; ${advice}`;
  };
}
