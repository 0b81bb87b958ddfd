import { expectedInstead, integer, oneOf, quote } from '../util/option-rules.ts';
import { partitionProblem } from '../util/partition-problem.ts';
import { electionTypes } from './elections.ts';
import { upgradeTypes, type FeatureUpdate } from './features.ts';
import { allOf, fields, type ItemCheck } from './item-check.ts';
import type { NewReplicaLogDir } from './log-dirs.ts';
import type { NewPartitionReassignment } from './reassignments.ts';

export const topicName: ItemCheck = text('the name of a topic');
export const groupId: ItemCheck = text('the id of a group');
export const transactionalId: ItemCheck = text('a transactional id');

/** More fields are no mistake: what other calls answer with can be given as it is. */
export const topicPartition: ItemCheck = (item) => partitionProblem(item);

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

function text(what: string): ItemCheck {
  return (item) => (typeof item === 'string' ? undefined : expectedInstead(what, item));
}
